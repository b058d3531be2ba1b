// SPDX-License-Identifier: BSD-3-Clause
/* The data directory: made where it is missing, and locked, since two servers on one store would spoil each other. */
#ifndef VT_SERVER_DATADIR_H
#define VT_SERVER_DATADIR_H

#include <limits.h>

#include "base/err.h"

struct datadir {
	char path[PATH_MAX];
	int lock_fd; /* held while the server runs; closing it gives the lock back */
};

/*
 * `path` NULL means /var/lib/vtrace for root, else $XDG_STATE_HOME/vtrace or ~/.local/state/vtrace. Missing directories
 * are made with mode 0700. -EBUSY: another server has it.
 */
int datadir_open(const char *path, struct datadir *dir, struct vt_err *err);
void datadir_close(struct datadir *dir);

#endif
