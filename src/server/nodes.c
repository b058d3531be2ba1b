// SPDX-License-Identifier: BSD-3-Clause
/* See nodes.h. Invariant: `connected` is the number of rows with a stream. */
#include "server/nodes.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

bool nodes_name_valid(const char *name)
{
	if (!*name || strlen(name) >= VT_NODE_MAX)
		return false;
	for (; *name; name++) {
		if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
			return false;
	}
	return true;
}

/* Makes room by forgetting the node that has been away longest; false if all are connected. */
static bool forget_one(struct nodes *nodes)
{
	struct node *node, *next, *oldest = NULL;

	HASH_ITER (hh, nodes->table, node, next) {
		if (!node->stream && node->down_at == UINT64_MAX &&
		    (!oldest || node->last_seen_us < oldest->last_seen_us))
			oldest = node;
	}
	if (!oldest)
		return false;
	HASH_DEL(nodes->table, oldest);
	free(oldest);
	return true;
}

static struct node *add(struct nodes *nodes, const char *name, struct vt_err *err)
{
	struct node *node;

	if (HASH_COUNT(nodes->table) >= NODES_MAX && !forget_one(nodes)) {
		vt_fail(err, ENOSPC, "node %s: %d nodes are connected, the limit of one server: use a second server",
		        name, NODES_MAX);
		return NULL;
	}
	node = calloc(1, sizeof(*node));
	if (!node) {
		vt_fail(err, ENOMEM, "node %s: no memory", name);
		return NULL;
	}
	strcpy(node->hello.name, name);
	node->down_at = UINT64_MAX;
	HASH_ADD_STR(nodes->table, hello.name, node);
	return node;
}

static struct node *find_or_add(struct nodes *nodes, const char *name, struct vt_err *err)
{
	struct node *node;

	HASH_FIND_STR(nodes->table, name, node);
	return node ? node : add(nodes, name, err);
}

static int check_boot(const struct node *node, uint64_t boot, struct vt_err *err)
{
	if (!node->stream || node->lost_boot != boot || node->hello.boot == boot)
		return 0;
	return vt_fail(err, EEXIST,
	               "node %s: another agent with this name is connected (boot %016" PRIx64
	               "): give each host a name of its own with --node NAME",
	               node->hello.name, node->hello.boot);
}

int nodes_connect(struct nodes *nodes, const struct node_hello *hello, struct stream *stream, bool *ret_new,
                  struct vt_err *err)
{
	struct node *node = find_or_add(nodes, hello->name, err);
	int rc = node ? check_boot(node, hello->boot, err) : -err->code;

	if (rc)
		return rc;
	*ret_new = node->hello.boot != hello->boot;
	if (*ret_new)
		node->lost_boot = node->hello.boot;
	if (node->stream)
		stream_end(node->stream);
	else
		nodes->connected++;
	node->hello = *hello;
	node->stream = stream;
	node->last_seen_us = vt_real_us();
	node->down_at = UINT64_MAX;
	return 0;
}

static void disconnect(struct nodes *nodes, struct node *node, uint64_t now_ns)
{
	node->stream = NULL;
	node->last_seen_us = vt_real_us();
	node->down_at = now_ns + NODES_GRACE_NS;
	nodes->connected--;
}

void nodes_closed(struct nodes *nodes, const struct stream *stream, uint64_t now_ns)
{
	struct node *node, *next;

	HASH_ITER (hh, nodes->table, node, next) {
		if (node->stream == stream)
			disconnect(nodes, node, now_ns);
	}
}

void nodes_hangup(struct nodes *nodes, uint64_t number)
{
	struct node *node, *next;

	HASH_ITER (hh, nodes->table, node, next) {
		if (node->stream && stream_number(node->stream) == number)
			stream_end(node->stream);
	}
}

bool nodes_connected(struct nodes *nodes, const char *name)
{
	struct node *node;

	HASH_FIND_STR(nodes->table, name, node);
	return node && node->stream;
}

