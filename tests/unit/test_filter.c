// SPDX-License-Identifier: BSD-3-Clause
/* The filter language: what is accepted and how it is written back, every error with its column, matching, reversing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/task.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void parse(const char *text, struct vt_filter *filter)
{
	struct vt_err err = {0};

	if (vt_filter_parse(text, filter, &err))
		fail_msg("\"%s\": %s", text, err.text);
}

static void normal_form(void **state)
{
	static const struct {
		const char *text, *normal;
	} cases[] = {
	    {"udp and src host 10.0.0.1 and dst port 53", "udp and src host 10.0.0.1 and dst port 53"},
	    {"dst port 53 and src host 10.0.0.1 and udp", "udp and src host 10.0.0.1 and dst port 53"},
	    {"  udp\tand\n dst  port 53 ", "udp and dst port 53"},
	    {"udp&&dst port 53", "udp and dst port 53"},
	    {"vni 100 and dst port 2 and dst host 10.0.0.2 and src port 1 and src host 10.0.0.1 and tcp",
	     "tcp and src host 10.0.0.1 and src port 1 and dst host 10.0.0.2 and dst port 2 and vni 100"},
	    {"src net 10.0.0.0/8", "src net 10.0.0.0/8"},
	    {"src net 10", "src net 10.0.0.0/8"},
	    {"dst net 192.168", "dst net 192.168.0.0/16"},
	    {"dst net 192.168.3", "dst net 192.168.3.0/24"},
	    {"src net 10.1.2.3", "src host 10.1.2.3"},
	    {"src net 10.1.2.3/32", "src host 10.1.2.3"},
	    {"src net 0.0.0.0/0", "src net 0.0.0.0/0"},
	    {"src net 10.128/9", "src net 10.128.0.0/9"},
	    {"src host 2001:DB8::0001", "src host 2001:db8::1"},
	    {"dst net 2001:db8::/32", "dst net 2001:db8::/32"},
	    {"dst net ::/0", "dst net ::/0"},
	    {"dst net 2001:db8::1/128", "dst host 2001:db8::1"},
	    {"src net ::/80", "src net ::/80"},
	    {"ip", "ip"},
	    {"ip6 and tcp", "ip6 and tcp"},
	    {"udp and ip", "ip and udp"},
	    {"ip and src host 10.0.0.1", "src host 10.0.0.1"},
	    {"ip6 and src host 2001:db8::1 and tcp", "tcp and src host 2001:db8::1"},
	    {"icmp", "icmp"},
	    {"ip and icmp", "icmp"},
	    {"icmp6", "icmp6"},
	    {"sctp and src port 0", "sctp and src port 0"},
	    {"proto 17", "udp"},
	    {"proto 6", "tcp"},
	    {"proto 132", "sctp"},
	    {"proto 47", "proto 47"},
	    {"proto 0", "proto 0"},
	    {"proto 255 and ip6", "ip6 and proto 255"},
	    {"dst port 65535", "dst port 65535"},
	    {"vni 0", "vni 0"},
	    {"vni 16777215", "vni 16777215"},
	    {"udp and udp", "udp"},
	    {"src port 7 and src port 7", "src port 7"},
	};
	char buf[VT_FILTER_MAX];

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct vt_filter filter, again;

		parse(cases[i].text, &filter);
		vt_filter_format(&filter, buf);
		assert_string_equal(buf, cases[i].normal);
		parse(buf, &again);
		assert_memory_equal(&filter, &again, sizeof(filter));
	}
}

static void parsed_members(void **state)
{
	static const uint8_t src[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 32, 0, 0};
	struct vt_filter f;

	parse("udp and src net 10.32.0.0/11 and dst port 53 and vni 7", &f);
	assert_int_equal(f.fields, VT_FILTER_PROTO | VT_FILTER_SRC | VT_FILTER_DPORT | VT_FILTER_VNI);
	assert_int_equal(f.family, 4);
	assert_int_equal(f.proto, 17);
	assert_int_equal(f.src_len, 107);
	assert_memory_equal(f.src, src, 16);
	assert_int_equal(f.dst_len, 0);
	assert_int_equal(f.sport, 0);
	assert_int_equal(f.dport, 53);
	assert_int_equal(f.vni, 7);
	parse("tcp", &f);
	assert_int_equal(f.family, 0);
	parse("icmp6", &f);
	assert_int_equal(f.family, 6);
}

/* The column in each expected text is where the offending word begins. */
static void errors_name_word_and_column(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
	    {"",
	     "filter, column 1: the filter is empty and would match everything (write, for example, \"udp and src host "
	     "10.0.0.1 and dst port 53\")"},
	    {" \t ", "filter, column 1: the filter is empty"},
	    {"udp or tcp",
	     "filter, column 5: \"or\" is not supported: a filter is one flow: trace each alternative on its own"},
	    {"udp || tcp", "filter, column 5: \"||\" is not supported: a filter is one flow"},
	    {"udp||tcp", "filter, column 4: \"||\" is not supported"},
	    {"src host 10.0.0.1 or dst port 3", "filter, column 19: \"or\" is not supported"},
	    {"src or dst host 10.0.0.1", "filter, column 5: \"or\" is not supported"},
	    {"not udp", "filter, column 1: \"not\" is not supported: say what the packets have, not what they lack"},
	    {"udp and not src port 5", "filter, column 9: \"not\" is not supported"},
	    {"udp and !tcp", "filter, column 9: \"!\" is not supported: say what the packets have"},
	    {"host 10.0.0.1", "filter, column 1: \"host\" is not supported: write \"src host A\" or \"dst host A\""},
	    {"udp and net 10.0.0.0/8",
	     "filter, column 9: \"net\" is not supported: write \"src net P\" or \"dst net P\""},
	    {"udp and port 53", "filter, column 9: \"port\" is not supported: write \"src port N\" or \"dst port N\""},
	    {"udp and portrange 1-2", "filter, column 9: \"portrange\" is not supported"},
	    {"src portrange 1-2", "filter, column 5: \"portrange\" is not supported"},
	    {"ether host 1:2:3:4:5:6", "filter, column 1: \"ether\" is not supported: frames are not matched"},
	    {"vlan 5",
	     "filter, column 1: \"vlan\" is not supported: a tenant network is named by its VXLAN id: write \"vni N\""},
	    {"(udp)",
	     "filter, column 1: \"(\" is not supported: parentheses are not needed: join the parts with \"and\""},
	    {"udp)", "filter, column 4: \")\" is not supported"},
	    {"gre", "filter, column 1: \"gre\" is not supported: write \"proto 47\""},
	    {"icmpv6", "filter, column 1: \"icmpv6\" is not supported: write \"icmp6\""},
	    {"arp", "filter, column 1: \"arp\" is not supported: only IP packets are traced"},
	    {"less 100", "filter, column 1: \"less\" is not supported: packets are not matched by their length"},
	    {"10.0.0.1", "filter, column 1: \"10.0.0.1\" is not a word of the filter language: write \"src host A\" or "
	                 "\"dst host A\" in front of an address"},
	    {"tcp[13]=2", "filter, column 1: \"tcp[13]=2\" is not a word of the filter language: bytes of a packet "
	                  "cannot be tested"},
	    {"UDP",
	     "filter, column 1: \"UDP\" is not a word of the filter language: the words of a filter are in lower case"},
	    {"udp and foo",
	     "filter, column 9: \"foo\" is not a word of the filter language: the words are: src|dst host A, "},
	    {"udp foo", "filter, column 5: \"foo\" is not a word of the filter language"},
	    {"udp dst port 5", "filter, column 5: \"dst\" needs \"and\" in front of it"},
	    {"ip proto 17", "filter, column 4: \"proto\" needs \"and\" in front of it"},
	    {"and udp", "filter, column 1: \"and\" is not a word of the filter language"},
	    {"udp and", "filter, column 8: the filter ends where the part after \"and\" should be"},
	    {"udp and and tcp", "filter, column 9: \"and\" is not a word of the filter language"},
	    {"src", "filter, column 4: the filter ends where \"host\", \"net\" or \"port\" should be"},
	    {"src host", "filter, column 9: the filter ends where an IP address should be"},
	    {"dst net", "filter, column 8: the filter ends where a network should be"},
	    {"dst port", "filter, column 9: the filter ends where a number should be"},
	    {"src 10.0.0.1", "filter, column 5: \"10.0.0.1\" cannot follow \"src\": write \"src host A\", \"src net "
	                     "P\" or \"src port N\""},
	    {"dst udp", "filter, column 5: \"udp\" cannot follow \"dst\""},
	    {"src host www.example.org",
	     "filter, column 10: \"www.example.org\" is not an IPv4 or IPv6 address (names are not looked up)"},
	    {"src host 10.0.0", "filter, column 10: \"10.0.0\" is not an IPv4 or IPv6 address"},
	    {"src host 10.0.0.256", "filter, column 10: \"10.0.0.256\" is not an IPv4 or IPv6 address"},
	    {"src host fe80::1%eth0", "filter, column 10: \"fe80::1%eth0\" is not an IPv4 or IPv6 address"},
	    {"src host 10.0.0.0/8", "filter, column 10: \"10.0.0.0/8\" is a network: write \"src net\" in front of it"},
	    {"src host ::ffff:10.0.0.1",
	     "filter, column 10: \"::ffff:10.0.0.1\" is an IPv4 address in IPv6 form: write 10.0.0.1"},
	    {"src net ::ffff:10.0.0.1/100",
	     "filter, column 9: \"::ffff:10.0.0.1/100\" is an IPv4 address in IPv6 form: write 10.0.0.1"},
	    {"src net 10.0.0.1/24",
	     "filter, column 9: \"10.0.0.1/24\" has bits set behind its prefix: write 10.0.0.0/24"},
	    {"dst net 2001:db8::1/64",
	     "filter, column 9: \"2001:db8::1/64\" has bits set behind its prefix: write 2001:db8::/64"},
	    {"src net 10.0.0.0/33", "filter, column 9: \"10.0.0.0/33\" has a wrong prefix length: it is 0 to 32 here"},
	    {"src net ::/129", "filter, column 9: \"::/129\" has a wrong prefix length: it is 0 to 128 here"},
	    {"src net 10.0.0.0/", "filter, column 9: \"10.0.0.0/\" has a wrong prefix length"},
	    {"src net 10.0.0.0/255.0.0.0", "filter, column 9: \"10.0.0.0/255.0.0.0\" has a wrong prefix length"},
	    {"src net 10.0.0.0 mask 255.0.0.0", "filter, column 18: \"mask\" is not supported"},
	    {"src net home", "filter, column 9: \"home\" is not an IPv4 or IPv6 network"},
	    {"src port 65536", "filter, column 10: \"65536\" is too large: a port is 0 to 65535"},
	    {"src port 99999999999999999999",
	     "filter, column 10: \"99999999999999999999\" is too large: a port is 0 to 65535"},
	    {"src port domain", "filter, column 10: \"domain\" is not a decimal number (a port is 0 to 65535)"},
	    {"src port -1", "filter, column 10: \"-1\" is not a decimal number"},
	    {"src port 0x35", "filter, column 10: \"0x35\" is not a decimal number"},
	    {"src port 053", "filter, column 10: \"053\" is not a decimal number"},
	    {"proto 256", "filter, column 7: \"256\" is too large: a protocol is 0 to 255"},
	    {"proto udp", "filter, column 7: \"udp\" is not a decimal number (a protocol is 0 to 255)"},
	    {"vni 16777216", "filter, column 5: \"16777216\" is too large: a VNI is 0 to 16777215"},
	    {"udp and tcp", "filter, column 9: \"tcp\" contradicts \"udp\" at column 1: a packet has one protocol"},
	    {"proto 17 and tcp",
	     "filter, column 14: \"tcp\" contradicts \"proto 17\" at column 1: a packet has one protocol"},
	    {"ip and ip6", "filter, column 8: \"ip6\" contradicts \"ip\" at column 1: one is IPv4, the other is IPv6"},
	    {"ip6 and src host 10.0.0.1",
	     "filter, column 9: \"src host 10.0.0.1\" contradicts \"ip6\" at column 1: one is IPv4"},
	    {"src host 10.0.0.1 and dst net 2001:db8::/32",
	     "filter, column 23: \"dst net 2001:db8::/32\" contradicts \"src host 10.0.0.1\" at column 1: one is IPv4"},
	    {"icmp and dst host 2001:db8::1",
	     "filter, column 10: \"dst host 2001:db8::1\" contradicts \"icmp\" at column 1"},
	    {"ip and icmp6", "filter, column 8: \"icmp6\" contradicts \"ip\" at column 1"},
	    {"icmp and dst port 5",
	     "filter, column 10: \"dst port 5\" contradicts \"icmp\" at column 1: only tcp, udp and sctp have ports"},
	    {"src port 5 and proto 47", "filter, column 16: \"proto 47\" contradicts \"src port 5\" at column 1: only "
	                                "tcp, udp and sctp have ports"},
	    {"src host 10.0.0.1 and src host 10.0.0.2",
	     "filter, column 23: \"src host 10.0.0.2\" contradicts \"src host 10.0.0.1\" at column 1: give one source"},
	    {"dst net 10.0.0.0/8 and dst net 10.0.0.0/16", "filter, column 24: \"dst net 10.0.0.0/16\" contradicts "
	                                                   "\"dst net 10.0.0.0/8\" at column 1: give one destination"},
	    {"dst port 1 and dst port 2", "filter, column 16: \"dst port 2\" contradicts \"dst port 1\" at column 1: a "
	                                  "packet has one destination port"},
	    {"vni 1 and vni 2",
	     "filter, column 11: \"vni 2\" contradicts \"vni 1\" at column 1: a packet is in one network"},
	    {"\033[2J", "filter, column 1: \"?[2J\" is not a word"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct vt_filter filter = {.vni = 4711};
		struct vt_err err = {0};

		assert_int_equal(vt_filter_parse(cases[i].text, &filter, &err), -EINVAL);
		if (strncmp(err.text, cases[i].error, strlen(cases[i].error)))
			fail_msg("\"%s\"\n got: %s\nwant: %s", cases[i].text, err.text, cases[i].error);
		assert_int_equal(err.code, EINVAL);
		assert_int_equal(filter.vni, 4711); /* untouched on failure */
	}
}

