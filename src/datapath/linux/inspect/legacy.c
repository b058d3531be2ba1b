// SPDX-License-Identifier: BSD-3-Clause
/* See legacy.h. */
#include "datapath/linux/inspect/legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

bool legacy_in_use(int family)
{
	FILE *file = fopen(
	    family == 4 ? "/proc/thread-self/net/ip_tables_names" : "/proc/thread-self/net/ip6_tables_names", "re");
	bool used;

	if (!file)
		return false;
	used = fgetc(file) != EOF;
	fclose(file);
	return used;
}

void legacy_free(struct legacy_rules *rules)
{
	free(rules->drops);
	memset(rules, 0, sizeof(*rules));
}

static struct legacy_drop *drop_new(struct legacy_rules *rules)
{
	struct legacy_drop *drops;

	if (rules->count == LEGACY_MAX) {
		rules->cut = true;
		return NULL;
	}
	if (rules->count % 64 == 0) {
		drops = reallocarray(rules->drops, rules->count + 64, sizeof(*drops));
		if (!drops) {
			rules->cut = true;
			return NULL;
		}
		rules->drops = drops;
	}
	return &rules->drops[rules->count++];
}

static void drop_add(struct legacy_rules *rules, int family, const char *table, uint64_t packets, const char *text)
{
	struct legacy_drop *drop = drop_new(rules);

	if (!drop)
		return;
	drop->packets = packets;
	snprintf(drop->text, sizeof(drop->text), "%s table %s: %s",
	         family == 4 ? "iptables-legacy" : "ip6tables-legacy", table, text);
}

/*
 * Lines of iptables-save -c: "*filter", ":FORWARD DROP [5:420]", "[5:420] -A FORWARD -p udp -j DROP". Targets that end
 * a packet's life are DROP and REJECT.
 */
static void line_parse(struct legacy_rules *rules, int family, char table[32], char *line)
{
	unsigned long long packets;
	char chain[64], policy[16], text[96];
	const char *rule;

	line[strcspn(line, "\n")] = '\0';
	if (line[0] == '*') {
		snprintf(table, 32, "%s", line + 1);
	} else if (sscanf(line, ":%63s %15s [%llu:", chain, policy, &packets) == 3) {
		snprintf(text, sizeof(text), "policy %s of chain %s", policy, chain);
		if (!strcmp(policy, "DROP"))
			drop_add(rules, family, table, packets, text);
	} else if (sscanf(line, "[%llu:", &packets) == 1) {
		rule = strstr(line, "] ");
		if (rule && (strstr(rule, " -j DROP") || strstr(rule, " -j REJECT")))
			drop_add(rules, family, table, packets, rule + 2);
	}
}

static int save_begin(int family, pid_t *ret_pid)
{
	static char *const argv[2][3] = {{"iptables-legacy-save", "-c", NULL}, {"ip6tables-legacy-save", "-c", NULL}};
	posix_spawn_file_actions_t actions;
	int fds[2], code;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	code = posix_spawnp(ret_pid, argv[family == 6][0], &actions, NULL, argv[family == 6], environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	if (code) {
		close(fds[0]);
		return -code;
	}
	return fds[0];
}

int legacy_read(int family, struct legacy_rules *rules)
{
	char table[32] = "", *line = NULL;
	int fd, status = 0;
	size_t size = 0;
	pid_t pid;
	FILE *file;

	legacy_free(rules);
	fd = save_begin(family, &pid);
	if (fd < 0)
		return fd;
	file = fdopen(fd, "r");
	while (file && getline(&line, &size, file) > 0)
		line_parse(rules, family, table, line);
	free(line);
	if (file)
		fclose(file);
	else
		close(fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	legacy_free(rules);
	return -ENOENT;
}
