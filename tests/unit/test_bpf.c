// SPDX-License-Identifier: BSD-3-Clause
/*
 * The BPF programs, packet in, record out, by BPF_PROG_TEST_RUN: no device, no traffic. They must come to the same flow
 * and packet_id as the reference in core/packet_id.c, colour exactly as often as allowed, and write the outer DSCP and
 * nothing else.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/packet_id.h"
#include "core/task.h"
#include "datapath/linux/load.h"
#include "datapath/linux/rules.h"

#define SKIP_CODE 77
#define ETH       14
#define MARK      0x2000

static struct load *load;
static struct rules *rules;
static struct attach_programs programs;
static struct vt_record last;
static struct drop_context last_context;
static unsigned int n_records;

struct bytes {
	uint8_t data[1700];
	unsigned int len;
};

static void put(struct bytes *b, const void *data, unsigned int len)
{
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static uint16_t ip_checksum(const uint8_t *header, unsigned int len)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < len; i += 2)
		sum += header[i] << 8 | header[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void put_eth(struct bytes *b, uint16_t type)
{
	uint8_t eth[ETH] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, type >> 8, type};

	put(b, eth, ETH);
}

static void put_ipv4(struct bytes *b, uint8_t proto, uint8_t tos, unsigned int payload, uint16_t frag)
{
	uint8_t ip[20] = {0x45,
	                  tos,
	                  (20 + payload) >> 8,
	                  20 + payload,
	                  0x12,
	                  0x34,
	                  frag >> 8,
	                  frag,
	                  64,
	                  proto,
	                  0,
	                  0,
	                  10,
	                  0,
	                  1,
	                  1,
	                  10,
	                  0,
	                  1,
	                  2};
	uint16_t sum = ip_checksum(ip, 20);

	ip[10] = sum >> 8;
	ip[11] = sum;
	put(b, ip, 20);
}

static void put_ipv6(struct bytes *b, uint8_t next, uint8_t class, unsigned int payload)
{
	uint8_t ip[40] = {0x60 | class >> 4, class << 4 | 7, 0x12, 0x34, payload >> 8, payload, next, 64, 0xfd, 1};

	ip[23] = 1;
	ip[24] = 0xfd;
	ip[25] = 1;
	ip[39] = 2;
	put(b, ip, 40);
}

static void put_udp(struct bytes *b, uint16_t dport, unsigned int payload)
{
	uint8_t udp[8] = {4000 >> 8, 4000 & 255, dport >> 8, dport, (8 + payload) >> 8, 8 + payload};

	put(b, udp, 8);
	for (unsigned int i = 0; i < payload; i++)
		b->data[b->len++] = i * 7 + 1;
}

/* A TCP segment with MSS, NOP and timestamps in front of `payload` bytes. */
static void put_tcp(struct bytes *b, unsigned int payload)
{
	uint8_t tcp[36] = {0x9c, 0x40, 0, 80, 1, 2,    3, 4, 5, 6,  7,    8,    9 << 4, 0x18, 1, 0, 0, 0,
	                   0,    0,    2, 4,  5, 0xb4, 1, 1, 8, 10, 0xaa, 0xbb, 0xcc,   0xdd, 1, 2, 3, 4};

	put(b, tcp, 36);
	for (unsigned int i = 0; i < payload; i++)
		b->data[b->len++] = i;
}

static void on_record(void *arg, const struct vt_record *rec, const struct drop_context *context)
{
	last = *rec;
	last_context = context ? *context : (struct drop_context){0};
	n_records++;
}

/* Runs a program over a packet; what the program made of it comes back in `b`. Returns the number of records. */
static unsigned int run(const struct bpf_program *prog, struct bytes *b, uint32_t mark)
{
	static uint8_t out[2048];
	struct __sk_buff ctx = {.mark = mark};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = b->data, .data_size_in = b->len, .data_out = out,
	            .data_size_out = sizeof(out), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .ctx_out = &ctx,
	            .ctx_size_out = sizeof(ctx), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
	assert_int_equal((int)opts.retval, -1); /* TC_ACT_UNSPEC: whoever is behind us still runs */
	b->len = opts.data_size_out;
	memcpy(b->data, out, b->len);
	n_records = 0;
	load_drain(load, on_record, NULL);
	return n_records;
}