static void length_limit(void **state)
{
	char text[VT_FILTER_MAX + 1];
	struct vt_filter filter;
	struct vt_err err = {0};

	memset(text, ' ', sizeof(text));
	memcpy(text, "udp", 3);
	text[VT_FILTER_MAX - 1] = '\0';
	assert_int_equal(vt_filter_parse(text, &filter, &err), 0);
	text[VT_FILTER_MAX - 1] = ' ';
	text[VT_FILTER_MAX] = '\0';
	assert_int_equal(vt_filter_parse(text, &filter, &err), -EINVAL);
	assert_string_equal(err.text, "filter, column 512: the filter is longer than 511 bytes");
	memset(text, 'x', VT_FILTER_MAX - 1);
	text[VT_FILTER_MAX - 1] = '\0';
	assert_int_equal(vt_filter_parse(text, &filter, &err), -EINVAL);
	assert_non_null(strstr(
	    err.text, "filter, column 1: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\" is not a word"));
	assert_int_equal(vt_filter_parse("or", &filter, NULL), -EINVAL); /* nobody listens */
}

static struct vt_flow flow_of(const char *text)
{
	struct vt_flow flow;

	assert_int_equal(vt_flow_parse(text, &flow), 0);
	return flow;
}

static void matching(void **state)
{
	static const struct {
		const char *filter, *flow;
		uint32_t vni;
		bool match;
	} cases[] = {
	    {"udp", "10.0.0.1:4000 > 10.0.0.2:53 udp", 0, true},
	    {"udp", "[2001:db8::1]:4000 > [2001:db8::2]:53 udp", 0, true},
	    {"tcp", "10.0.0.1:4000 > 10.0.0.2:53 udp", 0, false},
	    {"ip", "[2001:db8::1]:4000 > [2001:db8::2]:53 udp", 0, false},
	    {"ip6", "10.0.0.1:4000 > 10.0.0.2:53 udp", 0, false},
	    {"src host 10.0.0.1", "10.0.0.1:4000 > 10.0.0.2:53 udp", 0, true},
	    {"src host 10.0.0.2", "10.0.0.1:4000 > 10.0.0.2:53 udp", 0, false},
	    {"dst host 10.0.0.2", "10.0.0.1:4000 > 10.0.0.2:53 udp", 0, true},
	    {"src net 10.0.0.0/31", "10.0.0.1:1 > 10.0.0.9:2 udp", 0, true},
	    {"src net 10.0.0.2/31", "10.0.0.1:1 > 10.0.0.9:2 udp", 0, false},
	    {"src net 0.0.0.0/0", "10.0.0.1:1 > 10.0.0.9:2 udp", 0, true},
	    {"src net 0.0.0.0/0", "[::1]:1 > [::2]:2 udp", 0, false},
	    {"src net ::/0", "[2001:db8::1]:1 > [2001:db8::2]:2 udp", 0, true},
	    {"src net ::/0", "10.0.0.1:1 > 10.0.0.9:2 udp", 0, false}, /* mapped inside, but not IPv6 */
	    {"dst net 2001:db8::/33", "[::1]:1 > [2001:db8:7fff::2]:2 udp", 0, true},
	    {"dst net 2001:db8::/33", "[::1]:1 > [2001:db8:8000::2]:2 udp", 0, false},
	    {"dst port 53", "10.0.0.1:4000 > 10.0.0.2:53 udp", 0, true},
	    {"dst port 53", "10.0.0.1:4000 > 10.0.0.2:53 tcp", 0, true},
	    {"dst port 53", "10.0.0.1:53 > 10.0.0.2:4000 tcp", 0, false},
	    {"dst port 2048", "10.0.0.1 > 10.0.0.2 icmp 8/0 id 7", 0, false}, /* its type is no port */
	    {"src port 7", "10.0.0.1 > 10.0.0.2 icmp 8/0 id 7", 0, false},
	    {"dst port 0", "10.0.0.1 > 10.0.0.2 proto 47", 0, false},
	    {"icmp", "10.0.0.1 > 10.0.0.2 icmp 8/0 id 7", 0, true},
	    {"proto 47", "10.0.0.1 > 10.0.0.2 proto 47", 0, true},
	    {"vni 100", "10.0.0.1:1 > 10.0.0.2:2 udp", 100, true},
	    {"vni 100", "10.0.0.1:1 > 10.0.0.2:2 udp", 0, false},
	    {"udp", "10.0.0.1:1 > 10.0.0.2:2 udp", 100, true},
	    {"udp and src port 1 and dst port 2 and vni 100", "10.0.0.1:1 > 10.0.0.2:2 udp", 101, false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct vt_flow flow = flow_of(cases[i].flow);
		struct vt_filter filter;

		parse(cases[i].filter, &filter);
		if (vt_filter_match(&filter, &flow, cases[i].vni) != cases[i].match)
			fail_msg("\"%s\" on %s: not %d", cases[i].filter, cases[i].flow, cases[i].match);
	}
}

static void reversing(void **state)
{
	static const struct {
		const char *forward, *reverse;
	} cases[] = {
	    {"udp and src host 10.0.0.1 and dst port 53", "udp and src port 53 and dst host 10.0.0.1"},
	    {"src net 10.0.0.0/8 and dst host 192.168.1.1 and vni 5",
	     "src host 192.168.1.1 and dst net 10.0.0.0/8 and vni 5"},
	    {"icmp and src host 10.0.0.1", "icmp and dst host 10.0.0.1"},
	    {"ip6 and tcp", "ip6 and tcp"},
	};
	struct vt_filter filter, reverse;
	char buf[VT_FILTER_MAX];

	for (size_t i = 0; i < COUNT(cases); i++) {
		parse(cases[i].forward, &filter);
		vt_filter_reverse(&filter, &reverse);
		vt_filter_format(&reverse, buf);
		assert_string_equal(buf, cases[i].reverse);
		vt_filter_reverse(&reverse, &reverse); /* in place, and back */
		assert_memory_equal(&reverse, &filter, sizeof(filter));
	}
}

static uint32_t seed;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)seed * n) >> 32);
}

