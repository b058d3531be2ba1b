// SPDX-License-Identifier: BSD-3-Clause
/*
 * See translated.h. Packets between `in` and `out` are remembered in a direct-mapped table: a packet that is pushed out
 * by another only means that the next packet of its flow teaches us the translation.
 */
#include "datapath/linux/translated.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 1024 /* coloured packets of bidirectional tasks inside this host between two drains of the ring */

struct entry {
	uint64_t packet_id; /* 0: empty */
	unsigned int slot;
	struct vt_flow flow;
};

struct translated {
	struct entry entries[ENTRIES];
};

struct translated *translated_new(void)
{
	return calloc(1, sizeof(struct translated));
}

void translated_free(struct translated *t)
{
	free(t);
}

void translated_in(struct translated *t, const struct vt_record *rec, unsigned int slot)
{
	t->entries[rec->packet_id % ENTRIES] = (struct entry){rec->packet_id, slot, rec->flow};
}

bool translated_out(struct translated *t, const struct vt_record *rec, struct vt_filter *ret_filter,
                    unsigned int *ret_slot)
{
	struct entry *e = &t->entries[rec->packet_id % ENTRIES];
	const struct vt_flow *flow = &rec->flow;

	if (e->packet_id != rec->packet_id || !memcmp(&e->flow, flow, sizeof(*flow)) ||
	    (flow->proto != IPPROTO_TCP && flow->proto != IPPROTO_UDP))
		return false;
	memset(ret_filter, 0, sizeof(*ret_filter));
	ret_filter->fields = VT_FILTER_PROTO | VT_FILTER_SRC | VT_FILTER_DST | VT_FILTER_SPORT | VT_FILTER_DPORT;
	ret_filter->family = flow->family;
	ret_filter->proto = flow->proto;
	ret_filter->src_len = ret_filter->dst_len = 128;
	memcpy(ret_filter->src, flow->dst, 16);
	memcpy(ret_filter->dst, flow->src, 16);
	ret_filter->sport = flow->dport;
	ret_filter->dport = flow->sport;
	*ret_slot = e->slot ^ 1;
	e->packet_id = 0;
	return true;
}
