// SPDX-License-Identifier: BSD-3-Clause
/* vtrace cancel: ends a trace now, and says in which state that left it. */
#include "cli/client_util.h"
#include "cli/picture.h"
#include "cli/render.h"

#define SETTLE_S 2 /* the server may answer before the agents have: a trace ends within that */

static int cancel_trace(struct vtrace_client *client, const struct options *opts)
{
	const char *id = opts->args[0];
	struct vtrace_error error;
	json_t *trace, *answer;

	if (vtrace_cancel(client, id, &error) || client_trace(client, id, 0, SETTLE_S, &trace, &error))
		return cli_fail(opts, &error);
	answer = json_pack("{s:O, s:O}", "id", json_object_get(trace, "id"), "state", json_object_get(trace, "state"));
	if (options_has(opts, "json")) {
		cli_print_json(answer);
	} else {
		render_text(stdout, member_text(answer, "id"));
		fputs(": ", stdout);
		render_text(stdout, member_text(answer, "state"));
		putchar('\n');
	}
	json_decref(answer);
	json_decref(trace);
	return COMMAND_OK;
}

int cmd_cancel(const struct command_context *ctx, int argc, char **argv)
{
	struct vtrace_client *client;
	struct options opts;
	int status = cli_connect("cancel", argc, argv, &opts, &client);

	if (status)
		return status;
	status = cancel_trace(client, &opts);
	vtrace_close(client);
	return status;
}
