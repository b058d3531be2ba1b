// SPDX-License-Identifier: BSD-3-Clause
/* Tasks as JSON: what the agents' stream carries, and what a user asks for with POST /v1/traces. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/json.h"
#include "core/result.h"

json_t *vt_task_to_json(const struct vt_task *task)
{
	char filter[VT_FILTER_MAX];

	vt_filter_format(&task->filter, filter);
	return json_pack("{s:I, s:s, s:b, s:I, s:I}", "id", (json_int_t)task->id, "filter", filter, "bidirectional",
	                 task->bidirectional, "packet_count", (json_int_t)task->packet_count, "trace_time_ms",
	                 (json_int_t)task->trace_time_ms);
}

/* The members that both forms have. */
static int read_common(const struct json_in *in, struct vt_task *task)
{
	const json_t *filter = json_object_get(in->object, "filter");
	uint64_t count = VT_COUNT_DEFAULT;
	int ret;

	if (!json_is_object(in->object))
		return vt_fail(in->err, EINVAL, "%s: not a JSON object", in->what);
	if (!json_is_string(filter) || strlen(json_string_value(filter)) != json_string_length(filter))
		return vt_fail(in->err, EINVAL, "%s: \"filter\" is missing or not a string", in->what);
	ret = vt_filter_parse(json_string_value(filter), &task->filter, in->err);
	if (ret)
		return ret;
	ret = json_read_bool(in, "bidirectional", &task->bidirectional);
	if (ret)
		return ret;
	ret = json_read_uint(in, "packet_count", 1, VT_COUNT_MAX, &count);
	task->packet_count = (uint32_t)count;
	return ret;
}

int vt_task_from_json(const json_t *json, struct vt_task *ret_task, struct vt_err *err)
{
	struct json_in in = {.object = json, .what = "task", .err = err};
	uint64_t id = 0, time_ms = VT_TIME_DEFAULT_MS;
	struct vt_task task = {0};
	int ret;

	ret = read_common(&in, &task);
	if (ret)
		return ret;
	ret = json_read_uint(&in, "id", 1, UINT32_MAX, &id);
	if (ret)
		return ret;
	if (!id)
		return vt_fail(err, EINVAL, "task: \"id\" is missing");
	ret = json_read_uint(&in, "trace_time_ms", 1, VT_TIME_MAX_MS, &time_ms);
	if (ret)
		return ret;
	task.id = (uint32_t)id;
	task.trace_time_ms = (uint32_t)time_ms;
	*ret_task = task;
	return 0;
}

static int check_members(const json_t *json, struct vt_err *err)
{
	static const char *const known[] = {"filter", "packet_count", "trace_time", "bidirectional"};
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)json, name, value) {
		bool found = false;

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			found = found || !strcmp(name, known[i]);
		if (!found)
			return vt_fail(err, EINVAL,
			               "trace: \"%.32s\" is not a member of a request (they are: filter, packet_count, "
			               "trace_time, bidirectional)",
			               name);
	}
	return 0;
}

int vt_task_from_request(const json_t *json, struct vt_task *ret_task, struct vt_err *err)
{
	struct json_in in = {.object = json, .what = "trace", .err = err};
	struct vt_task task = {.trace_time_ms = VT_TIME_DEFAULT_MS};
	const json_t *seconds = json_object_get(json, "trace_time");
	int ret;

	ret = read_common(&in, &task);
	if (!ret)
		ret = check_members(json, err);
	if (ret)
		return ret;
	if (seconds && !json_is_null(seconds)) {
		double ms = round(json_number_value(seconds) * 1000);

		if (!json_is_number(seconds) || !(ms >= 1 && ms <= VT_TIME_MAX_MS))
			return vt_fail(err, EINVAL,
			               "trace: \"trace_time\" must be a number of seconds from 0.001 to %d",
			               VT_TIME_MAX_MS / 1000);
		task.trace_time_ms = (uint32_t)ms;
	}
	*ret_task = task;
	return 0;
}
