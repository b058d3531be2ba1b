// SPDX-License-Identifier: BSD-3-Clause
/*
 * See recordfile.h. Time is the file's own: it begins at RECORDFILE_START and moves where a line says "at_ms". Lines of
 * one node that follow each other become one batch; they are numbered here unless a line says "batch".
 */
#include "analysis/recordfile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define MS               1000000ULL
#define RECORDFILE_START (60000 * MS) /* later than all buffers, so that no window begins before time does */
#define RECORDFILE_STEP  (100 * MS)   /* how often nodes say "progress" after the end of the file, as agents do */
#define RECORDFILE_TAIL  (60000 * MS) /* ten times what any packet waits */
#define AT_MS_MAX        86400000.0   /* a day */

struct source {
	char node[VT_NODE_MAX];
	uint64_t boot, next_number;
	uint64_t lost;
	enum vt_kind kind;
	bool reported; /* its last line was a progress event: it has told everything */
	UT_hash_handle hh;
};

struct recordfile {
	struct analysis *a;
	uint64_t now;
	bool started, explicit_tasks;
	unsigned int n_tasks;
	uint32_t tasks[RECORDFILE_TASKS_MAX];
	struct source *sources;
	struct vt_batch batch; /* being filled; n_items 0: none */
	struct vt_item items[VT_BATCH_ITEMS_MAX];
};

struct recordfile *recordfile_new(struct analysis *a)
{
	struct recordfile *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->a = a;
	file->now = RECORDFILE_START;
	file->batch.items = file->items;
	return file;
}

void recordfile_free(struct recordfile *file)
{
	struct source *source, *next;

	if (!file)
		return;
	HASH_ITER (hh, file->sources, source, next) {
		HASH_DEL(file->sources, source);
		free(source);
	}
	free(file);
}

unsigned int recordfile_tasks(const struct recordfile *file, const uint32_t **ret_ids)
{
	*ret_ids = file->tasks;
	return file->n_tasks;
}

static void flush(struct recordfile *file)
{
	if (file->batch.n_items)
		analysis_batch(file->a, &file->batch, file->now);
	file->batch.n_items = 0;
}

/* Moves the clock on, doing what is due on the way when it is due. */
static void move_clock(struct recordfile *file, uint64_t now)
{
	uint64_t next;

	flush(file);
	while ((next = analysis_advance(file->a, file->now)) <= now)
		file->now = next;
	file->now = now;
	analysis_advance(file->a, now);
}

static struct source *source_get(struct recordfile *file, const char *node)
{
	struct source *source;

	HASH_FIND_STR(file->sources, node, source);
	if (source)
		return source;
	source = calloc(1, sizeof(*source));
	if (!source)
		return NULL;
	strncpy(source->node, node, sizeof(source->node) - 1);
	source->kind = VT_KIND_VSWITCH;
	source->boot = 1;
	source->next_number = 1;
	HASH_ADD_STR(file->sources, node, source);
	return source;
}

/* Room for one more item of this node, in the batch that the line belongs to. */
static struct vt_item *next_item(struct recordfile *file, struct source *source, uint64_t boot, uint64_t number)
{
	struct vt_batch *batch = &file->batch;
	struct vt_item *item;

	if (boot && boot != source->boot) {
		source->boot = boot;
		source->next_number = 1;
		source->lost = 0;
	}
	if (batch->n_items && (strcmp(batch->node, source->node) || batch->boot != source->boot ||
	                       (number && number != batch->number) || batch->n_items == VT_BATCH_ITEMS_MAX))
		flush(file);
	if (!batch->n_items) {
		memcpy(batch->node, source->node, sizeof(batch->node));
		batch->kind = source->kind;
		batch->boot = source->boot;
		batch->number = number ? number : source->next_number;
		if (batch->number >= source->next_number)
			source->next_number = batch->number + 1;
	}
	item = &file->items[batch->n_items++];
	memset(item, 0, sizeof(*item));
	return item;
}

static int add_task(struct recordfile *file, const struct vt_task *task, struct vt_err *err)
{
	int ret;

	if (file->n_tasks >= RECORDFILE_TASKS_MAX)
		return vt_fail(err, ENOSPC, "more than %d tasks in one file", RECORDFILE_TASKS_MAX);
	ret = analysis_begin(file->a, task, file->now);
	if (ret < 0)
		return vt_fail(err, -ret, "task %u: %s", task->id, strerror(-ret));
	file->tasks[file->n_tasks++] = task->id;
	return 0;
}

static int take_task(struct recordfile *file, const json_t *json, struct vt_err *err)
{
	struct vt_task task;
	int ret = vt_task_from_json(json, &task, err);

	if (ret < 0)
		return ret;
	if (file->started)
		return vt_fail(err, EINVAL, "a task comes behind records: put it first");
	file->explicit_tasks = true;
	return add_task(file, &task, err);
}

static void start(struct recordfile *file)
{
	flush(file);
	for (unsigned int i = 0; i < file->n_tasks; i++)
		analysis_start(file->a, file->tasks[i], file->now);
	file->started = true;
}

