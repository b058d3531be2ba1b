/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's cache of flow entries, see flow.h: an rte_hash gives each key a position, the entries lie in an array.
 */
#include "flow.h"

#include <assert.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(sizeof(struct flow_key) == 56, "keys are compared as bytes: no padding");

struct flows {
	struct rte_hash *hash;
	struct flow_entry *entries;
	struct flow_key *keys; /* for flows_json() */
};

struct flows *flows_new(unsigned int number)
{
	struct flows *f = calloc(1, sizeof(*f));
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters how = {.name = name,
	                                  .entries = FLOWS_MAX,
	                                  .key_len = sizeof(struct flow_key),
	                                  .hash_func = rte_hash_crc,
	                                  .extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE};

	if (!f)
		return NULL;
	snprintf(name, sizeof(name), "flows%u", number);
	f->hash = rte_hash_create(&how);
	f->entries = aligned_alloc(64, sizeof(*f->entries) * (FLOWS_MAX + 64));
	f->keys = calloc(FLOWS_MAX + 64, sizeof(*f->keys));
	if (f->hash && f->entries && f->keys) {
		memset(f->entries, 0, sizeof(*f->entries) * (FLOWS_MAX + 64));
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
	free(flows->entries);
	free(flows->keys);
	free(flows);
}

static bool counts(const struct flow_entry *e, const struct worker *w)
{
	return e->epoch == w->epoch && w->now_ms - e->made_ms < FLOW_MS;
}

void flows_find(struct flows *flows, struct packet *const *packets, unsigned int n, const struct worker *w)
{
	const void *keys[BURST];
	int32_t positions[BURST];

	if (!n)
		return;
	if (rte_hash_count(flows->hash) > FLOWS_MAX - BURST) /* here, where no packet holds an entry */
		rte_hash_reset(flows->hash);
	for (unsigned int i = 0; i < n; i++)
		keys[i] = &packets[i]->key;
	rte_hash_lookup_bulk(flows->hash, keys, n, positions);
	for (unsigned int i = 0; i < n; i++) {
		struct flow_entry *e = positions[i] < 0 ? NULL : &flows->entries[positions[i]];

		packets[i]->entry = e && counts(e, w) ? e : NULL;
	}
}

struct flow_entry *flows_place(struct flows *flows, const struct flow_key *key)
{
	int32_t position = rte_hash_add_key(flows->hash, key);
	struct flow_entry *e;

	assert(position >= 0 && position < FLOWS_MAX + 64);
	e = &flows->entries[position];
	if (memcmp(&flows->keys[position], key, sizeof(*key)))
		e->packets = e->bytes = 0;
	flows->keys[position] = *key;
	*e = (struct flow_entry){.packets = e->packets, .bytes = e->bytes};
	return e;
}

json_t *flows_json(const struct flows *flows, const struct worker *w, unsigned int max)
{
	static const char *const actions[] = {"drop", "port", "tunnel", "local"};
	json_t *list = json_array();
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];

	for (uint32_t i = 0; i < FLOWS_MAX + 64 && json_array_size(list) < max; i++) {
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
