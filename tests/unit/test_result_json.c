// SPDX-License-Identifier: BSD-3-Clause
/* JSON: the contract's result, tasks on the agents' stream and in requests, logs as lines of a record file. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/result.h"

static struct vt_flow flow_of(const char *text)
{
	struct vt_flow flow;

	assert_int_equal(vt_flow_parse(text, &flow), 0);
	return flow;
}

static struct vt_task task_of(const char *filter)
{
	struct vt_task task = {.id = 7, .packet_count = 100, .trace_time_ms = 10000};

	assert_int_equal(vt_filter_parse(filter, &task.filter, NULL), 0);
	return task;
}

/* Takes over `json`. */
static void assert_json(json_t *json, const char *expected)
{
	char *text;

	assert_non_null(json);
	text = json_dumps(json, VT_JSON_FLAGS);
	assert_string_equal(text, expected);
	free(text);
	json_decref(json);
}

/* The contract's example, as the analysis would fill it. All of it is freed by vt_result_done(). */
static void fill_dropped(struct vt_result *r)
{
	struct vt_result_hop *hops = calloc(2, sizeof(*hops));

	*r = (struct vt_result){.task = task_of("udp and src host 10.0.0.1 and dst port 53"),
	                        .coloured = 100,
	                        .dropped = 100,
	                        .received = 300,
	                        .n_causes = 1,
	                        .n_paths = 1,
	                        .armed = 3,
	                        .n_failed = 1,
	                        .id = "t1",
	                        .state = VT_DONE,
	                        .created_us = 1769853600123456,
	                        .finished_us = 1769853601000000};
	r->causes = calloc(1, sizeof(*r->causes));
	r->causes[0] = (struct vt_result_cause){.code = VT_CAUSE_FDB_MISSING,
	                                        .proven = true,
	                                        .node = "h1",
	                                        .kind = VT_KIND_VSWITCH,
	                                        .device = "vx",
	                                        .packets = 100,
	                                        .reason = "NO_TX_TARGET",
	                                        .site = "vxlan_xmit+0x1",
	                                        .evidence = "no entry"};
	r->paths = calloc(1, sizeof(*r->paths));
	r->paths[0] = (struct vt_result_path){.packets = 100,
	                                      .end = VT_DROPPED,
	                                      .cause = 0,
	                                      .n_hops = 2,
	                                      .hops = hops,
	                                      .flow = flow_of("10.0.0.1:4000 > 10.0.0.2:53 udp")};
	hops[0] = (struct vt_result_hop){.hop = 1,
	                                 .node = "h1",
	                                 .kind = VT_KIND_VSWITCH,
	                                 .vni = 100,
	                                 .has_in = true,
	                                 .has_out = true,
	                                 .has_outer = true,
	                                 .has_latency = true,
	                                 .in_device = "vm1",
	                                 .out_device = "eth0",
	                                 .latency_min_us = 3.1,
	                                 .latency_median_us = 3.9,
	                                 .latency_max_us = 12.0004};
	vt_addr_parse("192.0.2.1", hops[0].outer_src);
	vt_addr_parse("192.0.2.2", hops[0].outer_dst);
	hops[1] = (struct vt_result_hop){.hop = 2,
	                                 .node = "gw",
	                                 .kind = VT_KIND_VROUTER,
	                                 .has_nat = true,
	                                 .has_in = true,
	                                 .has_error = true,
	                                 .in_device = "eth0",
	                                 .error_device = "ext0",
	                                 .nat = flow_of("198.51.100.1:40000 > 10.0.0.2:53 udp")};
	r->failed = calloc(1, sizeof(*r->failed));
	r->failed[0] = (struct vt_result_node_error){.node = "h9", .error = "no answer within 1 s"};
	r->n_list = 1;
	r->list = calloc(1, sizeof(*r->list));
	r->list[0] = (struct vt_result_packet){.packet_id = 0xd1,
	                                       .flow = r->paths[0].flow,
	                                       .reverse = true,
	                                       .ambiguous = true,
	                                       .end = VT_DROPPED,
	                                       .path = 0,
	                                       .cause = -1,
	                                       .time_ns = 123456789012345,
	                                       .length = 60,
	                                       .segments = 1};
}

