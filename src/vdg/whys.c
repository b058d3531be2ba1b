// SPDX-License-Identifier: BSD-3-Clause
/* Interned reasons; see whys.h. Kept until the device closes: records in the rings may have their numbers. */
#include "vdg/whys.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <vtrace/vdg.h>

#define BUCKETS 4096

struct why_entry {
	struct why why;
	uint32_t next; /* number of the next one in the bucket, 0: none */
};

struct whys {
	pthread_mutex_t lock;
	_Atomic uint32_t n; /* numbers given: 1 to n */
	uint32_t buckets[BUCKETS];
	_Atomic(struct why_entry *) entries[VDG_WHYS_MAX];
};

struct whys *whys_new(void)
{
	struct whys *whys = calloc(1, sizeof(*whys));

	if (whys)
		pthread_mutex_init(&whys->lock, NULL);
	return whys;
}

void whys_free(struct whys *whys)
{
	if (!whys)
		return;
	for (uint32_t i = 1; i <= whys->n; i++)
		free(whys->entries[i]);
	pthread_mutex_destroy(&whys->lock);
	free(whys);
}

static uint32_t text_hash(uint32_t h, const char *text)
{
	while (*text)
		h = (h ^ (uint8_t)*text++) * 16777619u;
	return h;
}

static uint32_t *why_bucket(struct whys *whys, const struct why *why)
{
	uint32_t h = text_hash(2166136261u ^ why->cause, why->reason);

	return &whys->buckets[text_hash(text_hash(h, why->site), why->evidence) % BUCKETS];
}

static bool why_equals(const struct why *a, const struct why *b)
{
	return a->cause == b->cause && !strcmp(a->reason, b->reason) && !strcmp(a->site, b->site) &&
	       !strcmp(a->evidence, b->evidence);
}

static uint32_t why_find_or_add(struct whys *whys, const struct why *why)
{
	uint32_t *bucket = why_bucket(whys, why), number;
	struct why_entry *entry;

	for (number = *bucket; number; number = entry->next) {
		entry = whys->entries[number];
		if (why_equals(&entry->why, why))
			return number;
	}
	if (whys->n + 1 >= VDG_WHYS_MAX)
		return 0;
	entry = malloc(sizeof(*entry));
	if (!entry)
		return 0;
	entry->why = *why;
	entry->next = *bucket;
	number = whys->n + 1;
	atomic_store(&whys->entries[number], entry);
	atomic_store(&whys->n, number);
	*bucket = number;
	return number;
}

uint32_t whys_add(struct whys *whys, const struct why *why)
{
	uint32_t number;

	pthread_mutex_lock(&whys->lock);
	number = why_find_or_add(whys, why);
	pthread_mutex_unlock(&whys->lock);
	return number;
}

const struct why *whys_get(const struct whys *whys, uint32_t number)
{
	const struct why_entry *entry = number < VDG_WHYS_MAX ? atomic_load(&whys->entries[number]) : NULL;

	return entry ? &entry->why : NULL;
}

unsigned int whys_count(const struct whys *whys)
{
	return atomic_load(&whys->n);
}
