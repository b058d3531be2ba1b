// SPDX-License-Identifier: BSD-3-Clause
/* vtrace result: what a trace found, by its id or by the filter it was started with. */
#include "cli/client_util.h"

static int result_get(struct vtrace_client *client, const struct options *opts)
{
	unsigned int flags = options_has(opts, "packets") ? VTRACE_PACKETS : 0;
	char what[VT_FILTER_MAX], id[VTRACE_ID_MAX];
	bool wait = options_has(opts, "wait");
	struct vtrace_error error;
	json_t *trace;
	int status = cli_id_or_filter(opts, what);

	if (status)
		return status;
	if (client_find(client, what, id, &error))
		return cli_fail(opts, &error);
	for (;;) {
		if (client_trace(client, id, flags, wait ? CLIENT_WAIT_MAX_S : 0, &trace, &error))
			return cli_fail(opts, &error);
		if (!wait || client_state_final(json_string_value(json_object_get(trace, "state"))))
			break;
		json_decref(trace);
	}
	status = cli_print_result(opts, trace, wait);
	json_decref(trace);
	return status;
}

int cmd_result(const struct command_context *ctx, int argc, char **argv)
{
	struct vtrace_client *client;
	struct options opts;
	int status = cli_connect("result", argc, argv, &opts, &client);

	if (status)
		return status;
	status = result_get(client, &opts);
	vtrace_close(client);
	return status;
}