#define CAUSE_JSON                                                                                                   \
	"{\"class\":\"infrastructure\",\"code\":\"fdb-missing\",\"certainty\":\"proven\",\"node\":\"h1\",\"kind\":"  \
	"\"vswitch\","                                                                                               \
	"\"device\":\"vx\",\"direction\":\"forward\",\"packets\":100,\"reason\":\"NO_TX_TARGET\","                   \
	"\"site\":\"vxlan_xmit+0x1\",\"evidence\":\"no entry\",\"next_step\":\"On node h1 run `bridge fdb show dev " \
	"vx`; add the "                                                                                              \
	"entry with `bridge fdb append MAC dev vx dst VTEP`, and ask the controller why it did not.\"}"

#define RESULT_JSON                                                                                                   \
	"{\"id\":\"t1\",\"filter\":\"udp and src host 10.0.0.1 and dst port 53\",\"bidirectional\":false,"            \
	"\"packet_count\":100,\"trace_time\":10.0,\"state\":\"done\",\"error\":null,"                                 \
	"\"created\":\"2026-01-31T10:00:00.123456Z\",\"finished\":\"2026-01-31T10:00:01.000000Z\","                   \
	"\"nodes\":{\"armed\":3,\"failed\":[{\"node\":\"h9\",\"error\":\"no answer within 1 s\"}]},"                  \
	"\"packets\":{\"coloured\":100,\"delivered\":0,\"dropped\":100,\"lost\":0,\"unfinished\":0,\"ambiguous\":0}," \
	"\"records\":{\"received\":300,\"missing\":0},\"verdict\":" CAUSE_JSON ",\"causes\":[" CAUSE_JSON "],"        \
	"\"paths\":[{\"packets\":100,\"end\":\"dropped\",\"direction\":\"forward\",\"cause\":0,"                      \
	"\"flow\":\"10.0.0.1:4000 > 10.0.0.2:53 udp\",\"hops\":["                                                     \
	"{\"hop\":1,\"node\":\"h1\",\"kind\":\"vswitch\",\"vni\":100,\"nat\":null,\"in\":{\"device\":\"vm1\"},"       \
	"\"out\":{\"device\":\"eth0\",\"outer_src\":\"192.0.2.1\",\"outer_dst\":\"192.0.2.2\"},"                      \
	"\"latency_us\":{\"min\":3.1,\"median\":3.9,\"max\":12.0}},"                                                  \
	"{\"hop\":2,\"node\":\"gw\",\"kind\":\"vrouter\",\"vni\":null,"                                               \
	"\"nat\":\"198.51.100.1:40000 > 10.0.0.2:53 "                                                                 \
	"udp\",\"in\":{\"device\":\"eth0\"},\"error\":{\"device\":\"ext0\"}}]}]"

static void result_is_the_contracts(void **state)
{
	struct vt_result r;

	fill_dropped(&r);
	assert_json(vt_result_to_json(&r, false), RESULT_JSON "}");
	assert_json(vt_result_to_json(&r, true), RESULT_JSON
	            ",\"list\":[{\"packet_id\":\"00000000000000d1\",\"flow\":\"10.0.0.1:4000 > 10.0.0.2:53 udp\","
	            "\"direction\":\"reverse\",\"end\":\"dropped\",\"path\":0,\"cause\":null,\"ambiguous\":true,"
	            "\"time_ns\":123456789012345,\"length\":60,\"segments\":1}]}");
	vt_result_done(&r);
	assert_null(r.paths);
	assert_int_equal(r.n_causes, 0);
}

static void result_of_nothing_has_nulls(void **state)
{
	struct vt_result r = {.task = task_of("icmp"), .id = "t2", .state = VT_NEW, .created_us = 1};

	r.task.bidirectional = true;
	r.task.trace_time_ms = 1500;
	assert_json(vt_result_to_json(&r, true),
	            "{\"id\":\"t2\",\"filter\":\"icmp\",\"bidirectional\":true,\"packet_count\":100,\"trace_time\":1.5,"
	            "\"state\":\"new\",\"error\":null,\"created\":\"1970-01-01T00:00:00.000001Z\",\"finished\":null,"
	            "\"nodes\":{\"armed\":0,\"failed\":[]},\"packets\":{\"coloured\":0,\"delivered\":0,\"dropped\":0,"
	            "\"lost\":0,"
	            "\"unfinished\":0,\"ambiguous\":0},\"records\":{\"received\":0,\"missing\":0},\"verdict\":null,"
	            "\"causes\":[],"
	            "\"paths\":[],\"list\":[]}");
	vt_result_done(&r);
}

