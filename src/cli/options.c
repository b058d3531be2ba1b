// SPDX-License-Identifier: BSD-3-Clause
/* Parsing options against the rows of command.c; see options.h. */
#include "cli/options.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SERVER_DEFAULT "http://127.0.0.1:8471"
#define WORD_MAX       64 /* bytes of an option's or command's name: the longest has 13 */

int command_fail(const char *command, int status, const char *fmt, ...)
{
	va_list args;

	/* One write, so that lines of two programs on one terminal do not mix. */
	char line[VT_ERR_MAX + WORD_MAX];
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	fprintf(stderr, "vtrace %s: %s\n", command, line);
	return status;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein's distance, one row of the matrix at a time. */
static size_t word_distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], n = strlen(b);

	if (strlen(a) > WORD_MAX || n > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[n];
}

const char *command_nearest(const char *word, const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t best_distance = strlen(word) / 3 + 1; /* more typing errors than that: it was meant to be another word */

	for (size_t i = 0; i < n; i++) {
		size_t distance = word_distance(word, names[i]);

		/* A unique beginning ("bidir", "res") is meant whatever is missing. */
		if (strlen(word) >= 3 && !strncmp(word, names[i], strlen(word)))
			distance = 1;
		if (distance <= best_distance && (!best || distance < best_distance)) {
			best = names[i];
			best_distance = distance;
		}
	}
	return best;
}

static int option_unknown(const struct command *command, const char *word)
{
	const char *names[OPTIONS_MAX + 1], *nearest, *bare = word;
	char text[WORD_MAX];
	size_t n = 0;

	for (const struct option_spec *spec = command->options; spec->name; spec++)
		names[n++] = spec->name;
	names[n++] = "help";
	while (*bare == '-')
		bare++;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(bare, "="), bare);
	nearest = command_nearest(text, names, n);
	if (nearest)
		return command_fail(command->name, COMMAND_USAGE, "unknown option %s (did you mean --%s?)", word,
		                    nearest);
	return command_fail(command->name, COMMAND_USAGE, "unknown option %s (vtrace help %s lists them)", word,
	                    command->name);
}

/* The row of "--name", "--name=value" or "-x"; -1 if there is none. *ret_value is what follows '=' or -x. */
static int option_row(const struct command *command, const char *word, const char **ret_value)
{
	const char *name = word + 2, *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - name) : strlen(name);

	*ret_value = NULL;
	for (int i = 0; command->options[i].name; i++) {
		const struct option_spec *spec = &command->options[i];

		if (word[1] != '-') {
			if (!spec->letter || spec->letter != word[1])
				continue;
			*ret_value = word[2] ? word + 2 : NULL;
			return i;
		}
		if (strlen(spec->name) == length && !strncmp(spec->name, name, length)) {
			*ret_value = equals ? equals + 1 : NULL;
			return i;
		}
	}
	return -1;
}

/* Takes the option at argv[*at] and its value; moves *at to the last word it used. */
static int option_take(struct options *opts, int argc, char **argv, int *at)
{
	const struct command *command = opts->command;
	const char *value, *word = argv[*at];
	int row = option_row(command, word, &value);

	if (row < 0)
		return option_unknown(command, word);
	const struct option_spec *spec = &command->options[row];

	if (!spec->value) {
		if (value)
			return command_fail(command->name, COMMAND_USAGE, "--%s takes no value", spec->name);
		opts->values[row] = "";
		return 0;
	}
	if (!value) {
		if (*at + 1 >= argc)
			return command_fail(command->name, COMMAND_USAGE, "--%s needs a value: --%s %s", spec->name,
			                    spec->name, spec->value);
		value = argv[++*at];
	}
	opts->values[row] = value;
	return 0;
}

static int args_check(const struct options *opts)
{
	const struct command *command = opts->command;

	if (opts->n_args < command->min_args)
		return command_fail(command->name, COMMAND_USAGE, "%s is missing (usage: vtrace %s %s [OPTIONS])",
		                    command->args, command->name, command->args);
	if (opts->n_args <= command->max_args)
		return 0;
	if (!command->max_args)
		return command_fail(command->name, COMMAND_USAGE, "takes no arguments, but got '%s'", opts->args[0]);
	return command_fail(command->name, COMMAND_USAGE,
	                    "too many arguments from '%s' on (usage: vtrace %s %s [OPTIONS])",
	                    opts->args[command->max_args], command->name, command->args);
}