/* A file without task lines has the tasks that its coloured records name. */
static int task_of_record(struct recordfile *file, const struct vt_record *rec, struct vt_err *err)
{
	struct vt_task task = {.id = rec->task, .packet_count = VT_COUNT_MAX, .trace_time_ms = VT_TIME_DEFAULT_MS};

	if (file->explicit_tasks || !(rec->flags & VT_REC_COLOURED) || !rec->task)
		return 0;
	for (unsigned int i = 0; i < file->n_tasks; i++) {
		if (file->tasks[i] == rec->task)
			return 0;
	}
	return add_task(file, &task, err);
}

static int take_record(struct recordfile *file, const json_t *json, uint64_t number, struct vt_err *err)
{
	char node[VT_NODE_MAX] = "";
	struct source *source;
	struct vt_item *item;
	struct vt_log log;
	uint64_t boot = 0;
	int ret = vt_log_from_json(json, &log, node, &boot, err);

	if (ret < 0)
		return ret;
	if (!*node)
		return vt_fail(err, EINVAL, "the record has no \"node\"");
	ret = task_of_record(file, &log.rec, err);
	if (ret < 0)
		return ret;
	if (!file->started)
		start(file);
	source = source_get(file, node);
	if (!source)
		return vt_fail(err, ENOMEM, "no memory for node %s", node);
	item = next_item(file, source, boot, number);
	item->type = VT_ITEM_RECORD;
	item->log = log;
	source->reported = false;
	return 0;
}

static int parse_addr(const char *text, uint8_t addr[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (text && inet_pton(AF_INET, text, addr + 12) == 1) {
		memcpy(addr, mapped, sizeof(mapped));
		return 0;
	}
	return text && inet_pton(AF_INET6, text, addr) == 1 ? 0 : -EINVAL;
}

static void copy_name(char *to, size_t size, const json_t *from)
{
	if (json_is_string(from))
		strncpy(to, json_string_value(from), size - 1);
}

static int fill_node(struct vt_item *item, const json_t *json, struct vt_err *err)
{
	const json_t *addrs = json_object_get(json, "addrs"), *addr;
	size_t i;

	copy_name(item->node.datapath, VT_NAME_MAX, json_object_get(json, "datapath"));
	copy_name(item->node.version, VT_NAME_MAX, json_object_get(json, "version"));
	item->node.devices = (uint32_t)json_integer_value(json_object_get(json, "devices"));
	if (json_array_size(addrs) > VT_NODE_ADDRS_MAX)
		return vt_fail(err, EINVAL, "more than %d \"addrs\"", VT_NODE_ADDRS_MAX);
	json_array_foreach (addrs, i, addr) {
		if (parse_addr(json_string_value(addr), item->node.addrs[i]) < 0)
			return vt_fail(err, EINVAL, "\"addrs\"[%zu] is not an IPv4 or IPv6 address", i);
	}
	item->node.n_addrs = (uint32_t)json_array_size(addrs);
	return 0;
}

static int fill_item(struct recordfile *file, struct source *source, struct vt_item *item, const char *event,
                     const json_t *json, struct vt_err *err)
{
	const json_t *coloured = json_object_get(json, "coloured"), *task = json_object_get(json, "task");

	item->task = json_is_integer(task) ? (uint32_t)json_integer_value(task) : file->n_tasks ? file->tasks[0] : 1;
	source->reported = !strcmp(event, "progress");
	if (!strcmp(event, "node")) {
		item->type = VT_ITEM_NODE;
		return fill_node(item, json, err);
	}
	if (!strcmp(event, "armed")) {
		item->type = VT_ITEM_ARMED;
	} else if (!strcmp(event, "failed")) {
		item->type = VT_ITEM_FAILED;
		copy_name(item->text, sizeof(item->text), json_object_get(json, "text"));
	} else if (!strcmp(event, "stopped")) {
		item->type = VT_ITEM_STOPPED;
		for (size_t d = 0; d < 2; d++)
			item->coloured[d] = (uint64_t)json_integer_value(json_array_get(coloured, d));
	} else {
		item->type = VT_ITEM_PROGRESS;
		if (json_is_integer(json_object_get(json, "lost")))
			source->lost = (uint64_t)json_integer_value(json_object_get(json, "lost"));
		item->progress.lost = source->lost;
		item->progress.seq = (uint64_t)json_integer_value(json_object_get(json, "seq"));
		item->progress.time_ns = (uint64_t)json_integer_value(json_object_get(json, "time_ns"));
	}
	return 0;
}

static bool known_event(const char *event)
{
	static const char *const events[] = {"node", "armed", "failed", "stopped", "progress"};

	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
		if (!strcmp(event, events[i]))
			return true;
	}
	return false;
}

static int take_node_event(struct recordfile *file, const char *event, const json_t *json, uint64_t number,
                           struct vt_err *err)
{
	const char *name = json_string_value(json_object_get(json, "node"));
	const char *kind = json_string_value(json_object_get(json, "kind"));
	const char *boot_text = json_string_value(json_object_get(json, "boot"));
	uint64_t boot = boot_text ? strtoull(boot_text, NULL, 16) : 0; /* hexadecimal text, as in records */
	struct source *source;
	struct vt_item *item;
	int ret;