static json_t *at(json_t *json, const char *name)
{
	json_t *value = json_object_get(json, name);

	assert_non_null(value);
	return value;
}

static void result_survives_strange_values(void **state)
{
	struct vt_result r;
	json_t *json, *cause;

	fill_dropped(&r);
	strcpy(r.error, "no agent is connected");
	r.causes[0].proven = false;
	r.causes[0].reverse = true;
	r.causes[0].device[0] = '\0';
	strcpy(r.causes[0].evidence, "comment \"\xc3\"");
	r.paths[0].cause = -1;
	r.paths[0].hops[0].latency_min_us = NAN;
	r.paths[0].hops[0].has_outer = false;
	json = vt_result_to_json(&r, false);
	cause = json_array_get(at(json, "causes"), 0);
	assert_string_equal(json_string_value(at(json, "error")), "no agent is connected");
	assert_string_equal(json_string_value(at(cause, "certainty")), "inferred");
	assert_string_equal(json_string_value(at(cause, "direction")), "reverse");
	assert_string_equal(json_string_value(at(cause, "device")), "");
	assert_string_equal(json_string_value(at(cause, "evidence")), "comment \"?\"");
	assert_true(json_equal(at(json, "verdict"), cause));
	assert_true(json_is_null(at(json_array_get(at(json, "paths"), 0), "cause")));
	cause = json_array_get(at(json_array_get(at(json, "paths"), 0), "hops"), 0);
	assert_int_equal(json_object_size(at(cause, "out")), 1);
	assert_true(json_real_value(at(at(cause, "latency_us"), "min")) == 0);
	json_decref(json);
	vt_result_done(&r);
}

static void tasks_round_trip(void **state)
{
	struct vt_task task = task_of("tcp and dst net 2001:db8::/32"), back = {0};
	json_t *json;

	task.bidirectional = true;
	json = vt_task_to_json(&task);
	assert_int_equal(vt_task_from_json(json, &back, NULL), 0);
	assert_memory_equal(&task, &back, sizeof(task));
	assert_json(
	    json, "{\"id\":7,\"filter\":\"tcp and dst net 2001:db8::/32\",\"bidirectional\":true,\"packet_count\":100,"
	          "\"trace_time_ms\":10000}");
}

struct bad_json {
	const char *text, *error;
};

typedef int (*task_reader)(const json_t *json, struct vt_task *task, struct vt_err *err);

static void assert_refused(task_reader read, const struct bad_json *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_t *json = json_loads(cases[i].text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		struct vt_task task = {.id = 4711};
		struct vt_err err = {0};

		assert_non_null(json);
		assert_int_equal(read(json, &task, &err), -EINVAL);
		if (strcmp(err.text, cases[i].error))
			fail_msg("%s\n got: %s\nwant: %s", cases[i].text, err.text, cases[i].error);
		assert_int_equal(task.id, 4711);
		json_decref(json);
	}
}

static void wrong_tasks_are_refused(void **state)
{
	static const struct bad_json cases[] = {
	    {"[]", "task: not a JSON object"},
	    {"{\"id\":1}", "task: \"filter\" is missing or not a string"},
	    {"{\"id\":1,\"filter\":7}", "task: \"filter\" is missing or not a string"},
	    {"{\"filter\":\"udp\"}", "task: \"id\" is missing"},
	    {"{\"id\":0,\"filter\":\"udp\"}", "task: \"id\" must be a whole number from 1 to 4294967295"},
	    {"{\"id\":4294967296,\"filter\":\"udp\"}", "task: \"id\" must be a whole number from 1 to 4294967295"},
	    {"{\"id\":1,\"filter\":\"udp\",\"trace_time_ms\":3600001}",
	     "task: \"trace_time_ms\" must be a whole number from 1 to 3600000"},
	};

	assert_refused(vt_task_from_json, cases, sizeof(cases) / sizeof(cases[0]));
}