int options_parse(const char *command, int argc, char **argv, struct options *opts)
{
	bool literal = false;

	memset(opts, 0, sizeof(*opts));
	opts->command = command_find(command);
	for (int i = 1; i < argc; i++) {
		if (!literal && !strcmp(argv[i], "--")) {
			literal = true;
			continue;
		}
		if (!literal && argv[i][0] == '-' && argv[i][1]) {
			int ret = option_take(opts, argc, argv, &i);

			if (ret)
				return ret;
			continue;
		}
		if (opts->n_args == OPTIONS_ARGS_MAX)
			return command_fail(command, COMMAND_USAGE, "more than %d arguments", OPTIONS_ARGS_MAX);
		opts->args[opts->n_args++] = argv[i];
	}
	return args_check(opts);
}

const char *options_get(const struct options *opts, const char *name, const char *otherwise)
{
	int row = 0;

	while (opts->command->options[row].name && strcmp(opts->command->options[row].name, name) != 0)
		row++;
	assert(opts->command->options[row].name); /* a command asks for what its rows in command.c do not have */
	return opts->values[row] ? opts->values[row] : otherwise;
}

bool options_has(const struct options *opts, const char *name)
{
	return options_get(opts, name, NULL) != NULL;
}

int options_number(const struct options *opts, const char *name, uint32_t min, uint32_t max, uint32_t *ret)
{
	const char *text = options_get(opts, name, NULL);
	unsigned long long number;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || number < min || number > max)
		return command_fail(opts->command->name, COMMAND_USAGE, "--%s %s: must be a whole number from %u to %u",
		                    name, text, min, max);
	*ret = (uint32_t)number;
	return 0;
}

int options_seconds(const struct options *opts, const char *name, uint32_t min_ms, uint32_t max_ms, uint32_t *ret_ms)
{
	const char *text = options_get(opts, name, NULL);
	double seconds;
	char *end;

	if (!text)
		return 0;
	seconds = strtod(text, &end);
	if (end != text && !strcmp(end, "s"))
		end++;
	/* strtod knows "inf", "nan" and hexadecimal too; a time begins with a digit. */
	if (!((text[0] >= '0' && text[0] <= '9') || text[0] == '.') || *end || !(seconds * 1000 >= min_ms) ||
	    seconds * 1000 > max_ms)
		return command_fail(opts->command->name, COMMAND_USAGE, "--%s %s: must be seconds from %g to %g", name,
		                    text, min_ms / 1000.0, max_ms / 1000.0);
	*ret_ms = (uint32_t)lround(seconds * 1000);
	return 0;
}

int options_words(const struct options *opts, char *buf)
{
	size_t used = 0;

	buf[0] = '\0';
	for (int i = 0; i < opts->n_args; i++) {
		int n = snprintf(buf + used, VT_FILTER_MAX - used, "%s%s", i ? " " : "", opts->args[i]);

		if ((size_t)n >= VT_FILTER_MAX - used)
			return command_fail(opts->command->name, COMMAND_USAGE, "the filter is longer than %d bytes",
			                    VT_FILTER_MAX - 1);
		used += n;
	}
	return 0;
}

int options_task(const struct options *opts, struct vt_task *task)
{
	char text[VT_FILTER_MAX];
	struct vt_err err = {0};

	*task = (struct vt_task){.packet_count = VT_COUNT_DEFAULT, .trace_time_ms = VT_TIME_DEFAULT_MS};
	task->bidirectional = options_has(opts, "bidirectional");
	if (options_words(opts, text) || options_number(opts, "count", 1, VT_COUNT_MAX, &task->packet_count) ||
	    options_seconds(opts, "time", 1, VT_TIME_MAX_MS, &task->trace_time_ms))
		return COMMAND_USAGE;
	if (vt_filter_parse(text, &task->filter, &err) < 0)
		return command_fail(opts->command->name, COMMAND_USAGE, "%s", err.text);
	return 0;
}

const char *options_server(const struct options *opts)
{
	const char *url = getenv("VTRACE_SERVER");

	return options_get(opts, "server", url && url[0] ? url : SERVER_DEFAULT);
}
