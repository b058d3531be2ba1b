// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which drop means what. A row matches by reason, function and whether the encapsulated packet was dropped; the first
 * that matches and is certain wins. Rows without an inspector are certain by reason and function alone. Reasons and
 * functions are those of Linux 5.17 to 6.18; a kernel that drops elsewhere ends as "unexplained", never as a wrong
 * cause.
 */
#include "datapath/linux/inspect/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/linux/inspect/inspectors.h"
#include "datapath/linux/inspect/queues.h"

#define ANSWERS_KEPT   64        /* kinds of drops that happen at the same time; more are asked for again */
#define ANSWERS_AGE_NS 200000000 /* short against a person's repair, long against a burst of drops */

enum packet_kind { ANY = 0, INNER, OUTER };

struct row {
	const char *reason;
	const char *function; /* NULL: wherever */
	enum packet_kind packet;
	inspector inspect; /* NULL: `cause` and `text` are the answer */
	enum vt_cause cause;
	const char *text;
};

#define ASK(reason, function, packet, inspect)                         \
	{                                                              \
		reason, function, packet, inspect, VT_CAUSE_NONE, NULL \
	}
#define SAY(reason, function, packet, cause, text)                     \
	{                                                              \
		reason, function, packet, NULL, VT_CAUSE_##cause, text \
	}

