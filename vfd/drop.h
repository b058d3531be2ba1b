/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Why packets are dropped: every packet that goes no further is freed in drop_packet(), with a reason that was interned
 * where the flow's entry was made (or at start, for what concerns single packets).
 */
#ifndef VFD_DROP_H
#define VFD_DROP_H

#include "device.h"

#include <jansson.h>

#define DROPS_MAX 4096 /* different reasons with their evidence; past that they go without evidence */

/* What single packets are dropped for; interned at start in this order, so that these are the numbers. */
enum drop_fixed {
	DROP_UNEXPLAINED,
	DROP_HEADER,
	DROP_CHECKSUM,
	DROP_ETHERTYPE,
	DROP_MULTICAST,
	DROP_TTL,
	DROP_OUTER_ECN,
	DROP_OUTER_OTHER, /* on the underlay, not for a tunnel's end of this device */
	DROP_NO_MBUF,
	DROP_TX_FULL,
	DROP_NO_MBUF_CUT,
	DROP_CUT,
	DROP_FRAG_TIMEOUT,
	DROP_FRAG_FULL,
	DROP_FRAG_INSIDE,
	DROP_FIXED_MAX,
};

struct drops *drops_new(struct device *dev); /* NULL without memory */
void drops_free(struct drops *drops);

/* The number of a reason; the same one for the same words. Any thread, takes a lock. Texts longer than 199 are cut. */
uint32_t drop_intern(struct drops *drops, const char *code, const char *reason, const char *site, const char *evidence);

/* Counts it, tells VTrace of a traced one, frees it; p->m is NULL then. */
void drop_packet(struct worker *w, struct packet *p, uint32_t drop);
uint32_t drop_why(const struct device *dev, uint32_t drop); /* its number in libvdg */
void drop_count(struct device *dev, uint32_t drop, unsigned int packets);

json_t *drops_json(struct drops *drops); /* a list of those that happened */

#endif
