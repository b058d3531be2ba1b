// SPDX-License-Identifier: BSD-3-Clause
/* See endpoint.h. Reasons and functions are those of Linux 5.17 to 6.18, ICMP codes those of RFC 1122 and RFC 4443. */
#include "datapath/linux/inspect/endpoint.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>

struct vm_drop {
	const char *reason;
	const char *function; /* NULL: wherever */
	enum vt_cause cause;
	const char *text; /* continues "in the VM behind PORT " */
};

static const struct vm_drop vm_drops[] = {
    /* not ping_rcv(): raw sockets have had their copy of the packet before */
    {"NO_SOCKET", "__udp4_lib_rcv", VT_CAUSE_NO_LISTENER, "no socket takes the packet: nothing listens on"},
    {"NO_SOCKET", "__udp6_lib_rcv", VT_CAUSE_NO_LISTENER, "no socket takes the packet: nothing listens on"},
    {"NO_SOCKET", "tcp_v4_rcv", VT_CAUSE_NO_LISTENER, "no socket takes the packet: nothing listens on"},
    {"NO_SOCKET", "tcp_v6_rcv", VT_CAUSE_NO_LISTENER, "no socket takes the packet: nothing listens on"},
    {"SOCKET_RCVBUFF", NULL, VT_CAUSE_SOCKET_FULL, "the receive buffer of the socket is full:"},
    {"SOCKET_BACKLOG", NULL, VT_CAUSE_SOCKET_FULL, "the backlog of the socket is full:"},
    {"TCP_LISTEN_OVERFLOW", NULL, VT_CAUSE_SOCKET_FULL, "the accept queue of the listening socket is full:"},
    {"PROTO_MEM", NULL, VT_CAUSE_SOCKET_FULL, "the protocol's memory limit is reached:"},
    {"OTHERHOST", NULL, VT_CAUSE_WRONG_MAC, "the interface has another MAC address than the frame was sent to:"},
    {"IP_CSUM", NULL, VT_CAUSE_CHECKSUM_BAD, "the IPv4 header checksum is found wrong:"},
    {"UDP_CSUM", NULL, VT_CAUSE_CHECKSUM_BAD, "the UDP checksum is found wrong:"},
    {"TCP_CSUM", NULL, VT_CAUSE_CHECKSUM_BAD, "the TCP checksum is found wrong:"},
    {"ICMP_CSUM", NULL, VT_CAUSE_CHECKSUM_BAD, "the ICMP checksum is found wrong:"},
    {"IP_INHDR", "ip_rcv_core", VT_CAUSE_HEADER_BAD, "the IPv4 header is not valid:"},
    {"IP_INHDR", "ip6_rcv_core", VT_CAUSE_HEADER_BAD, "the IPv6 header is not valid:"},
    {"PKT_TOO_SMALL", NULL, VT_CAUSE_HEADER_BAD, "the packet is shorter than its headers say:"},
    {"HDR_TRUNC", NULL, VT_CAUSE_HEADER_BAD, "the packet ends within a header:"},
    {"IP_INADDRERRORS", NULL, VT_CAUSE_ADDRESS_MISSING, "no interface has the address, and it does not route:"},
    {"IP_RPFILTER", NULL, VT_CAUSE_RP_FILTER, "the reverse path filter refuses the source:"},
    {"NETFILTER_DROP", NULL, VT_CAUSE_ENDPOINT_FILTERED, "its own packet filter drops the packet:"},
    {"SOCKET_FILTER", NULL, VT_CAUSE_ENDPOINT_FILTERED, "the socket's filter drops the packet:"},
    {"XDP", NULL, VT_CAUSE_ENDPOINT_FILTERED, "an XDP program drops the packet:"},
    {"TC_INGRESS", NULL, VT_CAUSE_ENDPOINT_FILTERED, "a tc program drops the packet:"},
};

struct icmp_end {
	uint8_t family, type, code;
	bool in_place; /* the packet itself was turned into the error, before it could leave */
	enum vt_cause cause;
	const char *text;
};

