// SPDX-License-Identifier: BSD-3-Clause
/*
 * The table of nodes and the streams' limit, without a network: a stream that nobody reads is never suspended, so that
 * it needs no connection.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "server/nodes.h"

static struct stream *make_stream(void)
{
	struct stream *stream = stream_new(NULL, NULL, NULL);

	assert_non_null(stream);
	return stream;
}

static int connect_node(struct nodes *nodes, const char *name, uint64_t boot, struct stream *stream, bool *ret_new)
{
	struct node_hello hello = {.kind = VT_KIND_VSWITCH, .datapath = "linux", .version = "1", .boot = boot};
	struct vt_err err = {0};
	bool new_boot = false;
	int rc;

	snprintf(hello.name, sizeof(hello.name), "%s", name);
	rc = nodes_connect(nodes, &hello, stream, &new_boot, &err);
	if (rc)
		assert_non_null(strstr(err.text, name));
	if (ret_new)
		*ret_new = new_boot;
	return rc;
}

static void names(void **state)
{
	char longest[VT_NODE_MAX] = {0}, longer[VT_NODE_MAX + 1] = {0};

	memset(longest, 'a', sizeof(longest) - 1);
	memset(longer, 'a', sizeof(longer) - 1);
	assert_true(nodes_name_valid("h1") && nodes_name_valid("rack-7.example_net") && nodes_name_valid(longest));
	assert_false(nodes_name_valid("") || nodes_name_valid("a b") || nodes_name_valid("a/b") ||
	             nodes_name_valid("\xc3\xa4") || nodes_name_valid("a\n") || nodes_name_valid(longer));
}

static void a_stream_has_a_limit(void **state)
{
	static char line[1000];
	struct stream *stream = make_stream();
	size_t pushed = 0;
	int rc;

	memset(line, 'x', sizeof(line));
	while (!(rc = stream_push(stream, line, sizeof(line))))
		pushed += sizeof(line);
	assert_int_equal(rc, -ENOBUFS);
	assert_in_range(pushed, STREAM_PENDING_MAX - sizeof(line), STREAM_PENDING_MAX);
	assert_int_equal(stream_push(stream, line, sizeof(line)), 0); /* it is ended: told once, counted once */
	stream_free(stream);
}

static void a_deaf_node_does_not_hold_up_the_others(void **state)
{
	static char filler[STREAM_PENDING_MAX - 10];
	struct stream *deaf = make_stream(), *fine = make_stream();
	struct nodes nodes = {0};

	memset(filler, 'x', sizeof(filler));
	assert_int_equal(connect_node(&nodes, "deaf", 1, deaf, NULL), 0);
	assert_int_equal(connect_node(&nodes, "fine", 2, fine, NULL), 0);
	assert_int_equal(stream_push(deaf, filler, sizeof(filler)), 0);
	assert_int_equal(nodes_broadcast(&nodes, json_pack("{s:s}", "op", "heartbeat")), 1);
	assert_int_equal(nodes_broadcast(&nodes, json_pack("{s:s}", "op", "heartbeat")), 0);
	nodes_closed(&nodes, deaf, 5);
	assert_int_equal(nodes.connected, 1);
	assert_false(nodes_connected(&nodes, "deaf"));
	assert_true(nodes_connected(&nodes, "fine"));
	nodes_done(&nodes);
	stream_free(deaf);
	stream_free(fine);
}

static void boots(void **state)
{
	struct stream *first = make_stream(), *again = make_stream(), *second = make_stream();
	struct nodes nodes = {0};
	bool new_boot;

	assert_int_equal(connect_node(&nodes, "h1", 1, first, &new_boot), 0);
	assert_true(new_boot);
	assert_int_equal(connect_node(&nodes, "h1", 1, again, &new_boot), 0); /* a reconnect */
	assert_false(new_boot);
	nodes_closed(&nodes, first, 0); /* the old stream's end comes late: it is not the node's any more */
	assert_true(nodes_connected(&nodes, "h1"));
	assert_int_equal(connect_node(&nodes, "h1", 2, second, &new_boot), 0); /* a restart */
	assert_true(new_boot);
	assert_int_equal(nodes.connected, 1);
	/* Boot 1 lost its name and yet lives: two agents share it. */
	assert_int_equal(connect_node(&nodes, "h1", 1, first, NULL), -EEXIST);
	nodes_closed(&nodes, second, 0);
	assert_int_equal(connect_node(&nodes, "h1", 1, first, NULL), 0); /* the other one has gone */
	nodes_done(&nodes);
	stream_free(first);
	stream_free(again);
	stream_free(second);
}

