// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * BPF programs that take packets away, for the lab's faults: each looks for UDP datagrams to one port (program.c sets
 * it) and lets all others pass. `idle` only passes: it is there to be told from one that drops.
 */
#include "datapath/linux/bpf/vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TC_ACT_UNSPEC (-1)
#define TC_ACT_OK     0
#define TC_ACT_SHOT   2
#define TC_ACT_STOLEN 4
#define NF_DROP       0
#define NF_ACCEPT     1
#define XDP_DROP      1
#define XDP_PASS      2
#define ETHERTYPE     12 /* offsets in a frame without VLAN tag */
#define ETH_LEN       14
#define IPV4_PROTO    9
#define IPV6_NEXT     6
#define UDP           17

/* UAPI, fixed layout. */
struct xdp_md {
	__u32 data;
	__u32 data_end;
	__u32 data_meta;
	__u32 ingress_ifindex;
	__u32 rx_queue_index;
	__u32 egress_ifindex;
};

const volatile __u16 port = 53;

/* Where the UDP header would begin, 0: not IP, or not UDP; from the first bytes of the frame. No IPv6 options. */
static __always_inline __u32 udp_at(const __u8 *head)
{
	if (head[ETHERTYPE] == 0x08 && head[ETHERTYPE + 1] == 0)
		return head[ETH_LEN + IPV4_PROTO] == UDP ? ETH_LEN + (head[ETH_LEN] & 15) * 4 : 0;
	if (head[ETHERTYPE] == 0x86 && head[ETHERTYPE + 1] == 0xdd)
		return head[ETH_LEN + IPV6_NEXT] == UDP ? ETH_LEN + 40 : 0;
	return 0;
}

static __always_inline int verdict(struct __sk_buff *skb, int wanted)
{
	__u8 head[ETH_LEN + 20];
	__u16 dport;
	__u32 at;

	if (bpf_skb_load_bytes(skb, 0, head, sizeof(head)))
		return TC_ACT_UNSPEC;
	at = udp_at(head);
	if (!at || bpf_skb_load_bytes(skb, at + 2, &dport, sizeof(dport)) || dport != bpf_htons(port))
		return TC_ACT_UNSPEC;
	return wanted;
}

SEC("tc")
int drop_port(struct __sk_buff *skb)
{
	return verdict(skb, TC_ACT_SHOT);
}

SEC("tc")
int steal_port(struct __sk_buff *skb)
{
	return verdict(skb, TC_ACT_STOLEN);
}

SEC("tc")
int idle(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

SEC("tc")
int accept_port(struct __sk_buff *skb)
{
	return verdict(skb, TC_ACT_OK);
}

/* Overwrites the metadata that other programs may keep in a packet: VTrace's colour among it. */
SEC("tc")
int erase_port(struct __sk_buff *skb)
{
	if (verdict(skb, TC_ACT_OK) != TC_ACT_OK)
		return TC_ACT_UNSPEC;
	*(volatile __u32 *)&skb->mark = 0;
	asm volatile("" ::: "memory");
	*(volatile __u32 *)&skb->tc_index = 0;
	return TC_ACT_UNSPEC;
}

SEC("xdp")
int xdp_drop_port(struct xdp_md *xdp)
{
	void *data = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
	__u16 *dport;
	__u32 at;

	if (data + ETH_LEN + 20 > end)
		return XDP_PASS;
	at = udp_at(data);
	if (!at || at > ETH_LEN + 60)
		return XDP_PASS;
	dport = data + at + 2;
	if ((void *)(dport + 1) > end || *dport != bpf_htons(port))
		return XDP_PASS;
	return XDP_DROP;
}

/* At a netfilter hook (6.4): a filter for one port, as those above, and one that only lets pass. */
SEC("netfilter")
int nf_drop_port(struct bpf_nf_ctx *ctx)
{
	struct sk_buff *skb = ctx->skb;
	unsigned char *head = BPF_CORE_READ(skb, head);
	__u32 at = BPF_CORE_READ(skb, network_header);
	__u16 dport = 0;
	__u8 ip[10];

	if (bpf_probe_read_kernel(ip, sizeof(ip), head + at))
		return NF_ACCEPT;
	if (ip[0] >> 4 == 6 ? ip[IPV6_NEXT] != UDP : ip[IPV4_PROTO] != UDP)
		return NF_ACCEPT;
	at += ip[0] >> 4 == 6 ? 40 : (ip[0] & 15) * 4;
	bpf_probe_read_kernel(&dport, sizeof(dport), head + at + 2);
	return dport == bpf_htons(port) ? NF_DROP : NF_ACCEPT;
}

SEC("netfilter")
int nf_idle(struct bpf_nf_ctx *ctx)
{
	return NF_ACCEPT;
}
