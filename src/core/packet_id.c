// SPDX-License-Identifier: BSD-3-Clause
/*
 * Flow and packet_id of a packet in user space; the rules are in packet_id.h. This is the reference that the BPF
 * programs are tested against.
 */
#include "core/packet_id.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#define TCP_HEADER_MIN    20
#define UDP_HEADER        8
#define ICMP_HEADER       8
#define SCTP_HEADER       12
#define TCP_SYN_RST       0x06
#define TCPOPT_END        0
#define TCPOPT_NOP        1
#define TCPOPT_TIMESTAMPS 8 /* RFC 7323, 10 bytes */

/* What is behind the IP header: all of the packet that is both in its IP length and in the buffer. */
struct transport {
	const __u8 *at;
	size_t len;
	__u8 proto;
	__be16 ip_id;
	__u16 offset; /* of a later fragment, in units of 8 bytes; 0: not one */
};

static __u16 read_be16(const __u8 *at)
{
	return (__u16)(at[0] << 8 | at[1]);
}

static void copy_ipv4(const __u8 *from, __u8 to[16])
{
	memset(to, 0, 10);
	memset(to + 10, 0xff, 2);
	memcpy(to + 12, from, 4);
}

static int read_ipv4(const __u8 *ip, size_t len, struct vt_flow *flow, struct transport *ret)
{
	size_t header = (ip[0] & 15) * 4u, total = read_be16(ip + 2);

	if (header < 20 || total < header || len < header)
		return -EBADMSG;
	ret->offset = read_be16(ip + 6) & 0x1fff;
	flow->family = 4;
	copy_ipv4(ip + 12, flow->src);
	copy_ipv4(ip + 16, flow->dst);
	ret->proto = ip[9];
	memcpy(&ret->ip_id, ip + 4, 2);
	ret->at = ip + header;
	ret->len = (total < len ? total : len) - header;
	return 0;
}

static bool is_extension(__u8 proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_DSTOPTS ||
	       proto == IPPROTO_FRAGMENT;
}

static int read_ipv6(const __u8 *ip, size_t len, struct vt_flow *flow, struct transport *ret)
{
	size_t at = 40, end = 40 + (size_t)read_be16(ip + 4);
	__u16 offset = 0;
	__u8 proto = ip[6];

	if (len < end)
		end = len;
	for (int i = 0; i < VT_ID_EXT_HEADERS && is_extension(proto) && at + 8 <= end; i++) {
		const __u8 *header = ip + at;

		if (proto == IPPROTO_FRAGMENT)
			offset = read_be16(header + 2) >> 3;
		at += proto == IPPROTO_FRAGMENT ? 8 : (header[1] + 1u) * 8;
		proto = header[0];
	}
	if (at > end)
		return -EBADMSG;
	flow->family = 6;
	memcpy(flow->src, ip + 8, 16);
	memcpy(flow->dst, ip + 24, 16);
	*ret = (struct transport){.at = ip + at, .len = end - at, .proto = proto, .offset = offset};
	return 0;
}

/* The timestamps option's two values into tcp[2] and tcp[3], which stay 0 without one. */
static void read_timestamps(const struct transport *t, struct vt_id_input *input)
{
	size_t end = (t->at[12] >> 4) * 4u, at = TCP_HEADER_MIN;

	if (end > t->len)
		end = t->len;
	while (at + 1 < end) {
		const __u8 *option = t->at + at;

		if (option[0] == TCPOPT_TIMESTAMPS && at + 10 <= end) {
			memcpy(&input->tcp[2], option + 2, 8);
			return;
		}
		if (option[0] == TCPOPT_END || (option[0] != TCPOPT_NOP && option[1] < 2))
			return;
		at += option[0] == TCPOPT_NOP ? 1 : option[1];
	}
}

static void read_payload(const struct transport *t, size_t header, struct vt_id_input *input)
{
	size_t len = t->len - header;

	memcpy(input->payload, t->at + header, len < VT_ID_PAYLOAD ? len : VT_ID_PAYLOAD);
}

static void read_ports(const struct transport *t, struct vt_flow *flow)
{
	flow->sport = read_be16(t->at);
	flow->dport = read_be16(t->at + 2);
}

static void read_icmp(const struct transport *t, struct vt_flow *flow, struct vt_id_input *input)
{
	__u8 type = t->at[0];
	bool echo = t->proto == IPPROTO_ICMP ? type == 8 || type == 0 : type == 128 || type == 129;

	flow->dport = read_be16(t->at); /* type << 8 | code */
	if (echo) {
		flow->sport = read_be16(t->at + 4);
		memcpy(&input->icmp_seq, t->at + 6, 2);
	}
	read_payload(t, ICMP_HEADER, input);
}

static size_t header_size(__u8 proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return TCP_HEADER_MIN;
	case IPPROTO_UDP:
		return UDP_HEADER;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return ICMP_HEADER;
	case IPPROTO_SCTP:
		return SCTP_HEADER;
	}
	return 0;
}

static int read_transport(const struct transport *t, struct vt_flow *flow, struct vt_id_input *input)
{
	size_t header = t->offset ? 0 : header_size(t->proto);

	if (t->len < header)
		return -EBADMSG;
	input->proto = flow->proto = t->proto;
	input->ip_id = t->ip_id;
	if (t->offset) {
		input->length = t->offset;
		read_payload(t, 0, input);
		return 0;
	}
	switch (t->proto) {
	case IPPROTO_TCP:
		read_ports(t, flow);
		input->tcp_flags = t->at[13] & TCP_SYN_RST;
		memcpy(&input->tcp[0], t->at + 4, 8);
		read_timestamps(t, input);
		break;
	case IPPROTO_UDP:
		read_ports(t, flow);
		input->length = read_be16(t->at + 4);
		read_payload(t, header, input);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		read_icmp(t, flow, input);
		break;
	case IPPROTO_SCTP:
		read_ports(t, flow);
		read_payload(t, header, input);
		break;
	default:
		read_payload(t, 0, input);
	}
	return 0;
}

int vt_packet_id_of(const __u8 *ip, size_t len, struct vt_flow *flow, __u64 *ret_id)
{
	struct vt_id_input input = {0};
	struct transport t = {0};
	struct vt_flow f = {0};
	int ret = -EBADMSG;

	if (len >= 20 && ip[0] >> 4 == 4)
		ret = read_ipv4(ip, len, &f, &t);
	else if (len >= 40 && ip[0] >> 4 == 6)
		ret = read_ipv6(ip, len, &f, &t);
	if (!ret)
		ret = read_transport(&t, &f, &input);
	if (ret)
		return ret;
	*flow = f;
	*ret_id = vt_packet_id(&input);
	return 0;
}
