// SPDX-License-Identifier: BSD-3-Clause
/* See intern.h. */
#include "analysis/intern.h"

#include <stdlib.h>
#include <string.h>

#define INTERN_SLOTS_MIN 64

uint64_t intern_hash(const void *data, uint32_t length)
{
	const unsigned char *bytes = data;
	uint64_t h = 0x9e3779b97f4a7c15ULL ^ length, word;

	for (; length >= 8; length -= 8, bytes += 8) {
		memcpy(&word, bytes, 8);
		h = (h ^ word) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	word = 0;
	memcpy(&word, bytes, length);
	h = (h ^ word) * 0xc4ceb9fe1a85ec53ULL;
	return h ^ h >> 29;
}

void intern_init(struct intern *in, uint32_t limit)
{
	memset(in, 0, sizeof(*in));
	in->limit = limit;
}

void intern_done(struct intern *in)
{
	for (uint32_t i = 1; i < in->n_entries; i++)
		free(in->entries[i].data);
	free(in->entries);
	free(in->slots);
	intern_init(in, in->limit);
}

static int intern_rehash(struct intern *in, uint32_t n_slots)
{
	uint32_t *slots = calloc(n_slots, sizeof(*slots));

	if (!slots)
		return -1;
	for (uint32_t i = 1; i < in->n_entries; i++) {
		uint32_t at = in->entries[i].hash & (n_slots - 1);

		if (!in->entries[i].refs)
			continue;
		while (slots[at])
			at = (at + 1) & (n_slots - 1);
		slots[at] = i;
	}
	free(in->slots);
	in->slots = slots;
	in->mask = n_slots - 1;
	return 0;
}

static uint32_t intern_new_entry(struct intern *in)
{
	uint32_t number = in->free;

	if (number) {
		in->free = in->entries[number].next_free;
		return number;
	}
	if (in->n_entries + 1 >= in->cap) {
		uint32_t cap = in->cap ? in->cap * 2 : 64;
		struct intern_entry *entries = realloc(in->entries, cap * sizeof(*entries));

		if (!entries)
			return 0;
		memset(entries + in->cap, 0, (cap - in->cap) * sizeof(*entries));
		in->entries = entries;
		in->cap = cap;
		if (!in->n_entries)
			in->n_entries = 1;
	}
	return in->n_entries++;
}

static uint32_t intern_insert(struct intern *in, const void *data, uint32_t length, uint32_t hash)
{
	uint32_t number, at;
	struct intern_entry *entry;

	if (in->used >= in->limit)
		return 0;
	if ((!in->slots || in->used * 2 >= in->mask) &&
	    intern_rehash(in, in->slots ? (in->mask + 1) * 2 : INTERN_SLOTS_MIN) < 0)
		return 0;
	number = intern_new_entry(in);
	if (!number)
		return 0;
	entry = &in->entries[number];
	entry->data = malloc(length ? length : 1);
	if (!entry->data) {
		entry->next_free = in->free;
		in->free = number;
		return 0;
	}
	memcpy(entry->data, data, length);
	entry->length = length;
	entry->hash = hash;
	entry->refs = 1;
	for (at = hash & in->mask; in->slots[at];)
		at = (at + 1) & in->mask;
	in->slots[at] = number;
	in->used++;
	return number;
}

uint32_t intern_add(struct intern *in, const void *data, uint32_t length)
{
	uint32_t hash = (uint32_t)intern_hash(data, length);

	for (uint32_t at = hash & in->mask; in->slots && in->slots[at]; at = (at + 1) & in->mask) {
		struct intern_entry *entry = &in->entries[in->slots[at]];

		if (entry->hash == hash && entry->length == length && !memcmp(entry->data, data, length)) {
			entry->refs++;
			return in->slots[at];
		}
	}
	return intern_insert(in, data, length, hash);
}

/* Closes the hole at `at` by moving later entries of the same run back (no tombstones). */
static void intern_unslot(struct intern *in, uint32_t at)
{
	for (uint32_t next = (at + 1) & in->mask; in->slots[next]; next = (next + 1) & in->mask) {
		uint32_t home = in->entries[in->slots[next]].hash & in->mask;

		if (((next - home) & in->mask) >= ((next - at) & in->mask)) {
			in->slots[at] = in->slots[next];
			at = next;
		}
	}
	in->slots[at] = 0;
}

void intern_put(struct intern *in, uint32_t number)
{
	struct intern_entry *entry = &in->entries[number];
	uint32_t at;

	if (!number || --entry->refs)
		return;
	for (at = entry->hash & in->mask; in->slots[at] != number;)
		at = (at + 1) & in->mask;
	intern_unslot(in, at);
	free(entry->data);
	memset(entry, 0, sizeof(*entry));
	entry->next_free = in->free;
	in->free = number;
	in->used--;
}
