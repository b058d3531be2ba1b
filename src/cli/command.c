// SPDX-License-Identifier: BSD-3-Clause
/*
 * The table of commands: one row each, from which come dispatch, --help, suggestions and the shell completions. A
 * command reads its options by the names given here. The man pages are checked against it in tests/e2e/test_cli.py.
 */
#include "cli/options.h"

#include <string.h>

#define OPTIONS_SERVER                                                                                \
	{"server", "URL", "the server (default: $VTRACE_SERVER, then http://127.0.0.1:8471)", 's'},   \
	    {"token-file", "FILE", "file with the token to show to the server"},                      \
	{                                                                                             \
		"ca", "FILE", "trust the certificate authority in FILE (PEM) instead of the system's" \
	}
#define OPTION_JSON                        \
	{                                  \
		"json", NULL, "print JSON" \
	}
#define OPTIONS_TASK                                                                            \
	{"count", "N", "colour at most N packets per direction, 1..100000 (default 100)", 'n'}, \
	    {"time", "S", "trace for at most S seconds, up to 3600 (default 10)", 't'},         \
	{                                                                                       \
		"bidirectional", NULL, "trace the reverse flow too", 'b'                        \
	}
#define OPTION_PACKETS                                    \
	{                                                 \
		"packets", NULL, "list every packet", 'p' \
	}
#define END \
	{   \
	}

static const struct option_spec server_options[] = {
    {"listen", "ADDR:PORT", "where to listen (default 127.0.0.1:8471)"},
    {"data", "DIR", "where results are kept"},
    {"tls-cert", "FILE", "serve HTTPS with this certificate (PEM)"},
    {"tls-key", "FILE", "the certificate's private key (PEM)"},
    {"token-file", "FILE", "accept only requests that show a token in FILE"},
    {"insecure", NULL, "allow another address than loopback without TLS and tokens"},
    END,
};

static const struct option_spec agent_options[] = {
    {"server", "URL", "the server (default: $VTRACE_SERVER, then http://127.0.0.1:8471)", 's'},
    {"node", "NAME", "this host's name in results (default: the host name)"},
    {"kind", "vswitch|vrouter", "what this host's forwarding device is (default vswitch)"},
    {"datapath", "NAME", "linux (default), or vfd:SOCKET"},
    {"mark-mask", "MASK", "bits of skb->mark that may carry the colour (hexadecimal)"},
    {"token-file", "FILE", "file with the token to show to the server"},
    {"ca", "FILE", "trust the certificate authority in FILE (PEM) instead of the system's"},
    END,
};

static const struct option_spec add_options[] = {
    OPTIONS_TASK,
    {"wait", NULL, "wait for the result and print it", 'w'},
    {"packets", NULL, "with --wait: list every packet", 'p'},
    OPTION_JSON,
    OPTIONS_SERVER,
    END,
};

static const struct option_spec result_options[] = {
    {"wait", NULL, "wait until the trace has ended", 'w'}, OPTION_PACKETS, OPTION_JSON, OPTIONS_SERVER, END,
};

static const struct option_spec list_options[] = {
    {"state", "STATE", "only traces in this state: new, ready, tracing, analyzing, done, cancelled, failed"},
    {"limit", "N", "at most N traces, latest first, 1..1000 (default 20)", 'n'},
    OPTION_JSON,
    OPTIONS_SERVER,
    END,
};

static const struct option_spec plain_options[] = {OPTION_JSON, OPTIONS_SERVER, END};
static const struct option_spec explain_options[] = {OPTION_JSON, END};

static const struct option_spec run_options[] = {
    OPTIONS_TASK,
    {"node", "NAME", "this host's name in the result (default: the host name)"},
    {"kind", "vswitch|vrouter", "what this host's forwarding device is (default vswitch)"},
    {"datapath", "NAME", "linux (default), or vfd:SOCKET"},
    {"mark-mask", "MASK", "bits of skb->mark that may carry the colour (hexadecimal)"},
    {"record", "FILE", "keep the records in FILE too, for vtrace analyze"},
    OPTION_PACKETS,
    OPTION_JSON,
    END,
};

