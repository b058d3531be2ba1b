// SPDX-License-Identifier: BSD-3-Clause
/*
 * The filter language: text to struct vt_filter. The grammar is
 *
 *     filter    = primitive { ("and" | "&&") primitive }
 *     primitive = ("src" | "dst") ("host" address | "net" prefix | "port" number)
 *               | "tcp" | "udp" | "icmp" | "icmp6" | "sctp" | "ip" | "ip6" | "proto" number | "vni" number
 *
 * and each primitive means what it means to tcpdump. Every error names a piece of the text and its column, and says
 * what to write instead. The parser remembers which primitive set what, so that a contradiction can name both sides.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/filter_address.h"
#include "core/filter_words.h"
#include "core/task.h"

#define WORD_SHOWN_MAX 48 /* bytes of a word that an error repeats: an IPv6 prefix fits */

/* A piece of the text: a word, or all words of a primitive. */
struct piece {
	const char *at;
	size_t len; /* 0: nothing there, the text has ended */
};

enum setter { SET_FAMILY, SET_PROTO, SET_SRC, SET_DST, SET_SPORT, SET_DPORT, SET_VNI, SETTERS };

struct parser {
	const char *text;
	struct piece word;         /* the next one */
	struct piece primitive;    /* the one being read */
	struct piece set[SETTERS]; /* which primitive set what; len 0: none did */
	struct vt_filter *filter;
	struct vt_err *err;
};

static void show_piece(const struct piece *piece, char buf[WORD_SHOWN_MAX + 4])
{
	size_t len = piece->len < WORD_SHOWN_MAX ? piece->len : WORD_SHOWN_MAX;

	memcpy(buf, piece->at, len);
	strcpy(buf + len, piece->len > len ? "..." : "");
	vt_text_clean(buf);
}

static unsigned int column(const struct parser *p, const struct piece *piece)
{
	return (unsigned int)(piece->at - p->text) + 1;
}

/* Fails with: filter, column N: "piece" WHAT. */
static int __attribute__((format(printf, 3, 4)))
fail_at(struct parser *p, const struct piece *piece, const char *fmt, ...)
{
	char shown[WORD_SHOWN_MAX + 4], what[VT_ERR_MAX / 2];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	show_piece(piece, shown);
	return vt_fail(p->err, EINVAL, "filter, column %u: \"%s\" %s", column(p, piece), shown, what);
}

static int fail_end(struct parser *p, const char *wanted)
{
	return vt_fail(p->err, EINVAL, "filter, column %u: the filter ends where %s should be", column(p, &p->word),
	               wanted);
}

static int fail_word(struct parser *p)
{
	bool known;
	const char *hint = filter_word_hint(p->word.at, p->word.len, &known);

	return fail_at(p, &p->word, "%s: %s", known ? "is not supported" : "is not a word of the filter language",
	               hint);
}

