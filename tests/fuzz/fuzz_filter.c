// SPDX-License-Identifier: BSD-3-Clause
/* Any text: it is refused with a place, or its normal form is the same filter and stays as it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char normal[VT_FILTER_MAX], twice[VT_FILTER_MAX], *text = malloc(size + 1);
	struct vt_filter filter, again, reverse;
	struct vt_err err = {0};
	unsigned int column;

	memcpy(text, data, size);
	text[size] = '\0';
	if (vt_filter_parse(text, &filter, &err)) {
		fuzz_check(err.code && sscanf(err.text, "filter, column %u:", &column) == 1);
		fuzz_check(column >= 1 && column <= VT_FILTER_MAX && column <= strlen(text) + 1);
	} else {
		vt_filter_format(&filter, normal);
		fuzz_check(!vt_filter_parse(normal, &again, &err) && !memcmp(&filter, &again, sizeof(filter)));
		vt_filter_format(&again, twice);
		fuzz_check(!strcmp(normal, twice));
		vt_filter_reverse(&filter, &reverse);
		vt_filter_format(&reverse, normal);
		fuzz_check(!vt_filter_parse(normal, &again, &err) && !memcmp(&reverse, &again, sizeof(again)));
	}
	free(text);
	return 0;
}