/* What a batch says of a node whose stream has not come yet. */
static void take_identity(struct node *node, const struct vt_batch *batch)
{
	if (node->stream || node->hello.boot == batch->boot)
		return;
	node->hello.boot = batch->boot;
	node->hello.kind = batch->kind;
}

static void take_info(struct node *node, const struct vt_node_info *info)
{
	node->devices = info->devices;
	memcpy(node->hello.datapath, info->datapath, sizeof(node->hello.datapath));
	memcpy(node->hello.version, info->version, sizeof(node->hello.version));
}

void nodes_saw_batch(struct nodes *nodes, const struct vt_batch *batch)
{
	struct node *node = find_or_add(nodes, batch->node, NULL);

	if (!node)
		return;
	take_identity(node, batch);
	if (node->hello.boot != batch->boot)
		return;
	node->last_seen_us = vt_real_us();
	for (uint32_t i = 0; i < batch->n_items; i++) {
		if (batch->items[i].type == VT_ITEM_NODE)
			take_info(node, &batch->items[i].node);
	}
}

/* One line of a stream, with its newline; the caller frees it. NULL without memory. Takes the reference. */
static char *format_line(json_t *line, size_t *ret_n)
{
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;

	json_decref(line);
	if (!text)
		return NULL;
	*ret_n = strlen(text) + 1;
	text[*ret_n - 1] = '\n'; /* in place of the NUL */
	return text;
}

unsigned int nodes_broadcast(struct nodes *nodes, json_t *line)
{
	struct node *node, *next;
	unsigned int overrun = 0;
	size_t n = 0;
	char *text = format_line(line, &n);

	if (!text) { /* without memory: they come back and get a snapshot */
		nodes_end_streams(nodes);
		return nodes->connected;
	}
	HASH_ITER (hh, nodes->table, node, next) {
		if (!node->stream)
			continue;
		if (stream_push(node->stream, text, n))
			overrun++;
	}
	free(text);
	return overrun;
}

int nodes_send(struct stream *stream, json_t *line)
{
	size_t n = 0;
	char *text = format_line(line, &n);
	int rc;

	if (!text) {
		stream_end(stream);
		return -ENOMEM;
	}
	rc = stream_push(stream, text, n);
	free(text);
	return rc;
}

uint64_t nodes_expire(struct nodes *nodes, uint64_t now_ns, void (*down)(void *arg, const char *name), void *arg)
{
	struct node *node, *next;
	uint64_t due = UINT64_MAX;

	HASH_ITER (hh, nodes->table, node, next) {
		if (node->down_at <= now_ns) {
			node->down_at = UINT64_MAX;
			down(arg, node->hello.name);
		} else if (node->down_at < due) {
			due = node->down_at;
		}
	}
	return due;
}

void nodes_end_streams(struct nodes *nodes)
{
	struct node *node, *next;

	HASH_ITER (hh, nodes->table, node, next) {
		if (node->stream)
			stream_end(node->stream);
	}
}

static int by_name(const struct node *a, const struct node *b)
{
	return strcmp(a->hello.name, b->hello.name);
}

static json_t *node_to_json(const struct node *node)
{
	char seen[VT_TIME_TEXT];

	vt_time_format(node->last_seen_us, seen);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s}", "name", node->hello.name, "kind",
	                 vt_kind_name(node->hello.kind), "datapath", node->hello.datapath, "state",
	                 node->stream ? "connected" : "disconnected", "devices", (json_int_t)node->devices, "version",
	                 node->hello.version, "last_seen", seen);
}

json_t *nodes_to_json(struct nodes *nodes)
{
	json_t *list = json_array();
	struct node *node, *next;

	HASH_SORT(nodes->table, by_name);
	HASH_ITER (hh, nodes->table, node, next) {
		json_array_append_new(list, node_to_json(node));
	}
	return list;
}

void nodes_done(struct nodes *nodes)
{
	struct node *node, *next;

	HASH_ITER (hh, nodes->table, node, next) {
		HASH_DEL(nodes->table, node);
		free(node);
	}
}
