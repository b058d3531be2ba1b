// SPDX-License-Identifier: BSD-3-Clause
/*
 * Options of the command line: described once for each command in command.c, parsed here, and shown from the same rows
 * by --help and the shell completions.
 *
 * "--name value", "--name=value" and, for the few that have one, "-x value". Options and arguments mix freely, "--"
 * ends the options, a repeated option counts the last time. Every failure is one line "vtrace CMD: ..." on stderr,
 * which options_* print themselves, since the command line is the place that prints.
 */
#ifndef VT_CLI_OPTIONS_H
#define VT_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/commands.h"
#include "core/task.h"

#define OPTIONS_MAX      24  /* options of one command; the largest has 12 */
#define OPTIONS_ARGS_MAX 256 /* words of a filter: the longest has about 30 */

struct option_spec {
	const char *name; /* without dashes */
	const char
	    *value; /* what the value is called in help: "N", "FILE", "a|b" for a fixed choice; NULL for a switch */
	const char *help; /* a phrase */
	char letter;      /* 0: no short form */
};

struct command {
	const char *name;
	int (*run)(const struct command_context *ctx, int argc, char **argv);
	const char *args; /* "FILTER", "[CODE]", "" */
	int min_args, max_args;
	const char *summary;               /* a phrase, for the list of commands */
	const char *details;               /* paragraphs for help, may be "" */
	const char *example;               /* one command line */
	const struct option_spec *options; /* ends with a NULL name */
};

/* The table, in the order of the help; *ret_n gets its length. */
const struct command *command_table(size_t *ret_n);
const struct command *command_find(const char *name); /* NULL if there is none */

/* What --help prints. */
void command_help(const struct command *command, FILE *out);

struct options {
	const struct command *command;
	const char *values[OPTIONS_MAX]; /* by row of command->options; NULL: not given; "" for a switch that was */
	const char *args[OPTIONS_ARGS_MAX];
	int n_args;
};

/* Parses argv[1..]; pointers into argv are kept. Returns 0, or COMMAND_USAGE after saying why. */
int options_parse(const char *command, int argc, char **argv, struct options *opts);

bool options_has(const struct options *opts, const char *name);
const char *options_get(const struct options *opts, const char *name, const char *otherwise);

/* Numbers within limits; *ret keeps its value if the option was not given. 0, or COMMAND_USAGE after saying why. */
int options_number(const struct options *opts, const char *name, uint32_t min, uint32_t max, uint32_t *ret);
/* Seconds with a fraction ("2.5", "10s"), as milliseconds. */
int options_seconds(const struct options *opts, const char *name, uint32_t min_ms, uint32_t max_ms, uint32_t *ret_ms);

/* The arguments joined by blanks, as a shell would have passed one quoted FILTER. `buf` has VT_FILTER_MAX bytes. */
int options_words(const struct options *opts, char *buf);

/* FILTER, --count, --time and --bidirectional as a task (id 0). 0, or COMMAND_USAGE after saying why. */
int options_task(const struct options *opts, struct vt_task *task);

/* --server, else $VTRACE_SERVER, else the default. */
const char *options_server(const struct options *opts);

/* Prints "vtrace CMD: ..." on stderr; returns `status`, so that a failure is one statement. */
int command_fail(const char *command, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The entry of `names` nearest to `word`, or NULL if none is near enough to suggest. */
const char *command_nearest(const char *word, const char *const *names, size_t n);

#endif
