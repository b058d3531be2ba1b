// SPDX-License-Identifier: BSD-3-Clause
/* vtrace stats: the server's counters, whatever it has: one line a number, groups by their dotted names. */
#include <stdlib.h>

#include "cli/client_util.h"
#include "cli/table.h"

#define DEPTH_MAX 4 /* groups within groups; what is deeper is left to --json */

static void stats_rows(struct table *table, const char *prefix, const json_t *object, int depth)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		char *name, *clean, *text, *string;

		if (asprintf(&name, "%s%s%s", prefix, prefix[0] ? "." : "", key) < 0)
			return;
		clean = text_clean(name);
		if (json_is_object(value) && depth < DEPTH_MAX) {
			stats_rows(table, name, value, depth + 1);
		} else {
			text = json_dumps(value,
			                  JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_COMPACT | JSON_REAL_PRECISION(6));
			string = text_clean(json_string_value(value));
			table_cell(table, "%s", clean);
			table_cell_right(table, "%s", json_is_string(value) ? string : text ? text : "");
			free(string);
			table_row(table);
			free(text);
		}
		free(clean);
		free(name);
	}
}

static int stats_get(struct vtrace_client *client, const struct options *opts)
{
	struct vtrace_error error = {.code = VTRACE_SERVER, .text = "the server's answer has no counters"};
	struct table *table;
	json_t *answer = NULL;
	int status = COMMAND_OK;

	if (client_request(client, "GET", "/v1/stats", NULL, 0, &answer, &error))
		return cli_fail(opts, &error);
	if (!json_is_object(answer)) {
		status = cli_fail(opts, &error);
	} else if (options_has(opts, "json")) {
		cli_print_json(answer);
	} else {
		table = table_new();
		stats_rows(table, "", answer, 0);
		table_print(table, stdout, 0);
		table_free(table);
	}
	json_decref(answer);
	return status;
}

int cmd_stats(const struct command_context *ctx, int argc, char **argv)
{
	struct vtrace_client *client;
	struct options opts;
	int status = cli_connect("stats", argc, argv, &opts, &client);

	if (status)
		return status;
	status = stats_get(client, &opts);
	vtrace_close(client);
	return status;
}
