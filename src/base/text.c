// SPDX-License-Identifier: BSD-3-Clause
/* Strings from outside; see text.h. */
#include "base/text.h"

#include <stdint.h>
#include <string.h>

void vt_text_copy(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
}

/* Bytes of the well-formed character (RFC 3629, table in section 4) at `s`; 0 if there is none. */
static size_t utf8_length(const uint8_t *s)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t more;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		more = 1;
	} else if (s[0] >= 0xe0 && s[0] <= 0xef) {
		more = 2;
		low = s[0] == 0xe0 ? 0xa0 : low;   /* no overlong forms */
		high = s[0] == 0xed ? 0x9f : high; /* no surrogates */
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		more = 3;
		low = s[0] == 0xf0 ? 0x90 : low;
		high = s[0] == 0xf4 ? 0x8f : high; /* not past U+10FFFF */
	} else {
		return 0;
	}
	for (size_t i = 1; i <= more; i++) {
		if (s[i] < low || s[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return more + 1;
}

/* Bytes of the character at `s` if it may stay; 0 if it is one to replace. C1 controls (c2 80..9f) count as controls.
 */
static size_t clean_length(const uint8_t *s)
{
	if (s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0))
		return 0;
	return utf8_length(s);
}

void vt_text_clean(char *text)
{
	for (uint8_t *s = (uint8_t *)text; *s;) {
		size_t len = clean_length(s);

		if (!len) {
			*s = '?';
			len = 1;
		}
		s += len;
	}
}

bool vt_text_is_clean(const char *text)
{
	for (const uint8_t *s = (const uint8_t *)text; *s;) {
		size_t len = clean_length(s);

		if (!len)
			return false;
		s += len;
	}
	return true;
}
