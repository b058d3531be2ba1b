// SPDX-License-Identifier: BSD-3-Clause
/* vtrace nodes: the hosts whose agents the server knows. */
#include <stdlib.h>

#include "cli/client_util.h"
#include "cli/picture.h"
#include "cli/table.h"

/* Texts and whole numbers as they are; null and what is missing as "-". */
static void cell_value(struct table *table, const json_t *value)
{
	char *text;

	if (json_is_integer(value)) {
		table_cell_right(table, "%lld", (long long)json_integer_value(value));
		return;
	}
	text = text_clean(json_string_value(value));
	table_cell(table, "%s", text && text[0] ? text : "-");
	free(text);
}

static void nodes_print(const json_t *nodes)
{
	static const char *const columns[][2] = {
	    {"NODE", "name"},       {"KIND", "kind"},       {"DATAPATH", "datapath"},  {"STATE", "state"},
	    {"DEVICES", "devices"}, {"VERSION", "version"}, {"LAST SEEN", "last_seen"}};
	const size_t n_columns = sizeof(columns) / sizeof(columns[0]);
	struct table *table = table_new();
	const json_t *node;
	size_t i;

	for (size_t j = 0; j < n_columns; j++)
		table_cell(table, "%s", columns[j][0]);
	table_row(table);
	json_array_foreach (nodes, i, node) {
		for (size_t j = 0; j < n_columns; j++)
			cell_value(table, json_object_get(node, columns[j][1]));
		table_row(table);
	}
	table_print(table, stdout, 0);
	table_free(table);
}

static int nodes_get(struct vtrace_client *client, const struct options *opts)
{
	struct vtrace_error error = {.code = VTRACE_SERVER, .text = "the server's answer has no list of nodes"};
	json_t *answer = NULL;
	const json_t *nodes;

	if (client_request(client, "GET", "/v1/nodes", NULL, 0, &answer, &error))
		return cli_fail(opts, &error);
	nodes = client_list(answer, "nodes");
	if (!nodes) {
		json_decref(answer);
		return cli_fail(opts, &error);
	}
	if (options_has(opts, "json"))
		cli_print_json(nodes);
	else if (json_array_size(nodes))
		nodes_print(nodes);
	else
		puts("no nodes yet: run 'vtrace agent --server URL' on every host");
	json_decref(answer);
	return COMMAND_OK;
}

int cmd_nodes(const struct command_context *ctx, int argc, char **argv)
{
	struct vtrace_client *client;
	struct options opts;
	int status = cli_connect("nodes", argc, argv, &opts, &client);

	if (status)
		return status;
	status = nodes_get(client, &opts);
	vtrace_close(client);
	return status;
}
