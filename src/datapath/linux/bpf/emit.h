// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/* A record into the ring. */
#ifndef VT_BPF_EMIT_H
#define VT_BPF_EMIT_H

#include "datapath/linux/bpf/packet.h"

/* Where and how a packet was seen; what the packet itself says is in struct packet. */
struct sighting {
	__u64 site;
	__u64 time_ns; /* 0: now. Records of one packet for several tasks have the same, which is how they are told */
	__u32 task;
	__u32 ifindex;
	__u32 vni;
	__u32 reason;
	__s32 dst_error;
	__u16 segments;
	__u16 flags;
	__u8 loc;
	__u8 hop;
};

/*
 * A wakeup a record costs more than all the rest, so user space drains by timer while records come. When none have come
 * for a while it stops the timer and says so: then the next record wakes it, once.
 */
static __always_inline __u64 wake_flags(void)
{
	if (config.reader_asleep && __sync_lock_test_and_set(&config.reader_asleep, 0))
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

/* 0, or -1 when the ring is full (counted). */
__noinline int emit(const struct packet *p, const struct sighting *s)
{
	struct vt_record *r;

	if (!p || !s)
		return -1;
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		__sync_fetch_and_add(&counters.lost_ring, 1);
		return -1;
	}
	r->version = VT_RECORD_VERSION;
	r->loc = s->loc;
	r->hop = s->hop;
	r->task = s->task;
	r->packet_id = p->id;
	r->time_ns = s->time_ns ? s->time_ns : bpf_ktime_get_ns();
	r->seq = 0;
	r->site = s->site;
	r->vni = p->encap ? p->vni : s->vni;
	r->ifindex = s->ifindex;
	r->length = p->length;
	r->tcp_seq = p->tcp_seq;
	r->payload = p->payload;
	r->reason = s->reason;
	r->dst_error = s->dst_error;
	r->segments = s->segments ? s->segments : 1;
	r->flags = s->flags | (p->encap ? VT_REC_ENCAP : 0) | (p->frag ? VT_REC_FRAG : 0) |
	           (p->frag == 2 ? VT_REC_LATER_FRAG : 0);
	__builtin_memcpy(&r->flow, &p->flow, sizeof(r->flow));
	__builtin_memcpy(r->outer_src, p->outer_src, 16);
	__builtin_memcpy(r->outer_dst, p->outer_dst, 16);
	bpf_ringbuf_submit(r, wake_flags());
	return 0;
}

#endif