static void random_address(char *buf, size_t size, bool v6, unsigned int length)
{
	uint8_t addr[16] = {0};

	for (unsigned int bit = 0; bit < length; bit++)
		addr[bit / 8] |= (uint8_t)(random_below(2) << (7 - bit % 8));
	if (v6)
		addr[0] = length >= 8 ? 0x20 : 0; /* never an IPv4-mapped one */
	inet_ntop(v6 ? AF_INET6 : AF_INET, addr, buf, (socklen_t)size);
}

/* One side's address, as a primitive; nothing at times. */
static size_t random_side(char *buf, size_t size, const char *side, bool v6)
{
	unsigned int length = random_below(v6 ? 129 : 33);
	char addr[INET6_ADDRSTRLEN];

	if (!random_below(3))
		return 0;
	random_address(addr, sizeof(addr), v6, length);
	return (size_t)snprintf(buf, size, " and %s net %s/%u", side, addr, length);
}

/* Any filter and its normal form are the same filter, and match the same flows; the reverse matches the reversed flows.
 */
static void property_normal_form_is_the_filter(void **state)
{
	static const char *const protos[] = {"tcp", "udp", "sctp"};

	seed = 20260131;
	for (int i = 0; i < 20000; i++) {
		char text[VT_FILTER_MAX], normal[VT_FILTER_MAX], twice[VT_FILTER_MAX];
		struct vt_filter filter, again, reverse;
		bool v6 = random_below(2);
		struct vt_flow flow, back;
		size_t at;

		at = (size_t)snprintf(text, sizeof(text), "%s",
		                      random_below(2) ? (v6 ? "ip6" : "ip") : protos[random_below(3)]);
		at += random_side(text + at, sizeof(text) - at, "dst", v6);
		if (random_below(2))
			at += (size_t)snprintf(text + at, sizeof(text) - at, " && dst port %u", random_below(65536));
		at += random_side(text + at, sizeof(text) - at, "src", v6);
		if (random_below(2))
			snprintf(text + at, sizeof(text) - at, " and vni %u", random_below(VT_VNI_MAX + 1));
		parse(text, &filter);
		vt_filter_format(&filter, normal);
		parse(normal, &again);
		assert_memory_equal(&filter, &again, sizeof(filter));
		vt_filter_format(&again, twice);
		assert_string_equal(normal, twice);

		/* A flow made from the filter's own members matches it, unless the filter is of the other family. */
		memset(&flow, 0, sizeof(flow));
		memcpy(flow.src, filter.src, 16);
		memcpy(flow.dst, filter.dst, 16);
		flow.sport = filter.sport;
		flow.dport = filter.dport;
		flow.proto = filter.fields & VT_FILTER_PROTO ? filter.proto : 6;
		flow.family = filter.family ? filter.family : 4;
		assert_true(vt_filter_match(&filter, &flow, filter.vni));
		vt_filter_reverse(&filter, &reverse);
		back = flow;
		memcpy(back.src, flow.dst, 16);
		memcpy(back.dst, flow.src, 16);
		back.sport = flow.dport;
		back.dport = flow.sport;
		assert_true(vt_filter_match(&reverse, &back, filter.vni));
		if (filter.fields & VT_FILTER_DPORT) {
			flow.dport ^= 1;
			assert_false(vt_filter_match(&filter, &flow, filter.vni));
		} else if ((filter.fields & VT_FILTER_SRC) && filter.src_len > (filter.family == 4 ? 96 : 0)) {
			flow.src[(filter.src_len - 1) / 8] ^= (uint8_t)(0x80 >> (filter.src_len - 1) % 8);
			assert_false(vt_filter_match(&filter, &flow, filter.vni));
		}
	}
}