static const struct icmp_end icmp_ends[] = {
    {4, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, true, VT_CAUSE_UNDERLAY_MTU, "fragmentation needed"},
    {6, ICMP6_PACKET_TOO_BIG, 0, true, VT_CAUSE_UNDERLAY_MTU, "packet too big"},
    {4, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, false, VT_CAUSE_MTU_EXCEEDED, "fragmentation needed"},
    {6, ICMP6_PACKET_TOO_BIG, 0, false, VT_CAUSE_MTU_EXCEEDED, "packet too big"},
    {4, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, false, VT_CAUSE_PORT_UNREACHABLE, "port unreachable"},
    {6, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT, false, VT_CAUSE_PORT_UNREACHABLE, "port unreachable"},
    {4, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, false, VT_CAUSE_PROTOCOL_UNSUPPORTED, "protocol unreachable"},
    {4, ICMP_DEST_UNREACH, ICMP_NET_ANO, false, VT_CAUSE_ENDPOINT_FILTERED, "network administratively prohibited"},
    {4, ICMP_DEST_UNREACH, ICMP_HOST_ANO, false, VT_CAUSE_ENDPOINT_FILTERED, "host administratively prohibited"},
    {4, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, false, VT_CAUSE_ENDPOINT_FILTERED, "administratively prohibited"},
    {6, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADMIN, false, VT_CAUSE_ENDPOINT_FILTERED, "administratively prohibited"},
};

static const struct vm_drop *vm_drop_find(const struct drop *drop)
{
	for (size_t i = 0; i < sizeof(vm_drops) / sizeof(vm_drops[0]); i++) {
		const struct vm_drop *row = &vm_drops[i];

		if (!strcmp(row->reason, drop->reason) && (!row->function || !strcmp(row->function, drop->function)))
			return row;
	}
	return NULL;
}

static const struct icmp_end *icmp_end_find(const struct drop *drop)
{
	const struct drop_context *context = drop->context;
	bool in_place = !(drop->rec->flags & VT_REC_AFTER_OUT);

	for (size_t i = 0; i < sizeof(icmp_ends) / sizeof(icmp_ends[0]); i++) {
		const struct icmp_end *row = &icmp_ends[i];

		if (row->family == drop->rec->flow.family && row->type == context->icmp_type &&
		    row->code == context->icmp_code && row->in_place == in_place)
			return row;
	}
	return NULL;
}

bool endpoint_is_loss(const struct drop *drop)
{
	return drop->context->place == DROP_IN_VM ? vm_drop_find(drop) != NULL : icmp_end_find(drop) != NULL;
}

/* "UDP 10.0.1.2 port 53", "10.0.1.2" where there are no ports */
static const char *destination_text(const struct vt_flow *flow, char *buf, size_t size)
{
	char address[INET6_ADDRSTRLEN];

	drop_address(flow->dst, address);
	switch (flow->proto) {
	case IPPROTO_UDP:
		snprintf(buf, size, "UDP %s port %u", address, flow->dport);
		break;
	case IPPROTO_TCP:
		snprintf(buf, size, "TCP %s port %u", address, flow->dport);
		break;
	default:
		snprintf(buf, size, "%s", address);
	}
	return buf;
}

struct tunnel_search {
	uint32_t vni;
	struct rtnl_link link; /* the vxlan device of that VNI, if there is one */
};

static void tunnel_keep(void *arg, const struct rtnl_link *link)
{
	struct tunnel_search *search = arg;

	if (!strcmp(link->kind, "vxlan") && link->vni == search->vni)
		search->link = *link;
}

static void told_in_place(struct rtnl *rt, const struct drop *drop, const struct icmp_end *end, struct finding *finding)
{
	struct tunnel_search search = {.vni = drop->rec->vni};

	if (search.vni)
		rtnl_links(rt, tunnel_keep, &search);
	memcpy(finding->device, search.link.name, sizeof(search.link.name));
	drop_found(finding, end->cause,
	           "%s (VNI %u): packets do not fit the underlay's path MTU with the tunnel's headers, so the kernel "
	           "answered the sender ICMP %s, MTU %u",
	           search.link.name[0] ? search.link.name : "the tunnel", search.vni, end->text, drop->context->mtu);
}

void endpoint_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	const struct vm_drop *vm = drop->context->place == DROP_IN_VM ? vm_drop_find(drop) : NULL;
	const struct icmp_end *end = vm ? NULL : icmp_end_find(drop);
	char text[INET6_ADDRSTRLEN + 32];

	if (vm)
		drop_found(finding, vm->cause, "in the VM behind %s %s %s", drop->device, vm->text,
		           destination_text(&drop->rec->flow, text, sizeof(text)));
	else if (end && end->in_place)
		told_in_place(rt, drop, end, finding);
	else if (end && drop->context->mtu && end->cause == VT_CAUSE_MTU_EXCEEDED)
		drop_found(finding, end->cause, "beyond %s the packet did not fit: ICMP %s came back, MTU %u",
		           drop->device, end->text, drop->context->mtu);
	else if (end)
		drop_found(finding, end->cause, "beyond %s the packet was refused: ICMP %s came back for %s",
		           drop->device, end->text, destination_text(&drop->rec->flow, text, sizeof(text)));
}
