// SPDX-License-Identifier: BSD-3-Clause
/*
 * The two clocks. Durations and deadlines are measured on the monotonic one; the calendar is only for what people read.
 */
#ifndef VT_BASE_CLOCK_H
#define VT_BASE_CLOCK_H

#include <stdint.h>

#define VT_SECOND_NS 1000000000ULL
#define VT_MSEC_NS   1000000ULL
#define VT_TIME_TEXT 32 /* "2026-01-31T10:00:00.123456Z" and its NUL, with room for a year of five digits */

uint64_t vt_now_ns(void); /* CLOCK_MONOTONIC */
int64_t vt_real_us(void); /* Unix time in microseconds */

/* ISO 8601 in UTC with microseconds: "2026-01-31T10:00:00.123456Z". */
void vt_time_format(int64_t real_us, char buf[VT_TIME_TEXT]);

#endif
