// SPDX-License-Identifier: BSD-3-Clause
/* The wire codec: its bytes, round trips of every member, sizes, limits, and what a hostile peer may try. */
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
#include "core/wire.h"

static struct vt_flow flow_of(const char *text)
{
	struct vt_flow flow;

	assert_int_equal(vt_flow_parse(text, &flow), 0);
	return flow;
}

static struct vt_batch batch_of(struct vt_item *items, uint32_t n)
{
	return (struct vt_batch){.node = "h1",
	                         .kind = VT_KIND_VSWITCH,
	                         .boot = 0x1122334455667788,
	                         .number = 3,
	                         .n_items = n,
	                         .items = items};
}

/* A record in a tunnel, as nearly all are. */
static struct vt_item usual_record(void)
{
	struct vt_item item = {.type = VT_ITEM_RECORD};
	struct vt_record *rec = &item.log.rec;

	rec->version = VT_RECORD_VERSION;
	rec->loc = VT_LOC_OUT;
	rec->hop = 1;
	rec->packet_id = 0x0102030405060708;
	rec->time_ns = 0x1112131415161718;
	rec->seq = 42;
	rec->vni = 100;
	rec->ifindex = 4;
	rec->length = 60;
	rec->segments = 1;
	rec->flags = VT_REC_ENCAP;
	rec->flow = flow_of("10.0.0.1:4000 > 10.0.0.2:53 udp");
	vt_addr_parse("192.0.2.1", rec->outer_src);
	vt_addr_parse("192.0.2.2", rec->outer_dst);
	strcpy(item.log.device, "eth0");
	return item;
}

static struct vt_item full_record(void)
{
	struct vt_item item = usual_record();
	struct vt_log *log = &item.log;

	log->rec.loc = VT_LOC_ERROR;
	log->rec.hop = VT_HOP_MAX;
	log->rec.task = 0xfffffffe;
	log->rec.site = 0xffffffff81234567;
	log->rec.tcp_seq = 0xdeadbeef;
	log->rec.payload = 65000;
	log->rec.reason = 77;
	log->rec.dst_error = 113;
	log->rec.segments = 45;
	log->rec.flags = 0x1ff;
	log->rec.flow = flow_of("[2001:db8::1]:4000 > [2001:db8::2]:53 tcp");
	vt_addr_parse("2001:db8:ffff::1", log->rec.outer_src);
	vt_addr_parse("2001:db8:ffff::2", log->rec.outer_dst);
	log->cause = VT_CAUSE_POLICY_NFT_RULE;
	strcpy(log->reason, "NETFILTER_DROP");
	strcpy(log->site, "nft_do_chain+0x3e8");
	strcpy(
	    log->evidence,
	    "table inet fw chain fwd handle 7: ip saddr 10.0.0.1 udp dport 53 drop comment \"gr\xc3\xbc\xc3\x9f\x65\"");
	return item;
}

static struct vt_batch *round_trip(const struct vt_batch *batch, size_t *ret_size)
{
	struct vt_batch *back = NULL;
	struct vt_err err = {0};
	uint8_t *bytes = NULL;
	size_t size = 0;

	if (vt_wire_encode(batch, &bytes, &size, &err) || vt_wire_decode(bytes, size, &back, &err))
		fail_msg("%s", err.text);
	free(bytes);
	if (ret_size)
		*ret_size = size;
	return back;
}

static void bytes_are_as_described(void **state)
{
	/* clang-format off */
	static const uint8_t expected[] = {
	    'V', 'T', 'B', '1', 2, 0, 1, 2,                  /* magic, version, kind, length of name */
	    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,  /* boot */
	    3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 36, 0, 0, 0, /* number, items, body */
	    'h', '1',
	    2, 0, 4, 0, 9, 0, 0, 0,                          /* ARMED */
	    5, 0, 24, 0, 7, 0, 0, 0, 0, 0, 0, 0,             /* PROGRESS */
	    9, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0,
	};
	/* clang-format on */ struct vt_item items[2] = {{.type = VT_ITEM_ARMED, .task = 9},
	                                                 {.type = VT_ITEM_PROGRESS, .progress = {7, 9, 8}}};
	struct vt_batch batch = batch_of(items, 2);
	uint8_t *bytes;
	size_t size;

	assert_int_equal(vt_wire_encode(&batch, &bytes, &size, NULL), 0);
	assert_int_equal(size, sizeof(expected));
	assert_memory_equal(bytes, expected, sizeof(expected));
	free(bytes);
}

