/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `vtrace-vfd ctl`: asks a device by its control socket (ctl.h), and prints a table on a terminal, else JSON, one
 * object a line.
 */
#include "ctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 256
#define COLUMNS_MAX 16 /* the widest list has 10 */

static const char usage_text[] = "usage: vtrace-vfd ctl PATH show ports|flows|tables|drops|nat [--json]\n"
                                 "       vtrace-vfd ctl PATH flush [--json]\n";

/* A cell's text: the value's own, or in buf. */
static const char *cell(const json_t *value, char *buf, size_t size)
{
	if (json_is_string(value))
		return json_string_value(value);
	snprintf(buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return buf;
}

static void print_row(const json_t *row, const int *widths)
{
	char buf[32];
	const char *key;
	json_t *value;
	int i = 0, blanks = 0;

	json_object_foreach ((json_t *)row, key, value) {
		const char *text = cell(value, buf, sizeof(buf));
		bool number = json_is_integer(value);

		printf("%*s%*s", blanks, "", number ? widths[i] : 0, text);
		blanks = (number ? 0 : widths[i] - (int)strlen(text)) + 2; /* none at the end of a line */
		if (++i == COLUMNS_MAX)
			break;
	}
	puts("");
}

/* The names of the first object's members, in the order in which the device has written them, as one more row. */
static json_t *heading(const json_t *first)
{
	json_t *row = json_object();
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)first, key, value) {
		char upper[32];
		size_t n = 0;

		for (; key[n] && n + 1 < sizeof(upper); n++)
			upper[n] = (char)(key[n] >= 'a' && key[n] <= 'z' ? key[n] - 32 : key[n]);
		upper[n] = 0;
		json_object_set_new(row, key, json_string(upper));
	}
	return row;
}

static void measure(const json_t *row, int *widths)
{
	char buf[32];
	const char *key;
	json_t *value;
	int i = 0;

	json_object_foreach ((json_t *)row, key, value) {
		int width = (int)strlen(cell(value, buf, sizeof(buf)));

		if (width > widths[i])
			widths[i] = width;
		if (++i == COLUMNS_MAX)
			break;
	}
}

static void print_table(const json_t *list)
{
	json_t *head = heading(json_array_get(list, 0)), *row;
	int widths[COLUMNS_MAX] = {0};
	size_t i;

	measure(head, widths);
	json_array_foreach (list, i, row)
		measure(row, widths);
	if (json_array_size(list))
		print_row(head, widths);
	json_array_foreach (list, i, row)
		print_row(row, widths);
	json_decref(head);
}

static void print_lines(const json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		json_dumpf(item, stdout, 0);
		puts("");
	}
}

static int print_reply(int fd, const char *path, bool as_json)
{
	json_error_t bad;
	json_t *reply = json_loadfd(fd, JSON_DISABLE_EOF_CHECK, &bad), *list = reply;
	const char *error = json_string_value(json_object_get(reply, "error"));

	if (!reply || error) {
		fprintf(stderr, "vtrace-vfd: %s: %s\n", path, error ? error : "the device gave no answer");
		json_decref(reply);
		return 1;
	}
	if (!json_is_array(reply)) {
		list = json_array();
		json_array_append_new(list, reply);
	}
	if (as_json)
		print_lines(list);
	else
		print_table(list);
	json_decref(list);
	return 0;
}

/* Connects and asks; a descriptor, or -errno. */
static int ask(const char *path, const char *word)
{
	char line[REQUEST_MAX];
	struct sockaddr_un at;
	int bad = ctl_address(path, &at), fd;

	if (bad)
		return bad;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	snprintf(line, sizeof(line), "{\"do\": \"%s\"}\n", word);
	if (!connect(fd, (struct sockaddr *)&at, sizeof(at)) && send(fd, line, strlen(line), MSG_NOSIGNAL) > 0)
		return fd;
	bad = -errno;
	close(fd);
	return bad;
}

int ctl_client(int argc, char **argv)
{
	bool as_json = !isatty(STDOUT_FILENO);
	const char *word;
	int fd, status;

	if (argc > 1 && !strcmp(argv[argc - 1], "--json")) {
		as_json = true;
		argc--;
	}
	word = argc == 3 && !strcmp(argv[1], "show") ? argv[2] : argc == 2 ? argv[1] : NULL;
	if (argc < 2 || !word || strlen(word) > 16 || strpbrk(word, "\"\\")) {
		fputs(usage_text, stderr);
		return 2;
	}
	fd = ask(argv[0], word);
	if (fd < 0) {
		fprintf(stderr, "vtrace-vfd: cannot ask the device at %s: %s%s\n", argv[0], strerror(-fd),
		        fd == -ECONNREFUSED || fd == -ENOENT ? "; does one run with --ctl and this path?" : "");
		return 1;
	}
	status = print_reply(fd, argv[0], as_json);
	close(fd);
	return status;
}
