// SPDX-License-Identifier: BSD-3-Clause
/* What the commands that talk to a server have in common: connecting by the options, and saying what went wrong. */
#ifndef VT_CLI_CLIENT_UTIL_H
#define VT_CLI_CLIENT_UTIL_H

#include <jansson.h>

#include "cli/options.h"
#include "client/client.h"

/* Parses argv and makes a client by --server, --token-file and --ca. 0, or an exit status after saying why. */
int cli_connect(const char *command, int argc, char **argv, struct options *opts, struct vtrace_client **ret_client);

/* Says what the library reported, with what to try on this command line; returns COMMAND_FAILED. */
int cli_fail(const struct options *opts, const struct vtrace_error *error);

/* Prints JSON, indented, with a newline. */
void cli_print_json(const json_t *json);

/* The arguments as the id of a trace, or as a filter in its normal form. `buf` has VT_FILTER_MAX bytes. */
int cli_id_or_filter(const struct options *opts, char *buf);

/* Prints the result of a trace as --json and --packets ask; `waited`: exit status 3 if no packet matched, 1 if it
 * failed. */
int cli_print_result(const struct options *opts, const json_t *result, bool waited);

#endif
