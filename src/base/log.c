// SPDX-License-Identifier: BSD-3-Clause
/* Log lines; see log.h. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static enum log_level max_level = LOG_LEVEL_INFO; /* of the process, as stderr is */

void log_set_level(enum log_level level)
{
	max_level = level;
}

int log_level_parse(const char *name, enum log_level *level)
{
	for (unsigned int i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++)
		if (!strcmp(name, level_names[i])) {
			*level = i;
			return 0;
		}
	return -EINVAL;
}

static void write_line(enum log_level level, const char *fmt, va_list args)
{
	char line[LOG_LINE_MAX], now[VT_TIME_TEXT];
	size_t at, len;

	if (level > max_level)
		return;
	vt_time_format(vt_real_us(), now);
	at = (size_t)snprintf(line, sizeof(line), "%s %s: ", now, level_names[level]);
	vsnprintf(line + at, sizeof(line) - at - 1, fmt, args);
	vt_text_clean(line);
	len = strlen(line);
	line[len++] = '\n';
	while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
		;
}

#define LOG_FUNCTION(name, level)             \
	void name(const char *fmt, ...)       \
	{                                     \
		va_list args;                 \
                                              \
		va_start(args, fmt);          \
		write_line(level, fmt, args); \
		va_end(args);                 \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