static void every_item_round_trips(void **state)
{
	struct vt_item items[8] = {
	    usual_record(),
	    full_record(),
	    {.type = VT_ITEM_ARMED, .task = 1},
	    {.type = VT_ITEM_FAILED, .task = 0xffffffff},
	    {.type = VT_ITEM_STOPPED, .task = 7},
	    {.type = VT_ITEM_PROGRESS, .progress = {UINT64_MAX, UINT64_MAX - 2, UINT64_MAX - 1}},
	    {.type = VT_ITEM_NODE},
	    {.type = VT_ITEM_STARTED, .task = 8},
	};
	struct vt_batch batch = batch_of(items, 8), *back;

	strcpy(items[3].text, "no room for task 7 (256 are armed)");
	items[4].coloured[0] = 100;
	items[4].coloured[1] = UINT64_MAX - 1;
	strcpy(items[6].node.datapath, "linux");
	strcpy(items[6].node.version, "0.1.0");
	items[6].node.devices = 12;
	items[6].node.n_addrs = VT_NODE_ADDRS_MAX;
	for (int i = 0; i < VT_NODE_ADDRS_MAX; i++)
		memset(items[6].node.addrs[i], i + 1, 16);
	strcpy(batch.node, "gw-1.example");
	batch.kind = VT_KIND_VROUTER;
	batch.number = UINT64_MAX;
	back = round_trip(&batch, NULL);
	assert_string_equal(back->node, "gw-1.example");
	assert_int_equal(back->kind, VT_KIND_VROUTER);
	assert_int_equal(back->boot, 0x1122334455667788);
	assert_int_equal(back->number, UINT64_MAX);
	assert_int_equal(back->n_items, 8);
	for (int i = 0; i < 8; i++)
		assert_memory_equal(&back->items[i], &items[i], sizeof(items[i]));
	vt_batch_free(back);
}

static void an_empty_batch_is_one(void **state)
{
	struct vt_batch batch = batch_of(NULL, 0), *back = round_trip(&batch, NULL);

	assert_int_equal(back->n_items, 0);
	vt_batch_free(back);
}

static void records_are_small(void **state)
{
	struct vt_item items[100];
	struct vt_batch batch = batch_of(items, 100);
	size_t size;

	for (int i = 0; i < 100; i++)
		items[i] = usual_record();
	vt_batch_free(round_trip(&batch, &size));
	assert_int_equal(size, 34 + 100 * 76);
}

static uint32_t seed;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)seed * n) >> 32);
}

static void random_text(char *buf, size_t size)
{
	uint32_t len = random_below(2) ? random_below((uint32_t)size) : 0;

	for (uint32_t i = 0; i < len; i++)
		buf[i] = (char)(' ' + random_below(95));
}

/* Every member of a record at random, each of them 0 half of the time, so that parts are left out in all combinations.
 */
static void random_record(struct vt_item *item)
{
	static const char *const flows[] = {
	    "10.0.0.1:4000 > 10.0.0.2:53 udp",
	    "[2001:db8::1]:1 > [2001:db8::2]:2 tcp",
	    "10.0.0.1 > 10.0.0.2 icmp 8/0 id 7",
	    "10.0.0.1 > 10.0.0.2 proto 47",
	};
	struct vt_record *rec = &item->log.rec;

	memset(item, 0, sizeof(*item));
	item->type = VT_ITEM_RECORD;
	rec->version = VT_RECORD_VERSION;
	rec->loc = (uint8_t)(1 + random_below(3));
	rec->hop = (uint8_t)(1 + random_below(15));
	rec->packet_id = (uint64_t)random_below(UINT32_MAX) << 32 | random_below(UINT32_MAX);
	rec->time_ns = (uint64_t)random_below(UINT32_MAX) << 20;
	rec->seq = random_below(UINT32_MAX);
	rec->ifindex = random_below(100);
	rec->length = random_below(65536);
	rec->segments = (uint16_t)random_below(65536);
	rec->flags = (uint16_t)random_below(512);
	rec->flow = flow_of(flows[random_below(4)]);
	rec->task = random_below(2) * random_below(UINT32_MAX);
	rec->vni = random_below(2) * random_below(VT_VNI_MAX);
	rec->tcp_seq = random_below(2) * random_below(UINT32_MAX);
	rec->payload = random_below(2) * random_below(UINT32_MAX);
	rec->reason = random_below(2) * random_below(200);
	rec->dst_error = (int32_t)(random_below(2) * random_below(200));
	rec->site = random_below(2) * (0xffffffff80000000 + random_below(UINT32_MAX));
	if (random_below(2))
		vt_addr_parse(random_below(2) ? "192.0.2.1" : "2001:db8::9", rec->outer_src);
	if (random_below(2))
		vt_addr_parse(random_below(2) ? "192.0.2.2" : "2001:db8::8", rec->outer_dst);
	item->log.cause = (enum vt_cause)random_below(VT_CAUSE_COUNT);
	random_text(item->log.device, sizeof(item->log.device));
	random_text(item->log.reason, sizeof(item->log.reason));
	random_text(item->log.site, sizeof(item->log.site));
	random_text(item->log.evidence, sizeof(item->log.evidence));
}