static void add_task(const char *text, unsigned int place, uint32_t count)
{
	struct vt_filter filter;

	assert_int_equal(vt_filter_parse(text, &filter, NULL), 0);
	load_slots(load)[2 * place] = (struct slot){.task = 100 + place, .limit = count};
	assert_int_equal(rules_add(rules, &filter, 2 * place, NULL), 0);
}

static int set_up(void **state)
{
	struct vt_err err = {0};

	if (load_open(&load, MARK, &err)) {
		print_message("skipped: %s\n", err.text);
		exit(SKIP_CODE);
	}
	load_programs(load, &programs);
	rules = rules_new(load_config(load), load_rules_fd(load));
	load_config(load)->vxlan_ports[4789 / 8] |= 1 << (4789 % 8);
	return 0;
}

static int tear_down(void **state)
{
	rules_free(rules);
	load_close(load);
	return 0;
}

/* Coloured by a wildcard task, and the record is what the reference says of the same bytes. */
static void check_against_reference(struct bytes *b, uint8_t proto)
{
	struct bytes before = *b;
	struct vt_flow flow;
	__u64 id;

	assert_int_equal(vt_packet_id_of(b->data + ETH, b->len - ETH, &flow, &id), 0);
	add_task("src net 0.0.0.0/0", 0, 1);
	add_task("src net ::/0", 0, 1);
	assert_int_equal(run(programs.ingress[DEVICE_TENANT], b, 0), 1);
	assert_int_equal(last.packet_id, id);
	assert_memory_equal(&last.flow, &flow, sizeof(flow));
	assert_int_equal(last.flow.proto, proto);
	assert_int_equal(last.loc, VT_LOC_IN);
	assert_int_equal(last.hop, 1);
	assert_int_equal(last.task, 100);
	assert_int_equal(last.flags & ~(VT_REC_FRAG | VT_REC_LATER_FRAG), VT_REC_COLOURED);
	assert_int_equal(last.length, before.len - ETH);
	assert_int_equal(b->len, before.len);
	assert_memory_equal(b->data, before.data, b->len);
	rules_remove(rules, 0);
}

static void test_same_id_as_reference(void **state)
{
	struct bytes b = {.len = 0};

	for (unsigned int payload = 0; payload < 40; payload++) {
		b.len = 0;
		put_eth(&b, 0x0800);
		put_ipv4(&b, IPPROTO_UDP, 0, 8 + payload, 0);
		put_udp(&b, 53, payload);
		check_against_reference(&b, IPPROTO_UDP);
	}
	b.len = 0;
	put_eth(&b, 0x0800);
	put_ipv4(&b, IPPROTO_TCP, 0, 36 + 1000, 0);
	put_tcp(&b, 1000);
	check_against_reference(&b, IPPROTO_TCP);
	assert_int_equal(last.payload, 1000);
	assert_int_equal(last.tcp_seq, 0x01020304);

	b.len = 0;
	put_eth(&b, 0x86dd);
	put_ipv6(&b, IPPROTO_UDP, 0, 8 + 20);
	put_udp(&b, 53, 20);
	check_against_reference(&b, IPPROTO_UDP);
}

static void test_other_protocols(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_ICMP, IPPROTO_SCTP, IPPROTO_GRE, 253};
	struct bytes b = {.len = 0};

	for (unsigned int i = 0; i < sizeof(protocols); i++) {
		b.len = 0;
		put_eth(&b, 0x0800);
		put_ipv4(&b, protocols[i], 0, 8 + 40, 0);
		put_udp(&b, 2048, 40); /* bytes like any other */
		check_against_reference(&b, protocols[i]);
	}
	b.len = 0;
	put_eth(&b, 0x86dd);
	put_ipv6(&b, IPPROTO_ICMPV6, 0, 8 + 40);
	put_udp(&b, 2048, 40);
	b.data[ETH + 40] = 128; /* echo request */
	check_against_reference(&b, IPPROTO_ICMPV6);
}