static const struct row rows[] = {
    /* routing */
    ASK("NOT_SPECIFIED", "ip_error", ANY, route_inspect),
    ASK("IP_INNOROUTES", "ip_error", ANY, route_inspect),
    ASK("IP_INADDRERRORS", "ip_error", ANY, route_forwarding_inspect),
    ASK("NOT_SPECIFIED", "dst_discard_out", ANY, route_inspect), /* IPv6 blackhole */
    ASK("NOT_SPECIFIED", "dst_discard", ANY, route_inspect),
    ASK("IP_INNOROUTES", "ip6_pkt_discard", ANY, route_inspect),
    ASK("IP_INNOROUTES", "ip6_pkt_prohibit", ANY, route_inspect),
    ASK("IP_INNOROUTES", "ip6_pkt_drop", ANY, route_inspect),
    ASK("IP_INADDRERRORS", "ip6_forward", ANY, route_forwarding_inspect),
    ASK("IP_RPFILTER", NULL, ANY, route_rpfilter_inspect),
    ASK("IP_LOCALNET", NULL, ANY, route_martian_inspect),
    ASK("IP_INVALID_SOURCE", NULL, ANY, route_martian_inspect),
    ASK("IP_INHDR", "ip6_rcv_core", ANY, route_martian_inspect),
    SAY("IP_LOCALNET", NULL, ANY, MARTIAN_SOURCE, "an address of 127.0.0.0/8 came in from outside"),
    SAY("IP_INVALID_SOURCE", NULL, ANY, MARTIAN_SOURCE, "the source address cannot be one of a single host"),
    SAY("IP_LOCAL_SOURCE", NULL, ANY, MARTIAN_SOURCE, "the source address is one of this host's own"),
    SAY("IP_INHDR", "ip_forward", ANY, TTL_EXPIRED, "the TTL ran out here: too many routers, or a routing loop"),
    SAY("IP_INHDR", "ip6_forward", ANY, TTL_EXPIRED, "the hop limit ran out here: too many routers, or a routing loop"),
    ASK("PKT_TOO_BIG", "ip_forward", ANY, mtu_routed_inspect),
    ASK("PKT_TOO_BIG", "ip6_forward", ANY, mtu_routed_inspect),
    ASK("NOT_SPECIFIED", "br_dev_queue_push_xmit", ANY, mtu_bridged_inspect),
    ASK("NOT_SPECIFIED", "br_nf_dev_queue_xmit", ANY, mtu_bridged_inspect),
    ASK("NOT_SPECIFIED", "ip6_fragment", OUTER, mtu_fragment6_inspect), /* 6.18 gives none */
    /* neighbours; IPv6 gives no reason (ndisc_error_report and icmpv6 free the packet themselves) */
    ASK("NEIGH_FAILED", NULL, ANY, neigh_failed_inspect),
    ASK("NOT_SPECIFIED", "neigh_invalidate", ANY, neigh_failed_inspect),
    ASK("NEIGH_QUEUEFULL", NULL, ANY, neigh_queue_inspect),
    /* the overlay */
    ASK("NO_TX_TARGET", "vxlan_xmit", ANY, fdb_inspect),
    ASK("IP_OUTNOROUTES", "vxlan_xmit_one", ANY, fdb_remote_inspect),
    ASK("VXLAN_VNI_NOT_FOUND", NULL, ANY, vni_inspect),
    ASK("OTHERHOST", NULL, OUTER, vni_flooded_inspect),
    ASK("NO_SOCKET", "__udp4_lib_rcv", OUTER, vni_socket_inspect),
    ASK("NO_SOCKET", "__udp6_lib_rcv", OUTER, vni_socket_inspect),
    SAY("IP_TUNNEL_ECN", NULL, ANY, UNDERLAY_ECN,
        "the outer header says congestion experienced, the tenant's packet that its flow does not do ECN"),
    /* queues */
    ASK("QDISC_DROP", NULL, ANY, qdisc_inspect),
    ASK("QDISC_OVERLIMIT", NULL, ANY, qdisc_inspect),
    ASK("QDISC_CONGESTED", NULL, ANY, qdisc_inspect),
    ASK("CAKE_FLOOD", NULL, ANY, qdisc_inspect),
    ASK("FQ_BAND_LIMIT", NULL, ANY, qdisc_inspect),
    ASK("FQ_HORIZON_LIMIT", NULL, ANY, qdisc_inspect),
    ASK("FQ_FLOW_LIMIT", NULL, ANY, qdisc_inspect),
    ASK("DUALPI2_STEP_DROP", NULL, ANY, qdisc_inspect),
    SAY("FULL_RING", "tun_net_xmit", ANY, QUEUE_FULL,
        "the queue of the tap device is full: its reader does not keep up"),
    SAY("CPU_BACKLOG", NULL, ANY, QUEUE_FULL, "the receive backlog of a CPU is full (net.core.netdev_max_backlog)"),
    SAY("NOMEM", NULL, ANY, OUT_OF_MEMORY, "the kernel had no memory for the packet"),
    SAY("PROTO_MEM", NULL, ANY, OUT_OF_MEMORY, "the protocol's memory limit on this host is reached"),
    SAY("PFMEMALLOC", NULL, ANY, OUT_OF_MEMORY, "the kernel keeps its last memory for swapping, not for this packet"),
    /* programs and filters; 5.17 gave XDP's drops no reason */
    ASK("TC_INGRESS", NULL, ANY, programs_ingress_inspect),
    ASK("TC_EGRESS", NULL, ANY, programs_egress_inspect),
    ASK("XDP", NULL, ANY, programs_xdp_inspect),
    ASK("NOT_SPECIFIED", "do_xdp_generic", ANY, programs_xdp_inspect),
    ASK("NOT_SPECIFIED", "veth_xdp_rcv_skb", ANY, programs_xdp_inspect),
    SAY("BPF_CGROUP_EGRESS", NULL, ANY, POLICY_BPF,
        "a BPF program at the egress of the sending socket's cgroup dropped the packet"),
    SAY("TAP_FILTER", "tun_net_xmit", ANY, POLICY_BPF, "the BPF program of the tap device dropped the packet"),
    SAY("SOCKET_FILTER", "tun_net_xmit", ANY, POLICY_BPF,
        "the socket filter of the tap device's reader dropped the packet"),
    SAY("SOCKET_FILTER", "udp_queue_rcv_one_skb", INNER, POLICY_BPF,
        "the filter of the receiving socket dropped the packet"),
    SAY("SOCKET_FILTER", "udpv6_queue_rcv_one_skb", INNER, POLICY_BPF,
        "the filter of the receiving socket dropped the packet"),
    SAY("SOCKET_FILTER", "tcp_v4_rcv", INNER, POLICY_BPF, "the filter of the receiving socket dropped the packet"),
    SAY("SOCKET_FILTER", "tcp_v6_rcv", INNER, POLICY_BPF, "the filter of the receiving socket dropped the packet"),
    ASK("XFRM_POLICY", NULL, ANY, ipsec_inspect),
    ASK("NOT_SPECIFIED", "ip6_forward", INNER, ipsec_forward6_inspect), /* 6.18 gives its policy check no reason */
    ASK("NOT_SPECIFIED", "nf_queue", ANY, nfqueue_full_inspect),
    ASK("NOT_SPECIFIED", "nfqnl_reinject", ANY, nfqueue_verdict_inspect), /* its name since 6.10 */
    ASK("NOT_SPECIFIED", "nf_reinject", ANY, nfqueue_verdict_inspect),
    /* ports */
    ASK("BRIDGE_INGRESS_STP_STATE", NULL, ANY, port_blocked_inspect),
    ASK("DEV_READY", NULL, ANY, port_down_inspect),
    ASK("OTHERHOST", NULL, ANY, port_mac_inspect),
    ASK("NOT_SPECIFIED", "br_handle_frame_finish", ANY, bridge_inspect),
    ASK("NOT_SPECIFIED", "br_forward", ANY, bridge_inspect),
    ASK("NO_TX_TARGET", "br_handle_frame_finish", ANY, bridge_inspect),
    ASK("NO_TX_TARGET", "br_flood", ANY, bridge_inspect),
    /* the host's own sockets, for packets that end here */
    SAY("NO_SOCKET", "__udp4_lib_rcv", INNER, NO_LISTENER, "no UDP socket of this host listens on the port"),
    SAY("NO_SOCKET", "__udp6_lib_rcv", INNER, NO_LISTENER, "no UDP socket of this host listens on the port"),
    SAY("NO_SOCKET", "tcp_v4_rcv", INNER, NO_LISTENER, "no TCP socket of this host listens on the port"),
    SAY("NO_SOCKET", "tcp_v6_rcv", INNER, NO_LISTENER, "no TCP socket of this host listens on the port"),
    SAY("SOCKET_RCVBUFF", NULL, INNER, SOCKET_FULL, "the receive buffer of a socket of this host is full"),
    SAY("SOCKET_BACKLOG", NULL, INNER, SOCKET_FULL, "the backlog of a socket of this host is full"),
    /* broken packets */
    SAY("DUP_FRAG", NULL, ANY, HEADER_BAD, "a fragment of the packet came twice, or overlaps another one"),
    SAY("IPV6_BAD_EXTHDR", NULL, ANY, PROTOCOL_UNSUPPORTED,
        "this host does not take the packet's IPv6 extension header"),
    SAY("IP_CSUM", NULL, ANY, CHECKSUM_BAD, "the checksum of the IPv4 header is wrong"),
    SAY("UDP_CSUM", NULL, ANY, CHECKSUM_BAD, "the UDP checksum is wrong"),
    SAY("TCP_CSUM", NULL, ANY, CHECKSUM_BAD, "the TCP checksum is wrong"),
    SAY("ICMP_CSUM", NULL, ANY, CHECKSUM_BAD, "the ICMP checksum is wrong"),
    SAY("IP_INHDR", "ip_rcv_core", ANY, HEADER_BAD, "the IPv4 header is not valid"),
    SAY("IP_INHDR", "ip6_rcv_core", ANY, HEADER_BAD, "the IPv6 header is not valid"),
    SAY("PKT_TOO_SMALL", NULL, ANY, HEADER_BAD, "the packet is shorter than its headers say"),
    SAY("HDR_TRUNC", NULL, ANY, HEADER_BAD, "the packet ends within a header"),
    SAY("VXLAN_INVALID_HDR", NULL, ANY, HEADER_BAD, "the VXLAN header is not valid for the device that takes it"),
    SAY("UNHANDLED_PROTO", NULL, ANY, PROTOCOL_UNSUPPORTED, "nothing on this host handles the packet's EtherType"),
    SAY("IP_NOPROTO", NULL, ANY, PROTOCOL_UNSUPPORTED, "nothing on this host handles the packet's IP protocol"),
};

