// SPDX-License-Identifier: BSD-3-Clause
/*
 * Interned byte strings: flows, pairs of tunnel ends, device names, what an inspector found. The same bytes get the
 * same number, so that a stored record is 64 bytes and two flows are compared as two numbers. References are counted:
 * what no record, path or cause uses any more is freed, since a server runs for months.
 */
#ifndef VT_ANALYSIS_INTERN_H
#define VT_ANALYSIS_INTERN_H

#include <stddef.h>
#include <stdint.h>

struct intern_entry {
	void *data;
	uint32_t length;
	uint32_t refs;
	uint32_t hash;
	uint32_t next_free;
};

struct intern {
	struct intern_entry *entries; /* [0] is unused: number 0 means "empty" */
	uint32_t n_entries, cap, free;
	uint32_t *slots; /* open addressing, linear probing; entry numbers */
	uint32_t mask, used, limit;
};

void intern_init(struct intern *in, uint32_t limit);
void intern_done(struct intern *in);

/* Number of these bytes, with one more reference; 0 at the limit or without memory. */
uint32_t intern_add(struct intern *in, const void *data, uint32_t length);

static inline uint32_t intern_ref(struct intern *in, uint32_t number)
{
	if (number)
		in->entries[number].refs++;
	return number;
}

/* Gives one reference back; number 0 is allowed. */
void intern_put(struct intern *in, uint32_t number);

static inline const void *intern_get(const struct intern *in, uint32_t number)
{
	return number ? in->entries[number].data : NULL;
}

/* A 64-bit mix good enough for tables that only trusted agents fill. */
uint64_t intern_hash(const void *data, uint32_t length);

#endif