static void test_extension_headers_and_fragments(void **state)
{
	uint8_t ext[16] = {60, 0, 1, 4, 0, 0, 0, 0, IPPROTO_UDP, 0, 1, 4, 0, 0, 0, 0};
	struct bytes b = {.len = 0};

	put_eth(&b, 0x86dd);
	put_ipv6(&b, 0, 0, 16 + 8 + 20);
	put(&b, ext, 16);
	put_udp(&b, 53, 20);
	check_against_reference(&b, IPPROTO_UDP);

	b.len = 0;
	put_eth(&b, 0x0800);
	put_ipv4(&b, IPPROTO_UDP, 0, 8 + 40, 0x2000); /* first fragment */
	put_udp(&b, 53, 40);
	check_against_reference(&b, IPPROTO_UDP);
	assert_true(last.flags & VT_REC_FRAG);

	b.len = 0;
	put_eth(&b, 0x0800);
	put_ipv4(&b, IPPROTO_UDP, 0, 48, 0x2000 | 185); /* a later one has no ports */
	put_udp(&b, 53, 40);
	check_against_reference(&b, IPPROTO_UDP);
	assert_true(last.flags & VT_REC_LATER_FRAG);
	assert_int_equal(last.flow.dport, 0);

	add_task("udp and dst port 53", 0, 10);
	assert_int_equal(run(programs.ingress[DEVICE_TENANT], &b, 0), 0);
	rules_remove(rules, 0);
}

static void udp_packet(struct bytes *b)
{
	b->len = 0;
	put_eth(b, 0x0800);
	put_ipv4(b, IPPROTO_UDP, 0, 8 + 20, 0);
	put_udp(b, 53, 20);
}

static void test_count_is_exact(void **state)
{
	struct bytes b = {.len = 0};
	unsigned int coloured = 0;

	add_task("udp and dst port 53", 3, 5);
	for (int i = 0; i < 20; i++) {
		udp_packet(&b);
		coloured += run(programs.ingress[DEVICE_TENANT], &b, 0);
	}
	assert_int_equal(coloured, 5);
	assert_int_equal(last.task, 103);
	rules_remove(rules, 6);
	udp_packet(&b);
	assert_int_equal(run(programs.ingress[DEVICE_TENANT], &b, 0), 0);
}

/* Each of many tasks that want a packet gets its record, whatever shape its filter has. */
static void test_every_task_that_matches(void **state)
{
	static const char *const filters[] = {
	    "udp",
	    "ip",
	    "dst port 53",
	    "src host 10.0.1.1",
	    "src net 10.0.0.0/15 and udp",
	    "udp and src host 10.0.1.1 and src port 4000 and dst host 10.0.1.2 and dst port 53",
	    "dst net 10.0.1.0/24",
	    "vni 77"};
	struct bytes b = {.len = 0};
	unsigned int places[8] = {0, 31, 32, 63, 64, 200, 254, 255};

	load_device(load, 1, 77, true); /* test runs have the loopback device */
	for (int i = 0; i < 8; i++)
		add_task(filters[i], places[i], 1);
	add_task("udp and dst port 54", 9, 1);
	add_task("src net 10.128.0.0/9", 10, 1);
	add_task("ip6", 11, 1);
	add_task("vni 78", 12, 1);
	udp_packet(&b);
	assert_int_equal(run(programs.ingress[DEVICE_TENANT], &b, 0), 8);
	for (int i = 0; i < 256; i++)
		rules_remove(rules, 2 * i);
	assert_int_equal(load_config(load)->n_masks, 0);
}

