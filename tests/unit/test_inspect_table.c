// SPDX-License-Identifier: BSD-3-Clause
/* What the inspectors can do without a namespace of their own: names, the join of traces with drops, texts of rules. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/linux/inspect/nft_rule.h"
#include "datapath/linux/inspect/reasons.h"
#include "datapath/linux/inspect/symbols.h"
#include "datapath/linux/inspect/verdicts.h"

static void test_reasons(void **state)
{
	struct reasons *reasons;
	struct vt_err err = {0};
	char name[48];
	int number;

	if (reasons_open(&reasons, &err) < 0) {
		print_message("SKIP: %s\n", err.text);
		skip();
	}
	number = reasons_number(reasons, "NOT_SPECIFIED");
	assert_int_equal(number, 2); /* the one number that never changed */
	reasons_name(reasons, 2, name, sizeof(name));
	assert_string_equal(name, "NOT_SPECIFIED");
	assert_true(reasons_number(reasons, "NETFILTER_DROP") > 2);
	assert_int_equal(reasons_number(reasons, "NO_SUCH_REASON"), -ENOENT);
	reasons_name(reasons, 0x10003, name, sizeof(name)); /* mac80211's */
	assert_string_equal(name, "REASON_0x10003");
	reasons_name(reasons, 0xffffffff, name, sizeof(name));
	assert_string_equal(name, "REASON_0xffffffff");
	reasons_close(reasons);
}

static void test_symbols(void **state)
{
	char site[80], function[64];
	struct symbols *symbols;
	uint64_t address;

	assert_int_equal(symbols_open(&symbols, NULL), 0);
	address = symbols_address(symbols, "ip_rcv");
	if (!address) {
		print_message("SKIP: the kernel hides its addresses\n");
		symbols_close(symbols);
		skip();
	}
	symbols_name(symbols, address + 1, site, sizeof(site), function, sizeof(function));
	assert_string_equal(site, "ip_rcv+0x1");
	assert_string_equal(function, "ip_rcv");
	/* a return address may be the first byte behind a function: it belongs to that one */
	symbols_name(symbols, address, site, sizeof(site), function, sizeof(function));
	assert_string_not_equal(function, "ip_rcv");
	symbols_name(symbols, 0x1234, site, sizeof(site), function, sizeof(function));
	assert_string_equal(site, "0x1234");
	assert_string_equal(function, "");
	symbols_close(symbols);
}

static void test_rule_limits(void **state)
{
	assert_true(nft_rule_text_limits("udp dport 53 limit rate over 10/second drop"));
	assert_true(nft_rule_text_limits("add @m { ip saddr limit rate over 1/second } drop"));
	assert_true(nft_rule_text_limits("quota over 5 mbytes drop"));
	assert_true(nft_rule_text_limits("ct state new ct count over 5 drop"));
	assert_true(nft_rule_text_limits("xt match hashlimit counter drop"));
	assert_false(nft_rule_text_limits("udp dport 53 counter drop comment \"limit rate\""));
	assert_false(nft_rule_text_limits("ip saddr @limit drop"));
	assert_false(nft_rule_text_limits("ct state invalid counter drop"));
	assert_false(nft_rule_text_limits("log prefix \"quota over \" drop"));
	assert_false(nft_rule_text_limits("log prefix \"unclosed limit"));
	assert_false(nft_rule_text_limits(""));
}

static const uint8_t ipv4[20] = {0x45, 0, 0, 88, 0, 7, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 1, 1};
static const uint8_t udp[20] = {4000 >> 8, 4000 & 0xff, 0, 53, 0, 68};

static struct vt_record record_of(const struct verdict_packet *packet)
{
	return (struct vt_record){.flow = packet->flow, .length = packet->length, .tcp_seq = packet->tcp_seq};
}

static void test_packet_parse(void **state)
{
	static const uint8_t ipv6[40] = {0x60, 0, 0, 0, 0, 68, 17, 64, 0xfd, [23] = 1, 0xfd, 1, [39] = 1};
	static const uint8_t echo[20] = {8, 0, 0, 0, 0x12, 0x34};
	struct verdict_packet packet;
	uint8_t icmp[20];

	assert_true(verdict_packet_parse(ipv4, 20, udp, 20, &packet));
	assert_int_equal(packet.flow.sport, 4000);
	assert_int_equal(packet.flow.dport, 53);
	assert_int_equal(packet.flow.family, 4);
	assert_int_equal(packet.length, 88);
	assert_true(packet.has_ports);
	assert_true(verdict_packet_parse(ipv6, 40, udp, 20, &packet));
	assert_int_equal(packet.flow.family, 6);
	assert_int_equal(packet.length, 108);
	memcpy(icmp, ipv4, sizeof(icmp));
	icmp[9] = IPPROTO_ICMP;
	assert_true(verdict_packet_parse(icmp, 20, echo, 20, &packet));
	assert_int_equal(packet.flow.dport, 0x0800);
	assert_int_equal(packet.flow.sport, 0x1234);
	/* a later fragment has no transport header; short and foreign headers are nothing */
	assert_true(verdict_packet_parse(ipv4, 20, NULL, 0, &packet));
	assert_false(packet.has_ports);
	assert_false(verdict_packet_parse(ipv4, 19, udp, 20, &packet));
	assert_false(verdict_packet_parse(ipv6, 39, udp, 20, &packet));
	assert_false(verdict_packet_parse(NULL, 0, NULL, 0, &packet));
}

