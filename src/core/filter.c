// SPDX-License-Identifier: BSD-3-Clause
/*
 * What can be done with a filter once it is parsed: write it, turn it round, hold it against a flow. The parser is in
 * filter_parse.c. vt_filter_match() is the meaning of a filter; what a datapath does in its fast path must agree with
 * it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/task.h"

static void __attribute__((format(printf, 2, 3))) add(char *buf, const char *fmt, ...)
{
	size_t at = strlen(buf);
	va_list args;

	va_start(args, fmt);
	vsnprintf(buf + at, VT_FILTER_MAX - at, fmt, args);
	va_end(args);
}

static const char *joint(const char *buf)
{
	return buf[0] ? " and " : "";
}

static void add_address(char *buf, const char *side, const uint8_t addr[16], unsigned int length, uint8_t family)
{
	char text[INET6_ADDRSTRLEN];

	if (family == 4)
		vt_addr_format(addr, text, sizeof(text));
	else
		inet_ntop(AF_INET6, addr, text, sizeof(text));
	if (length == 128)
		add(buf, "%s%s host %s", joint(buf), side, text);
	else
		add(buf, "%s%s net %s/%u", joint(buf), side, text, family == 4 ? length - 96 : length);
}

void vt_filter_format(const struct vt_filter *filter, char *buf)
{
	const struct vt_filter *f = filter;
	const char *name = vt_proto_name(f->proto);
	bool implied = f->fields & (VT_FILTER_SRC | VT_FILTER_DST);

	if ((f->fields & VT_FILTER_PROTO) && (f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6))
		implied = true;
	buf[0] = '\0';
	if (f->family && !implied)
		add(buf, f->family == 4 ? "ip" : "ip6");
	if ((f->fields & VT_FILTER_PROTO) && name)
		add(buf, "%s%s", joint(buf), name);
	else if (f->fields & VT_FILTER_PROTO)
		add(buf, "%sproto %u", joint(buf), f->proto);
	if (f->fields & VT_FILTER_SRC)
		add_address(buf, "src", f->src, f->src_len, f->family);
	if (f->fields & VT_FILTER_SPORT)
		add(buf, "%ssrc port %u", joint(buf), f->sport);
	if (f->fields & VT_FILTER_DST)
		add_address(buf, "dst", f->dst, f->dst_len, f->family);
	if (f->fields & VT_FILTER_DPORT)
		add(buf, "%sdst port %u", joint(buf), f->dport);
	if (f->fields & VT_FILTER_VNI)
		add(buf, "%svni %u", joint(buf), f->vni);
}

/* `fields` with the bits `a` and `b` exchanged. */
static uint32_t exchange(uint32_t fields, uint32_t a, uint32_t b)
{
	uint32_t rest = fields & ~(a | b);

	return rest | (fields & a ? b : 0) | (fields & b ? a : 0);
}

void vt_filter_reverse(const struct vt_filter *filter, struct vt_filter *reverse)
{
	struct vt_filter r = *filter;

	r.fields = exchange(r.fields, VT_FILTER_SRC, VT_FILTER_DST);
	r.fields = exchange(r.fields, VT_FILTER_SPORT, VT_FILTER_DPORT);
	memcpy(r.src, filter->dst, sizeof(r.src));
	memcpy(r.dst, filter->src, sizeof(r.dst));
	r.src_len = filter->dst_len;
	r.dst_len = filter->src_len;
	r.sport = filter->dport;
	r.dport = filter->sport;
	*reverse = r;
}

static bool prefix_match(const uint8_t prefix[16], unsigned int length, const uint8_t addr[16])
{
	unsigned int bytes = length / 8, bits = length % 8;

	if (memcmp(prefix, addr, bytes))
		return false;
	return !bits || !((prefix[bytes] ^ addr[bytes]) & (0xff00 >> bits));
}

bool vt_filter_match(const struct vt_filter *filter, const struct vt_flow *flow, uint32_t vni)
{
	const struct vt_filter *f = filter;

	if (f->family && f->family != flow->family)
		return false;
	if ((f->fields & VT_FILTER_PROTO) && f->proto != flow->proto)
		return false;
	if ((f->fields & (VT_FILTER_SPORT | VT_FILTER_DPORT)) && !vt_proto_has_ports(flow->proto))
		return false; /* in a flow's ports ICMP has its type and id */
	if ((f->fields & VT_FILTER_SPORT) && f->sport != flow->sport)
		return false;
	if ((f->fields & VT_FILTER_DPORT) && f->dport != flow->dport)
		return false;
	if ((f->fields & VT_FILTER_VNI) && f->vni != vni)
		return false;
	if ((f->fields & VT_FILTER_SRC) && !prefix_match(f->src, f->src_len, flow->src))
		return false;
	return !(f->fields & VT_FILTER_DST) || prefix_match(f->dst, f->dst_len, flow->dst);
}