static const struct option_spec analyze_options[] = {OPTION_PACKETS, OPTION_JSON, END};
static const struct option_spec no_options[] = {END};

#define FILTER_HELP                                                                               \
	"FILTER is a conjunction of: src host A, dst host A, src net P, dst net P, src port N,\n" \
	"dst port N, tcp, udp, icmp, icmp6, sctp, ip, ip6, proto N, vni N. It names one direction.\n"

static const struct command commands[] = {
    {"run", cmd_run, "FILTER", 1, OPTIONS_ARGS_MAX, "trace a flow on this host alone, no server needed",
     FILTER_HELP "Exit status is 3 if no packet matched in the time given.\n",
     "vtrace run udp and dst host 10.0.0.2 and dst port 53", run_options},
    {"add", cmd_add, "FILTER", 1, OPTIONS_ARGS_MAX, "start a trace; prints its id, or with --wait its result",
     FILTER_HELP "With --wait it returns as soon as the result is certain, and exit status is 3 if no\n"
                 "packet matched in the time given. Interrupting it cancels the trace.\n",
     "vtrace add --wait --count 10 tcp and src host 10.0.0.1 and dst port 443", add_options},
    {"result", cmd_result, "ID|FILTER", 1, OPTIONS_ARGS_MAX, "print what a trace found, also while it runs",
     "A FILTER means the latest trace of that flow.\n", "vtrace result udp and dst port 53", result_options},
    {"list", cmd_list, "[FILTER]", 0, OPTIONS_ARGS_MAX, "list the latest traces, or those of one flow", "",
     "vtrace list --state tracing", list_options},
    {"cancel", cmd_cancel, "ID", 1, 1, "end a trace now; what it found so far is kept", "", "vtrace cancel 3",
     plain_options},
    {"nodes", cmd_nodes, "", 0, 0, "list the hosts whose agents the server knows", "", "vtrace nodes", plain_options},
    {"stats", cmd_stats, "", 0, 0, "print the server's counters", "", "vtrace stats", plain_options},
    {"explain", cmd_explain, "[CODE]", 0, 1, "say what a cause means, what proves it and what to do next",
     "Without CODE it prints the whole table.\n", "vtrace explain fdb-missing", explain_options},
    {"analyze", cmd_analyze, "FILE", 1, 1, "diagnose records from a file, offline", "", "vtrace analyze records.jsonl",
     analyze_options},
    {"agent", cmd_agent, "", 0, 0, "run on every host: follow packets here for a server",
     "It prints a line that begins with \"ready:\" once it is connected.\n",
     "vtrace agent --server https://trace.example:8471 --token-file /etc/vtrace/token", agent_options},
    {"server", cmd_server, "", 0, 0, "take traces, collect what agents saw, answer",
     "It prints a line that begins with \"ready:\" once it serves.\n", "vtrace server --data /var/lib/vtrace",
     server_options},
    {"completion", cmd_completion, "SHELL", 1, 1, "print the completion script for bash or zsh",
     "For bash: vtrace completion bash > /etc/bash_completion.d/vtrace\n", "source <(vtrace completion bash)",
     no_options},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

const struct command *command_table(size_t *ret_n)
{
	*ret_n = N_COMMANDS;
	return commands;
}

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int option_left_width(const struct option_spec *spec)
{
	return (int)(strlen(spec->name) + (spec->value ? strlen(spec->value) + 1 : 0));
}

static void option_help(const struct option_spec *spec, int width, FILE *out)
{
	char left[128];

	snprintf(left, sizeof(left), "%s%s%s", spec->name, spec->value ? " " : "", spec->value ? spec->value : "");
	if (spec->letter)
		fprintf(out, "  -%c, --%-*s  %s\n", spec->letter, width, left, spec->help);
	else
		fprintf(out, "      --%-*s  %s\n", width, left, spec->help);
}

void command_help(const struct command *command, FILE *out)
{
	int width = (int)strlen("help");

	fprintf(out, "usage: vtrace %s%s%s%s\n\n", command->name, command->args[0] ? " " : "", command->args,
	        command->options[0].name ? " [OPTIONS]" : "");
	fprintf(out, "%c%s.\n%s%s\n", command->summary[0] - 'a' + 'A', command->summary + 1,
	        command->details[0] ? "\n" : "", command->details);
	for (const struct option_spec *spec = command->options; spec->name; spec++)
		if (option_left_width(spec) > width)
			width = option_left_width(spec);
	for (const struct option_spec *spec = command->options; spec->name; spec++)
		option_help(spec, width, out);
	fprintf(out, "      --%-*s  print this help\n", width, "help");
	fprintf(out, "\nexample: %s\n", command->example);
}

static void program_help(FILE *out)
{
	fprintf(out,
	        "usage: vtrace COMMAND [ARGUMENTS] [OPTIONS]\n\n"
	        "Find out why packets of a flow get lost, by following real packets through an overlay network.\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\nvtrace help COMMAND says more of each; vtrace --version prints the version.\n"
	             "Exit status: 0 done, 1 failed, 2 wrong usage, 3 no packet matched.\n");
}

static int command_unknown(const char *word)
{
	const char *names[N_COMMANDS + 1], *nearest;

	for (size_t i = 0; i < N_COMMANDS; i++)
		names[i] = commands[i].name;
	names[N_COMMANDS] = "help";
	nearest = command_nearest(word, names, N_COMMANDS + 1);
	if (nearest)
		fprintf(stderr, "vtrace: unknown command '%s' (did you mean %s?)\n", word, nearest);
	else
		fprintf(stderr, "vtrace: unknown command '%s' (vtrace --help lists them)\n", word);
	return COMMAND_USAGE;
}

static int help(int argc, char **argv)
{
	const struct command *command = argc > 2 ? command_find(argv[2]) : NULL;

	if (argc > 3) {
		fprintf(stderr, "vtrace help: takes one command, but got '%s' too\n", argv[3]);
		return COMMAND_USAGE;
	}
	if (command)
		command_help(command, stdout);
	else if (argc > 2)
		return command_unknown(argv[2]);
	else
		program_help(stdout);
	return COMMAND_OK;
}

/* --help counts anywhere before "--", whatever else is wrong with the line: that is when people ask for it. */
static bool wants_help(int argc, char **argv)
{
	for (int i = 2; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

static int dispatch(const struct command_context *ctx, int argc, char **argv)
{
	const struct command *command = command_find(argv[1]);
	struct options checked;
	int ret;

	if (!command)
		return command_unknown(argv[1]);
	if (wants_help(argc, argv)) {
		command_help(command, stdout);
		return COMMAND_OK;
	}
	ret = options_parse(command->name, argc - 1, argv + 1, &checked);
	return ret ? ret : command->run(ctx, argc - 1, argv + 1);
}

/* A full disk or a closed pipe must not look like success. */
static int flushed(const char *name, int status)
{
	if ((fflush(stdout) || ferror(stdout)) && status != COMMAND_USAGE)
		return command_fail(name, COMMAND_FAILED, "writing to standard output failed: %m");
	return status;
}

int command_main(const struct command_context *ctx, int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "vtrace: which command? (vtrace --help lists them)\n");
		return COMMAND_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("vtrace %s\n", VTRACE_VERSION);
		return flushed("--version", COMMAND_OK);
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return flushed("help", help(argc, argv));
	if (argv[1][0] == '-') {
		fprintf(stderr, "vtrace: unknown option %s (a command comes first; vtrace --help lists them)\n",
		        argv[1]);
		return COMMAND_USAGE;
	}
	return flushed(argv[1], dispatch(ctx, argc, argv));
}