/* What an answer depends on. Zeroed before it is filled: compared as bytes. */
struct answer_key {
	char reason[VT_REASON_MAX], function[DROP_FUNCTION_MAX];
	uint32_t ifindex, vni, length;
	int32_t dst_error;
	uint16_t flags, segments;
	__u8 src[16], dst[16], outer_src[16], outer_dst[16];
	__u8 dst_mac[6], src_mac[6];
};

struct answer {
	uint64_t time_ns; /* 0: none */
	struct answer_key key;
	struct finding finding;
};

struct table {
	struct rtnl *rtnl;
	struct queues *queues;
	unsigned int next;
	struct answer answers[ANSWERS_KEPT];
};

int table_open(struct table **ret, struct vt_err *err)
{
	struct table *table = calloc(1, sizeof(*table));
	int code = 0;

	if (table)
		table->queues = queues_new();
	if (!table || !table->queues)
		code = vt_fail(err, ENOMEM, "open the inspectors: out of memory");
	if (code == 0)
		code = rtnl_open(&table->rtnl, err);
	if (code < 0) {
		table_close(table);
		return code;
	}
	*ret = table;
	return 0;
}

void table_close(struct table *table)
{
	if (!table)
		return;
	rtnl_close(table->rtnl);
	queues_free(table->queues);
	free(table);
}

