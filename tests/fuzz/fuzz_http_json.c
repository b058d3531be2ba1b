// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any bytes as JSON from outside: the body of POST /v1/traces, a task on the agents' stream, a line of a record file.
 * Each is refused with a reason, or what was read survives being written again.
 */
#include <stdlib.h>
#include <string.h>

#include "core/result.h"
#include "fuzz.h"

static void try_request(const json_t *json)
{
	struct vt_err err = {0};
	struct vt_task task;

	if (vt_task_from_request(json, &task, &err))
		fuzz_check(err.code && err.text[0]);
	else
		fuzz_check(!vt_task_check(&task, &err) && task.id == 0);
}

static void try_task(const json_t *json)
{
	struct vt_task task = {0}, again = {0};
	struct vt_err err = {0};
	json_t *written;

	if (vt_task_from_json(json, &task, &err)) {
		fuzz_check(err.code && err.text[0]);
		return;
	}
	written = vt_task_to_json(&task);
	fuzz_check(written && !vt_task_from_json(written, &again, &err) && again.id == task.id &&
	           again.bidirectional == task.bidirectional && again.packet_count == task.packet_count &&
	           again.trace_time_ms == task.trace_time_ms &&
	           !memcmp(&again.filter, &task.filter, sizeof(task.filter)));
	json_decref(written);
}

static void try_log(const json_t *json)
{
	char node[VT_NODE_MAX], node_again[VT_NODE_MAX];
	struct vt_err err = {0};
	uint64_t boot, boot_again;
	struct vt_log log, again;
	json_t *written;

	if (vt_log_from_json(json, &log, node, &boot, &err)) {
		fuzz_check(err.code && err.text[0]);
		return;
	}
	written = vt_log_to_json(&log, node, boot);
	fuzz_check(written && !vt_log_from_json(written, &again, node_again, &boot_again, &err));
	fuzz_check(!memcmp(&log, &again, sizeof(log)) && !strcmp(node, node_again) && boot == boot_again);
	json_decref(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

	if (!json)
		return 0;
	try_request(json);
	try_task(json);
	try_log(json);
	json_decref(json);
	return 0;
}
