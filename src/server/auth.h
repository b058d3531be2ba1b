// SPDX-License-Identifier: BSD-3-Clause
/* Bearer tokens (RFC 6750): who shows one of the file's tokens may do everything. */
#ifndef VT_SERVER_AUTH_H
#define VT_SERVER_AUTH_H

#include <stdbool.h>

#include "base/err.h"

#define AUTH_TOKEN_MAX  1024 /* bytes of one token; leaves room for other headers in a connection's memory */
#define AUTH_TOKENS_MAX 1024 /* all are compared at each request, so that their order cannot be timed */

struct auth;

/* Reads a file with one token a line; blank lines and lines that begin with # are skipped. One token at least. */
int auth_open(const char *path, struct auth **ret_auth, struct vt_err *err);
void auth_free(struct auth *auth);

/*
 * Checks the value of an Authorization header (NULL: there was none). The time it takes depends on the lengths only.
 * NULL auth lets everyone in.
 */
bool auth_check(const struct auth *auth, const char *header);

#endif