static void property_records_round_trip(void **state)
{
	struct vt_item *items = calloc(64, sizeof(*items));

	seed = 4711;
	for (int round = 0; round < 100; round++) {
		struct vt_batch batch = batch_of(items, 1 + random_below(64)), *back;

		for (uint32_t i = 0; i < batch.n_items; i++)
			random_record(&items[i]);
		back = round_trip(&batch, NULL);
		assert_int_equal(back->n_items, batch.n_items);
		assert_memory_equal(back->items, items, batch.n_items * sizeof(*items));
		vt_batch_free(back);
	}
	free(items);
}

static void the_fullest_batch_fits(void **state)
{
	struct vt_item *items = calloc(VT_BATCH_ITEMS_MAX + 1, sizeof(*items));
	struct vt_batch batch = batch_of(items, VT_BATCH_ITEMS_MAX), *back;
	struct vt_err err = {0};
	uint8_t *bytes;
	size_t size;

	for (int i = 0; i <= VT_BATCH_ITEMS_MAX; i++) {
		items[i] = full_record();
		memset(items[i].log.device, 'd', VT_DEVICE_MAX - 1);
		memset(items[i].log.reason, 'r', VT_REASON_MAX - 1);
		memset(items[i].log.site, 's', VT_SITE_MAX - 1);
		memset(items[i].log.evidence, 'e', VT_EVIDENCE_MAX - 1);
	}
	back = round_trip(&batch, &size);
	assert_true(size < VT_WIRE_MAX);
	assert_memory_equal(back->items, items, VT_BATCH_ITEMS_MAX * sizeof(*items));
	vt_batch_free(back);
	batch.n_items++;
	assert_int_equal(vt_wire_encode(&batch, &bytes, &size, &err), -EMSGSIZE);
	assert_string_equal(err.text, "encode batch: 1025 items, the limit is 1024");
	for (int i = 0; i < VT_BATCH_ITEMS_MAX; i++) {
		items[i] = (struct vt_item){.type = VT_ITEM_NODE};
		items[i].node.n_addrs = VT_NODE_ADDRS_MAX;
	}
	batch.n_items = VT_BATCH_ITEMS_MAX;
	assert_int_equal(vt_wire_encode(&batch, &bytes, &size, &err), -EMSGSIZE);
	assert_string_equal(err.text, "encode batch: more than 1048576 bytes");
	free(items);
}

static void encoder_refuses_nonsense(void **state)
{
	struct vt_item item = usual_record();
	struct vt_batch batch = batch_of(&item, 1), wrong;
	uint8_t *bytes;
	size_t size;

	wrong = batch;
	wrong.node[0] = '\0';
	assert_int_equal(vt_wire_encode(&wrong, &bytes, &size, NULL), -EINVAL);
	wrong = batch;
	wrong.kind = 0;
	assert_int_equal(vt_wire_encode(&wrong, &bytes, &size, NULL), -EINVAL);
	wrong = batch;
	wrong.number = 0;
	assert_int_equal(vt_wire_encode(&wrong, &bytes, &size, NULL), -EINVAL);
	item.log.rec.loc = 4;
	assert_int_equal(vt_wire_encode(&batch, &bytes, &size, NULL), -EINVAL);
	item = usual_record();
	item.log.rec.hop = 0;
	assert_int_equal(vt_wire_encode(&batch, &bytes, &size, NULL), -EINVAL);
	item = usual_record();
	item.log.rec.flow.family = 5;
	assert_int_equal(vt_wire_encode(&batch, &bytes, &size, NULL), -EINVAL);
	item.type = VT_ITEM_STARTED + 1;
	assert_int_equal(vt_wire_encode(&batch, &bytes, &size, NULL), -EINVAL);
	item = (struct vt_item){.type = VT_ITEM_NODE, .node = {.n_addrs = VT_NODE_ADDRS_MAX + 1}};
	assert_int_equal(vt_wire_encode(&batch, &bytes, &size, NULL), -EINVAL);
}

