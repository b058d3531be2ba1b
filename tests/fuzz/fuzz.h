// SPDX-License-Identifier: BSD-3-Clause
/* What the fuzz targets share. Each defines LLVMFuzzerTestOneInput(); replay.c runs it over a corpus without libFuzzer.
 */
#ifndef VT_FUZZ_H
#define VT_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A trap rather than assert(): it must not depend on NDEBUG, and both fuzzer and replay see it. */
#define fuzz_check(condition)             \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

#endif
