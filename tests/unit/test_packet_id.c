// SPDX-License-Identifier: BSD-3-Clause
/* packet_id: what it takes in, what it must not depend on, and packets that are cut short. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/packet_id.h"
#include "core/task.h"

/* A packet under construction: an IP header of `family` and what was added behind it. */
struct packet {
	uint8_t bytes[512];
	size_t len;
};

static void add(struct packet *p, const void *bytes, size_t len)
{
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

static void set16(struct packet *p, size_t at, uint16_t value)
{
	p->bytes[at] = (uint8_t)(value >> 8);
	p->bytes[at + 1] = (uint8_t)value;
}

/* Writes the length into the IP header. */
static void finish(struct packet *p)
{
	if (p->bytes[0] >> 4 == 4)
		set16(p, 2, (uint16_t)p->len);
	else
		set16(p, 4, (uint16_t)(p->len - 40));
}

static struct packet ipv4(uint8_t proto)
{
	static const uint8_t header[20] = {0x45, 0,    0,  0, 0x12, 0x34, 0x40, 0, 64, 0,
	                                   0xaa, 0xbb, 10, 0, 0,    1,    10,   0, 0,  2};
	struct packet p = {0};

	add(&p, header, sizeof(header));
	p.bytes[9] = proto;
	return p;
}

static struct packet ipv6(uint8_t next)
{
	struct packet p = {.len = 40};

	p.bytes[0] = 0x60;
	p.bytes[6] = next;
	p.bytes[7] = 64;
	vt_addr_parse("2001:db8::1", p.bytes + 8);
	vt_addr_parse("2001:db8::2", p.bytes + 24);
	return p;
}

static void add_udp(struct packet *p, const char *payload)
{
	uint8_t header[8] = {0x0f, 0xa0, 0, 53, 0, (uint8_t)(8 + strlen(payload)), 0xcc, 0xdd};

	add(p, header, sizeof(header));
	add(p, payload, strlen(payload));
	finish(p);
}

static void add_icmp(struct packet *p, uint8_t type, const char *payload)
{
	uint8_t header[8] = {type, 0, 0xcc, 0xdd, 0, 7, 0, 9};

	add(p, header, sizeof(header));
	add(p, payload, strlen(payload));
	finish(p);
}

/* A TCP segment with timestamps (NOP NOP TS) and a payload of `payload` bytes. */
static struct packet tcp(uint8_t flags, size_t payload)
{
	static const uint8_t header[32] = {0x0f, 0xa0, 0, 80, 1, 2, 3, 4,  5,   6,   7,   8,   0x80, 0,    1,    0,
	                                   0xcc, 0xdd, 0, 0,  1, 1, 8, 10, 0xa, 0xb, 0xc, 0xd, 0x1a, 0x1b, 0x1c, 0x1d};
	struct packet p = ipv4(6);
	uint8_t bytes[64] = "some payload";

	add(&p, header, sizeof(header));
	p.bytes[20 + 13] = flags;
	add(&p, bytes, payload);
	finish(&p);
	return p;
}

static uint64_t id_of(const struct packet *p)
{
	struct vt_flow flow;
	__u64 id = 0;

	assert_int_equal(vt_packet_id_of(p->bytes, p->len, &flow, &id), 0);
	assert_int_not_equal(id, 0);
	return id;
}

static void assert_flow(const struct packet *p, const char *expected)
{
	char text[VT_FLOW_TEXT_MAX];
	struct vt_flow flow;
	__u64 id;

	assert_int_equal(vt_packet_id_of(p->bytes, p->len, &flow, &id), 0);
	vt_flow_format(&flow, text);
	assert_string_equal(text, expected);
}

/* The id of the input that the rules give, filled in by hand. */
static uint64_t id_by_hand(struct vt_id_input input)
{
	return vt_packet_id(&input);
}

static void udp_is_length_and_payload(void **state)
{
	struct packet p = ipv4(17);
	struct vt_id_input input = {.proto = 17, .length = 8 + 36};

	add_udp(&p, "0123456789012345678901234567890123456");
	set16(&p, 24, 8 + 36); /* the header's own length counts, not IP's */
	memcpy(&input.ip_id, "\x12\x34", 2);
	memcpy(input.payload, "01234567890123456789012345678901", 32);
	assert_flow(&p, "10.0.0.1:4000 > 10.0.0.2:53 udp");
	assert_int_equal(id_of(&p), id_by_hand(input));
}

static void short_payload_ends_with_the_packet(void **state)
{
	struct packet p = ipv4(17);
	struct vt_id_input input = {.proto = 17, .length = 13};

	add_udp(&p, "hello");
	memcpy(&input.ip_id, "\x12\x34", 2);
	memcpy(input.payload, "hello", 5);
	assert_int_equal(id_of(&p), id_by_hand(input));
	add(&p, "padding of a short Ethernet frame", 20); /* behind the IP length */
	assert_int_equal(id_of(&p), id_by_hand(input));
}

static void icmp_echo_is_sequence_and_payload(void **state)
{
	struct packet p = ipv4(1), error = ipv4(1);
	struct vt_id_input input = {.proto = 1};

	add_icmp(&p, 8, "ping");
	memcpy(&input.ip_id, "\x12\x34", 2);
	memcpy(&input.icmp_seq, "\0\x9", 2);
	memcpy(input.payload, "ping", 4);
	assert_flow(&p, "10.0.0.1 > 10.0.0.2 icmp 8/0 id 7");
	assert_int_equal(id_of(&p), id_by_hand(input));
	add_icmp(&error, 3, "ping"); /* the same bytes are no id and sequence here */
	input.icmp_seq = 0;
	assert_flow(&error, "10.0.0.1 > 10.0.0.2 icmp 3/0");
	assert_int_equal(id_of(&error), id_by_hand(input));
}

static void tcp_is_numbers_flags_and_timestamps(void **state)
{
	struct packet p = tcp(0x18, 5);
	struct vt_id_input input = {.proto = 6};

	memcpy(&input.ip_id, "\x12\x34", 2);
	memcpy(input.tcp, "\1\2\3\4\5\6\7\10\xa\xb\xc\xd\x1a\x1b\x1c\x1d", 16);
	assert_flow(&p, "10.0.0.1:4000 > 10.0.0.2:80 tcp");
	assert_int_equal(id_of(&p), id_by_hand(input));
	p = tcp(0x02, 0);
	input.tcp_flags = 2;
	assert_int_equal(id_of(&p), id_by_hand(input));
	p.bytes[20 + 12] = 0x50; /* no options */
	memset(&input.tcp[2], 0, 8);
	assert_int_equal(id_of(&p), id_by_hand(input));
}

static void tcp_options_never_lead_astray(void **state)
{
	static const struct {
		uint8_t options[12];
		bool stamped;
	} cases[] = {
	    {{8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0}, true},
	    {{1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 0}, true},
	    {{0, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 0}, false}, /* behind the end of options */
	    {{2, 0, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, false}, /* an option of no length */
	    {{5, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, false}, /* an option of impossible length */
	    {{2, 200, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, false},
	    {{1, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7}, false}, /* reaches past the header */
	    {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 8}, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct packet p = tcp(0x10, 40);
		struct vt_id_input input = {.proto = 6};

		memcpy(&input.ip_id, "\x12\x34", 2);
		memcpy(input.tcp, "\1\2\3\4\5\6\7\10", 8);
		if (cases[i].stamped)
			memcpy(&input.tcp[2], "\1\2\3\4\5\6\7\10", 8);
		memcpy(p.bytes + 40, cases[i].options, 12);
		assert_int_equal(id_of(&p), id_by_hand(input));
	}
}

static void sctp_and_others(void **state)
{
	struct packet p = ipv4(132), gre = ipv4(47);
	struct vt_id_input input = {.proto = 132};

	add(&p, "\x0f\xa0\0\x50tagschecdata", 16);
	finish(&p);
	memcpy(&input.ip_id, "\x12\x34", 2);
	memcpy(input.payload, "data", 4);
	assert_flow(&p, "10.0.0.1:4000 > 10.0.0.2:80 sctp");
	assert_int_equal(id_of(&p), id_by_hand(input));
	add(&gre, "0123456789012345678901234567890123456", 37);
	finish(&gre);
	input.proto = 47;
	memcpy(input.payload, "01234567890123456789012345678901", 32);
	assert_flow(&gre, "10.0.0.1 > 10.0.0.2 proto 47");
	assert_int_equal(id_of(&gre), id_by_hand(input));
}

/* Everything that routers, NAT and offloads rewrite on the way. */
static void what_hops_change_does_not_count(void **state)
{
	static const size_t udp_fields[] = {1, 8, 10, 11, 12, 15, 16, 19, 20, 21, 22, 23, 26, 27};
	static const size_t tcp_fields[] = {1, 8, 10, 11, 12, 15, 16, 19, 20, 21, 22, 23, 34, 35, 36, 37, 53};
	static const size_t icmp_fields[] = {1, 8, 10, 12, 16, 22, 23, 24, 25};
	struct packet p, q;

	p = ipv4(17);
	add_udp(&p, "payload");
	for (size_t i = 0; i < sizeof(udp_fields) / sizeof(udp_fields[0]); i++) {
		q = p;
		q.bytes[udp_fields[i]] ^= 0x55;
		assert_int_equal(id_of(&p), id_of(&q));
	}
	p = tcp(0x10, 5);
	for (size_t i = 0; i < sizeof(tcp_fields) / sizeof(tcp_fields[0]); i++) {
		q = p;
		q.bytes[tcp_fields[i]] ^= 0x55;
		assert_int_equal(id_of(&p), id_of(&q));
	}
	q = tcp(0x19, 50); /* merged by receive offload: longer, with PSH and FIN */
	assert_int_equal(id_of(&p), id_of(&q));
	p = ipv4(1);
	add_icmp(&p, 8, "payload");
	for (size_t i = 0; i < sizeof(icmp_fields) / sizeof(icmp_fields[0]); i++) {
		q = p;
		q.bytes[icmp_fields[i]] ^= 0x55;
		assert_int_equal(id_of(&p), id_of(&q));
	}
}

static void what_tells_packets_apart_counts(void **state)
{
	static const size_t udp_fields[] = {4, 5, 24, 25, 28, 34};
	static const size_t tcp_fields[] = {4, 24, 27, 28, 31, 44, 51};
	struct packet p, q;

	p = ipv4(17);
	add_udp(&p, "payload");
	for (size_t i = 0; i < sizeof(udp_fields) / sizeof(udp_fields[0]); i++) {
		q = p;
		q.bytes[udp_fields[i]] ^= 1;
		assert_int_not_equal(id_of(&p), id_of(&q));
	}
	p = tcp(0x10, 5);
	for (size_t i = 0; i < sizeof(tcp_fields) / sizeof(tcp_fields[0]); i++) {
		q = p;
		q.bytes[tcp_fields[i]] ^= 1;
		assert_int_not_equal(id_of(&p), id_of(&q));
	}
	q = tcp(0x14, 5);
	assert_int_not_equal(id_of(&p), id_of(&q));
}

static void ipv6_extension_headers_are_passed_over(void **state)
{
	struct packet plain = ipv6(17), p = ipv6(0);

	add_udp(&plain, "payload");
	assert_flow(&plain, "[2001:db8::1]:4000 > [2001:db8::2]:53 udp");
	add(&p, "\x3c\0\1\4\0\0\0\0", 8);                   /* hop-by-hop, next: destination options */
	add(&p, "\x2b\1\1\xc\0\0\0\0\0\0\0\0\0\0\0\0", 16); /* 16 bytes, next: routing */
	add(&p, "\x2c\0\0\0\0\0\0\0", 8);                   /* next: fragment */
	add(&p, "\x11\0\0\1\xde\xad\xbe\xef", 8);           /* the first fragment, more follow */
	add_udp(&p, "payload");
	assert_flow(&p, "[2001:db8::1]:4000 > [2001:db8::2]:53 udp");
	assert_int_equal(id_of(&p), id_of(&plain));
}

static void a_fifth_extension_header_ends_the_walk(void **state)
{
	struct packet p = ipv6(60);
	struct vt_id_input input = {.proto = 60};

	for (int i = 0; i < 4; i++)
		add(&p, "\x3c\0\1\4\0\0\0\0", 8);
	add(&p, "\x11\0\1\4\0\0\0\0", 8);
	finish(&p);
	memcpy(input.payload, "\x11\0\1\4\0\0\0\0", 8);
	assert_flow(&p, "2001:db8::1 > 2001:db8::2 proto 60");
	assert_int_equal(id_of(&p), id_by_hand(input));
}

static void later_fragments_have_no_ports(void **state)
{
	struct packet p = ipv4(17), q = ipv6(44);
	__u64 first, second;

	add_udp(&p, "payload");
	set16(&p, 6, 0x2000); /* the first of more */
	assert_flow(&p, "10.0.0.1:4000 > 10.0.0.2:53 udp");
	first = id_of(&p);
	set16(&p, 6, 0x2001);
	assert_flow(&p, "10.0.0.1:0 > 10.0.0.2:0 udp");
	second = id_of(&p);
	assert_int_not_equal(second, first);
	set16(&p, 6, 0x2002); /* the same bytes at another offset */
	assert_int_not_equal(id_of(&p), second);
	add(&q, "\x11\0\0\x08\xde\xad\xbe\xef", 8);
	add_udp(&q, "payload");
	assert_flow(&q, "[2001:db8::1]:0 > [2001:db8::2]:0 udp");
}

/* Cut anywhere before the end of its transport header, a packet has no id; behind that it has one. */
static void cut_packets_are_refused(void **state)
{
	struct packet cases[5] = {ipv4(17), ipv4(1), tcp(0x10, 5), ipv6(17), ipv6(0)};
	static const size_t needed[5] = {28, 28, 40, 48, 56};
	struct vt_flow flow;
	__u64 id;

	add_udp(&cases[0], "payload");
	add_icmp(&cases[1], 8, "payload");
	add_udp(&cases[3], "payload");
	add(&cases[4], "\x11\0\1\4\0\0\0\0", 8);
	add_udp(&cases[4], "payload");
	for (int i = 0; i < 5; i++)
		for (size_t cut = 0; cut <= cases[i].len; cut++) {
			uint8_t *bytes = malloc(cut ? cut : 1);
			int ret;

			memcpy(bytes, cases[i].bytes, cut);
			ret = vt_packet_id_of(bytes, cut, &flow, &id);
			if (i == 4 && cut >= 40 && cut < 48)
				assert_int_equal(ret, 0); /* the extension header itself is cut: an unknown protocol */
			else
				assert_int_equal(ret, cut < needed[i] ? -EBADMSG : 0);
			free(bytes);
		}
}

static void broken_headers_are_refused(void **state)
{
	struct packet p = ipv4(17), q;
	struct vt_flow flow;
	__u64 id;

	add_udp(&p, "payload");
	q = p;
	q.bytes[0] = 0x44; /* a header of 16 bytes */
	assert_int_equal(vt_packet_id_of(q.bytes, q.len, &flow, &id), -EBADMSG);
	q.bytes[0] = 0x4f; /* a header of 60 bytes */
	assert_int_equal(vt_packet_id_of(q.bytes, q.len, &flow, &id), -EBADMSG);
	q.bytes[0] = 0x55;
	assert_int_equal(vt_packet_id_of(q.bytes, q.len, &flow, &id), -EBADMSG);
	q = p;
	set16(&q, 2, 27); /* IP ends inside the UDP header */
	assert_int_equal(vt_packet_id_of(q.bytes, q.len, &flow, &id), -EBADMSG);
	q = ipv6(60);
	add(&q, "\x11\xff\1\4\0\0\0\0", 8); /* an extension header that reaches past the packet */
	add_udp(&q, "payload");
	assert_int_equal(vt_packet_id_of(q.bytes, q.len, &flow, &id), -EBADMSG);
}

static void the_hash_is_fixed(void **state)
{
	struct vt_id_input zero = {0}, one = {.proto = 1};

	/* Agents of different versions must agree, so these values may never change. */
	assert_int_equal(vt_packet_id(&zero), 0x6bf77b895384f5b8ULL);
	assert_int_equal(vt_packet_id(&one), 0xad5f1aab9d197fc2ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(udp_is_length_and_payload),
	    cmocka_unit_test(short_payload_ends_with_the_packet),
	    cmocka_unit_test(icmp_echo_is_sequence_and_payload),
	    cmocka_unit_test(tcp_is_numbers_flags_and_timestamps),
	    cmocka_unit_test(tcp_options_never_lead_astray),
	    cmocka_unit_test(sctp_and_others),
	    cmocka_unit_test(what_hops_change_does_not_count),
	    cmocka_unit_test(what_tells_packets_apart_counts),
	    cmocka_unit_test(ipv6_extension_headers_are_passed_over),
	    cmocka_unit_test(a_fifth_extension_header_ends_the_walk),
	    cmocka_unit_test(later_fragments_have_no_ports),
	    cmocka_unit_test(cut_packets_are_refused),
	    cmocka_unit_test(broken_headers_are_refused),
	    cmocka_unit_test(the_hash_is_fixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
