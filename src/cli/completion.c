// SPDX-License-Identifier: BSD-3-Clause
/*
 * vtrace completion: shell completions generated from the table of commands and the table of causes, so that they never
 * fall behind. What an option's value is called in its row decides how it is completed: FILE, DIR, or a choice "a|b".
 */
#include <stdio.h>
#include <string.h>

#include "cli/options.h"
#include "core/cause.h"

#define FILTER_WORDS "src dst host net port and tcp udp icmp icmp6 sctp ip ip6 proto vni"
#define SHELL_WORDS  "bash zsh"

/* A fixed choice's words with blanks between them, e.g. "vswitch vrouter". */
static void choice_print(const char *value)
{
	for (const char *p = value; *p; p++)
		putchar(*p == '|' ? ' ' : *p);
}

static void cause_codes_print(void)
{
	for (int cause = VT_CAUSE_NONE + 1; cause < VT_CAUSE_COUNT; cause++)
		printf("%s%s", cause > 1 ? " " : "", vt_cause_info(cause)->code);
}

static void command_names_print(void)
{
	size_t n;
	const struct command *table = command_table(&n);

	for (size_t i = 0; i < n; i++)
		printf("%s ", table[i].name);
	fputs("help", stdout);
}

/* The words that a command's arguments can be. */
static void args_print(const struct command *command)
{
	if (strstr(command->args, "FILTER"))
		fputs(FILTER_WORDS, stdout);
	else if (!strcmp(command->args, "[CODE]"))
		cause_codes_print();
	else if (!strcmp(command->args, "SHELL"))
		fputs(SHELL_WORDS, stdout);
}

/* One case of the shell's `case $command:$previous`: how the value of this option is completed. */
static void bash_value(const struct command *command, const struct option_spec *spec)
{
	if (!spec->value)
		return;
	printf("\t%s:--%s", command->name, spec->name);
	if (spec->letter)
		printf(" | %s:-%c", command->name, spec->letter);
	fputs(")\n\t\t", stdout);
	if (!strcmp(spec->value, "FILE")) {
		fputs("COMPREPLY=($(compgen -f -- \"$current\"))\n", stdout);
	} else if (!strcmp(spec->value, "DIR")) {
		fputs("COMPREPLY=($(compgen -d -- \"$current\"))\n", stdout);
	} else if (strchr(spec->value, '|')) {
		fputs("COMPREPLY=($(compgen -W \"", stdout);
		choice_print(spec->value);
		fputs("\" -- \"$current\"))\n", stdout);
	}
	fputs("\t\treturn\n\t\t;;\n", stdout);
}

static void bash_words(const struct command *command)
{
	printf("\t%s)\n\t\twords=\"", command->name);
	for (const struct option_spec *spec = command->options; spec->name; spec++)
		printf("--%s ", spec->name);
	fputs("--help ", stdout);
	args_print(command);
	fputs("\"\n", stdout);
	if (!strcmp(command->args, "FILE"))
		fputs("\t\tCOMPREPLY=($(compgen -f -- \"$current\"))\n", stdout);
	fputs("\t\t;;\n", stdout);
}

static void bash_print(void)
{
	size_t n;
	const struct command *table = command_table(&n);

	fputs("# bash completion for vtrace; made by `vtrace completion bash`\n_vtrace()\n{\n"
	      "\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
	      "\tlocal command=${COMP_WORDS[1]} words=\n\n\tCOMPREPLY=()\n"
	      "\tif [ \"$COMP_CWORD\" -eq 1 ] || { [ \"$COMP_CWORD\" -eq 2 ] && [ \"$command\" = help ]; }; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"--help --version ",
	      stdout);
	command_names_print();
	fputs("\" -- \"$current\"))\n\t\treturn\n\tfi\n\tcase $command:$previous in\n", stdout);
	for (size_t i = 0; i < n; i++)
		for (const struct option_spec *spec = table[i].options; spec->name; spec++)
			bash_value(&table[i], spec);
	fputs("\tesac\n\tcase $command in\n", stdout);
	for (size_t i = 0; i < n; i++)
		bash_words(&table[i]);
	fputs("\tesac\n\tCOMPREPLY+=($(compgen -W \"$words\" -- \"$current\"))\n}\ncomplete -F _vtrace vtrace\n",
	      stdout);
}

