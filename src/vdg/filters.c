// SPDX-License-Identifier: BSD-3-Clause
/* Tuple space search of filters; see filters.h. */
#include "vdg/filters.h"

#include <assert.h>
#include <string.h>

_Static_assert(sizeof(union filters_key) == sizeof(((union filters_key *)0)->words), "a key is its words");
_Static_assert(FILTERS_MAX <= UINT16_MAX, "numbers have 16 bits");

static void mask_prefix(uint8_t mask[16], unsigned int len)
{
	memset(mask, 0xff, len / 8);
	if (len % 8)
		mask[len / 8] = (uint8_t)(0xff << (8 - len % 8));
}

static union filters_key mask_of(const struct vt_filter *filter)
{
	union filters_key mask = {0};

	if (filter->fields & VT_FILTER_SRC)
		mask_prefix(mask.src, filter->src_len);
	if (filter->fields & VT_FILTER_DST)
		mask_prefix(mask.dst, filter->dst_len);
	if (filter->fields & VT_FILTER_VNI)
		mask.vni = UINT32_MAX;
	if (filter->fields & VT_FILTER_SPORT)
		mask.sport = UINT16_MAX;
	if (filter->fields & VT_FILTER_DPORT)
		mask.dport = UINT16_MAX;
	if (filter->fields & VT_FILTER_PROTO)
		mask.proto = UINT8_MAX;
	if (filter->family)
		mask.family = UINT8_MAX;
	return mask;
}

static union filters_key key_of_flow(const struct vt_flow *flow, uint32_t vni)
{
	union filters_key key = {
	    .vni = vni, .sport = flow->sport, .dport = flow->dport, .proto = flow->proto, .family = flow->family};

	memcpy(key.src, flow->src, 16);
	memcpy(key.dst, flow->dst, 16);
	return key;
}

static union filters_key key_of_filter(const struct vt_filter *filter)
{
	union filters_key key = {.vni = filter->vni,
	                         .sport = filter->sport,
	                         .dport = filter->dport,
	                         .proto = filter->proto,
	                         .family = filter->family};

	memcpy(key.src, filter->src, 16);
	memcpy(key.dst, filter->dst, 16);
	return key;
}

static uint32_t bucket_of(const union filters_key *key, const union filters_key *mask, unsigned int shape)
{
	uint64_t h = shape;

	for (int i = 0; i < 6; i++) {
		h = (h ^ (key->words[i] & mask->words[i])) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	return (uint32_t)(h % FILTERS_BUCKETS);
}

/* The shape of a mask; the first one, whose mask is empty, if there is no room. */
static unsigned int shape_get(struct filters *filters, const union filters_key *mask)
{
	unsigned int unused = 0;

	for (unsigned int i = 0; i < FILTERS_SHAPES; i++) {
		struct filters_shape *shape = &filters->shapes[i];

		if (!memcmp(&shape->mask, mask, sizeof(*mask)) && (!i || shape->held))
			return i;
		if (i && !unused && !shape->held)
			unused = i;
	}
	if (unused)
		filters->shapes[unused].mask = *mask;
	return unused;
}

void filters_add(struct filters *filters, unsigned int number, const struct vt_filter *filter)
{
	union filters_key mask = mask_of(filter), key = key_of_filter(filter);
	struct filters_entry *entry = &filters->entries[number];
	unsigned int at = shape_get(filters, &mask);
	struct filters_shape *shape = &filters->shapes[at];
	_Atomic uint32_t *bucket;

	entry->filter = filter;
	entry->shape = (uint8_t)at;
	entry->bucket = bucket_of(&key, &shape->mask, at);
	bucket = &filters->buckets[entry->bucket];
	atomic_store_explicit(&entry->next, atomic_load_explicit(bucket, memory_order_relaxed), memory_order_relaxed);
	atomic_store_explicit(bucket, number + 1, memory_order_release);
	shape->held++;
	if (!shape->shown++)
		atomic_fetch_or_explicit(&filters->shown, 1ULL << at, memory_order_release);
}

void filters_hide(struct filters *filters, unsigned int number)
{
	struct filters_entry *entry = &filters->entries[number];
	_Atomic uint32_t *link = &filters->buckets[entry->bucket];
	uint32_t at = atomic_load_explicit(link, memory_order_relaxed);

	while (at && at != number + 1) {
		link = &filters->entries[at - 1].next;
		at = atomic_load_explicit(link, memory_order_relaxed);
	}
	assert(at);
	atomic_store_explicit(link, atomic_load_explicit(&entry->next, memory_order_relaxed), memory_order_release);
	if (!--filters->shapes[entry->shape].shown)
		atomic_fetch_and_explicit(&filters->shown, ~(1ULL << entry->shape), memory_order_relaxed);
}

void filters_free(struct filters *filters, unsigned int number)
{
	filters->shapes[filters->entries[number].shape].held--;
}

/* Keeps the numbers ascending; they are few. */
static void insert(uint16_t *numbers, unsigned int n, uint16_t number)
{
	for (; n && numbers[n - 1] > number; n--)
		numbers[n] = numbers[n - 1];
	numbers[n] = number;
}

unsigned int filters_match(const struct filters *filters, const struct vt_flow *flow, uint32_t vni, uint16_t *numbers,
                           unsigned int max)
{
	union filters_key key = key_of_flow(flow, vni);
	unsigned int n = 0;

	for (uint64_t shown = atomic_load_explicit(&filters->shown, memory_order_acquire); shown; shown &= shown - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(shown);
		const struct filters_shape *shape = &filters->shapes[i];
		uint32_t at;

		at = atomic_load_explicit(&filters->buckets[bucket_of(&key, &shape->mask, i)], memory_order_acquire);
		while (at) {
			const struct filters_entry *entry = &filters->entries[at - 1];

			if (entry->shape == i && vt_filter_match(entry->filter, flow, vni) && n++ < max)
				insert(numbers, n - 1, (uint16_t)(at - 1));
			at = atomic_load_explicit(&entry->next, memory_order_acquire);
		}
	}
	return n;
}
