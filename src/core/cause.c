// SPDX-License-Identifier: BSD-3-Clause
/* Looking up the table of causes; see cause.h. */
#include "core/cause.h"

#include <string.h>

static const struct vt_cause_info causes[VT_CAUSE_COUNT] = {
#define X(id, name, cause_class, why, seen, next) \
	[VT_CAUSE_##id] = {.code = name, .class = cause_class, .meaning = why, .evidence = seen, .next_step = next},
    VT_CAUSE_TABLE(X)
#undef X
};

const struct vt_cause_info *vt_cause_info(enum vt_cause cause)
{
	if (cause <= VT_CAUSE_NONE || cause >= VT_CAUSE_COUNT)
		return NULL;
	return &causes[cause];
}

enum vt_cause vt_cause_by_code(const char *code)
{
	for (enum vt_cause cause = VT_CAUSE_NONE + 1; cause < VT_CAUSE_COUNT; cause++)
		if (!strcmp(causes[cause].code, code))
			return cause;
	return VT_CAUSE_NONE;
}

const char *vt_cause_class_name(enum vt_cause_class class)
{
	switch (class) {
	case VT_CLASS_RATE_LIMIT:
		return "rate-limit";
	case VT_CLASS_SECURITY_POLICY:
		return "security-policy";
	case VT_CLASS_TENANT_CONFIG:
		return "tenant-config";
	case VT_CLASS_UNSUPPORTED:
		return "unsupported";
	case VT_CLASS_UNKNOWN:
		return "unknown";
	case VT_CLASS_INFRASTRUCTURE:
		return "infrastructure";
	case VT_CLASS_HOST_RESOURCE:
		return "host-resource";
	case VT_CLASS_ENDPOINT:
		return "endpoint";
	case VT_CLASS_MALFORMED:
		return "malformed";
	}
	return "unknown";
}

static size_t append(char *buf, size_t size, size_t at, const char *text, size_t len)
{
	if (at + len >= size)
		len = size - at - 1;
	memcpy(buf + at, text, len);
	return at + len;
}

void vt_cause_next_step(enum vt_cause cause, const char *node, const char *device, char *buf, size_t size)
{
	const struct vt_cause_info *info = vt_cause_info(cause);
	const char *s = info ? info->next_step : "";
	size_t at = 0;

	while (*s && at + 1 < size) {
		const char *value = s;
		size_t used = 1, len = 1;

		if (s[0] == '%' && s[1]) {
			used = 2;
			value = s + 1; /* %% */
			if (s[1] == 'n')
				value = node && node[0] ? node : "NODE";
			else if (s[1] == 'd')
				value = device && device[0] ? device : "DEVICE";
			len = s[1] == 'n' || s[1] == 'd' ? strlen(value) : 1;
		}
		at = append(buf, size, at, value, len);
		s += used;
	}
	if (size)
		buf[at] = '\0';
}
