// SPDX-License-Identifier: BSD-3-Clause
/* Reading and writing time; see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t vt_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * VT_SECOND_NS + (uint64_t)now.tv_nsec;
}

int64_t vt_real_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void vt_time_format(int64_t real_us, char buf[VT_TIME_TEXT])
{
	int64_t us = real_us % 1000000;
	time_t seconds = real_us / 1000000;
	struct tm tm;
	size_t n;

	if (us < 0) { /* before 1970: the fraction still counts forward */
		us += 1000000;
		seconds--;
	}
	if (!gmtime_r(&seconds, &tm))
		memset(&tm, 0, sizeof(tm));
	n = strftime(buf, VT_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, VT_TIME_TEXT - n, ".%06dZ", (int)us);
}
