// SPDX-License-Identifier: BSD-3-Clause
/*
 * Lines on stderr for the long-running programs (server, agent). Libraries do not log: they return errors.
 *
 * A line is "2026-01-31T10:00:00.123456Z warning: text"; it is written with one write(2), so lines of several threads
 * do not mix. Control characters in the text become '?': names from the network cannot play tricks on a terminal.
 */
#ifndef VT_BASE_LOG_H
#define VT_BASE_LOG_H

#define LOG_LINE_MAX 1200 /* bytes of one line: two error texts and their frame; the rest is cut off */

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO, /* the default */
	LOG_LEVEL_DEBUG,
};

/* Lines above this level are not written. Call it before threads start. */
void log_set_level(enum log_level level);
int log_level_parse(const char *name, enum log_level *level); /* "error", "warning", "info", "debug"; 0 or -EINVAL */

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
