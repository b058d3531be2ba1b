// SPDX-License-Identifier: BSD-3-Clause
/* vtrace explain: the table of causes (core/cause.h) for people, without a server. */
#include <jansson.h>
#include <stdio.h>

#include "cli/client_util.h"
#include "cli/table.h"
#include "core/cause.h"

/* The next step with placeholders that read well where no node and device are known. */
static void next_step(enum vt_cause cause, char *buf, size_t size)
{
	vt_cause_next_step(cause, "NODE", "DEVICE", buf, size);
}

static json_t *cause_json(enum vt_cause cause)
{
	const struct vt_cause_info *info = vt_cause_info(cause);
	char step[VT_ERR_MAX];

	next_step(cause, step, sizeof(step));
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "code", info->code, "class", vt_cause_class_name(info->class),
	                 "meaning", info->meaning, "evidence", info->evidence, "next_step", step);
}

static void cause_print(enum vt_cause cause)
{
	const struct vt_cause_info *info = vt_cause_info(cause);
	char step[VT_ERR_MAX];

	next_step(cause, step, sizeof(step));
	printf("%s\n  class      %s\n  meaning    %s\n  evidence   %s\n  next step  %s\n", info->code,
	       vt_cause_class_name(info->class), info->meaning, info->evidence, step);
}

static int explain_all(bool as_json)
{
	json_t *list = as_json ? json_array() : NULL;
	struct table *table = as_json ? NULL : table_new();

	for (int cause = VT_CAUSE_NONE + 1; cause < VT_CAUSE_COUNT; cause++) {
		const struct vt_cause_info *info = vt_cause_info(cause);

		if (as_json) {
			json_array_append_new(list, cause_json(cause));
			continue;
		}
		table_cell(table, "%s", vt_cause_class_name(info->class));
		table_cell(table, "%s", info->code);
		table_cell(table, "%s", info->meaning);
		table_row(table);
	}
	if (as_json)
		cli_print_json(list);
	table_print(table, stdout, 0);
	table_free(table);
	json_decref(list);
	return COMMAND_OK;
}

static int explain_unknown(const char *code)
{
	const char *codes[VT_CAUSE_COUNT], *nearest;
	size_t n = 0;

	for (int cause = VT_CAUSE_NONE + 1; cause < VT_CAUSE_COUNT; cause++)
		codes[n++] = vt_cause_info(cause)->code;
	nearest = command_nearest(code, codes, n);
	if (nearest)
		return command_fail("explain", COMMAND_USAGE, "no cause has the code '%s' (did you mean %s?)", code,
		                    nearest);
	return command_fail("explain", COMMAND_USAGE, "no cause has the code '%s' (vtrace explain lists them)", code);
}

int cmd_explain(const struct command_context *ctx, int argc, char **argv)
{
	struct options opts;
	enum vt_cause cause;
	json_t *json;
	int status = options_parse("explain", argc, argv, &opts);

	if (status)
		return status;
	if (!opts.n_args)
		return explain_all(options_has(&opts, "json"));
	cause = vt_cause_by_code(opts.args[0]);
	if (cause == VT_CAUSE_NONE)
		return explain_unknown(opts.args[0]);
	if (!options_has(&opts, "json")) {
		cause_print(cause);
		return COMMAND_OK;
	}
	json = cause_json(cause);
	cli_print_json(json);
	json_decref(json);
	return COMMAND_OK;
}