static int fail_conflict(struct parser *p, enum setter other, const char *why)
{
	char shown[WORD_SHOWN_MAX + 4];

	show_piece(&p->set[other], shown);
	return fail_at(p, &p->primitive, "contradicts \"%s\" at column %u: %s", shown, column(p, &p->set[other]), why);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* Bytes of the word at `s`: an operator, or all up to a blank or an operator. */
static size_t word_length(const char *s)
{
	size_t len = 0;

	if (*s == '(' || *s == ')' || *s == '!')
		return 1;
	if (!strncmp(s, "&&", 2) || !strncmp(s, "||", 2))
		return 2;
	while (s[len] && !is_blank(s[len]) && !strchr("()!", s[len]) && strncmp(s + len, "&&", 2) &&
	       strncmp(s + len, "||", 2))
		len++;
	return len;
}

static void read_word(struct parser *p, const char *from)
{
	while (is_blank(*from))
		from++;
	p->word.at = from;
	p->word.len = word_length(from);
}

/* Goes to the next word; the one that is left behind becomes the end of the primitive. */
static void next_word(struct parser *p)
{
	p->primitive.len = (size_t)(p->word.at + p->word.len - p->primitive.at);
	read_word(p, p->word.at + p->word.len);
}

static bool word_is(const struct parser *p, const char *word)
{
	return p->word.len == strlen(word) && !strncmp(p->word.at, word, p->word.len);
}

/* Takes a decimal number of at most `max` as the next word. */
static int take_number(struct parser *p, const char *what, uint32_t max, uint32_t *ret)
{
	uint64_t value = 0;

	if (!p->word.len)
		return fail_end(p, "a number");
	for (size_t i = 0; i < p->word.len; i++) {
		char c = p->word.at[i];

		if (c < '0' || c > '9' || (i > 0 && p->word.at[0] == '0'))
			return fail_at(p, &p->word, "is not a decimal number (%s is 0 to %u)", what, max);
		value = value * 10 + (uint64_t)(c - '0');
		if (value > max)
			return fail_at(p, &p->word, "is too large: %s is 0 to %u", what, max);
	}
	*ret = (uint32_t)value;
	next_word(p);
	return 0;
}

static int set_family(struct parser *p, uint8_t family)
{
	struct vt_filter *f = p->filter;

	if (f->family && f->family != family)
		return fail_conflict(p, SET_FAMILY, "one is IPv4, the other is IPv6");
	if (!f->family)
		p->set[SET_FAMILY] = p->primitive;
	f->family = family;
	return 0;
}

static int set_proto(struct parser *p, uint8_t proto)
{
	struct vt_filter *f = p->filter;
	int ret = 0;

	if ((f->fields & VT_FILTER_PROTO) && f->proto != proto)
		return fail_conflict(p, SET_PROTO, "a packet has one protocol");
	if (!vt_proto_has_ports(proto) && (f->fields & (VT_FILTER_SPORT | VT_FILTER_DPORT)))
		return fail_conflict(p, f->fields & VT_FILTER_SPORT ? SET_SPORT : SET_DPORT,
		                     "only tcp, udp and sctp have ports");
	if (proto == IPPROTO_ICMP)
		ret = set_family(p, 4);
	else if (proto == IPPROTO_ICMPV6)
		ret = set_family(p, 6);
	if (ret)
		return ret;
	f->fields |= VT_FILTER_PROTO;
	f->proto = proto;
	p->set[SET_PROTO] = p->primitive;
	return 0;
}

static int set_port(struct parser *p, bool dst, uint16_t port)
{
	struct vt_filter *f = p->filter;
	uint32_t field = dst ? VT_FILTER_DPORT : VT_FILTER_SPORT;
	enum setter setter = dst ? SET_DPORT : SET_SPORT;
	uint16_t *member = dst ? &f->dport : &f->sport;

	if ((f->fields & field) && *member != port)
		return fail_conflict(p, setter,
		                     dst ? "a packet has one destination port" : "a packet has one source port");
	if ((f->fields & VT_FILTER_PROTO) && !vt_proto_has_ports(f->proto))
		return fail_conflict(p, SET_PROTO, "only tcp, udp and sctp have ports");
	f->fields |= field;
	*member = port;
	p->set[setter] = p->primitive;
	return 0;
}

static int set_address(struct parser *p, bool dst, const struct filter_address *addr, unsigned int length)
{
	struct vt_filter *f = p->filter;
	uint32_t field = dst ? VT_FILTER_DST : VT_FILTER_SRC;
	enum setter setter = dst ? SET_DST : SET_SRC;
	uint8_t *member = dst ? f->dst : f->src, *member_len = dst ? &f->dst_len : &f->src_len;
	int ret;

	ret = set_family(p, addr->family);
	if (ret)
		return ret;
	if ((f->fields & field) && (*member_len != length || memcmp(member, addr->bytes, 16)))
		return fail_conflict(p, setter, dst ? "give one destination" : "give one source");
	f->fields |= field;
	memcpy(member, addr->bytes, 16);
	*member_len = (uint8_t)length;
	p->set[setter] = p->primitive;
	return 0;
}

static int set_vni(struct parser *p, uint32_t vni)
{
	struct vt_filter *f = p->filter;

	if ((f->fields & VT_FILTER_VNI) && f->vni != vni)
		return fail_conflict(p, SET_VNI, "a packet is in one network");
	f->fields |= VT_FILTER_VNI;
	f->vni = vni;
	p->set[SET_VNI] = p->primitive;
	return 0;
}

/* An IPv4 address written as IPv6 (::ffff:10.0.0.1) never is on the wire as such. */
static int check_mapped(struct parser *p, const struct filter_address *addr)
{
	if (addr->family == 6 && vt_addr_is_ipv4(addr->bytes))
		return fail_at(p, &p->word, "is an IPv4 address in IPv6 form: write %u.%u.%u.%u", addr->bytes[12],
		               addr->bytes[13], addr->bytes[14], addr->bytes[15]);
	return 0;
}

static int parse_host(struct parser *p, bool dst)
{
	struct filter_address addr;
	char text[INET6_ADDRSTRLEN + 8];
	int ret;

	if (!p->word.len)
		return fail_end(p, "an IP address");
	if (memchr(p->word.at, '/', p->word.len))
		return fail_at(p, &p->word, "is a network: write \"%s net\" in front of it", dst ? "dst" : "src");
	vt_text_copy(text, p->word.len < sizeof(text) ? p->word.len + 1 : sizeof(text), p->word.at);
	if (p->word.len >= sizeof(text) || !filter_address_parse(text, false, &addr))
		return fail_at(p, &p->word, "is not an IPv4 or IPv6 address (names are not looked up)");
	ret = check_mapped(p, &addr);
	if (ret)
		return ret;
	next_word(p);
	return set_address(p, dst, &addr, 128);
}

/* "10.0.0.0/8" as address and length in bits of the mapped address; fails with the word's place. */
static int take_prefix(struct parser *p, struct filter_address *addr, unsigned int *ret_length)
{
	char text[INET6_ADDRSTRLEN + 8], right[INET6_ADDRSTRLEN];
	char *slash;
	int length;

	vt_text_copy(text, p->word.len < sizeof(text) ? p->word.len + 1 : sizeof(text), p->word.at);
	slash = strchr(text, '/');
	if (slash)
		*slash = '\0';
	if (p->word.len >= sizeof(text) || !filter_address_parse(text, true, addr))
		return fail_at(p, &p->word, "is not an IPv4 or IPv6 network (as in 10.0.0.0/8 or 2001:db8::/32)");
	length = slash ? filter_prefix_length(slash + 1, addr->family) : (int)addr->given;
	if (length < 0)
		return fail_at(p, &p->word, "has a wrong prefix length: it is 0 to %d here",
		               addr->family == 4 ? 32 : 128);
	*ret_length = (unsigned int)length + (addr->family == 4 ? 96 : 0);
	if (*ret_length >= 96 && addr->family == 6 && vt_addr_is_ipv4(addr->bytes))
		return check_mapped(p, addr);
	if (filter_clear_host_bits(addr->bytes, *ret_length)) {
		vt_addr_format(addr->bytes, right, sizeof(right));
		return fail_at(p, &p->word, "has bits set behind its prefix: write %s/%d", right, length);
	}
	return 0;
}

static int parse_net(struct parser *p, bool dst)
{
	struct filter_address addr = {0};
	unsigned int length = 0;
	int ret;

	if (!p->word.len)
		return fail_end(p, "a network");
	ret = take_prefix(p, &addr, &length);
	if (ret)
		return ret;
	next_word(p);
	return set_address(p, dst, &addr, length);
}

static int parse_direction(struct parser *p, bool dst)
{
	const char *side = dst ? "dst" : "src";
	uint32_t port;
	bool known;
	int ret;

	next_word(p);
	if (word_is(p, "host")) {
		next_word(p);
		return parse_host(p, dst);
	}
	if (word_is(p, "net")) {
		next_word(p);
		return parse_net(p, dst);
	}
	if (word_is(p, "port")) {
		next_word(p);
		ret = take_number(p, "a port", 65535, &port);
		return ret ? ret : set_port(p, dst, (uint16_t)port);
	}
	if (!p->word.len)
		return fail_end(p, "\"host\", \"net\" or \"port\"");
	filter_word_hint(p->word.at, p->word.len, &known);
	if (known)
		return fail_word(p);
	return fail_at(p, &p->word, "cannot follow \"%s\": write \"%s host A\", \"%s net P\" or \"%s port N\"", side,
	               side, side, side);
}

/* Words that are primitives by themselves. */
static const struct {
	const char *word;
	int proto; /* -1: none */
	uint8_t family;
} single_words[] = {
    {"tcp", IPPROTO_TCP, 0},
    {"udp", IPPROTO_UDP, 0},
    {"icmp", IPPROTO_ICMP, 4},
    {"icmp6", IPPROTO_ICMPV6, 6},
    {"sctp", IPPROTO_SCTP, 0},
    {"ip", -1, 4},
    {"ip6", -1, 6},
};

static int parse_primitive(struct parser *p)
{
	uint32_t number;
	int ret;

	p->primitive = p->word;
	for (size_t i = 0; i < sizeof(single_words) / sizeof(single_words[0]); i++)
		if (word_is(p, single_words[i].word)) {
			next_word(p);
			if (single_words[i].proto < 0)
				return set_family(p, single_words[i].family);
			return set_proto(p, (uint8_t)single_words[i].proto);
		}
	if (word_is(p, "src") || word_is(p, "dst"))
		return parse_direction(p, word_is(p, "dst"));
	if (word_is(p, "proto")) {
		next_word(p);
		ret = take_number(p, "a protocol", 255, &number);
		return ret ? ret : set_proto(p, (uint8_t)number);
	}
	if (word_is(p, "vni")) {
		next_word(p);
		ret = take_number(p, "a VNI", VT_VNI_MAX, &number);
		return ret ? ret : set_vni(p, number);
	}
	return fail_word(p);
}

static bool begins_primitive(const struct parser *p)
{
	for (size_t i = 0; i < sizeof(single_words) / sizeof(single_words[0]); i++)
		if (word_is(p, single_words[i].word))
			return true;
	return word_is(p, "src") || word_is(p, "dst") || word_is(p, "proto") || word_is(p, "vni");
}

/* What has to stand between two primitives. */
static int parse_and(struct parser *p)
{
	if (word_is(p, "and") || word_is(p, "&&")) {
		next_word(p);
		return p->word.len ? 0 : fail_end(p, "the part after \"and\"");
	}
	if (begins_primitive(p))
		return fail_at(p, &p->word, "needs \"and\" in front of it");
	return fail_word(p);
}

int vt_filter_parse(const char *text, struct vt_filter *filter, struct vt_err *err)
{
	struct vt_filter parsed = {0};
	struct parser p = {.text = text, .filter = &parsed, .err = err};
	int ret;

	if (strnlen(text, VT_FILTER_MAX) == VT_FILTER_MAX)
		return vt_fail(err, EINVAL, "filter, column %d: the filter is longer than %d bytes", VT_FILTER_MAX,
		               VT_FILTER_MAX - 1);
	read_word(&p, text);
	if (!p.word.len)
		return vt_fail(err, EINVAL,
		               "filter, column 1: the filter is empty and would match everything (write, for example, "
		               "\"udp and src host 10.0.0.1 and dst port 53\")");
	ret = parse_primitive(&p);
	while (!ret && p.word.len) {
		ret = parse_and(&p);
		if (!ret)
			ret = parse_primitive(&p);
	}
	if (ret)
		return ret;
	*filter = parsed;
	return 0;
}
