// SPDX-License-Identifier: BSD-3-Clause
/*
 * Errors as values.
 *
 * A function that can fail returns 0 (or a positive result) on success and -errno on failure, and fills a
 * struct vt_err with one line for a person: what failed, on what object, and what to try. The caller decides whether
 * to print it; only the command line and the long-running programs ever do.
 */
#ifndef VT_BASE_ERR_H
#define VT_BASE_ERR_H

#define VT_ERR_MAX 512 /* bytes, one terminal line with room for a path */

struct vt_err {
	int code;              /* positive errno, 0 when unset */
	char text[VT_ERR_MAX]; /* one line of UTF-8 without control characters */
};

/*
 * Fills `err` (NULL is allowed) and returns -code, so that a failure is one statement:
 *     return vt_fail(err, ENOENT, "open %s: no such file (try --data DIR)", path);
 */
int vt_fail(struct vt_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " in front of what `err` already says; returns -err->code. */
int vt_fail_in(struct vt_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
