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
	struct drop_context context; /* of an `error` */
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

static __always_inline void fill_record(struct vt_record *r, const struct packet *p, const struct sighting *s)
{
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
}

static __always_inline int emit_drop(const struct packet *p, const struct sighting *s)
{
	struct drop_event *e = bpf_ringbuf_reserve(&records, sizeof(*e), 0);

	if (!e)
		return -1;
	fill_record(&e->rec, p, s);
	e->context = s->context;
	bpf_ringbuf_submit(e, wake_flags());
	return 0;
}

static __always_inline int emit_passing(const struct packet *p, const struct sighting *s)
{
	struct vt_record *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);

	if (!r)
		return -1;
	fill_record(r, p, s);
	bpf_ringbuf_submit(r, wake_flags());
	return 0;
}

/* 0, or -1 when the ring is full (counted). */
__noinline int emit(const struct packet *p, const struct sighting *s)
{
	int ret;

	if (!p || !s)
		return -1;
	ret = s->loc == VT_LOC_ERROR ? emit_drop(p, s) : emit_passing(p, s);
	if (ret)
		__sync_fetch_and_add(&counters.lost_ring, 1);
	return ret;
}

#endif