/* Text inside a zsh specification in single quotes: quotes, brackets and colons would end its parts. */
static void zsh_text(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\'')
			fputs("'\\''", stdout);
		else if (strchr("[]:\\", *p))
			printf("\\%c", *p);
		else
			putchar(*p);
	}
}

static void zsh_option(const struct option_spec *spec)
{
	if (spec->letter)
		printf(" \\\n\t\t\t'(-%c --%s)'{-%c,--%s}'[", spec->letter, spec->name, spec->letter, spec->name);
	else
		printf(" \\\n\t\t\t'--%s[", spec->name);
	zsh_text(spec->help);
	fputs("]", stdout);
	if (spec->value) {
		fputs(":", stdout);
		zsh_text(spec->value);
		fputs(":", stdout);
		if (!strcmp(spec->value, "FILE")) {
			fputs("_files", stdout);
		} else if (!strcmp(spec->value, "DIR")) {
			fputs("_files -/", stdout);
		} else if (strchr(spec->value, '|')) {
			fputs("(", stdout);
			choice_print(spec->value);
			fputs(")", stdout);
		}
	}
	fputs("'", stdout);
}

static void zsh_command(const struct command *command)
{
	printf("\t%s)\n\t\t_arguments '--help[print help]'", command->name);
	for (const struct option_spec *spec = command->options; spec->name; spec++)
		zsh_option(spec);
	if (!strcmp(command->args, "FILE")) {
		fputs(" \\\n\t\t\t'1:file:_files'", stdout);
	} else if (command->args[0]) {
		fputs(" \\\n\t\t\t'*:argument:(", stdout);
		args_print(command);
		fputs(")'", stdout);
	}
	fputs("\n\t\t;;\n", stdout);
}

static void zsh_print(void)
{
	size_t n;
	const struct command *table = command_table(&n);

	fputs("#compdef vtrace\n# zsh completion for vtrace; made by `vtrace completion zsh`\n_vtrace()\n{\n"
	      "\tlocal -a commands\n\tcommands=(\n",
	      stdout);
	for (size_t i = 0; i < n; i++) {
		printf("\t\t'%s:", table[i].name);
		zsh_text(table[i].summary);
		fputs("'\n", stdout);
	}
	fputs("\t\t'help:print help for a command'\n\t)\n\tif (( CURRENT == 2 )); then\n"
	      "\t\t_describe command commands\n\t\treturn\n\tfi\n"
	      "\tshift words\n\t(( CURRENT-- ))\n\tcase $words[1] in\n"
	      "\thelp)\n\t\t_describe command commands\n\t\t;;\n",
	      stdout);
	for (size_t i = 0; i < n; i++)
		zsh_command(&table[i]);
	/* Autoloaded from $fpath, or sourced: both ways work. */
	fputs("\tesac\n}\nif [ \"$funcstack[1]\" = \"_vtrace\" ]; then\n\t_vtrace \"$@\"\nelse\n\tcompdef _vtrace "
	      "vtrace\nfi\n",
	      stdout);
}

int cmd_completion(const struct command_context *ctx, int argc, char **argv)
{
	struct options opts;
	int status = options_parse("completion", argc, argv, &opts);

	if (status)
		return status;
	if (!strcmp(opts.args[0], "bash"))
		bash_print();
	else if (!strcmp(opts.args[0], "zsh"))
		zsh_print();
	else
		return command_fail("completion", COMMAND_USAGE, "'%s': no completion for this shell (bash or zsh)",
		                    opts.args[0]);
	return COMMAND_OK;
}
