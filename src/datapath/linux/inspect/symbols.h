// SPDX-License-Identifier: BSD-3-Clause
/*
 * Kernel addresses to names, from /proc/kallsyms. Only functions are kept, in a sorted array. Loading takes about 60 ms
 * and 2-3 MB, so it happens once, when the agent starts, and again only if an address lies behind the last symbol (a
 * module loaded later).
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_SYMBOLS_H
#define VT_DATAPATH_LINUX_INSPECT_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct symbols;

/* Succeeds also where the kernel hides addresses (kptr_restrict): then no address has a name. */
int symbols_open(struct symbols **ret, struct vt_err *err);
void symbols_close(struct symbols *symbols);

/*
 * Writes "function+0xoffset" of a return address into `site` and the bare function (compiler suffixes such as .isra.0
 * cut) into `function`. An unknown address gives "0xffffffff81234567" and an empty function.
 */
void symbols_name(struct symbols *symbols, uint64_t address, char *site, size_t site_size, char *function,
                  size_t function_size);

/* Where the function is, whatever suffix the compiler gave its name; false if the kernel has none of that name. */
bool symbols_range(const struct symbols *symbols, const char *function, uint64_t *ret_start, uint64_t *ret_size);

/* Address of a function by its exact name, 0 if there is none. Scans all of them. */
uint64_t symbols_address(const struct symbols *symbols, const char *function);

#endif
