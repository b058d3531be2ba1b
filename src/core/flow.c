// SPDX-License-Identifier: BSD-3-Clause
/*
 * Flows as text and back: "10.0.0.1:4000 > 10.0.0.2:53 udp". The text has everything of a struct vt_flow, so record
 * files keep a flow as one readable member.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/task.h"

#define ENDPOINT_MAX (INET6_ADDRSTRLEN + 8) /* "[address]:65535" */

static const struct {
	const char *name;
	uint8_t proto;
} protos[] = {
    {"tcp", IPPROTO_TCP},      {"udp", IPPROTO_UDP},   {"icmp", IPPROTO_ICMP},
    {"icmp6", IPPROTO_ICMPV6}, {"sctp", IPPROTO_SCTP},
};

const char *vt_proto_name(uint8_t proto)
{
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (protos[i].proto == proto)
			return protos[i].name;
	return NULL;
}

bool vt_proto_has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

bool vt_addr_is_ipv4(const uint8_t addr[16])
{
	static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	return !memcmp(addr, prefix, sizeof(prefix));
}

void vt_addr_format(const uint8_t addr[16], char *buf, size_t size)
{
	const char *text;

	text = vt_addr_is_ipv4(addr) ? inet_ntop(AF_INET, addr + 12, buf, (socklen_t)size)
	                             : inet_ntop(AF_INET6, addr, buf, (socklen_t)size);
	if (!text && size)
		buf[0] = '\0';
}

int vt_addr_parse(const char *text, uint8_t addr[16])
{
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		memset(addr, 0, 10);
		memset(addr + 10, 0xff, 2);
		memcpy(addr + 12, &v4, 4);
		return 0;
	}
	return inet_pton(AF_INET6, text, addr) == 1 ? 0 : -EINVAL;
}

static bool is_icmp(uint8_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static bool is_echo(const struct vt_flow *flow)
{
	unsigned int type = flow->dport >> 8;

	return flow->proto == IPPROTO_ICMP ? type == 8 || type == 0 : type == 128 || type == 129;
}

static void endpoint_format(const uint8_t addr[16], uint16_t port, bool with_port, char buf[ENDPOINT_MAX])
{
	char text[INET6_ADDRSTRLEN];

	vt_addr_format(addr, text, sizeof(text));
	if (!with_port)
		snprintf(buf, ENDPOINT_MAX, "%s", text);
	else if (vt_addr_is_ipv4(addr))
		snprintf(buf, ENDPOINT_MAX, "%s:%u", text, port);
	else
		snprintf(buf, ENDPOINT_MAX, "[%s]:%u", text, port);
}

void vt_flow_format(const struct vt_flow *flow, char buf[VT_FLOW_TEXT_MAX])
{
	char src[ENDPOINT_MAX], dst[ENDPOINT_MAX];
	const char *name = vt_proto_name(flow->proto);
	bool ports = vt_proto_has_ports(flow->proto);

	endpoint_format(flow->src, flow->sport, ports, src);
	endpoint_format(flow->dst, flow->dport, ports, dst);
	if (is_icmp(flow->proto) && (is_echo(flow) || flow->sport))
		snprintf(buf, VT_FLOW_TEXT_MAX, "%s > %s %s %u/%u id %u", src, dst, name, flow->dport >> 8,
		         flow->dport & 255, flow->sport);
	else if (is_icmp(flow->proto))
		snprintf(buf, VT_FLOW_TEXT_MAX, "%s > %s %s %u/%u", src, dst, name, flow->dport >> 8,
		         flow->dport & 255);
	else if (name)
		snprintf(buf, VT_FLOW_TEXT_MAX, "%s > %s %s", src, dst, name);
	else
		snprintf(buf, VT_FLOW_TEXT_MAX, "%s > %s proto %u", src, dst, flow->proto);
}

/* Reads "address", "address:port" or "[address]:port". */
static int endpoint_parse(char *text, bool with_port, uint8_t addr[16], uint16_t *port)
{
	char *colon = strrchr(text, ':'), *end;
	unsigned long value;

	if (!with_port)
		return vt_addr_parse(text, addr);
	if (!colon || colon[1] < '0' || colon[1] > '9')
		return -EINVAL;
	value = strtoul(colon + 1, &end, 10);
	if (*end || value > 65535)
		return -EINVAL;
	*port = (uint16_t)value;
	*colon = '\0';
	if (text[0] != '[')
		return strchr(text, ':') ? -EINVAL : vt_addr_parse(text, addr);
	if (colon == text + 1 || colon[-1] != ']')
		return -EINVAL;
	colon[-1] = '\0';
	return strchr(text, ':') ? vt_addr_parse(text + 1, addr) : -EINVAL;
}

/* Reads what stands behind the addresses: "udp", "icmp 8/0 id 7", "proto 47". */
static int proto_parse(const char *text, struct vt_flow *flow)
{
	unsigned int number, type, code, id = 0;
	char name[8];
	int used = -1;

	if (sscanf(text, "proto %3u%n", &number, &used) == 1 && used >= 0 && !text[used]) {
		flow->proto = (uint8_t)number;
		return number <= 255 && !vt_proto_name(flow->proto) ? 0 : -EINVAL;
	}
	if (sscanf(text, "%7s", name) != 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (!strcmp(protos[i].name, name))
			flow->proto = protos[i].proto;
	text += strlen(name);
	if (!flow->proto)
		return -EINVAL;
	if (!is_icmp(flow->proto))
		return *text ? -EINVAL : 0;
	if (sscanf(text, " %3u/%3u%n", &type, &code, &used) != 2 || type > 255 || code > 255)
		return -EINVAL;
	text += used;
	used = 0;
	if (*text && (sscanf(text, " id %5u%n", &id, &used) != 1 || id > 65535))
		return -EINVAL;
	flow->dport = (uint16_t)(type << 8 | code);
	flow->sport = (uint16_t)id;
	return text[used] ? -EINVAL : 0;
}

int vt_flow_parse(const char *text, struct vt_flow *ret)
{
	struct vt_flow flow = {0};
	char copy[VT_FLOW_TEXT_MAX], *dst, *proto;
	bool ports;

	if (strnlen(text, sizeof(copy)) == sizeof(copy))
		return -EINVAL;
	vt_text_copy(copy, sizeof(copy), text);
	dst = strstr(copy, " > ");
	proto = dst ? strchr(dst + 3, ' ') : NULL;
	if (!proto || proto_parse(proto + 1, &flow))
		return -EINVAL;
	*dst = *proto = '\0';
	ports = vt_proto_has_ports(flow.proto);
	if (endpoint_parse(copy, ports, flow.src, &flow.sport) ||
	    endpoint_parse(dst + 3, ports, flow.dst, &flow.dport) ||
	    vt_addr_is_ipv4(flow.src) != vt_addr_is_ipv4(flow.dst))
		return -EINVAL;
	flow.family = vt_addr_is_ipv4(flow.src) ? 4 : 6;
	*ret = flow;
	return 0;
}
