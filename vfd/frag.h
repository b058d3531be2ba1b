/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IP fragments. Those that come stay fragments: the first one's ports (ICMP: type, code, id) are kept for the others
 * of its datagram, so that these are of the same flow, for security groups and NAT as for all else. (Virtual
 * reassembly; what is put together really would have to be cut up again for the next link, and a trace could not follow
 * it exactly.) What comes before the first one waits for it.
 *
 * IPv4 packets that are too big for a link, and may be, are cut up by rte_ip_frag.
 */
#ifndef VFD_FRAG_H
#define VFD_FRAG_H

#include "device.h"

#define FRAG_MS          1000 /* fragments of a datagram come together; an IPv4 id may be used again soon */
#define FRAG_DATAGRAMS   4096 /* whose ports are known or waited for; in FRAG_MS a worker meets about as many */
#define FRAG_WAITING_MAX 256  /* of all datagrams: 5 of the biggest */
#define FRAG_PIECES_MAX  8    /* of a packet of 9000 bytes, on the smallest link */

struct frags *frags_new(void); /* NULL without memory */
void frags_free(struct frags *frags);

/* Gives a fragment the flow that it is of. False: it waits, or was dropped; p->m is NULL then. */
bool frag_take(struct worker *w, struct packet *p);

/* One that need not wait any more; false: none. */
bool frag_next(struct worker *w, struct packet *ret);

void frags_tick(struct worker *w); /* one worker calls it, some times a second */

/*
 * Cuts a packet up into `pieces` (FRAG_PIECES_MAX) of at most mtu bytes, takes it, and returns how many they are. 0: it
 * must not be cut up, and is as it was; or there was no memory, it was dropped, and p->m is NULL. Only the first one is
 * still traced: it has the packet's packet_id.
 */
unsigned int frag_cut(struct worker *w, struct packet *p, uint16_t mtu, struct packet *pieces);

#endif
