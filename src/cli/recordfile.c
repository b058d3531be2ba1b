// SPDX-License-Identifier: BSD-3-Clause
/* Items as lines of JSON; see recordfile.h. */
#include "cli/recordfile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/result.h"

struct recorder {
	FILE *file;
	char *path;
	uint64_t begin; /* ns */
	bool failed;
};

/* Writes a line with its time; takes the reference. */
static void write_line(struct recorder *recorder, json_t *json, uint64_t now)
{
	json_t *at_ms = json_real((double)(now - recorder->begin) / 1e6);

	if (!json || json_object_set_new(json, "at_ms", at_ms) < 0 ||
	    json_dumpf(json, recorder->file, JSON_COMPACT | JSON_REAL_PRECISION(12)) < 0 ||
	    fputc('\n', recorder->file) == EOF)
		recorder->failed = true;
	json_decref(json);
}

static json_t *node_json(const struct vt_node_info *info)
{
	json_t *addrs = json_array();

	for (uint32_t i = 0; i < info->n_addrs && i < VT_NODE_ADDRS_MAX; i++) {
		char text[INET6_ADDRSTRLEN];

		vt_addr_format(info->addrs[i], text, sizeof(text));
		json_array_append_new(addrs, json_string(text));
	}
	return json_pack("{s:s, s:s, s:s, s:I, s:o}", "event", "node", "datapath", info->datapath, "version",
	                 info->version, "devices", (json_int_t)info->devices, "addrs", addrs);
}

static json_t *answer_json(const struct vt_item *item)
{
	json_int_t task = item->task;

	switch (item->type) {
	case VT_ITEM_ARMED:
		return json_pack("{s:s, s:I}", "event", "armed", "task", task);
	case VT_ITEM_FAILED:
		return json_pack("{s:s, s:I, s:s}", "event", "failed", "task", task, "text", item->text);
	case VT_ITEM_STOPPED:
		return json_pack("{s:s, s:I, s:[I, I]}", "event", "stopped", "task", task, "coloured",
		                 (json_int_t)item->coloured[0], (json_int_t)item->coloured[1]);
	case VT_ITEM_PROGRESS:
		return json_pack("{s:s, s:I, s:I, s:I}", "event", "progress", "lost", (json_int_t)item->progress.lost,
		                 "seq", (json_int_t)item->progress.seq, "time_ns", (json_int_t)item->progress.time_ns);
	case VT_ITEM_NODE:
		return node_json(&item->node);
	case VT_ITEM_RECORD:
	case VT_ITEM_STARTED:
		break;
	}
	return NULL;
}

static json_t *item_json(const struct vt_item *item, const struct vt_batch *batch)
{
	json_t *json;

	if (item->type == VT_ITEM_RECORD) {
		json = vt_log_to_json(&item->log, batch->node, batch->boot);
		json_object_del(json, "boot");
		return json;
	}
	json = answer_json(item);
	json_object_set_new(json, "node", json_string(batch->node));
	json_object_set_new(json, "kind", json_string(vt_kind_name(batch->kind)));
	return json;
}

void recorder_batch(struct recorder *recorder, const struct vt_batch *batch, uint64_t now)
{
	for (uint32_t i = 0; i < batch->n_items; i++)
		if (batch->items[i].type != VT_ITEM_STARTED) /* says nothing about packets */
			write_line(recorder, item_json(&batch->items[i], batch), now);
}

void recorder_event(struct recorder *recorder, const char *event, uint64_t now)
{
	write_line(recorder, json_pack("{s:s}", "event", event), now);
}

int recorder_open(const char *path, const struct vt_task *task, uint64_t now, struct recorder **ret, struct vt_err *err)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));

	if (!recorder)
		return vt_fail(err, ENOMEM, "out of memory");
	recorder->path = strdup(path);
	recorder->file = fopen(path, "we");
	recorder->begin = now;
	if (!recorder->path || !recorder->file) {
		int code = recorder->file ? ENOMEM : errno;

		recorder_close(recorder, NULL);
		return vt_fail(err, code, "cannot write the record file %s: %s", path, strerror(code));
	}
	write_line(recorder, json_pack("{s:o}", "task", vt_task_to_json(task)), now);
	*ret = recorder;
	return 0;
}

int recorder_close(struct recorder *recorder, struct vt_err *err)
{
	int ret = 0;

	if (!recorder)
		return 0;
	if (recorder->file && (fclose(recorder->file) || recorder->failed))
		ret = vt_fail(err, EIO, "the record file %s is not complete (is the disk full?)", recorder->path);
	free(recorder->path);
	free(recorder);
	return ret;
}
