// SPDX-License-Identifier: BSD-3-Clause
/*
 * vtrace analyze: the analysis over a record file (docs/record-file.md), offline: for records kept from elsewhere, for
 * bug reports, and to try what an answer rests on. Reading is here, the meaning of the lines in analysis/recordfile.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/recordfile.h"
#include "cli/options.h"
#include "cli/render.h"
#include "core/result.h"

/* Reads one line without its newline. Returns 1, 0 at the end, or -errno with the reason. */
static int read_line(FILE *in, char *line, size_t size, struct vt_err *err)
{
	size_t length;

	errno = 0;
	if (!fgets(line, (int)size, in))
		return ferror(in) ? vt_fail(err, errno ? errno : EIO, "cannot read: %s", strerror(errno ? errno : EIO))
		                  : 0;
	length = strlen(line);
	if (length + 1 == size && line[length - 1] != '\n')
		return vt_fail(err, EMSGSIZE, "the line is longer than %d bytes", RECORDFILE_LINE_MAX);
	return 1;
}

static int read_lines(FILE *in, const char *name, struct recordfile *file, struct vt_err *err)
{
	char *line = malloc(RECORDFILE_LINE_MAX + 2);
	unsigned long number = 0;
	int ret = line ? 1 : vt_fail(err, ENOMEM, "no memory for a line");

	while (ret > 0) {
		number++;
		ret = read_line(in, line, RECORDFILE_LINE_MAX + 2, err);
		if (ret > 0 && recordfile_line(file, line, err) < 0)
			ret = -err->code;
		if (ret < 0)
			vt_fail_in(err, "%s:%lu", name, number);
	}
	free(line);
	if (!ret && recordfile_finish(file, err) < 0) {
		vt_fail_in(err, "%s", name);
		ret = -err->code;
	}
	return ret;
}

static int print_result(const struct vt_result *result, const struct options *opts)
{
	bool packets = options_has(opts, "packets");
	json_t *json = vt_result_to_json(result, packets);

	if (!json)
		return command_fail("analyze", COMMAND_FAILED, "no memory for the result");
	if (options_has(opts, "json")) {
		json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else {
		render_result(stdout, json, packets);
	}
	json_decref(json);
	return COMMAND_OK;
}

static int print_results(const struct analysis *a, const struct recordfile *file, const struct options *opts)
{
	const uint32_t *tasks;
	unsigned int n = recordfile_tasks(file, &tasks);
	int status = COMMAND_OK;

	for (unsigned int i = 0; i < n && status == COMMAND_OK; i++) {
		struct vt_result result;

		if (analysis_result(a, tasks[i], options_has(opts, "packets"), &result) < 0)
			return command_fail("analyze", COMMAND_FAILED, "task %u: no memory for the result", tasks[i]);
		snprintf(result.id, sizeof(result.id), "%u", tasks[i]);
		result.state = VT_DONE;
		if (i && !options_has(opts, "json"))
			putchar('\n');
		status = print_result(&result, opts);
		vt_result_done(&result);
	}
	return status;
}

static int analyze(FILE *in, const char *name, const struct options *opts)
{
	struct analysis *a = analysis_new(NULL);
	struct recordfile *file = a ? recordfile_new(a) : NULL;
	struct vt_err err = {0};
	int status;

	if (!file)
		status = command_fail("analyze", COMMAND_FAILED, "no memory");
	else if (read_lines(in, name, file, &err) < 0)
		status = command_fail("analyze", COMMAND_FAILED, "%s", err.text);
	else
		status = print_results(a, file, opts);
	recordfile_free(file);
	analysis_free(a);
	return status;
}

int cmd_analyze(const struct command_context *ctx, int argc, char **argv)
{
	struct options opts;
	const char *name;
	FILE *in;
	int status = options_parse("analyze", argc, argv, &opts);

	if (status)
		return status;
	name = opts.args[0];
	if (!strcmp(name, "-"))
		return analyze(stdin, "stdin", &opts);
	in = fopen(name, "re");
	if (!in)
		return command_fail("analyze", COMMAND_FAILED, "cannot open %s: %s", name, strerror(errno));
	status = analyze(in, name, &opts);
	fclose(in);
	return status;
}
