// SPDX-License-Identifier: BSD-3-Clause
/* Members of JSON objects; see json.h. */
#include "core/json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/task.h"

json_t *json_text(const char *text)
{
	json_t *json = json_string(text);
	char *copy;

	if (json)
		return json;
	copy = strdup(text); /* jansson refuses what is not UTF-8 */
	if (!copy)
		return NULL;
	vt_text_clean(copy);
	json = json_string(copy);
	free(copy);
	return json;
}

json_t *json_hex(uint64_t value)
{
	char text[JSON_HEX_MAX];

	snprintf(text, sizeof(text), "%016" PRIx64, value);
	return json_string(text);
}

json_t *json_addr(const uint8_t addr[16])
{
	char text[INET6_ADDRSTRLEN];

	vt_addr_format(addr, text, sizeof(text));
	return json_string(text);
}

json_t *json_flow(const struct vt_flow *flow)
{
	char text[VT_FLOW_TEXT_MAX];

	vt_flow_format(flow, text);
	return json_string(text);
}

/* The member's value; NULL if it is missing or null. */
static const json_t *member(const struct json_in *in, const char *name)
{
	const json_t *value = json_object_get(in->object, name);

	return json_is_null(value) ? NULL : value;
}

int json_read_uint(const struct json_in *in, const char *name, uint64_t min, uint64_t max, uint64_t *ret)
{
	const json_t *value = member(in, name);
	json_int_t number = json_integer_value(value);

	if (!value)
		return 0;
	if (!json_is_integer(value) || number < 0 || (uint64_t)number < min || (uint64_t)number > max)
		return vt_fail(in->err, EINVAL, "%s: \"%s\" must be a whole number from %" PRIu64 " to %" PRIu64,
		               in->what, name, min, max);
	*ret = (uint64_t)number;
	return 0;
}

int json_read_bool(const struct json_in *in, const char *name, bool *ret)
{
	const json_t *value = member(in, name);

	if (!value)
		return 0;
	if (!json_is_boolean(value))
		return vt_fail(in->err, EINVAL, "%s: \"%s\" must be true or false", in->what, name);
	*ret = json_is_true(value);
	return 0;
}

int json_read_hex(const struct json_in *in, const char *name, uint64_t *ret)
{
	const json_t *value = member(in, name);
	const char *text = json_string_value(value);
	size_t len = text ? strlen(text) : 0;

	if (!value)
		return 0;
	if (len < 1 || len > 16 || strspn(text, "0123456789abcdefABCDEF") != len)
		return vt_fail(in->err, EINVAL, "%s: \"%s\" must be a string of 1 to 16 hexadecimal digits", in->what,
		               name);
	*ret = strtoull(text, NULL, 16);
	return 0;
}

int json_read_text(const struct json_in *in, const char *name, char *ret, size_t size)
{
	const json_t *value = member(in, name);

	if (!value)
		return 0;
	if (!json_is_string(value) || json_string_length(value) >= size ||
	    strlen(json_string_value(value)) != json_string_length(value))
		return vt_fail(in->err, EINVAL, "%s: \"%s\" must be a string of at most %zu bytes", in->what, name,
		               size - 1);
	vt_text_copy(ret, size, json_string_value(value));
	vt_text_clean(ret);
	return 0;
}

int json_read_addr(const struct json_in *in, const char *name, uint8_t ret[16])
{
	const json_t *value = member(in, name);
	uint8_t addr[16];

	if (!value)
		return 0;
	if (!json_is_string(value) || vt_addr_parse(json_string_value(value), addr))
		return vt_fail(in->err, EINVAL, "%s: \"%s\" must be an IPv4 or IPv6 address", in->what, name);
	memcpy(ret, addr, 16);
	return 0;
}

int json_read_flow(const struct json_in *in, const char *name, struct vt_flow *ret)
{
	const json_t *value = member(in, name);

	if (!value)
		return 0;
	if (!json_is_string(value) || vt_flow_parse(json_string_value(value), ret))
		return vt_fail(in->err, EINVAL, "%s: \"%s\" must be a flow, as in \"10.0.0.1:4000 > 10.0.0.2:53 udp\"",
		               in->what, name);
	return 0;
}
