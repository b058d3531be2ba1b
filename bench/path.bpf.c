// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * The BPF side of path.c: `feed` numbers the frames that enter at a VM's port, `empty` is a tc program that does
 * nothing, `sink` takes the frames out and counts them where the other VM would get them.
 */
#include "datapath/linux/bpf/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bench/path.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TC_ACT_UNSPEC (-1)
#define TC_ACT_STOLEN 4
#define XDP_PASS      2

/* UAPI, fixed layout. */
struct xdp_md {
	__u32 data;
	__u32 data_end;
	__u32 data_meta;
	__u32 ingress_ifindex;
	__u32 rx_queue_index;
	__u32 egress_ifindex;
};

__u64 fed;
__u64 received;

/* Frames come from one buffer: a number of its own makes each another packet, and spreads them over the flows. */
SEC("xdp")
int feed(struct xdp_md *xdp)
{
	struct path_frame *frame = (void *)(long)xdp->data;
	__u64 n;

	if ((void *)(frame + 1) > (void *)(long)xdp->data_end || frame->ethertype != PATH_IPV4)
		return XDP_PASS;
	n = fed++;
	frame->number = n;
	frame->dport = PATH_PORT(n % PATH_FLOWS);
	return XDP_PASS;
}

SEC("tc")
int empty(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

SEC("tc")
int sink(struct __sk_buff *skb)
{
	struct path_frame *frame = (void *)(long)skb->data;

	if ((void *)(frame + 1) > (void *)(long)skb->data_end || frame->magic != PATH_MAGIC)
		return TC_ACT_UNSPEC;
	__sync_fetch_and_add(&received, 1);
	return TC_ACT_STOLEN;
}
