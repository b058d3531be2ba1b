// SPDX-License-Identifier: BSD-3-Clause
/* The machine an agent runs on; see host.h. */
#include "agent/host.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"

uint64_t agent_boot_id(void)
{
	uint64_t id = 0;

	/* Before the kernel's pool is ready, early at boot, the clock still tells two starts apart. */
	if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id))
		id = vt_now_ns() ^ (uint64_t)getpid() << 40;
	return id ? id : 1;
}

int agent_node_name(const char *given, char name[VT_NODE_MAX], struct vt_err *err)
{
	char host[256] = "";

	if (!given) {
		gethostname(host, sizeof(host) - 1);
		host[strcspn(host, ".")] = '\0';
		given = host;
	}
	if (!given[0] || strlen(given) >= VT_NODE_MAX)
		return vt_fail(err, EINVAL, "the node's name '%.80s' must have 1 to %d bytes (--node NAME)", given,
		               VT_NODE_MAX - 1);
	for (const char *c = given; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			return vt_fail(
			    err, EINVAL,
			    "the node's name '%s' may have only letters, digits, '.', '_' and '-' (--node NAME)",
			    given);
	memcpy(name, given, strlen(given) + 1);
	return 0;
}

int agent_kind(const char *given, enum vt_kind *kind, struct vt_err *err)
{
	*kind = VT_KIND_VSWITCH;
	if (given && vt_kind_parse(given, kind) < 0)
		return vt_fail(err, EINVAL, "--kind %s: must be vswitch or vrouter", given);
	return 0;
}

int agent_mark_mask(const char *given, uint32_t *mask, struct vt_err *err)
{
	unsigned long long value;
	char *end;

	*mask = 0;
	if (!given)
		return 0;
	errno = 0;
	value = strtoull(given, &end, 16);
	if (!isxdigit((unsigned char)given[0]) || *end || errno || !value || value > UINT32_MAX)
		return vt_fail(err, EINVAL, "--mark-mask %s: must be 32 bits in hexadecimal, not all 0", given);
	*mask = (uint32_t)value;
	return 0;
}

int agent_signal_fd(struct vt_err *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	fd = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? vt_fail(err, errno, "cannot watch signals: %s", strerror(errno)) : fd;
}

bool agent_signal_take(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == sizeof(info);
}
