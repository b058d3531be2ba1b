// SPDX-License-Identifier: BSD-3-Clause
/*
 * vtrace run: one trace on this host alone. Agent, analysis and the task's life cycle run in one loop; the uplink
 * between them is a function call. What it prints is the same result that a server would give.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/host.h"
#include "agent/uplink_local.h"
#include "analysis/lifecycle.h"
#include "base/clock.h"
#include "cli/client_util.h"
#include "cli/options.h"
#include "cli/recordfile.h"
#include "cli/render.h"

#define MS          VT_MSEC_NS
#define TASK_ID     1
#define STEP_MS     1000 /* agent and life cycle wake up by themselves; this is for what they both may overlook */
#define SHOW_MS     200  /* how often the progress line changes: five times a second looks live */
#define SHOW_SHARE  20   /* of the time, at most one part in this goes into the progress line of a large trace */
#define SHUTDOWN_MS 100  /* nothing travels: it is over at once */

struct run {
	const struct options *opts;
	char node[VT_NODE_MAX];
	enum vt_kind kind;
	uint32_t mark_mask;
	const struct datapath_driver *driver;
	const char *driver_arg;
	struct vt_task task;
	int signals;
	struct datapath *dp;
	struct uplink *up;
	struct agent *agent;
	struct analysis *analysis;
	struct lifecycle life;
	struct recorder *recorder; /* NULL: none */
	bool interrupted;
	bool terminal;
	uint64_t show_at;
	int64_t created_us;
};

/* 0, or an exit status after saying what is wrong with the command line. */
static int run_options(const struct command_context *ctx, const struct options *opts, struct run *run)
{
	struct vt_err err = {0};
	int ret = options_task(opts, &run->task);

	if (ret)
		return ret;
	run->opts = opts;
	run->task.id = TASK_ID;
	run->driver =
	    datapath_find(ctx->drivers, ctx->n_drivers, options_get(opts, "datapath", NULL), &run->driver_arg, &err);
	if (!run->driver || agent_node_name(options_get(opts, "node", NULL), run->node, &err) < 0 ||
	    agent_kind(options_get(opts, "kind", NULL), &run->kind, &err) < 0 ||
	    agent_mark_mask(options_get(opts, "mark-mask", NULL), &run->mark_mask, &err) < 0)
		return command_fail("run", COMMAND_USAGE, "%s", err.text);
	return 0;
}

static int run_take(void *arg, const struct vt_batch *batch)
{
	struct run *run = arg;

	uint64_t now = vt_now_ns();

	analysis_batch(run->analysis, batch, now);
	if (run->recorder && !vt_state_final(run->life.state))
		recorder_batch(run->recorder, batch, now);
	return 0;
}

static void run_notice(void *arg, enum agent_notice notice, const char *text)
{
	/* A task that was refused is the result's error; the rest cannot happen within one process. */
}

/* Before anything else: a file that cannot be written must not cost a trace. */
static int run_record(struct run *run, struct vt_err *err)
{
	const char *path = options_get(run->opts, "record", NULL);

	return path ? recorder_open(path, &run->task, vt_now_ns(), &run->recorder, err) : 0;
}

static int run_open(struct run *run, struct vt_err *err)
{
	const struct datapath_config dp_config = {
	    .node = run->node, .mark_mask = run->mark_mask, .arg = run->driver_arg};
	struct agent_config config = {
	    .node = run->node, .kind = run->kind, .boot = agent_boot_id(), .notice = run_notice};
	int ret = run_record(run, err);

	if (ret < 0)
		return ret;
	run->signals = agent_signal_fd(err);
	if (run->signals < 0)
		return run->signals;
	ret = run->driver->open(&run->dp, &dp_config, err);
	if (ret < 0)
		return ret;
	config.wake_fd = run->signals;
	run->analysis = analysis_new(NULL);
	run->up = uplink_local_new(run_take, run);
	run->agent = run->analysis && run->up ? agent_new(run->dp, run->up, &config) : NULL;
	return run->agent ? 0 : vt_fail(err, ENOMEM, "out of memory or descriptors");
}

static void run_close(struct run *run)
{
	if (run->agent)
		agent_shutdown(run->agent, SHUTDOWN_MS);
	agent_free(run->agent);
	if (run->up)
		run->up->ops->close(run->up);
	if (run->dp)
		run->dp->ops->close(run->dp);
	if (run->analysis)
		analysis_free(run->analysis);
	if (run->signals >= 0)
		close(run->signals);
}