static void add(struct verdicts *verdicts, uint64_t time_ns, uint64_t handle, uint16_t dport)
{
	struct verdict verdict = {.time_ns = time_ns, .handle = handle, .table = (char *)"t", .chain = (char *)"c"};

	verdict_packet_parse(ipv4, 20, udp, 20, &verdict.packet);
	verdict.packet.flow.dport = dport;
	verdicts_add(verdicts, &verdict);
}

static uint64_t take(struct verdicts *verdicts, uint16_t dport, uint64_t dropped_ns)
{
	struct verdict_packet packet;
	struct vt_record rec;
	const struct verdict *verdict;
	bool outer;

	verdict_packet_parse(ipv4, 20, udp, 20, &packet);
	rec = record_of(&packet);
	rec.flow.dport = dport;
	rec.time_ns = dropped_ns;
	verdict = verdicts_take(verdicts, &rec, &outer);
	return verdict ? verdict->handle : 0;
}

static void test_join(void **state)
{
	struct verdicts *verdicts = verdicts_new();

	add(verdicts, 1000, 1, 53);
	add(verdicts, 1000, 2, 54);
	add(verdicts, 1000, 3, 53);
	assert_int_equal(take(verdicts, 55, 2000), 0);
	assert_int_equal(take(verdicts, 53, 2000), 1); /* the oldest that fits, each once */
	assert_int_equal(take(verdicts, 53, 2000), 3);
	assert_int_equal(take(verdicts, 53, 2000), 0);
	assert_int_equal(take(verdicts, 54, 1000 + VERDICTS_AGE_NS), 0); /* too old */
	assert_int_equal(take(verdicts, 54, 2000), 0);
	/* the ring is bounded: the oldest make room */
	for (uint64_t i = 0; i < VERDICTS_MAX + 10; i++)
		add(verdicts, 5000, 100 + i, 53);
	assert_int_equal(take(verdicts, 53, 6000), 110);
	verdicts_clear(verdicts);
	assert_int_equal(take(verdicts, 53, 6000), 0);
	verdicts_free(verdicts);
}

static void test_join_differences(void **state)
{
	struct verdicts *verdicts = verdicts_new();
	struct verdict_packet packet;
	struct vt_record rec, other;
	bool outer;

	verdict_packet_parse(ipv4, 20, udp, 20, &packet);
	rec = record_of(&packet);
	add(verdicts, 1000, 1, 53);
	other = rec;
	other.length++;
	assert_null(verdicts_take(verdicts, &other, &outer));
	other = rec;
	other.flow.src[15]++;
	assert_null(verdicts_take(verdicts, &other, &outer));
	other = rec;
	other.flow.proto = IPPROTO_TCP;
	assert_null(verdicts_take(verdicts, &other, &outer));
	assert_non_null(verdicts_take(verdicts, &rec, &outer));
	assert_false(outer);
	verdicts_free(verdicts);
}

/* The trace shows the tunnel's header: joined by its addresses and by what VXLAN adds to the length. */
static void test_join_outer(void **state)
{
	struct verdicts *verdicts = verdicts_new();
	struct verdict_packet packet;
	struct vt_record rec = {.length = 88 - 50, .flags = VT_REC_OUTER};
	bool outer = false;

	verdict_packet_parse(ipv4, 20, udp, 20, &packet);
	memcpy(rec.outer_src, packet.flow.src, 16);
	memcpy(rec.outer_dst, packet.flow.dst, 16);
	add(verdicts, 1000, 1, 4789);
	rec.length++;
	assert_null(verdicts_take(verdicts, &rec, &outer));
	rec.length--;
	assert_non_null(verdicts_take(verdicts, &rec, &outer));
	assert_true(outer);
	verdicts_free(verdicts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reasons),     cmocka_unit_test(test_symbols),
	    cmocka_unit_test(test_rule_limits), cmocka_unit_test(test_packet_parse),
	    cmocka_unit_test(test_join),        cmocka_unit_test(test_join_differences),
	    cmocka_unit_test(test_join_outer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
