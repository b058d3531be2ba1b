// SPDX-License-Identifier: BSD-3-Clause
/* See datadir.h. */
#include "server/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int choose(const char *path, struct datadir *dir, struct vt_err *err)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (path)
		n = snprintf(dir->path, sizeof(dir->path), "%s", path);
	else if (geteuid() == 0)
		n = snprintf(dir->path, sizeof(dir->path), "/var/lib/vtrace");
	else if (state && *state == '/')
		n = snprintf(dir->path, sizeof(dir->path), "%s/vtrace", state);
	else if (home && *home == '/')
		n = snprintf(dir->path, sizeof(dir->path), "%s/.local/state/vtrace", home);
	else
		return vt_fail(err, ENOENT,
		               "data directory: neither XDG_STATE_HOME nor HOME is set: say where with --data DIR");
	if (n <= 0 || (size_t)n >= sizeof(dir->path) - sizeof("/server.lock"))
		return vt_fail(err, EINVAL, "data directory '%.60s': not a usable path", path);
	return 0;
}

static int dir_fail(const struct datadir *dir, int code, struct vt_err *err)
{
	return vt_fail(err, code, "data directory %.300s: %s (choose another with --data DIR)", dir->path,
	               strerror(code));
}

/* mkdir -p, all that is made with mode 0700: results tell who talks to whom. */
static int make(struct datadir *dir, struct vt_err *err)
{
	for (char *at = dir->path + 1;; at++) {
		char end = *at;

		if (end != '/' && end != '\0')
			continue;
		*at = '\0';
		if (mkdir(dir->path, 0700) && errno != EEXIST) {
			int code = errno;

			*at = end;
			return dir_fail(dir, code, err);
		}
		*at = end;
		if (!end)
			return 0;
	}
}

static int lock(struct datadir *dir, struct vt_err *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%.*s/server.lock", (int)(PATH_MAX - sizeof("/server.lock")), dir->path);
	dir->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (dir->lock_fd < 0)
		return dir_fail(dir, errno, err);
	if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	close(dir->lock_fd);
	dir->lock_fd = -1;
	return vt_fail(err, EBUSY,
	               "data directory %.300s: another vtrace server uses it (choose another with --data DIR)",
	               dir->path);
}

int datadir_open(const char *path, struct datadir *dir, struct vt_err *err)
{
	int rc = choose(path, dir, err);

	if (!rc)
		rc = make(dir, err);
	return rc ? rc : lock(dir, err);
}

void datadir_close(struct datadir *dir)
{
	if (dir->lock_fd >= 0)
		close(dir->lock_fd);
}