static void wrong_requests_are_refused(void **state)
{
	static const struct bad_json cases[] = {
	    {"7", "trace: not a JSON object"},
	    {"{}", "trace: \"filter\" is missing or not a string"},
	    {"{\"filter\":null}", "trace: \"filter\" is missing or not a string"},
	    {"{\"filter\":\"udp\\u0000x\"}", "trace: \"filter\" is missing or not a string"},
	    {"{\"filter\":\"udp or tcp\"}",
	     "filter, column 5: \"or\" is not supported: a filter is one flow: trace each alternative on its own"},
	    {"{\"filter\":\"udp\",\"packet_count\":0}",
	     "trace: \"packet_count\" must be a whole number from 1 to 100000"},
	    {"{\"filter\":\"udp\",\"packet_count\":100001}",
	     "trace: \"packet_count\" must be a whole number from 1 to 100000"},
	    {"{\"filter\":\"udp\",\"packet_count\":-1}",
	     "trace: \"packet_count\" must be a whole number from 1 to 100000"},
	    {"{\"filter\":\"udp\",\"packet_count\":1.5}",
	     "trace: \"packet_count\" must be a whole number from 1 to 100000"},
	    {"{\"filter\":\"udp\",\"packet_count\":\"9\"}",
	     "trace: \"packet_count\" must be a whole number from 1 to 100000"},
	    {"{\"filter\":\"udp\",\"bidirectional\":1}", "trace: \"bidirectional\" must be true or false"},
	    {"{\"filter\":\"udp\",\"trace_time\":0}",
	     "trace: \"trace_time\" must be a number of seconds from 0.001 to 3600"},
	    {"{\"filter\":\"udp\",\"trace_time\":0.0004}",
	     "trace: \"trace_time\" must be a number of seconds from 0.001 to 3600"},
	    {"{\"filter\":\"udp\",\"trace_time\":3600.001}",
	     "trace: \"trace_time\" must be a number of seconds from 0.001 to 3600"},
	    {"{\"filter\":\"udp\",\"trace_time\":1e300}",
	     "trace: \"trace_time\" must be a number of seconds from 0.001 to 3600"},
	    {"{\"filter\":\"udp\",\"trace_time\":\"5\"}",
	     "trace: \"trace_time\" must be a number of seconds from 0.001 to 3600"},
	    {"{\"filter\":\"udp\",\"count\":5}",
	     "trace: \"count\" is not a member of a request (they are: filter, packet_count, "
	     "trace_time, bidirectional)"},
	};

	assert_refused(vt_task_from_request, cases, sizeof(cases) / sizeof(cases[0]));
}

static void requests_have_defaults(void **state)
{
	json_t *json = json_loads("{\"filter\":\"udp\"}", 0, NULL);
	struct vt_task task;

	assert_int_equal(vt_task_from_request(json, &task, NULL), 0);
	assert_int_equal(task.id, 0);
	assert_int_equal(task.packet_count, 100);
	assert_int_equal(task.trace_time_ms, 10000);
	assert_false(task.bidirectional);
	json_decref(json);
	json = json_loads("{\"filter\":\"udp\",\"packet_count\":100000,\"trace_time\":3600,\"bidirectional\":true}", 0,
	                  NULL);
	assert_int_equal(vt_task_from_request(json, &task, NULL), 0);
	assert_int_equal(task.packet_count, 100000);
	assert_int_equal(task.trace_time_ms, 3600000);
	assert_true(task.bidirectional);
	json_decref(json);
	json = json_loads("{\"filter\":\"udp\",\"trace_time\":0.25,\"packet_count\":null}", 0, NULL);
	assert_int_equal(vt_task_from_request(json, &task, NULL), 0);
	assert_int_equal(task.packet_count, 100);
	assert_int_equal(task.trace_time_ms, 250);
	json_decref(json);
}

static struct vt_log full_log(void)
{
	struct vt_log log = {.device = "eth0",
	                     .cause = VT_CAUSE_POLICY_NFT_RULE,
	                     .reason = "NETFILTER_DROP",
	                     .site = "nft_do_chain+0x3e8",
	                     .evidence = "table inet fw chain fwd handle 7"};

	log.rec = (struct vt_record){.version = VT_RECORD_VERSION,
	                             .loc = VT_LOC_ERROR,
	                             .hop = 2,
	                             .task = 9,
	                             .packet_id = 0xfedcba9876543210,
	                             .time_ns = 123456789012345,
	                             .seq = 8,
	                             .site = 0xffffffff81000000,
	                             .vni = 100,
	                             .ifindex = 4,
	                             .length = 1500,
	                             .tcp_seq = 4000000000,
	                             .payload = 1400,
	                             .reason = 77,
	                             .dst_error = 113,
	                             .segments = 45,
	                             .flags = 0x1ff};
	log.rec.flow = flow_of("[2001:db8::1]:4000 > [2001:db8::2]:80 tcp");
	vt_addr_parse("192.0.2.1", log.rec.outer_src);
	vt_addr_parse("192.0.2.2", log.rec.outer_dst);
	return log;
}

