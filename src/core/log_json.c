// SPDX-License-Identifier: BSD-3-Clause
/*
 * Logs as JSON, one a line: the record files that `vtrace analyze` reads, made to be read and written by people too.
 * Members that are 0 or empty are left out; a missing member is 0 (but hop and segments: 1), an unknown one is ignored.
 *
 *   {"node":"h1","boot":"9f...","seq":1,"loc":"in","hop":1,"task":1,"packet_id":"00d1...","time_ns":123456,"vni":100,
 *    "device":"vm1","ifindex":4,"length":60,"segments":1,"flow":"10.0.0.1:4000 > 10.0.0.2:53 udp","flags":["coloured"]}
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/result.h"

static const struct {
	const char *name;
	uint16_t flag;
} flags[] = {
    {"coloured", VT_REC_COLOURED},   {"reverse", VT_REC_REVERSE},
    {"encap", VT_REC_ENCAP},         {"after-out", VT_REC_AFTER_OUT},
    {"outer", VT_REC_OUTER},         {"local", VT_REC_LOCAL},
    {"frag", VT_REC_FRAG},           {"no-mark", VT_REC_NO_MARK},
    {"hop-limit", VT_REC_HOP_LIMIT}, {"later-frag", VT_REC_LATER_FRAG},
    {"otherhost", VT_REC_OTHERHOST},
};

#define N_FLAGS (sizeof(flags) / sizeof(flags[0]))

static const char *const loc_names[] = {[VT_LOC_IN] = "in", [VT_LOC_OUT] = "out", [VT_LOC_ERROR] = "error"};

/* Members of a record that are plain numbers, and what a missing one stands for. */
struct number {
	const char *name;
	size_t at;
	uint8_t size, missing;
};

/* clang-format off */
#define NUMBER(member, missing) \
	{#member, offsetof(struct vt_record, member), sizeof(((struct vt_record *)0)->member), missing}
static const struct number numbers[] = {
	NUMBER(seq, 0), NUMBER(hop, 1), NUMBER(task, 0), NUMBER(time_ns, 0), NUMBER(vni, 0), NUMBER(ifindex, 0),
	NUMBER(length, 0), NUMBER(segments, 1), NUMBER(tcp_seq, 0), NUMBER(payload, 0), NUMBER(dst_error, 0),
};
/* clang-format on */

#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static uint64_t number_get(const struct vt_record *rec, const struct number *n)
{
	uint64_t value = 0;

	memcpy(&value, (const uint8_t *)rec + n->at, n->size); /* little-endian hosts only, see the assert */
	return value;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "number_get() and number_set() copy the low bytes");

static void number_set(struct vt_record *rec, const struct number *n, uint64_t value)
{
	memcpy((uint8_t *)rec + n->at, &value, n->size);
}

static bool is_zero(const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++)
		if (b[i])
			return false;
	return true;
}

static int put_words(json_t *json, const struct vt_log *log)
{
	const struct vt_cause_info *cause = vt_cause_info(log->cause);
	const struct vt_record *rec = &log->rec;
	int failed = 0;

	if (cause)
		failed |= json_object_set_new(json, "cause", json_string(cause->code));
	if (log->reason[0])
		failed |= json_object_set_new(json, "reason", json_text(log->reason));
	if (rec->reason)
		failed |= json_object_set_new(json, "reason_number", json_integer(rec->reason));
	if (log->site[0])
		failed |= json_object_set_new(json, "site", json_text(log->site));
	if (rec->site)
		failed |= json_object_set_new(json, "site_address", json_hex(rec->site));
	if (log->evidence[0])
		failed |= json_object_set_new(json, "evidence", json_text(log->evidence));
	return failed;
}

static int put_flow(json_t *json, const struct vt_record *rec)
{
	json_t *names = json_array();
	int failed = 0;

	if (!is_zero(&rec->flow, sizeof(rec->flow)))
		failed |= json_object_set_new(json, "flow", json_flow(&rec->flow));
	if (!is_zero(rec->outer_src, 16))
		failed |= json_object_set_new(json, "outer_src", json_addr(rec->outer_src));
	if (!is_zero(rec->outer_dst, 16))
		failed |= json_object_set_new(json, "outer_dst", json_addr(rec->outer_dst));
	for (size_t i = 0; i < N_FLAGS; i++)
		if (rec->flags & flags[i].flag)
			failed |= json_array_append_new(names, json_string(flags[i].name));
	return failed | json_object_set_new(json, "flags", names);
}

json_t *vt_log_to_json(const struct vt_log *log, const char *node, uint64_t boot)
{
	const struct vt_record *rec = &log->rec;
	json_t *json = json_object();
	int failed;

	failed = json_object_set_new(json, "node", json_text(node));
	failed |= json_object_set_new(json, "boot", json_hex(boot));
	if (rec->loc >= VT_LOC_IN && rec->loc <= VT_LOC_ERROR)
		failed |= json_object_set_new(json, "loc", json_string(loc_names[rec->loc]));
	failed |= json_object_set_new(json, "packet_id", json_hex(rec->packet_id));
	if (log->device[0])
		failed |= json_object_set_new(json, "device", json_text(log->device));
	for (size_t i = 0; i < N_NUMBERS; i++) {
		uint64_t value = number_get(rec, &numbers[i]);

		if (value != numbers[i].missing)
			failed |= json_object_set_new(json, numbers[i].name, json_integer((json_int_t)value));
	}
	failed |= put_flow(json, rec);
	failed |= put_words(json, log);
	if (!failed)
		return json;
	json_decref(json);
	return NULL;
}

