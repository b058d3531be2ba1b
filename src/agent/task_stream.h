// SPDX-License-Identifier: BSD-3-Clause
/*
 * The server's stream of JSON lines (GET /v1/agent/tasks), turned into commands. Fed with whatever pieces the network
 * delivers; knows nothing of HTTP. One object a line:
 *   {"op":"snapshot","tasks":[{TASK,"started":bool,"stopped":bool}...]}   always first, then changes
 *   {"op":"arm","task":{TASK}}  {"op":"start","id":N}  {"op":"stop","id":N}  {"op":"disarm","id":N}  {"op":"heartbeat"}
 * with TASK as vt_task_from_json() reads it. Unknown ops are passed over, so that a newer server can say more.
 */
#ifndef VT_AGENT_TASK_STREAM_H
#define VT_AGENT_TASK_STREAM_H

#include <jansson.h>

#include "agent/command_queue.h"

#define TASK_STREAM_LINE_MAX (1024 * 1024) /* bytes; a snapshot of 256 tasks with the longest filters has 200 KiB */

struct task_stream {
	struct command_queue *commands; /* where they go */
	bool up;                        /* the snapshot came: UPLINK_UP was said */
	char *line;                     /* the beginning of a line whose end has not come yet */
	size_t used, room;
};

/* Takes bytes. -EBADMSG: this is no stream of ours, or a line is too long; -ENOBUFS; -ENOMEM. Then only reset may
 * follow. */
int task_stream_feed(struct task_stream *stream, const char *bytes, size_t n, struct vt_err *err);

/* A new connection begins: forgets half a line and the snapshot. */
void task_stream_reset(struct task_stream *stream);

void task_stream_done(struct task_stream *stream);

#endif