	if (!name || !*name || strlen(name) >= VT_NODE_MAX)
		return vt_fail(err, EINVAL, "event \"%s\" needs a \"node\" of 1 to %d bytes", event, VT_NODE_MAX - 1);
	source = source_get(file, name);
	if (!source)
		return vt_fail(err, ENOMEM, "no memory for node %s", name);
	if (kind && vt_kind_parse(kind, &source->kind) < 0)
		return vt_fail(err, EINVAL, "\"kind\" is \"%s\", not vswitch or vrouter", kind);
	if (!strcmp(event, "down")) {
		flush(file);
		source->reported = false;
		analysis_node_down(file->a, name, file->now);
		return 0;
	}
	item = next_item(file, source, boot, number);
	ret = fill_item(file, source, item, event, json, err);
	file->batch.kind = source->kind;
	if (ret < 0)
		file->batch.n_items--;
	return ret;
}

static int take_event(struct recordfile *file, const char *event, const json_t *json, uint64_t number,
                      struct vt_err *err)
{
	if (!strcmp(event, "start")) {
		start(file);
		return 0;
	}
	if (!strcmp(event, "stop")) {
		flush(file);
		for (unsigned int i = 0; i < file->n_tasks; i++)
			analysis_stop(file->a, file->tasks[i], file->now);
		return 0;
	}
	if (!known_event(event) && strcmp(event, "down"))
		return vt_fail(err, EINVAL,
		               "unknown event \"%s\": start, stop, node, armed, failed, stopped, progress or down",
		               event);
	return take_node_event(file, event, json, number, err);
}

static int take_time(struct recordfile *file, const json_t *at, struct vt_err *err)
{
	double ms = json_number_value(at);
	uint64_t now;

	if (!at)
		return 0;
	if (!json_is_number(at) || ms < 0 || ms > AT_MS_MAX)
		return vt_fail(err, EINVAL, "\"at_ms\" is not a number from 0 to %.0f", AT_MS_MAX);
	now = RECORDFILE_START + (uint64_t)(ms * (double)MS);
	if (now < file->now)
		return vt_fail(err, EINVAL, "\"at_ms\" goes back in time: lines are in order of arrival");
	if (now > file->now)
		move_clock(file, now);
	return 0;
}

static int take_line(struct recordfile *file, const json_t *json, struct vt_err *err)
{
	const json_t *event = json_object_get(json, "event"), *task = json_object_get(json, "task");
	const json_t *number = json_object_get(json, "batch");
	int ret = take_time(file, json_object_get(json, "at_ms"), err);

	if (ret < 0)
		return ret;
	if (number && (!json_is_integer(number) || json_integer_value(number) < 1))
		return vt_fail(err, EINVAL, "\"batch\" is not a number from 1 on");
	if (json_is_object(task))
		return take_task(file, task, err);
	if (event && !json_is_string(event))
		return vt_fail(err, EINVAL, "\"event\" is not a string");
	if (event)
		return take_event(file, json_string_value(event), json, (uint64_t)json_integer_value(number), err);
	return take_record(file, json, (uint64_t)json_integer_value(number), err);
}

int recordfile_line(struct recordfile *file, const char *line, struct vt_err *err)
{
	json_error_t at;
	json_t *json;
	int ret;

	if (line[strspn(line, " \t\r\n")] == '\0')
		return 0;
	json = json_loads(line, 0, &at);
	if (!json)
		return vt_fail(err, EINVAL, "not JSON at column %d: %s", at.column, at.text);
	if (json_is_object(json))
		ret = take_line(file, json, err);
	else
		ret = vt_fail(err, EINVAL, "not a JSON object");
	json_decref(json);
	return ret;
}

static bool all_settled(const struct recordfile *file)
{
	struct analysis_progress progress;

	for (unsigned int i = 0; i < file->n_tasks; i++) {
		if (analysis_progress(file->a, file->tasks[i], &progress) == 0 && progress.unsettled)
			return false;
	}
	return true;
}

int recordfile_finish(struct recordfile *file, struct vt_err *err)
{
	uint64_t end;

	flush(file);
	if (!file->n_tasks)
		return vt_fail(err, EINVAL, "neither a task nor a coloured record in it: nothing to analyse");
	if (!file->started)
		start(file);
	for (unsigned int i = 0; i < file->n_tasks; i++)
		analysis_stop(file->a, file->tasks[i], file->now);
	for (end = file->now + RECORDFILE_TAIL; file->now < end && !all_settled(file);) {
		move_clock(file, file->now + RECORDFILE_STEP);
		for (struct source *source = file->sources; source; source = source->hh.next) {
			struct vt_item *item = source->reported ? next_item(file, source, 0, 0) : NULL;

			if (!item)
				continue;
			item->type = VT_ITEM_PROGRESS;
			item->progress.lost = source->lost;
		}
		flush(file);
	}
	return 0;
}