static int read_numbers(const struct json_in *in, struct vt_record *rec)
{
	int ret = 0;

	for (size_t i = 0; i < N_NUMBERS && !ret; i++) {
		const struct number *n = &numbers[i];
		uint64_t value = n->missing, max = n->size == 8 ? INT64_MAX : (1ULL << (8 * n->size)) - 1;

		ret = json_read_uint(in, n->name, 0, max, &value);
		if (!ret)
			number_set(rec, n, value);
	}
	if (!ret && (rec->hop < 1 || rec->hop > VT_HOP_MAX))
		return vt_fail(in->err, EINVAL, "record: \"hop\" must be 1 to %d", VT_HOP_MAX);
	return ret;
}

static int read_loc(const struct json_in *in, struct vt_record *rec)
{
	char name[8] = "";
	int ret = json_read_text(in, "loc", name, sizeof(name));

	for (uint8_t loc = VT_LOC_IN; loc <= VT_LOC_ERROR && !ret; loc++)
		if (!strcmp(name, loc_names[loc]))
			rec->loc = loc;
	if (!ret && !rec->loc)
		return vt_fail(in->err, EINVAL, "record: \"loc\" must be \"in\", \"out\" or \"error\"");
	return ret;
}

static int read_flag(const struct json_in *in, const json_t *value, struct vt_record *rec)
{
	const char *name = json_string_value(value);

	for (size_t i = 0; name && i < N_FLAGS; i++)
		if (!strcmp(name, flags[i].name)) {
			rec->flags |= flags[i].flag;
			return 0;
		}
	return vt_fail(in->err, EINVAL, "record: \"flags\" has \"%.20s\", which is not a flag's name",
	               name ? name : "?");
}

static int read_flags(const struct json_in *in, struct vt_record *rec)
{
	const json_t *list = json_object_get(in->object, "flags");
	int ret = 0;

	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list))
		return vt_fail(in->err, EINVAL, "record: \"flags\" must be a list of names");
	for (size_t i = 0; i < json_array_size(list) && !ret; i++)
		ret = read_flag(in, json_array_get(list, i), rec);
	return ret;
}

static int read_addresses(const struct json_in *in, struct vt_record *rec)
{
	int ret = json_read_flow(in, "flow", &rec->flow);

	if (!ret)
		ret = json_read_addr(in, "outer_src", rec->outer_src);
	return ret ? ret : json_read_addr(in, "outer_dst", rec->outer_dst);
}

static int read_ids(const struct json_in *in, struct vt_record *rec, char node[VT_NODE_MAX], uint64_t *boot)
{
	uint64_t packet_id = 0, site = 0;
	int ret = json_read_text(in, "node", node, VT_NODE_MAX);

	if (!ret && !node[0])
		return vt_fail(in->err, EINVAL, "record: \"node\" is missing or empty");
	if (!ret)
		ret = json_read_hex(in, "boot", boot);
	if (!ret)
		ret = json_read_hex(in, "packet_id", &packet_id);
	if (!ret)
		ret = json_read_hex(in, "site_address", &site);
	rec->packet_id = packet_id;
	rec->site = site;
	return ret;
}

static int read_words(const struct json_in *in, struct vt_log *log)
{
	uint64_t reason = 0;
	char code[64] = "";
	int ret = json_read_text(in, "device", log->device, sizeof(log->device));

	if (!ret)
		ret = json_read_text(in, "reason", log->reason, sizeof(log->reason));
	if (!ret)
		ret = json_read_text(in, "site", log->site, sizeof(log->site));
	if (!ret)
		ret = json_read_text(in, "evidence", log->evidence, sizeof(log->evidence));
	if (!ret)
		ret = json_read_uint(in, "reason_number", 0, UINT32_MAX, &reason);
	if (!ret)
		ret = json_read_text(in, "cause", code, sizeof(code));
	if (ret)
		return ret;
	log->rec.reason = (uint32_t)reason;
	log->cause = vt_cause_by_code(code);
	if (code[0] && !log->cause)
		return vt_fail(in->err, EINVAL,
		               "record: \"cause\" is \"%s\", which is not a code (see `vtrace explain`)", code);
	return 0;
}

int vt_log_from_json(const json_t *json, struct vt_log *ret_log, char ret_node[VT_NODE_MAX], uint64_t *ret_boot,
                     struct vt_err *err)
{
	struct json_in in = {.object = json, .what = "record", .err = err};
	struct vt_log log = {.rec = {.version = VT_RECORD_VERSION}};
	char node[VT_NODE_MAX] = "";
	uint64_t boot = 0;
	int ret;

	if (!json_is_object(json))
		return vt_fail(err, EINVAL, "record: not a JSON object");
	ret = read_ids(&in, &log.rec, node, &boot);
	if (!ret)
		ret = read_loc(&in, &log.rec);
	if (!ret)
		ret = read_numbers(&in, &log.rec);
	if (!ret)
		ret = read_flags(&in, &log.rec);
	if (!ret)
		ret = read_addresses(&in, &log.rec);
	if (!ret)
		ret = read_words(&in, &log);
	if (ret)
		return ret;
	*ret_log = log;
	memcpy(ret_node, node, VT_NODE_MAX);
	*ret_boot = boot;
	return 0;
}
