// SPDX-License-Identifier: BSD-3-Clause
/* Shared by the commands that talk to a server; see client_util.h. */
#include "cli/client_util.h"

#include <string.h>

#include "cli/render.h"

int cli_connect(const char *command, int argc, char **argv, struct options *opts, struct vtrace_client **ret_client)
{
	struct vtrace_options how = {0};
	struct vtrace_error error;
	int ret = options_parse(command, argc, argv, opts);

	if (ret)
		return ret;
	how.token_file = options_get(opts, "token-file", NULL);
	how.ca_file = options_get(opts, "ca", NULL);
	ret = vtrace_connect(options_server(opts), &how, ret_client, &error);
	if (!ret)
		return 0;
	cli_fail(opts, &error);
	return ret == VTRACE_INVALID ? COMMAND_USAGE : COMMAND_FAILED;
}

/* What to try, where the error itself cannot know the command line. */
static const char *cli_hint(enum vtrace_code code)
{
	switch (code) {
	case VTRACE_UNREACHABLE:
	case VTRACE_TIMEOUT:
		return " (is 'vtrace server' running there? --server URL or $VTRACE_SERVER names another)";
	case VTRACE_UNTRUSTED:
		return " (--ca FILE names the authority to trust)";
	case VTRACE_DENIED:
		return " (--token-file FILE names the file with the token)";
	case VTRACE_SERVER:
		return " (see the server's log; --server URL or $VTRACE_SERVER names another)";
	case VTRACE_NOT_FOUND:
		return " (vtrace list shows what there is)";
	case VTRACE_LIMIT:
		return " (try again later; vtrace list --state tracing shows what runs, vtrace cancel ends it)";
	case VTRACE_ENDED:
		return " (vtrace result ID prints what it found)";
	case VTRACE_OK:
	case VTRACE_INVALID:
	case VTRACE_NO_MEMORY:
	case VTRACE_FILE:
		break;
	}
	return "";
}

int cli_fail(const struct options *opts, const struct vtrace_error *error)
{
	char text[VTRACE_ERROR_MAX];

	/* The text may be a server's: it has to stay one line that does nothing to the terminal. */
	snprintf(text, sizeof(text), "%s", error->text);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	return command_fail(opts->command->name, COMMAND_FAILED, "%s%s", text, cli_hint(error->code));
}

void cli_print_json(const json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
}

int cli_id_or_filter(const struct options *opts, char *buf)
{
	struct vt_filter filter;
	struct vt_err err = {0};
	int ret = options_words(opts, buf);

	if (ret)
		return ret;
	if (client_is_id(buf))
		return 0;
	if (vt_filter_parse(buf, &filter, &err) < 0)
		return command_fail(opts->command->name, COMMAND_USAGE, "%s", err.text);
	vt_filter_format(&filter, buf);
	return 0;
}

int cli_print_result(const struct options *opts, const json_t *result, bool waited)
{
	const char *state = json_string_value(json_object_get(result, "state"));
	const char *error = json_string_value(json_object_get(result, "error"));
	const json_t *coloured = json_object_get(json_object_get(result, "packets"), "coloured");

	if (options_has(opts, "json"))
		cli_print_json(result);
	if (waited && state && !strcmp(state, "failed"))
		return command_fail(opts->command->name, COMMAND_FAILED, "the trace failed: %s",
		                    error ? error : "no reason given");
	if (!options_has(opts, "json"))
		render_result(stdout, result, options_has(opts, "packets"));
	return waited && !json_integer_value(coloured) ? COMMAND_NO_MATCH : COMMAND_OK;
}
