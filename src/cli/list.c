// SPDX-License-Identifier: BSD-3-Clause
/* vtrace list: the latest traces, one a line. */
#include <stdlib.h>
#include <string.h>

#include "cli/client_util.h"
#include "cli/picture.h"
#include "cli/table.h"

#define LIST_DEFAULT 20 /* fits a screen */
#define LIST_MAX     1000

static void cell_text(struct table *table, const json_t *object, const char *name)
{
	char *text = text_clean(member_text(object, name));

	table_cell(table, "%s", text ? text : "");
	free(text);
}

/* What became of it: the verdict's code, or that all is well, as far as the list says. */
static void cell_outcome(struct table *table, const json_t *trace)
{
	const json_t *packets = json_object_get(trace, "packets"), *verdict = json_object_get(trace, "verdict");
	const char *state = member_text(trace, "state");
	long long coloured = member_count(packets, "coloured");

	if (!strcmp(state, "failed"))
		cell_text(table, trace, "error");
	else if (member_text(verdict, "code")[0])
		cell_text(table, verdict, "code");
	else if (!strcmp(state, "done") && packets && !coloured)
		table_cell(table, "no packet matched");
	else if (!strcmp(state, "done") && packets && member_count(packets, "delivered") == coloured)
		table_cell(table, "no loss");
	else
		table_cell(table, "%s", "");
}

static void list_print(const json_t *list)
{
	static const char *const titles[] = {"ID",        "STATE",   "CREATED (UTC)", "COLOURED",
	                                     "DELIVERED", "OUTCOME", "FILTER"};
	struct table *table = table_new();
	const json_t *trace;
	size_t i;

	for (i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		table_cell(table, "%s", titles[i]);
	table_row(table);
	json_array_foreach (list, i, trace) {
		const json_t *packets = json_object_get(trace, "packets");

		cell_text(table, trace, "id");
		cell_text(table, trace, "state");
		table_cell(table, "%.19s", member_text(trace, "created"));
		table_cell_right(table, packets ? "%lld" : "", member_count(packets, "coloured"));
		table_cell_right(table, packets ? "%lld" : "", member_count(packets, "delivered"));
		cell_outcome(table, trace);
		cell_text(table, trace, "filter");
		table_row(table);
	}
	table_print(table, stdout, 0);
	table_free(table);
}

static int list_state(const struct options *opts, const char **ret_state)
{
	static const char *const states[] = {"new", "ready", "tracing", "analyzing", "done", "cancelled", "failed"};
	const size_t n = sizeof(states) / sizeof(states[0]);
	const char *state = options_get(opts, "state", NULL), *nearest;

	*ret_state = state;
	if (!state)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(states[i], state))
			return 0;
	nearest = command_nearest(state, states, n);
	return command_fail("list", COMMAND_USAGE, "--state %s: no such state%s%s%s", state,
	                    nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
}

/* The words of the command line as a filter in its normal form; empty: all traces. */
static int list_filter(const struct options *opts, char *buf)
{
	struct vt_filter filter;
	struct vt_err err = {0};
	int ret = options_words(opts, buf);

	if (ret || !buf[0])
		return ret;
	if (vt_filter_parse(buf, &filter, &err) < 0)
		return command_fail("list", COMMAND_USAGE, "%s", err.text);
	vt_filter_format(&filter, buf);
	return 0;
}

static int list_get(struct vtrace_client *client, const struct options *opts)
{
	char filter[VT_FILTER_MAX];
	uint32_t limit = LIST_DEFAULT;
	struct vtrace_error error;
	const char *state;
	json_t *list;

	if (options_number(opts, "limit", 1, LIST_MAX, &limit) || list_state(opts, &state) || list_filter(opts, filter))
		return COMMAND_USAGE;
	if (client_traces(client, filter[0] ? filter : NULL, state, limit, &list, &error))
		return cli_fail(opts, &error);
	if (options_has(opts, "json"))
		cli_print_json(list);
	else
		list_print(list);
	json_decref(list);
	return COMMAND_OK;
}

int cmd_list(const struct command_context *ctx, int argc, char **argv)
{
	struct vtrace_client *client;
	struct options opts;
	int status = cli_connect("list", argc, argv, &opts, &client);

	if (status)
		return status;
	status = list_get(client, &opts);
	vtrace_close(client);
	return status;
}
