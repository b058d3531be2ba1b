/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NAT between a VPC, inside, and another one, outside: which translation a flow has. The slow path asks; packets are
 * rewritten by rewrite.c.
 *
 * A translation belongs to an address and port inside, whoever the other side is, and whatever comes for its public
 * address and port goes there (RFC 4787: endpoint-independent mapping and filtering; security groups filter).
 * The same inside address gets the same public one, where that has ports left, and its own port where that is free.
 */
#ifndef VFD_NAT_H
#define VFD_NAT_H

#include "device.h"
#include "security.h"

#include <jansson.h>

#define NATS_MAX   65536   /* translations: one public address's ports */
#define NAT_TRIES  4096    /* ports of a pool that are looked at for a new translation: 0.4 ms at most */
#define NAT_TCP_MS 7440000 /* of a connection without a packet, RFC 5382, REQ-5 */

/* An address and port on one side. ICMP: the echo id. */
struct nat_end {
	struct addr addr;
	uint16_t port;
};

struct nats *nats_new(void); /* NULL without memory */
void nats_free(struct nats *nats);

enum nat_answer {
	NAT_NONE,   /* not to be translated */
	NAT_DONE,   /* *ret_nat is its translation */
	NAT_REFUSE, /* *ret_why says why the flow cannot pass */
};

/* A flow of the VPC `from` that is routed into `to`. */
enum nat_answer nat_outwards(struct worker *w, const struct vpc *from, const struct vpc *to, const struct flow_key *key,
                             uint32_t *ret_nat, struct judgement *ret_why);

/* A flow that comes from the VPC `from`; for NAT_DONE *ret_to is the one that it goes to. */
enum nat_answer nat_inwards(struct worker *w, const struct vpc *from, const struct flow_key *key, uint32_t *ret_nat,
                            const struct vpc **ret_to, struct judgement *ret_why);

struct nat_end nat_inside(const struct device *dev, uint32_t nat);
struct nat_end nat_outside(const struct device *dev, uint32_t nat);

/* A key with the source (NAT_OUT) or destination (NAT_IN) translated. */
struct flow_key nat_key(const struct device *dev, uint32_t nat, unsigned int way, const struct flow_key *key);

/* A packet of it passes. tcp_flags: of its header, 0 for other protocols. */
void nat_passes(struct worker *w, uint32_t nat, uint8_t tcp_flags);

json_t *nats_json(struct device *dev, unsigned int max); /* a list of at most `max` that have not ended */

#endif