static void logs_are_readable_lines(void **state)
{
	struct vt_log log = {.device = "vm1"}, full = full_log();

	log.rec = (struct vt_record){.version = VT_RECORD_VERSION,
	                             .loc = VT_LOC_IN,
	                             .hop = 1,
	                             .task = 1,
	                             .packet_id = 0xd1,
	                             .time_ns = 5,
	                             .seq = 1,
	                             .vni = 100,
	                             .ifindex = 4,
	                             .length = 60,
	                             .segments = 1,
	                             .flags = VT_REC_COLOURED};
	log.rec.flow = flow_of("10.0.0.1:4000 > 10.0.0.2:53 udp");
	assert_json(vt_log_to_json(&log, "h1", 0x9f),
	            "{\"node\":\"h1\",\"boot\":\"000000000000009f\",\"loc\":\"in\",\"packet_id\":\"00000000000000d1\","
	            "\"device\":\"vm1\",\"seq\":1,\"task\":1,\"time_ns\":5,\"vni\":100,\"ifindex\":4,\"length\":60,"
	            "\"flow\":\"10.0.0.1:4000 > 10.0.0.2:53 udp\",\"flags\":[\"coloured\"]}");
	assert_json(
	    vt_log_to_json(&full, "h2", UINT64_MAX),
	    "{\"node\":\"h2\",\"boot\":\"ffffffffffffffff\",\"loc\":\"error\",\"packet_id\":\"fedcba9876543210\","
	    "\"device\":\"eth0\",\"seq\":8,\"hop\":2,\"task\":9,\"time_ns\":123456789012345,\"vni\":100,\"ifindex\":4,"
	    "\"length\":1500,\"segments\":45,\"tcp_seq\":4000000000,\"payload\":1400,\"dst_error\":113,"
	    "\"flow\":\"[2001:db8::1]:4000 > [2001:db8::2]:80 tcp\",\"outer_src\":\"192.0.2.1\","
	    "\"outer_dst\":\"192.0.2.2\",\"flags\":[\"coloured\",\"reverse\",\"encap\",\"after-out\",\"outer\","
	    "\"local\","
	    "\"frag\",\"no-mark\",\"hop-limit\"],\"cause\":\"policy-nft-rule\",\"reason\":\"NETFILTER_DROP\","
	    "\"reason_number\":77,\"site\":\"nft_do_chain+0x3e8\",\"site_address\":\"ffffffff81000000\","
	    "\"evidence\":\"table inet fw chain fwd handle 7\"}");
}

static void logs_round_trip(void **state)
{
	struct vt_log log = full_log(), back;
	char node[VT_NODE_MAX];
	uint64_t boot = 0;
	json_t *json = vt_log_to_json(&log, "h2", 0xfedcba9876543210);

	assert_int_equal(vt_log_from_json(json, &back, node, &boot, NULL), 0);
	assert_memory_equal(&log, &back, sizeof(log));
	assert_string_equal(node, "h2");
	assert_int_equal(boot, 0xfedcba9876543210);
	json_decref(json);
	log = (struct vt_log){.rec = {.version = VT_RECORD_VERSION, .loc = VT_LOC_OUT, .hop = 15, .segments = 0}};
	json = vt_log_to_json(&log, "h2", 0);
	assert_int_equal(vt_log_from_json(json, &back, node, &boot, NULL), 0);
	assert_memory_equal(&log, &back, sizeof(log));
	json_decref(json);
}

static void shortest_log_has_defaults(void **state)
{
	json_t *json =
	    json_loads("{\"node\":\"h1\",\"loc\":\"out\",\"colour\":\"unknown members are ignored\"}", 0, NULL);
	struct vt_log log,
	    expected = {.rec = {.version = VT_RECORD_VERSION, .loc = VT_LOC_OUT, .hop = 1, .segments = 1}};
	char node[VT_NODE_MAX];
	uint64_t boot = 5;

	assert_int_equal(vt_log_from_json(json, &log, node, &boot, NULL), 0);
	assert_memory_equal(&log, &expected, sizeof(log));
	assert_int_equal(boot, 0);
	json_decref(json);
}