static void tunnel_packet(struct bytes *b, bool v6, uint8_t tos)
{
	static const uint8_t vxlan[8] = {8, 0, 0, 0, 0, 0, 100, 0};
	unsigned int inner = ETH + 20 + 8 + 20;

	b->len = 0;
	put_eth(b, v6 ? 0x86dd : 0x0800);
	if (v6)
		put_ipv6(b, IPPROTO_UDP, tos, 16 + inner);
	else
		put_ipv4(b, IPPROTO_UDP, tos, 16 + inner, 0);
	put_udp(b, 4789, 0);
	b->data[b->len - 4] = (16 + inner) >> 8;
	b->data[b->len - 3] = 16 + inner;
	put(b, vxlan, 8);
	put_eth(b, 0x0800);
	put_ipv4(b, IPPROTO_UDP, 0xb8, 8 + 20, 0);
	put_udp(b, 53, 20);
}

/* A tunnel packet of hop 3 is matched as hop 3, and leaves as hop 4 with ECN and checksum right and nothing else
 * changed. */
static void check_tunnel(bool v6)
{
	struct bytes b = {.len = 0}, before;
	uint8_t ecn = 1, from = VT_COLOUR_DSCP(3) << 2 | ecn, to = VT_COLOUR_DSCP(4) << 2 | ecn;
	struct vt_flow flow;
	unsigned int inner = (v6 ? 40 : 20) + ETH + 16 + ETH;
	__u64 id;

	tunnel_packet(&b, v6, from);
	assert_int_equal(vt_packet_id_of(b.data + inner, b.len - inner, &flow, &id), 0);
	assert_int_equal(run(programs.ingress[DEVICE_OUTSIDE], &b, 0), 1);
	assert_int_equal(last.hop, 3);
	assert_int_equal(last.vni, 100);
	assert_int_equal(last.flags, VT_REC_ENCAP | VT_REC_OTHERHOST); /* loopback's address is all zeroes */
	assert_int_equal(last.packet_id, id);
	assert_memory_equal(&last.flow, &flow, sizeof(flow));
	assert_int_equal(last.task, 0);
	memset(b.data, 0, 6);
	assert_int_equal(run(programs.ingress[DEVICE_OUTSIDE], &b, 0), 1);
	assert_int_equal(last.flags, VT_REC_ENCAP);
	before = b;
	assert_int_equal(run(programs.egress[DEVICE_OUTSIDE], &b, MARK), 1);
	assert_int_equal(last.loc, VT_LOC_OUT);
	assert_int_equal(last.hop, 3);
	tunnel_packet(&before, v6, to);
	memset(before.data, 0, 6);
	assert_int_equal(b.len, before.len);
	assert_memory_equal(b.data, before.data, b.len);
}

static void test_tunnel_hop(void **state)
{
	check_tunnel(false);
	check_tunnel(true);
}

static void test_not_ours(void **state)
{
	struct bytes b = {.len = 0}, before;

	add_task("udp", 0, 10);
	tunnel_packet(&b, false, 0); /* its first VFD did not want it */
	assert_int_equal(run(programs.ingress[DEVICE_OUTSIDE], &b, 0), 0);
	tunnel_packet(&b, false, 46 << 2); /* expedited forwarding is no colour */
	assert_int_equal(run(programs.ingress[DEVICE_OUTSIDE], &b, 0), 0);
	rules_remove(rules, 0);
	udp_packet(&b); /* someone else uses our mark bit */
	b.data[ETH + 4] = 0x77;
	before = b;
	assert_int_equal(run(programs.egress[DEVICE_OUTSIDE], &b, MARK), 0);
	assert_memory_equal(b.data, before.data, b.len);
}

/* Hop 15 is the last that the colour can say: the packet is logged and leaves without a higher one. */
static void test_hop_limit(void **state)
{
	struct bytes b = {.len = 0};

	tunnel_packet(&b, false, VT_COLOUR_DSCP(15) << 2);
	assert_int_equal(run(programs.ingress[DEVICE_OUTSIDE], &b, 0), 1);
	assert_int_equal(run(programs.egress[DEVICE_OUTSIDE], &b, MARK), 1);
	assert_true(last.flags & VT_REC_HOP_LIMIT);
	assert_int_equal(b.data[ETH + 1], 0);
}

