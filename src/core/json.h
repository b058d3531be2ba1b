// SPDX-License-Identifier: BSD-3-Clause
/*
 * Internal to the JSON codecs of core: building values, and reading members of objects that came from outside.
 */
#ifndef VT_CORE_JSON_H
#define VT_CORE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/record.h"

#define JSON_HEX_MAX 17 /* 64 bits in hexadecimal and a NUL */

/* A JSON string of any bytes: what is not UTF-8 becomes '?'. */
json_t *json_text(const char *text);
json_t *json_hex(uint64_t value); /* 16 digits: JSON numbers of many readers have 53 bits only */
json_t *json_addr(const uint8_t addr[16]);
json_t *json_flow(const struct vt_flow *flow);

/*
 * Reading: each takes a member of `object`, leaves *ret alone where the member is missing or null, and fails with a
 * line that begins with `what` and names the member, where it has the wrong type or is out of range.
 */
struct json_in {
	const json_t *object;
	const char *what; /* "task", "record" */
	struct vt_err *err;
};

int json_read_uint(const struct json_in *in, const char *name, uint64_t min, uint64_t max, uint64_t *ret);
int json_read_bool(const struct json_in *in, const char *name, bool *ret);
int json_read_hex(const struct json_in *in, const char *name, uint64_t *ret);
int json_read_text(const struct json_in *in, const char *name, char *ret, size_t size); /* at most size - 1 bytes */
int json_read_addr(const struct json_in *in, const char *name, uint8_t ret[16]);
int json_read_flow(const struct json_in *in, const char *name, struct vt_flow *ret);

#endif
