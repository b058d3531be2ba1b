/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's cache of flow entries, see flow.h: an rte_hash gives each key a position, the entries lie in an array.
 */
#include "flow.h"
#include "trace.h"

#include <assert.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SCAN_MAX (8 * BURST) /* entries that the hand looks at for a burst; then the next one goes, used or not */

_Static_assert(sizeof(struct flow_key) == 56, "keys are compared as bytes: no padding");

struct flows {
	struct rte_hash *hash;
	struct flow_entry *entries;
	struct flow_key *keys;     /* of the entries; family 0: there is none */
	uint32_t max, slots, hand; /* slots: a third more, as adding to a fuller rte_hash becomes slow */
};

/* rte_hash has no comparison for this length that is compiled in. */
static int keys_differ(const void *a, const void *b, size_t len)
{
	const uint64_t *x = a, *y = b;
	uint64_t bits = 0;

	for (int i = 0; i < 7; i++)
		bits |= x[i] ^ y[i];
	return bits != 0;
}

/* Zeroed; in huge pages where the kernel has some, as entries lie far apart. */
static void *pages_new(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	madvise(at, size, MADV_HUGEPAGE);
	return at;
}

struct flows *flows_new(unsigned int number, unsigned int max)
{
	struct flows *f = calloc(1, sizeof(*f));
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters how = {.name = name,
	                                  .entries = max + max / 3,
	                                  .key_len = sizeof(struct flow_key),
	                                  .hash_func = rte_hash_crc,
	                                  .extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE};

	if (!f)
		return NULL;
	f->max = max;
	f->slots = max + max / 3;
	snprintf(name, sizeof(name), "flows%u", number);
	f->hash = rte_hash_create(&how);
	f->entries = pages_new(sizeof(*f->entries) * f->slots);
	f->keys = pages_new(sizeof(*f->keys) * f->slots);
	if (f->hash && f->entries && f->keys) {
		rte_hash_set_cmp_func(f->hash, keys_differ);
		return f;
	}
	flows_free(f);
	return NULL;
}

void flows_free(struct flows *flows)
{
	if (!flows)
		return;
	rte_hash_free(flows->hash);
	if (flows->entries)
		munmap(flows->entries, sizeof(*flows->entries) * flows->slots);
	if (flows->keys)
		munmap(flows->keys, sizeof(*flows->keys) * flows->slots);
	free(flows);
}

/* Where no packet holds an entry. */
static void make_room(struct flows *f)
{
	unsigned int room = f->max - (unsigned int)rte_hash_count(f->hash);
	unsigned int missing = room < BURST ? BURST - room : 0, scan = SCAN_MAX;

	while (missing) {
		struct flow_key *key = &f->keys[f->hand];
		bool used = f->entries[f->hand].used && scan;

		f->entries[f->hand].used = 0;
		scan -= scan > 0;
		if (key->family && !used) {
			rte_hash_del_key(f->hash, key);
			key->family = 0;
			missing--;
		}
		f->hand = f->hand + 1 == f->slots ? 0 : f->hand + 1;
	}
}

static bool counts(const struct flow_entry *e, const struct worker *w)
{
	return e->epoch == w->epoch && w->now_ms - e->made_ms < FLOW_MS;
}

static void take_entry(struct worker *w, struct packet *p, struct flow_entry *e)
{
	p->known = e;
	p->entry = e && counts(e, w) ? e : NULL;
	if (!p->entry)
		return;
	e->used = 1;
	if (e->tasks == (uint16_t)w->tasks)
		return;
	if (e->routed & NAT_IN) { /* what it is matched with, the slow path knows */
		p->entry = NULL;
		return;
	}
	e->tasks = (uint16_t)w->tasks;
	e->set = trace_match_packet(w, p);
}

void flows_find(struct flows *flows, struct packet *const *packets, unsigned int n, struct worker *w)
{
	const void *keys[BURST];
	hash_sig_t hashes[BURST];
	int32_t at[BURST];

	if (!n)
		return;
	make_room(flows);
	for (unsigned int i = 0; i < n; i++) {
		keys[i] = &packets[i]->key;
		packets[i]->hash = hashes[i] = rte_hash_crc(keys[i], sizeof(struct flow_key), 0);
	}
	rte_hash_lookup_with_hash_bulk(flows->hash, keys, hashes, n, at);
	for (unsigned int i = 0; i < n; i++)
		if (at[i] >= 0)
			rte_prefetch0(&flows->entries[at[i]]);
	for (unsigned int i = 0; i < n; i++)
		take_entry(w, packets[i], at[i] < 0 ? NULL : &flows->entries[at[i]]);
}

struct flow_entry *flows_place(struct flows *flows, const struct packet *p)
{
	int32_t at = rte_hash_add_key_with_hash(flows->hash, &p->key, p->hash);
	struct flow_entry *e;

	assert(at >= 0 && (uint32_t)at < flows->slots);
	e = &flows->entries[at];
	if (!flows->keys[at].family)
		e->packets = e->bytes = 0;
	flows->keys[at] = p->key;
	*e = (struct flow_entry){.packets = e->packets, .bytes = e->bytes};
	return e;
}

json_t *flows_json(const struct flows *flows, const struct worker *w, unsigned int max)
{
	static const char *const actions[] = {"drop", "port", "tunnel", "local"};
	json_t *list = json_array();
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];

	for (uint32_t i = 0; i < flows->slots && json_array_size(list) < max; i++) {
		const struct flow_entry *e = &flows->entries[i];
		const struct flow_key *k = &flows->keys[i];

		if (!k->family || e->epoch != w->epoch)
			continue;
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:s, s:i, s:I, s:I}", "src",
		                    addr_text(&k->src, src), "dst", addr_text(&k->dst, dst), "sport", k->sport, "dport",
		                    k->dport, "proto", k->proto, "vni", (int)e->vni, "action", actions[e->action],
		                    "set", e->set, "packets", (json_int_t)e->packets, "bytes", (json_int_t)e->bytes));
	}
	return list;
}
