// SPDX-License-Identifier: BSD-3-Clause
/* See flows.h: rte_hash gives a key its number, the entries are an array by that. */
#include "vfd/flows.h"

#include <netinet/in.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct flows {
	struct rte_hash *hash, *answers;
	struct flow_entry *entries;
};

static struct rte_hash *table_new(const char *name, const char *what, uint32_t key_size)
{
	struct rte_hash_parameters parameters = {
	    .entries = FLOWS_MAX, .key_len = key_size, .hash_func = rte_hash_crc, .socket_id = SOCKET_ID_ANY};
	char full[RTE_HASH_NAMESIZE];

	snprintf(full, sizeof(full), "%.12s-%s", name, what);
	parameters.name = full;
	return rte_hash_create(&parameters);
}

struct flows *flows_new(const char *name)
{
	struct flows *flows = calloc(1, sizeof(*flows));

	if (!flows)
		return NULL;
	flows->hash = table_new(name, "flows", sizeof(struct flow_key));
	flows->answers = table_new(name, "answers", sizeof(struct vdg_flow));
	flows->entries = calloc(FLOWS_MAX + 64, sizeof(*flows->entries)); /* rte_hash's numbers may pass its size */
	if (flows->hash && flows->answers && flows->entries)
		return flows;
	flows_free(flows);
	return NULL;
}

void flows_free(struct flows *flows)
{
	if (!flows)
		return;
	rte_hash_free(flows->hash);
	rte_hash_free(flows->answers);
	free(flows->entries);
	free(flows);
}

void flows_clear(struct flows *flows)
{
	rte_hash_reset(flows->hash);
	rte_hash_reset(flows->answers);
}

static struct flow_entry *entry_new(struct flows *flows, const struct flow_key *key)
{
	int32_t at = rte_hash_add_key(flows->hash, key);

	if (at < 0 || at >= FLOWS_MAX + 64)
		return NULL;
	memset(&flows->entries[at], 0, sizeof(flows->entries[at]));
	return &flows->entries[at];
}

void flows_get(struct flows *flows, const struct flow_key *keys, unsigned int n, struct flow_entry *entries[])
{
	const void *pointers[FLOWS_BURST];
	int32_t at[FLOWS_BURST];

	for (unsigned int i = 0; i < n; i++)
		pointers[i] = &keys[i];
	if (n && rte_hash_lookup_bulk(flows->hash, pointers, n, at) < 0)
		memset(at, -1, sizeof(at));
	for (unsigned int i = 0; i < n; i++) {
		entries[i] = at[i] >= 0 ? &flows->entries[at[i]] : entry_new(flows, &keys[i]);
		if (entries[i])
			continue;
		flows_clear(flows); /* full; numbers of before mean nothing now */
		memset(at, -1, sizeof(at));
		for (unsigned int k = 0; k <= i; k++)
			entries[k] = entry_new(flows, &keys[k]);
	}
}

static struct vdg_flow reversed(const struct vdg_flow *flow)
{
	struct vdg_flow back = *flow;

	memcpy(back.src, flow->dst, 16);
	memcpy(back.dst, flow->src, 16);
	if (flow->proto == IPPROTO_ICMP || flow->proto == IPPROTO_ICMPV6) {
		/* the answer to an echo request: type 0 or 129, the same id */
		back.dport = flow->proto == IPPROTO_ICMP ? 0 : 129 << 8;
		return back;
	}
	back.sport = flow->dport;
	back.dport = flow->sport;
	return back;
}

void flows_connect(struct flows *flows, const struct vdg_flow *flow)
{
	struct vdg_flow back = reversed(flow);

	if (rte_hash_add_key(flows->answers, &back) >= 0)
		return;
	rte_hash_reset(flows->answers);
	rte_hash_add_key(flows->answers, &back);
}

bool flows_is_answer(const struct flows *flows, const struct vdg_flow *flow)
{
	return rte_hash_lookup(flows->answers, flow) >= 0;
}

unsigned int flows_count(const struct flows *flows)
{
	return (unsigned int)rte_hash_count(flows->hash);
}

void flows_each(const struct flows *flows, void (*fn)(void *arg, const struct flow_key *, const struct flow_entry *),
                void *arg)
{
	const void *key;
	void *data;
	uint32_t next = 0;
	int32_t at;

	while ((at = rte_hash_iterate(flows->hash, &key, &data, &next)) >= 0)
		fn(arg, key, &flows->entries[at]);
}
