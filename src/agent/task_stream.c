// SPDX-License-Identifier: BSD-3-Clause
/* Lines to commands; see task_stream.h. */
#include "agent/task_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/result.h"

#define SNAPSHOT_MAX 1024 /* tasks; four times what a node can arm, more would only be refused one by one */

static int stream_push(struct task_stream *stream, const struct uplink_command *command, struct vt_err *err)
{
	int ret = command_queue_add(stream->commands, command);

	return ret < 0 ? vt_fail(err, -ret, "the server sends commands faster than they can be carried out") : 0;
}

static int stream_id(const json_t *json, uint32_t *ret_id, struct vt_err *err)
{
	json_int_t id = json_integer_value(json_object_get(json, "id"));

	if (id < 1 || id > UINT32_MAX)
		return vt_fail(err, EBADMSG, "the server named a task without a valid id");
	*ret_id = (uint32_t)id;
	return 0;
}

/* A task that cannot be read is passed on with the reason: the agent answers FAILED, which the user gets to see. */
static int stream_arm(struct task_stream *stream, const json_t *json, struct vt_err *err)
{
	struct uplink_command command = {.op = UPLINK_ARM};
	struct vt_err why = {0};
	uint32_t id = 0;
	int ret = stream_id(json, &id, err);

	if (ret < 0)
		return ret;
	if (vt_task_from_json(json, &command.task, &why) < 0)
		command.text = why.text;
	command.task.id = id;
	return stream_push(stream, &command, err);
}

static int stream_change(struct task_stream *stream, enum uplink_op op, const json_t *json, struct vt_err *err)
{
	struct uplink_command command = {.op = op};
	int ret = stream_id(json, &command.task.id, err);

	return ret < 0 ? ret : stream_push(stream, &command, err);
}

/* A task of the snapshot is brought to where it is now, step by step; the agent passes over steps it has taken already.
 */
static int stream_task(struct task_stream *stream, const json_t *json, struct vt_err *err)
{
	bool stopped = json_is_true(json_object_get(json, "stopped"));
	int ret = stream_arm(stream, json, err);

	if (!ret && !stopped && json_is_true(json_object_get(json, "started")))
		ret = stream_change(stream, UPLINK_START, json, err);
	if (!ret && stopped)
		ret = stream_change(stream, UPLINK_STOP, json, err);
	return ret;
}

static int stream_snapshot(struct task_stream *stream, const json_t *tasks, struct vt_err *err)
{
	struct uplink_command up = {.op = UPLINK_UP}, command = {.op = UPLINK_SNAPSHOT};
	uint32_t ids[SNAPSHOT_MAX];
	size_t i;
	json_t *task;
	int ret = 0;

	if (!json_is_array(tasks) || json_array_size(tasks) > SNAPSHOT_MAX)
		return vt_fail(err, EBADMSG, "the server's snapshot has no list of at most %d tasks", SNAPSHOT_MAX);
	json_array_foreach (tasks, i, task) {
		ret = stream_id(task, &ids[i], err);
		if (ret < 0)
			return ret;
	}
	command.snapshot = ids;
	command.n_snapshot = (uint32_t)json_array_size(tasks);
	if (!stream->up)
		ret = stream_push(stream, &up, err);
	stream->up = true;
	if (!ret)
		ret = stream_push(stream, &command, err);
	json_array_foreach (tasks, i, task) {
		if (!ret)
			ret = stream_task(stream, task, err);
	}
	return ret;
}

static int stream_object(struct task_stream *stream, const json_t *json, struct vt_err *err)
{
	const char *op = json_string_value(json_object_get(json, "op"));

	if (!op)
		return vt_fail(err, EBADMSG, "the server's stream of tasks has a line without \"op\"");
	if (!strcmp(op, "snapshot"))
		return stream_snapshot(stream, json_object_get(json, "tasks"), err);
	if (!stream->up)
		return vt_fail(err, EBADMSG, "the server's stream of tasks does not begin with a snapshot");
	if (!strcmp(op, "arm"))
		return stream_arm(stream, json_object_get(json, "task"), err);
	if (!strcmp(op, "start"))
		return stream_change(stream, UPLINK_START, json, err);
	if (!strcmp(op, "stop"))
		return stream_change(stream, UPLINK_STOP, json, err);
	if (!strcmp(op, "disarm"))
		return stream_change(stream, UPLINK_DISARM, json, err);
	return 0; /* a heartbeat, or something newer than this agent */
}

static int stream_line(struct task_stream *stream, const char *line, size_t n, struct vt_err *err)
{
	json_t *json;
	int ret;

	while (n && (line[n - 1] == '\r' || line[n - 1] == ' '))
		n--;
	if (!n)
		return 0;
	json = json_loadb(line, n, 0, NULL);
	if (!json)
		return vt_fail(err, EBADMSG, "the server's stream of tasks has a line that is not JSON");
	ret = stream_object(stream, json, err);
	json_decref(json);
	return ret;
}

static int stream_keep(struct task_stream *stream, const char *bytes, size_t n, struct vt_err *err)
{
	if (!n)
		return 0;
	if (stream->used + n > TASK_STREAM_LINE_MAX)
		return vt_fail(err, EBADMSG, "the server's stream of tasks has a line of more than %d bytes",
		               TASK_STREAM_LINE_MAX);
	if (stream->used + n > stream->room) {
		size_t room = 2 * (stream->used + n);
		char *grown = realloc(stream->line, room);

		if (!grown)
			return vt_fail(err, ENOMEM, "out of memory");
		stream->line = grown;
		stream->room = room;
	}
	memcpy(stream->line + stream->used, bytes, n);
	stream->used += n;
	return 0;
}

int task_stream_feed(struct task_stream *stream, const char *bytes, size_t n, struct vt_err *err)
{
	int ret = 0;

	while (n && !ret) {
		const char *newline = memchr(bytes, '\n', n);
		size_t length = newline ? (size_t)(newline - bytes) : n;

		ret = stream_keep(stream, bytes, length, err);
		if (ret || !newline)
			return ret;
		ret = stream_line(stream, stream->line, stream->used, err);
		stream->used = 0;
		bytes = newline + 1;
		n -= length + 1;
	}
	return ret;
}

void task_stream_reset(struct task_stream *stream)
{
	stream->used = 0;
	stream->up = false;
}

void task_stream_done(struct task_stream *stream)
{
	free(stream->line);
	stream->line = NULL;
	stream->used = stream->room = 0;
}
