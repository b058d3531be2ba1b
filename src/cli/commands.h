// SPDX-License-Identifier: BSD-3-Clause
/*
 * The subcommands. Each is one file of this folder with one function below; command.c holds the one table that
 * describes them (options, arguments, help), main.c picks the concrete datapaths and calls command_main().
 *
 * A command prints its result on stdout, progress on stderr, and on failure one line "vtrace NAME: what, on what
 * object, what to try" on stderr. Its return value is the exit status of the process.
 */
#ifndef VT_CLI_COMMANDS_H
#define VT_CLI_COMMANDS_H

#include <stddef.h>

struct datapath_driver;

/* Exit status, as in the contract. */
enum command_exit {
	COMMAND_OK = 0,       /* done as asked; a loss that was found is no error */
	COMMAND_FAILED = 1,   /* one line on stderr */
	COMMAND_USAGE = 2,    /* wrong usage; one line on stderr */
	COMMAND_NO_MATCH = 3, /* no packet matched in the time given (--wait and run) */
};

/* What main() gives to every command. */
struct command_context {
	const struct datapath_driver *drivers; /* the datapaths that this program has; the first is the default */
	size_t n_drivers;
};

/* argv[0] is the command's name. Flags were checked against the table in command.c before; --help never gets here. */
int cmd_server(const struct command_context *ctx, int argc, char **argv);
int cmd_agent(const struct command_context *ctx, int argc, char **argv);
int cmd_add(const struct command_context *ctx, int argc, char **argv);
int cmd_result(const struct command_context *ctx, int argc, char **argv);
int cmd_list(const struct command_context *ctx, int argc, char **argv);
int cmd_cancel(const struct command_context *ctx, int argc, char **argv);
int cmd_nodes(const struct command_context *ctx, int argc, char **argv);
int cmd_stats(const struct command_context *ctx, int argc, char **argv);
int cmd_explain(const struct command_context *ctx, int argc, char **argv);
int cmd_run(const struct command_context *ctx, int argc, char **argv);
int cmd_analyze(const struct command_context *ctx, int argc, char **argv);
int cmd_completion(const struct command_context *ctx, int argc, char **argv);

/* Runs `vtrace ARGV[1] ...`; returns the exit status. */
int command_main(const struct command_context *ctx, int argc, char **argv);

#endif
