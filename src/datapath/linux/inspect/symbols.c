// SPDX-License-Identifier: BSD-3-Clause
/*
 * Symbols from /proc/kallsyms; see symbols.h. Names lie one after the other in one text, an entry is an address and an
 * offset into it: 12 bytes and the name per function.
 */
#include "datapath/linux/inspect/symbols.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOL_FAR (1 << 20) /* no function is longer than this; further away from its start is not in it */

struct symbol {
	uint64_t address;
	uint32_t name; /* offset into text */
} __attribute__((packed));

struct symbols {
	struct symbol *list;
	size_t count, room;
	char *text;
	size_t used, text_room;
	uint64_t reloaded_for; /* address that made us read again: an address without a name does so once */
};

static int symbols_add(struct symbols *symbols, uint64_t address, const char *name)
{
	size_t n = strlen(name) + 1;

	if (symbols->count == symbols->room) {
		size_t room = symbols->room ? symbols->room * 2 : 65536;
		void *list = realloc(symbols->list, room * sizeof(*symbols->list));

		if (!list)
			return -ENOMEM;
		symbols->list = list;
		symbols->room = room;
	}
	if (symbols->used + n > symbols->text_room) {
		size_t room = symbols->text_room ? symbols->text_room * 2 : 1 << 20;
		void *text = realloc(symbols->text, room);

		if (!text)
			return -ENOMEM;
		symbols->text = text;
		symbols->text_room = room;
	}
	symbols->list[symbols->count++] = (struct symbol){.address = address, .name = (uint32_t)symbols->used};
	memcpy(symbols->text + symbols->used, name, n);
	symbols->used += n;
	return 0;
}

static int symbol_compare(const void *a, const void *b)
{
	uint64_t x = ((const struct symbol *)a)->address, y = ((const struct symbol *)b)->address;

	return x < y ? -1 : x > y;
}

/* A line is "ffffffff81000000 T name\t[module]". Functions are of type t, T, w, W. */
static int symbols_line(struct symbols *symbols, char *line)
{
	char *end, *name;
	uint64_t address = strtoull(line, &end, 16);

	if (!address || end[0] != ' ' || !end[1] || end[2] != ' ' || !strchr("tTwW", end[1]))
		return 0;
	name = end + 3;
	name[strcspn(name, "\t \n")] = '\0';
	return symbols_add(symbols, address, name);
}

static int symbols_load(struct symbols *symbols)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char *line = NULL;
	size_t size = 0;
	int ret = 0;

	if (!file)
		return -errno;
	symbols->count = 0;
	symbols->used = 0;
	while (!ret && getline(&line, &size, file) > 0)
		ret = symbols_line(symbols, line);
	free(line);
	fclose(file);
	if (symbols->count)
		qsort(symbols->list, symbols->count, sizeof(*symbols->list), symbol_compare);
	return ret;
}

int symbols_open(struct symbols **ret, struct vt_err *err)
{
	struct symbols *symbols = calloc(1, sizeof(*symbols));
	int code = symbols ? symbols_load(symbols) : -ENOMEM;

	if (code < 0) {
		symbols_close(symbols);
		return vt_fail(err, -code, "read /proc/kallsyms: %s (needs CONFIG_KALLSYMS)", strerror(-code));
	}
	*ret = symbols;
	return 0;
}

void symbols_close(struct symbols *symbols)
{
	if (!symbols)
		return;
	free(symbols->list);
	free(symbols->text);
	free(symbols);
}

/* The last symbol that begins before `address`: a return address may be one past the end of a function that never
 * returns. */
static const struct symbol *symbols_find(const struct symbols *symbols, uint64_t address)
{
	size_t low = 0, high = symbols->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (symbols->list[mid].address < address)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || address - symbols->list[low - 1].address > SYMBOL_FAR)
		return NULL;
	while (low > 1 && symbols->list[low - 2].address == symbols->list[low - 1].address)
		low--; /* of several names for one address always the same one: the first */
	return &symbols->list[low - 1];
}

void symbols_name(struct symbols *symbols, uint64_t address, char *site, size_t site_size, char *function,
                  size_t function_size)
{
	const struct symbol *symbol = symbols_find(symbols, address);
	const char *name;

	if (!symbol && address && symbols->count && symbols->reloaded_for != address) {
		symbols->reloaded_for = address;
		if (symbols_load(symbols) == 0)
			symbol = symbols_find(symbols, address);
	}
	function[0] = '\0';
	if (!symbol) {
		snprintf(site, site_size, "0x%llx", (unsigned long long)address);
		return;
	}
	name = symbols->text + symbol->name;
	snprintf(site, site_size, "%s+0x%llx", name, (unsigned long long)(address - symbol->address));
	snprintf(function, function_size, "%.*s", (int)strcspn(name, "."), name);
}

uint64_t symbols_address(const struct symbols *symbols, const char *function)
{
	for (size_t i = 0; i < symbols->count; i++) {
		if (!strcmp(symbols->text + symbols->list[i].name, function))
			return symbols->list[i].address;
	}
	return 0;
}

bool symbols_range(const struct symbols *symbols, const char *function, uint64_t *ret_start, uint64_t *ret_size)
{
	size_t length = strlen(function);

	for (size_t i = 0; i + 1 < symbols->count; i++) {
		const char *name = symbols->text + symbols->list[i].name;
		size_t next = i + 1;

		/* the compiler may have given it a suffix, and have put what hardly ever runs elsewhere */
		if (strncmp(name, function, length) || (name[length] && name[length] != '.') || strstr(name, ".cold"))
			continue;
		while (next + 1 < symbols->count && symbols->list[next].address == symbols->list[i].address)
			next++; /* another name for it */
		*ret_start = symbols->list[i].address;
		*ret_size = symbols->list[next].address - symbols->list[i].address;
		return true;
	}
	return false;
}
