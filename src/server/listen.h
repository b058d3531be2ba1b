// SPDX-License-Identifier: BSD-3-Clause
/* Where the server listens: from "ADDR:PORT" to a listening socket. */
#ifndef VT_SERVER_LISTEN_H
#define VT_SERVER_LISTEN_H

#include <stdbool.h>

#include "base/err.h"

#define LISTEN_TEXT_MAX 128 /* "[" IPv6 with zone "]:65535" */

struct listener {
	int fd;
	bool loopback;              /* reachable from this host only */
	char text[LISTEN_TEXT_MAX]; /* address and port as in a URL; the real port where 0 was asked for */
};

/*
 * Binds and listens. `spec` is ADDR:PORT, [ADDR]:PORT for IPv6, or NAME:PORT; port 0 takes a free one. Anything but a
 * loopback address is refused with -EPERM unless `allow_remote`. -EINVAL: `spec` is not of that form.
 */
int listen_open(const char *spec, bool allow_remote, struct listener *listener, struct vt_err *err);

#endif