/* Decodes a batch of one usual record (node "h1", item at 34) with one byte changed. */
static int decode_with(size_t at, uint8_t value, struct vt_err *err)
{
	struct vt_item item = usual_record();
	struct vt_batch batch = batch_of(&item, 1), *back = NULL;
	uint8_t *bytes;
	size_t size;
	int ret;

	assert_int_equal(vt_wire_encode(&batch, &bytes, &size, NULL), 0);
	assert_true(at < size);
	bytes[at] = value;
	ret = vt_wire_decode(bytes, size, &back, err);
	if (!ret)
		vt_batch_free(back);
	free(bytes);
	return ret;
}

static void decoder_names_the_fault(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *error;
	} cases[] = {
	    {0, 'v', "decode batch: byte 0: this is not a batch of records"},
	    {6, 3, "decode batch: byte 6: the node's kind is not vswitch or vrouter"},
	    {7, 0, "decode batch: byte 7: the node's name must have 1 to 63 bytes"},
	    {7, 64, "decode batch: byte 7: the node's name must have 1 to 63 bytes"},
	    {16, 0, "decode batch: byte 16: the batch has number 0, numbers start at 1"},
	    {25, 4, "decode batch: byte 24: there are more than 1024 items"},
	    {24, 200, "decode batch: byte 24: there are more items than the message can hold"},
	    {24, 2, "decode batch: byte 110: an item is longer than the message"},
	    {24, 0, "decode batch: byte 34: there are bytes behind the last item"},
	    {28, 0, "decode batch: byte 28: the message is longer or shorter than its header says"},
	    {32, '\n', "decode batch: byte 32: the node's name has control characters in it or is not UTF-8"},
	    {33, 0, "decode batch: byte 32: the node's name has control characters"},
	    {33, 0xff, "decode batch: byte 32: the node's name has control characters"},
	    {35, 1, "decode batch: byte 35: a byte that must be 0 is not"},
	    {37, 1, "decode batch: byte 34: an item is longer than the message"},
	    {39, 1, "decode batch: byte 38: a record has parts that do not exist"},
	    {38, 0x20, "decode batch: byte 38: a record has parts that do not exist"},
	    {38, 0, "decode batch: byte 98: an item has bytes behind its end"},
	    {38, 0x56, "decode batch: byte 34: an item is cut short"},
	    {42, 0, "decode batch: byte 42: a record's place is not in, out or error"},
	    {42, 4, "decode batch: byte 42: a record's place is not in, out or error"},
	    {43, 0, "decode batch: byte 43: a record's hop is not 1 to 15"},
	    {43, 16, "decode batch: byte 43: a record's hop is not 1 to 15"},
	    {44, 5, "decode batch: byte 44: a record's family is not 4 or 6"},
	};
	struct vt_err err = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(decode_with(cases[i].at, cases[i].value, &err), -EBADMSG);
		if (strncmp(err.text, cases[i].error, strlen(cases[i].error)))
			fail_msg("byte %zu = %u\n got: %s\nwant: %s", cases[i].at, cases[i].value, err.text,
			         cases[i].error);
	}
	assert_int_equal(decode_with(4, 3, &err), -EPROTONOSUPPORT);
	assert_string_equal(err.text, "decode batch: version 3 is not supported, only 1 to 2 (update the older side)");
}

/* Agents are updated one by one: what those of version 1 say is taken. */
static void version_1_is_understood(void **state)
{
	/* clang-format off */
	static const uint8_t bytes[] = {
	    'V', 'T', 'B', '1', 1, 0, 1, 2, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
	    3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, 'h', '1',
	    5, 0, 8, 0, 7, 0, 0, 0, 0, 0, 0, 0, /* PROGRESS */
	};
	/* clang-format on */
	struct vt_batch *back;

	assert_int_equal(vt_wire_decode(bytes, sizeof(bytes), &back, NULL), 0);
	assert_int_equal(back->items[0].progress.lost, 7);
	assert_int_equal(back->items[0].progress.seq, 0);
	assert_int_equal(back->items[0].progress.time_ns, 0);
	vt_batch_free(back);
}