static int run_send(struct run *run, enum uplink_op op)
{
	const struct uplink_command command = {.op = op, .task = run->task};

	if (run->recorder && op != UPLINK_ARM)
		recorder_event(run->recorder, op == UPLINK_START ? "start" : "stop", vt_now_ns());
	return uplink_local_push(run->up, &command);
}

/* The result as it is now, completed as a server would; NULL without memory. */
static json_t *run_result(struct run *run, bool with_list)
{
	struct vt_result result = {0};
	json_t *json = NULL;

	if (!analysis_result(run->analysis, TASK_ID, with_list, &result)) {
		result.task = run->task;
		result.state = run->life.state;
		result.created_us = run->created_us;
		result.finished_us = vt_state_final(run->life.state) ? vt_real_us() : 0;
		snprintf(result.id, sizeof(result.id), "%d", TASK_ID);
		if (result.state == VT_FAILED)
			snprintf(result.error, sizeof(result.error), "%s",
			         result.n_failed ? result.failed[0].error : "the datapath did not answer within 1 s");
		json = vt_result_to_json(&result, with_list);
	}
	vt_result_done(&result);
	return json;
}

static void run_show(struct run *run)
{
	uint64_t now = vt_now_ns(), cost;
	json_t *json;

	if (!run->terminal || now < run->show_at)
		return;
	json = run_result(run, false);
	fputs("\r\033[K", stderr);
	render_progress(stderr, json);
	fflush(stderr);
	json_decref(json);
	cost = vt_now_ns() - now;
	run->show_at = now + (cost * SHOW_SHARE > SHOW_MS * MS ? cost * SHOW_SHARE : SHOW_MS * MS);
}

/*
 * The first interrupt ends colouring, and what is on its way is still awaited; a second one, or one before anything was
 * coloured, ends the trace.
 */
static void run_interrupt(struct run *run)
{
	uint64_t now = vt_now_ns();

	if (run->life.state == VT_TRACING && !run->interrupted)
		run->life.deadline = now;
	else
		lifecycle_cancel(&run->life, run->analysis, now);
	run->interrupted = true;
}

/* Carries out what the life cycle says until it has nothing more to say; true when the task has ended. */
static bool run_advance(struct run *run, uint64_t *ret_next)
{
	for (;;) {
		switch (lifecycle_advance(&run->life, run->analysis, vt_now_ns(), ret_next)) {
		case LIFECYCLE_WAIT:
			return false;
		case LIFECYCLE_START:
			run_send(run, UPLINK_START);
			break;
		case LIFECYCLE_STOP:
			run_send(run, UPLINK_STOP);
			break;
		case LIFECYCLE_FINISH:
			return true;
		}
	}
}

static int run_wait_ms(const struct run *run, uint64_t next)
{
	uint64_t now = vt_now_ns(), limit = now + (run->terminal ? SHOW_MS : STEP_MS) * MS;

	if (next > limit)
		next = limit;
	return next <= now ? 0 : (int)((next - now + MS - 1) / MS);
}

static int run_trace(struct run *run, struct vt_err *err)
{
	uint64_t next;
	int ret = lifecycle_begin(&run->life, run->analysis, &run->task, 1, vt_now_ns());

	if (!ret)
		ret = run_send(run, UPLINK_ARM);
	if (ret < 0)
		return vt_fail(err, -ret, "the trace could not begin: %s", strerror(-ret));
	while (!ret && !run_advance(run, &next)) {
		run_show(run);
		ret = agent_step(run->agent, run_wait_ms(run, next), err);
		if (agent_signal_take(run->signals))
			run_interrupt(run);
	}
	if (run->terminal)
		fputs("\r\033[K", stderr);
	return ret;
}

static int run_print(struct run *run)
{
	json_t *json = run_result(run, options_has(run->opts, "packets"));
	int status;

	if (!json)
		return command_fail("run", COMMAND_FAILED, "out of memory");
	status = cli_print_result(run->opts, json, true);
	json_decref(json);
	return status;
}

int cmd_run(const struct command_context *ctx, int argc, char **argv)
{
	struct run run = {.signals = -1, .terminal = isatty(STDERR_FILENO), .created_us = vt_real_us()};
	struct vt_err err = {0};
	struct options opts;
	int status = options_parse("run", argc, argv, &opts);

	if (!status)
		status = run_options(ctx, &opts, &run);
	if (status)
		return status;
	if (run_open(&run, &err) < 0 || run_trace(&run, &err) < 0)
		status = command_fail("run", COMMAND_FAILED, "%s", err.text);
	else
		status = run_print(&run);
	run_close(&run);
	if (recorder_close(run.recorder, &err) < 0)
		status = command_fail("run", COMMAND_FAILED, "%s", err.text);
	return status;
}