void table_arm(struct table *table)
{
	/* without that look only classes cannot be told apart, which the answers will say */
	queues_arm(table->queues, table->rtnl);
}

struct rtnl *table_rtnl(struct table *table)
{
	return table->rtnl;
}

void table_unexplained(const struct drop *drop, const char *known, struct finding *finding)
{
	int error = abs(drop->rec->dst_error);
	char text[VT_EVIDENCE_MAX], route[96] = "";

	snprintf(text, sizeof(text), "%s", known); /* may be the finding's own */
	if (error)
		snprintf(route, sizeof(route), ", route error %d (%s)", error, strerror(error));
	finding->cause = VT_CAUSE_UNEXPLAINED;
	snprintf(finding->evidence, sizeof(finding->evidence), "dropped by %s%s%s on %s%s%s%.300s",
	         drop->function[0] ? drop->function : "a function without a name", " with reason ", drop->reason,
	         drop->device[0] ? drop->device : "an unknown device", route, text[0] ? ": " : "", text);
}

static bool row_matches(const struct row *row, const struct drop *drop)
{
	if (strcmp(row->reason, drop->reason) || (row->function && strcmp(row->function, drop->function)))
		return false;
	return row->packet == ANY || (row->packet == OUTER) == drop_is_outer(drop);
}

static void rows_ask(struct table *table, const struct drop *drop, struct finding *finding)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		if (!row_matches(row, drop))
			continue;
		if (!row->inspect) {
			drop_found(finding, row->cause, "%s", row->text);
			return;
		}
		if (row->inspect(table->rtnl, drop, finding))
			return;
	}
	finding->device[0] = '\0';
	table_unexplained(drop, finding->evidence, finding);
}

static void answer_key_fill(const struct drop *drop, struct answer_key *key)
{
	const struct vt_record *rec = drop->rec;

	memset(key, 0, sizeof(*key));
	snprintf(key->reason, sizeof(key->reason), "%s", drop->reason);
	snprintf(key->function, sizeof(key->function), "%s", drop->function);
	key->ifindex = rec->ifindex;
	key->vni = rec->vni;
	key->length = rec->length;
	key->dst_error = rec->dst_error;
	key->flags = rec->flags & VT_REC_OUTER;
	key->segments = rec->segments;
	memcpy(key->src, rec->flow.src, 16);
	memcpy(key->dst, rec->flow.dst, 16);
	memcpy(key->outer_src, rec->outer_src, 16);
	memcpy(key->outer_dst, rec->outer_dst, 16);
	memcpy(key->dst_mac, drop->context->dst_mac, 6);
	memcpy(key->src_mac, drop->context->src_mac, 6);
}

void table_inspect(struct table *table, const struct drop *drop, uint64_t now_ns, struct finding *finding)
{
	struct drop asked = *drop;
	struct answer_key key;
	struct answer *answer;

	answer_key_fill(drop, &key);
	for (unsigned int i = 0; i < ANSWERS_KEPT; i++) {
		answer = &table->answers[i];
		if (answer->time_ns && answer->time_ns + ANSWERS_AGE_NS > now_ns &&
		    !memcmp(&answer->key, &key, sizeof(key))) {
			*finding = answer->finding;
			return;
		}
	}
	memset(finding, 0, sizeof(*finding));
	asked.queues = table->queues;
	rows_ask(table, &asked, finding);
	if (finding->once)
		return;
	answer = &table->answers[table->next++ % ANSWERS_KEPT];
	answer->time_ns = now_ns;
	answer->key = key;
	answer->finding = *finding;
}