/* Every truncation of a packet is survived; none makes a record of another packet. */
static void test_truncated(void **state)
{
	struct bytes whole = {.len = 0}, b;

	add_task("udp", 0, 100000);
	tunnel_packet(&whole, false, VT_COLOUR_DSCP(2) << 2);
	for (unsigned int len = ETH + 20; len < whole.len; len++) { /* the test run refuses less than an IP header */
		b = whole;
		b.len = len;
		run(programs.ingress[DEVICE_OUTSIDE], &b, 0);
		b = whole;
		b.len = len;
		run(programs.egress[DEVICE_OUTSIDE], &b, MARK);
	}
	rules_remove(rules, 0);
}

/* An ICMP error that quotes the first `quoted` bytes of a packet, from its IP header on. */
static struct bytes icmp_error(const struct bytes *of, bool v6, uint8_t type, uint8_t code, unsigned int quoted)
{
	uint8_t icmp[8] = {type, code, 0, 0, 0, 0, 1300 >> 8, 1300 & 255};
	struct bytes b = {.len = 0};

	put_eth(&b, v6 ? 0x86dd : 0x0800);
	if (v6)
		put_ipv6(&b, IPPROTO_ICMPV6, 0, 8 + quoted);
	else
		put_ipv4(&b, IPPROTO_ICMP, 0, 8 + quoted, 0);
	put(&b, icmp, 8);
	put(&b, of->data + ETH, quoted);
	return b;
}

/* "Port unreachable" for a packet that was traced here, for another one, and with too little of it quoted. */
static void check_refusal(bool v6, uint8_t type, uint8_t code)
{
	struct bytes traced = {.len = 0}, other = {.len = 0}, b;
	unsigned int l4 = v6 ? 40 : 20;
	uint64_t id;

	put_eth(&traced, v6 ? 0x86dd : 0x0800);
	if (v6)
		put_ipv6(&traced, IPPROTO_UDP, 0, 8 + 100);
	else
		put_ipv4(&traced, IPPROTO_UDP, 0, 8 + 100, 0);
	put_udp(&traced, 53, 100);
	other = traced;
	other.data[ETH + l4 + 8] ^= 1; /* a byte of its payload */
	add_task("udp and dst port 53", 0, 1);
	assert_int_equal(run(programs.ingress[DEVICE_TENANT], &traced, 0), 1);
	id = last.packet_id;
	b = icmp_error(&traced, v6, type, code, l4 + 8 + 100);
	assert_int_equal(run(programs.ingress[DEVICE_TENANT], &b, 0), 1);
	assert_int_equal(last.loc, VT_LOC_ERROR);
	assert_int_equal(last.flags, VT_REC_AFTER_OUT);
	assert_int_equal(last.hop, 1);
	assert_true(last.packet_id == id);
	assert_int_equal(last.flow.dport, 53);
	assert_int_equal(last.length, l4 + 8 + 100);
	assert_int_equal(last_context.place, DROP_TOLD);
	assert_int_equal(last_context.icmp_type, type);
	assert_int_equal(last_context.icmp_code, code);
	b = icmp_error(&other, v6, type, code, l4 + 8 + 100);
	assert_int_equal(run(programs.ingress[DEVICE_TENANT], &b, 0), 0);
	for (unsigned int quoted = 0; quoted < l4 + 8; quoted++) {
		b = icmp_error(&traced, v6, type, code, quoted);
		assert_int_equal(run(programs.ingress[DEVICE_TENANT], &b, 0), 0);
	}
	rules_remove(rules, 0);
}

static void test_refusals(void **state)
{
	check_refusal(false, 3, 3);
	check_refusal(true, 1, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_same_id_as_reference),
	    cmocka_unit_test(test_other_protocols),
	    cmocka_unit_test(test_extension_headers_and_fragments),
	    cmocka_unit_test(test_count_is_exact),
	    cmocka_unit_test(test_every_task_that_matches),
	    cmocka_unit_test(test_tunnel_hop),
	    cmocka_unit_test(test_not_ours),
	    cmocka_unit_test(test_hop_limit),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