static void task_limits(void **state)
{
	struct vt_task task = {.id = 1, .packet_count = VT_COUNT_MAX, .trace_time_ms = VT_TIME_MAX_MS};
	struct vt_err err = {0};

	assert_int_equal(vt_task_check(&task, &err), 0);
	task.packet_count = VT_COUNT_MAX + 1;
	assert_int_equal(vt_task_check(&task, &err), -EINVAL);
	assert_string_equal(err.text, "packet_count (--count) 100001 is out of range: it is 1 to 100000");
	task.packet_count = 0;
	assert_int_equal(vt_task_check(&task, &err), -EINVAL);
	task.packet_count = 1;
	task.trace_time_ms = 0;
	assert_int_equal(vt_task_check(&task, &err), -EINVAL);
	task.trace_time_ms = VT_TIME_MAX_MS + 500;
	assert_int_equal(vt_task_check(&task, &err), -EINVAL);
	assert_string_equal(err.text, "trace_time (--time) 3600.5 s is out of range: it is 0.001 to 3600 s");
	task.trace_time_ms = 1;
	assert_int_equal(vt_task_check(&task, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(normal_form),
	    cmocka_unit_test(parsed_members),
	    cmocka_unit_test(errors_name_word_and_column),
	    cmocka_unit_test(length_limit),
	    cmocka_unit_test(matching),
	    cmocka_unit_test(reversing),
	    cmocka_unit_test(property_normal_form_is_the_filter),
	    cmocka_unit_test(task_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
