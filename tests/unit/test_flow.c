// SPDX-License-Identifier: BSD-3-Clause
/* Flows, addresses and protocols as text and back. */
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

static void set_addr(uint8_t addr[16], const char *text)
{
	assert_int_equal(vt_addr_parse(text, addr), 0);
}

static void formats(void **state)
{
	static const struct {
		const char *src, *dst;
		uint16_t sport, dport;
		uint8_t proto;
		const char *text;
	} cases[] = {
	    {"10.0.0.1", "10.0.0.2", 4000, 53, 17, "10.0.0.1:4000 > 10.0.0.2:53 udp"},
	    {"2001:db8::1", "2001:db8::2", 4000, 53, 6, "[2001:db8::1]:4000 > [2001:db8::2]:53 tcp"},
	    {"10.0.0.1", "10.0.0.2", 1, 65535, 132, "10.0.0.1:1 > 10.0.0.2:65535 sctp"},
	    {"10.0.0.1", "10.0.0.2", 7, 0x0800, 1, "10.0.0.1 > 10.0.0.2 icmp 8/0 id 7"},
	    {"10.0.0.1", "10.0.0.2", 0, 0x0000, 1, "10.0.0.1 > 10.0.0.2 icmp 0/0 id 0"},
	    {"10.0.0.1", "10.0.0.2", 0, 0x0304, 1, "10.0.0.1 > 10.0.0.2 icmp 3/4"},
	    {"2001:db8::1", "2001:db8::2", 9, 0x8000, 58, "2001:db8::1 > 2001:db8::2 icmp6 128/0 id 9"},
	    {"fe80::1", "ff02::1", 0, 0x8700, 58, "fe80::1 > ff02::1 icmp6 135/0"},
	    {"10.0.0.1", "10.0.0.2", 0, 0, 47, "10.0.0.1 > 10.0.0.2 proto 47"},
	    {"::1", "::2", 0, 0, 0, "::1 > ::2 proto 0"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vt_flow flow = {.sport = cases[i].sport, .dport = cases[i].dport, .proto = cases[i].proto}, back;
		char text[VT_FLOW_TEXT_MAX];

		set_addr(flow.src, cases[i].src);
		set_addr(flow.dst, cases[i].dst);
		flow.family = strchr(cases[i].src, ':') ? 6 : 4;
		vt_flow_format(&flow, text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(vt_flow_parse(text, &back), 0);
		assert_memory_equal(&flow, &back, sizeof(flow));
	}
}

static void longest_flow_fits(void **state)
{
	struct vt_flow flow = {.sport = 65535, .dport = 65535, .proto = 132, .family = 6};
	char text[VT_FLOW_TEXT_MAX];

	memset(flow.src, 0xff, 16);
	memset(flow.dst, 0xff, 16);
	vt_flow_format(&flow, text);
	assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 > "
	                          "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 sctp");
}

static void refuses_what_is_no_flow(void **state)
{
	static const char *const cases[] = {
	    "",
	    "udp",
	    "10.0.0.1:1",
	    "10.0.0.1:1 > 10.0.0.2:2",
	    "10.0.0.1:1 > 10.0.0.2:2 ",
	    "10.0.0.1 > 10.0.0.2 udp",
	    "10.0.0.1:1 > 10.0.0.2:65536 udp",
	    "10.0.0.1:1 > 10.0.0.2:-1 udp",
	    "10.0.0.1: > 10.0.0.2:2 udp",
	    "10.0.0.1:1 > [2001:db8::1]:2 udp",
	    "2001:db8::1:1 > 2001:db8::2:2 udp",
	    "[10.0.0.1]:1 > 10.0.0.2:2 udp",
	    "[::1:1 > [::2]:2 udp",
	    "]:1 > [::2]:2 udp",
	    "10.0.0.1:1 > 10.0.0.2:2 udp x",
	    "10.0.0.1:1 > 10.0.0.2:2 udpx",
	    "10.0.0.1:1 > 10.0.0.2:2 gre",
	    "10.0.0.1 > 10.0.0.2 proto 256",
	    "10.0.0.1 > 10.0.0.2 proto 17",
	    "10.0.0.1 > 10.0.0.2 proto",
	    "10.0.0.1 > 10.0.0.2 icmp",
	    "10.0.0.1 > 10.0.0.2 icmp 8",
	    "10.0.0.1 > 10.0.0.2 icmp 8/",
	    "10.0.0.1 > 10.0.0.2 icmp 256/0",
	    "10.0.0.1 > 10.0.0.2 icmp 8/0 id",
	    "10.0.0.1 > 10.0.0.2 icmp 8/0 id 65536",
	    "10.0.0.1 > 10.0.0.2 icmp 8/0 id 7 x",
	    "10.0.0.1:1 > 10.0.0.2 icmp 8/0",
	    "10.0.0.1:1>10.0.0.2:2 udp",
	};
	struct vt_flow flow;
	char longest[400];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (vt_flow_parse(cases[i], &flow) != -EINVAL)
			fail_msg("accepted: %s", cases[i]);
	memset(longest, '1', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(vt_flow_parse(longest, &flow), -EINVAL);
}

static void addresses(void **state)
{
	static const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
	uint8_t addr[16];
	char text[64];

	set_addr(addr, "192.0.2.1");
	assert_memory_equal(addr, mapped, 16);
	vt_addr_format(addr, text, sizeof(text));
	assert_string_equal(text, "192.0.2.1");
	vt_addr_format(addr, text, 4); /* no room */
	assert_string_equal(text, "");
	assert_int_equal(vt_addr_parse("192.0.2", addr), -EINVAL);
	assert_int_equal(vt_addr_parse("", addr), -EINVAL);
}

static void protocols(void **state)
{
	assert_string_equal(vt_proto_name(1), "icmp");
	assert_string_equal(vt_proto_name(6), "tcp");
	assert_string_equal(vt_proto_name(17), "udp");
	assert_string_equal(vt_proto_name(58), "icmp6");
	assert_string_equal(vt_proto_name(132), "sctp");
	assert_null(vt_proto_name(0));
	assert_null(vt_proto_name(47));
	for (int proto = 0; proto < 256; proto++)
		assert_int_equal(vt_proto_has_ports((uint8_t)proto), proto == 6 || proto == 17 || proto == 132);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(formats),   cmocka_unit_test(longest_flow_fits), cmocka_unit_test(refuses_what_is_no_flow),
	    cmocka_unit_test(addresses), cmocka_unit_test(protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