static void note_down(void *arg, const char *name)
{
	snprintf(arg, VT_NODE_MAX, "%s", name);
}

static void grace(void **state)
{
	struct stream *stream = make_stream(), *back = make_stream();
	struct nodes nodes = {0};
	char down[VT_NODE_MAX] = "";

	assert_int_equal(connect_node(&nodes, "h1", 1, stream, NULL), 0);
	assert_int_equal(nodes_expire(&nodes, 0, note_down, down), UINT64_MAX);
	nodes_closed(&nodes, stream, 100);
	assert_int_equal(nodes_expire(&nodes, 100, note_down, down), 100 + NODES_GRACE_NS);
	assert_string_equal(down, "");
	assert_int_equal(connect_node(&nodes, "h1", 1, back, NULL), 0); /* in time */
	assert_int_equal(nodes_expire(&nodes, UINT64_MAX - 1, note_down, down), UINT64_MAX);
	assert_string_equal(down, "");
	nodes_closed(&nodes, back, 200);
	assert_int_equal(nodes_expire(&nodes, 200 + NODES_GRACE_NS, note_down, down), UINT64_MAX);
	assert_string_equal(down, "h1");
	nodes_done(&nodes);
	stream_free(stream);
	stream_free(back);
}

static void batches_tell_what_a_node_is(void **state)
{
	struct vt_item item = {.type = VT_ITEM_NODE, .node = {.datapath = "linux", .version = "2", .devices = 7}};
	struct vt_batch batch = {
	    .node = "h1", .kind = VT_KIND_VROUTER, .boot = 5, .number = 1, .n_items = 1, .items = &item};
	struct stream *stream = make_stream();
	struct nodes nodes = {0};
	bool new_boot;
	json_t *list;

	nodes_saw_batch(&nodes, &batch); /* faster than the stream */
	list = nodes_to_json(&nodes);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "state")), "disconnected");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "kind")), "vrouter");
	json_decref(list);
	assert_int_equal(connect_node(&nodes, "h1", 5, stream, &new_boot), 0);
	assert_false(new_boot);
	batch.boot = 4; /* of a former run: says nothing about this one */
	item.node.devices = 1;
	nodes_saw_batch(&nodes, &batch);
	list = nodes_to_json(&nodes);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "devices")), 7);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "state")), "connected");
	json_decref(list);
	nodes_done(&nodes);
	stream_free(stream);
}

static void the_table_has_a_limit(void **state)
{
	static struct stream *streams[NODES_MAX + 1];
	struct nodes nodes = {0};
	char name[16], down[VT_NODE_MAX] = "";

	for (int i = 0; i <= NODES_MAX; i++) {
		streams[i] = make_stream();
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(connect_node(&nodes, name, 1, streams[i], NULL), i < NODES_MAX ? 0 : -ENOSPC);
	}
	nodes_closed(&nodes, streams[3], 0);
	nodes_expire(&nodes, NODES_GRACE_NS, note_down, down);
	assert_int_equal(connect_node(&nodes, name, 1, streams[NODES_MAX], NULL), 0); /* in place of n3 */
	assert_int_equal(HASH_COUNT(nodes.table), NODES_MAX);
	nodes_done(&nodes);
	for (int i = 0; i <= NODES_MAX; i++)
		stream_free(streams[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),
	    cmocka_unit_test(a_stream_has_a_limit),
	    cmocka_unit_test(a_deaf_node_does_not_hold_up_the_others),
	    cmocka_unit_test(boots),
	    cmocka_unit_test(grace),
	    cmocka_unit_test(batches_tell_what_a_node_is),
	    cmocka_unit_test(the_table_has_a_limit),
	};

	return cmocka_run_group_tests_name("nodes", tests, NULL, NULL);
}
