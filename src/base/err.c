// SPDX-License-Identifier: BSD-3-Clause
/* Filling struct vt_err; see err.h. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

int vt_fail(struct vt_err *err, int code, const char *fmt, ...)
{
	va_list args;

	if (err) {
		err->code = code;
		va_start(args, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, args);
		va_end(args);
		vt_text_clean(err->text);
	}
	return -code;
}

int vt_fail_in(struct vt_err *err, const char *fmt, ...)
{
	char prefix[VT_ERR_MAX], whole[2 * VT_ERR_MAX + 2];
	va_list args;

	if (!err)
		return 0;
	va_start(args, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, args);
	va_end(args);
	snprintf(whole, sizeof(whole), "%s: %s", prefix, err->text);
	memcpy(err->text, whole, sizeof(err->text) - 1);
	err->text[sizeof(err->text) - 1] = '\0';
	vt_text_clean(err->text);
	return -err->code;
}
