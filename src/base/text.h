// SPDX-License-Identifier: BSD-3-Clause
/*
 * Small jobs on strings that come from outside: names, rule texts, reasons. What goes to a terminal or into JSON is
 * clean after vt_text_clean(), whatever a peer sent.
 */
#ifndef VT_BASE_TEXT_H
#define VT_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Copies `from` into `to`, which has `size` bytes (> 0), cutting off what does not fit; always NUL-terminated. */
void vt_text_copy(char *to, size_t size, const char *from);

/* Replaces control characters and bytes that are not valid UTF-8 by '?', in place. */
void vt_text_clean(char *text);

/* Nothing in it that vt_text_clean() would replace. */
bool vt_text_is_clean(const char *text);

#endif