static void wrong_logs_are_refused(void **state)
{
	static const struct bad_json cases[] = {
	    {"[]", "record: not a JSON object"},
	    {"{\"loc\":\"in\"}", "record: \"node\" is missing or empty"},
	    {"{\"node\":\"\",\"loc\":\"in\"}", "record: \"node\" is missing or empty"},
	    {"{\"node\":5,\"loc\":\"in\"}", "record: \"node\" must be a string of at most 63 bytes"},
	    {"{\"node\":\"h1\"}", "record: \"loc\" must be \"in\", \"out\" or \"error\""},
	    {"{\"node\":\"h1\",\"loc\":\"up\"}", "record: \"loc\" must be \"in\", \"out\" or \"error\""},
	    {"{\"node\":\"h1\",\"loc\":\"in\",\"hop\":0}", "record: \"hop\" must be 1 to 15"},
	    {"{\"node\":\"h1\",\"loc\":\"in\",\"hop\":16}", "record: \"hop\" must be 1 to 15"},
	    {"{\"node\":\"h1\",\"loc\":\"in\",\"hop\":256}", "record: \"hop\" must be a whole number from 0 to 255"},
	    {"{\"node\":\"h1\",\"loc\":\"in\",\"segments\":65536}",
	     "record: \"segments\" must be a whole number from 0 to 65535"},
	    {"{\"node\":\"h1\",\"loc\":\"in\",\"vni\":-1}",
	     "record: \"vni\" must be a whole number from 0 to 4294967295"},
	    {"{\"node\":\"h1\",\"loc\":\"in\",\"packet_id\":7}",
	     "record: \"packet_id\" must be a string of 1 to 16 hexadecimal digits"},
	    {"{\"node\":\"h1\",\"loc\":\"in\",\"packet_id\":\"\"}",
	     "record: \"packet_id\" must be a string of 1 to 16 hexadecimal digits"},
	    {"{\"node\":\"h1\",\"loc\":\"in\",\"boot\":\"0123456789abcdef0\"}",
	     "record: \"boot\" must be a string of 1 to 16 hexadecimal digits"},
	    {"{\"node\":\"h1\",\"loc\":\"in\",\"flow\":\"10.0.0.1\"}",
	     "record: \"flow\" must be a flow, as in \"10.0.0.1:4000 > 10.0.0.2:53 udp\""},
	    {"{\"node\":\"h1\",\"loc\":\"in\",\"outer_src\":\"nowhere\"}",
	     "record: \"outer_src\" must be an IPv4 or IPv6 address"},
	    {"{\"node\":\"h1\",\"loc\":\"in\",\"flags\":\"coloured\"}", "record: \"flags\" must be a list of names"},
	    {"{\"node\":\"h1\",\"loc\":\"in\",\"flags\":[\"colored\"]}",
	     "record: \"flags\" has \"colored\", which is not a flag's name"},
	    {"{\"node\":\"h1\",\"loc\":\"in\",\"flags\":[1]}",
	     "record: \"flags\" has \"?\", which is not a flag's name"},
	    {"{\"node\":\"h1\",\"loc\":\"in\",\"device\":\"0123456789abcdef\"}",
	     "record: \"device\" must be a string of at most 15 bytes"},
	    {"{\"node\":\"h1\",\"loc\":\"error\",\"cause\":\"gremlins\"}",
	     "record: \"cause\" is \"gremlins\", which is not a code (see `vtrace explain`)"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *json = json_loads(cases[i].text, 0, NULL);
		char node[VT_NODE_MAX];
		struct vt_err err = {0};
		struct vt_log log;
		uint64_t boot;

		assert_non_null(json);
		assert_int_equal(vt_log_from_json(json, &log, node, &boot, &err), -EINVAL);
		if (strcmp(err.text, cases[i].error))
			fail_msg("%s\n got: %s\nwant: %s", cases[i].text, err.text, cases[i].error);
		json_decref(json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(result_is_the_contracts),
	    cmocka_unit_test(result_of_nothing_has_nulls),
	    cmocka_unit_test(result_survives_strange_values),
	    cmocka_unit_test(tasks_round_trip),
	    cmocka_unit_test(wrong_tasks_are_refused),
	    cmocka_unit_test(wrong_requests_are_refused),
	    cmocka_unit_test(requests_have_defaults),
	    cmocka_unit_test(logs_are_readable_lines),
	    cmocka_unit_test(logs_round_trip),
	    cmocka_unit_test(shortest_log_has_defaults),
	    cmocka_unit_test(wrong_logs_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