/* A message that is cut off anywhere, or has a byte too many, is refused. */
static void every_cut_is_seen(void **state)
{
	struct vt_item items[3] = {full_record(), {.type = VT_ITEM_FAILED}, {.type = VT_ITEM_NODE}};
	struct vt_batch batch = batch_of(items, 3), *back = NULL;
	uint8_t *bytes, *longer;
	size_t size;

	assert_int_equal(vt_wire_encode(&batch, &bytes, &size, NULL), 0);
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *shorter =
		    malloc(cut ? cut : 1); /* exactly this long, so that a sanitizer sees a read past it */

		memcpy(shorter, bytes, cut);
		assert_int_equal(vt_wire_decode(shorter, cut, &back, NULL), -EBADMSG);
		free(shorter);
	}
	longer = calloc(1, size + 1);
	memcpy(longer, bytes, size);
	assert_int_equal(vt_wire_decode(longer, size + 1, &back, NULL), -EBADMSG);
	assert_null(back);
	free(longer);
	free(bytes);
	longer = calloc(1, VT_WIRE_MAX + 1);
	assert_int_equal(vt_wire_decode(longer, VT_WIRE_MAX + 1, &back, NULL), -EBADMSG);
	free(longer);
}

static void unknown_items_are_skipped(void **state)
{
	struct vt_item items[3] = {
	    {.type = VT_ITEM_ARMED, .task = 1}, {.type = VT_ITEM_ARMED, .task = 2}, {.type = VT_ITEM_ARMED, .task = 3}};
	struct vt_batch batch = batch_of(items, 3), *back = NULL;
	uint8_t *bytes;
	size_t size;

	assert_int_equal(vt_wire_encode(&batch, &bytes, &size, NULL), 0);
	bytes[34 + 8] = 99;
	assert_int_equal(vt_wire_decode(bytes, size, &back, NULL), 0);
	assert_int_equal(back->n_items, 2);
	assert_memory_equal(&back->items[0], &items[0], sizeof(items[0]));
	assert_memory_equal(&back->items[1], &items[2], sizeof(items[2]));
	vt_batch_free(back);
	free(bytes);
}

/* Finds `text` in the bytes and writes `with` over it. */
static void overwrite(uint8_t *bytes, size_t size, const char *text, const char *with)
{
	uint8_t *at = memmem(bytes, size, text, strlen(text));

	assert_non_null(at);
	memcpy(at, with, strlen(with));
}

static void strings_of_strangers_are_tamed(void **state)
{
	struct vt_item item = full_record();
	struct vt_batch batch = batch_of(&item, 1), *back = NULL;
	struct vt_err err = {0};
	uint8_t *bytes;
	size_t size;

	assert_int_equal(vt_wire_encode(&batch, &bytes, &size, NULL), 0);
	overwrite(bytes, size, "policy-nft-rule", "policy-nft-2030");
	overwrite(bytes, size, "NETFILTER", "NET\033[2J\xff");
	overwrite(bytes, size, "eth0", "e\nh0");
	assert_int_equal(vt_wire_decode(bytes, size, &back, NULL), 0);
	assert_int_equal(back->items[0].log.cause, VT_CAUSE_UNEXPLAINED);
	assert_string_equal(back->items[0].log.reason, "NET?[2J?R_DROP");
	assert_string_equal(back->items[0].log.device, "e?h0");
	vt_batch_free(back);
	bytes[(uint8_t *)memmem(bytes, size, "nft_do", 6) - bytes] = '\0';
	assert_int_equal(vt_wire_decode(bytes, size, &back, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "the words of a drop are cut short, too long or have a NUL in them"));
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_are_as_described),      cmocka_unit_test(every_item_round_trips),
	    cmocka_unit_test(an_empty_batch_is_one),       cmocka_unit_test(records_are_small),
	    cmocka_unit_test(property_records_round_trip), cmocka_unit_test(the_fullest_batch_fits),
	    cmocka_unit_test(encoder_refuses_nonsense),    cmocka_unit_test(decoder_names_the_fault),
	    cmocka_unit_test(version_1_is_understood),     cmocka_unit_test(every_cut_is_seen),
	    cmocka_unit_test(unknown_items_are_skipped),   cmocka_unit_test(strings_of_strangers_are_tamed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
