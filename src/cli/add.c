// SPDX-License-Identifier: BSD-3-Clause
/* vtrace add: starts a trace; with --wait shows its progress and its result. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/client_util.h"
#include "cli/render.h"

#define POLL_S 1 /* one request takes at most that long: how often progress is shown and an interrupt is seen */

static volatile sig_atomic_t add_interrupted;

static void add_interrupt(int signal)
{
	(void)signal;
	add_interrupted = 1;
}

/* The first interrupt cancels the trace, a second one ends the program. */
static void interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = add_interrupt, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Overwrites the line of before; on a terminal only. */
static void progress_show(const char *id, const json_t *trace)
{
	fprintf(stderr, "\r\033[Ktrace %s  ", id);
	render_progress(stderr, trace);
	fflush(stderr);
}

static void progress_clear(void)
{
	fputs("\r\033[K", stderr);
	fflush(stderr);
}

/* Polls until the trace is final. The server holds each answer back until then, so this returns at that moment. */
static int trace_await(struct vtrace_client *client, const char *id, unsigned int flags, json_t **ret_trace,
                       struct vtrace_error *error)
{
	bool terminal = isatty(STDERR_FILENO), cancelled = false;
	int code;

	for (;;) {
		json_t *trace;

		if (add_interrupted && !cancelled) {
			cancelled = true;
			code = vtrace_cancel(client, id, error);
			if (code && code != VTRACE_ENDED) /* it may have ended by itself just now */
				break;
		}
		code = client_trace(client, id, flags, POLL_S, &trace, error);
		if (code)
			break;
		if (client_state_final(json_string_value(json_object_get(trace, "state")))) {
			*ret_trace = trace;
			break;
		}
		if (terminal)
			progress_show(id, trace);
		json_decref(trace);
	}
	if (terminal)
		progress_clear();
	return code;
}

static int add_wait(struct vtrace_client *client, const struct options *opts, const char *id)
{
	unsigned int flags = options_has(opts, "packets") ? VTRACE_PACKETS : 0;
	struct vtrace_error error;
	json_t *trace;
	int status;

	interrupt_catch();
	if (trace_await(client, id, flags, &trace, &error))
		return cli_fail(opts, &error);
	status = cli_print_result(opts, trace, true);
	json_decref(trace);
	return status;
}

/* The id is what was asked for; that the trace is over before it began should not wait for someone to look. */
static void print_added(const struct options *opts, const json_t *answer)
{
	const char *id = json_string_value(json_object_get(answer, "id"));

	if (options_has(opts, "json"))
		cli_print_json(answer);
	else
		printf("%s\n", id);
	if (!strcmp(json_string_value(json_object_get(answer, "state")), "failed"))
		fprintf(stderr, "vtrace add: trace %s failed at once; 'vtrace result %s' says why\n", id, id);
}

static int add_task(struct vtrace_client *client, const struct options *opts)
{
	char filter[VT_FILTER_MAX];
	struct vtrace_error error;
	struct vt_task task;
	json_t *answer;
	int status = options_task(opts, &task);

	if (status)
		return status;
	vt_filter_format(&task.filter, filter);
	if (client_add(client, filter, task.packet_count, task.trace_time_ms / 1000.0,
	               task.bidirectional ? VTRACE_BIDIRECTIONAL : 0, &answer, &error))
		return cli_fail(opts, &error);
	if (options_has(opts, "wait"))
		status = add_wait(client, opts, json_string_value(json_object_get(answer, "id")));
	else
		print_added(opts, answer);
	json_decref(answer);
	return status;
}

int cmd_add(const struct command_context *ctx, int argc, char **argv)
{
	struct vtrace_client *client;
	struct options opts;
	int status = cli_connect("add", argc, argv, &opts, &client);

	if (status)
		return status;
	status = add_task(client, &opts);
	vtrace_close(client);
	return status;
}
