// SPDX-License-Identifier: BSD-3-Clause
/*
 * The server: API, controller, collector, record log, store and analysis in one process (design, section 2). This is
 * the layer's public header.
 */
#ifndef VT_SERVER_SERVER_H
#define VT_SERVER_SERVER_H

#include <stdbool.h>

#include "base/err.h"

#define SERVER_LISTEN_DEFAULT "127.0.0.1:8471"

struct server_config {
	const char *listen;             /* ADDR:PORT, NULL: the default; port 0 takes a free one */
	const char *data;               /* directory of the store, NULL: as in datadir.h */
	const char *tls_cert, *tls_key; /* PEM files, both or neither */
	const char *token_file;         /* NULL: no token is asked for */
	bool insecure;                  /* allow other addresses than loopback without TLS and tokens */

	/* Called once, when the server serves, with a line "ready: listening on URL". The rest goes through base/log.h.
	 */
	void (*ready)(void *arg, const char *line);
	void *ready_arg;
};

/*
 * Serves until SIGTERM or SIGINT; both are blocked in the calling thread from here on. Returns 0 after such a signal;
 * before it serves, -EINVAL if `listen` is not of the form ADDR:PORT, or another -errno with `err` saying what to try.
 */
int server_run(const struct server_config *config, struct vt_err *err);

#endif
