// SPDX-License-Identifier: BSD-3-Clause
/* The limits of a task; see task.h. */
#include "core/task.h"

#include <errno.h>

int vt_task_check(const struct vt_task *task, struct vt_err *err)
{
	if (task->packet_count < 1 || task->packet_count > VT_COUNT_MAX)
		return vt_fail(err, EINVAL, "packet_count (--count) %u is out of range: it is 1 to %u",
		               task->packet_count, VT_COUNT_MAX);
	if (task->trace_time_ms < 1 || task->trace_time_ms > VT_TIME_MAX_MS)
		return vt_fail(err, EINVAL, "trace_time (--time) %g s is out of range: it is 0.001 to %u s",
		               task->trace_time_ms / 1000.0, VT_TIME_MAX_MS / 1000);
	return 0;
}
