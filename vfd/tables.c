// SPDX-License-Identifier: BSD-3-Clause
/* See tables.h. Places are many and hashed; the rest is short lists, looked through when a flow is new. */
#include "vfd/tables.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "core/task.h"

struct place_key {
	uint8_t address[16];
	int network;
};

struct place_entry {
	struct place_key key;
	const struct place_config *place;
	UT_hash_handle hh;
};

struct tables {
	struct config *config;
	struct place_entry *entries, *places;
};

struct tables *tables_new(struct config *config)
{
	struct tables *tables = calloc(1, sizeof(*tables));

	if (!tables)
		return NULL;
	tables->config = config;
	tables->entries = calloc(config->n_places + 1, sizeof(*tables->entries));
	for (unsigned int i = 0; tables->entries && i < config->n_places; i++) {
		struct place_entry *entry = &tables->entries[i], *known;

		entry->place = &config->places[i];
		entry->key.network = entry->place->network;
		memcpy(entry->key.address, entry->place->address, 16);
		HASH_FIND(hh, tables->places, &entry->key, sizeof(entry->key), known);
		if (!known) /* the first one counts */
			HASH_ADD(hh, tables->places, key, sizeof(entry->key), entry);
	}
	if (!tables->entries) {
		free(tables);
		return NULL;
	}
	return tables;
}

void tables_free(struct tables *tables)
{
	if (!tables)
		return;
	HASH_CLEAR(hh, tables->places);
	free(tables->entries);
	config_free(tables->config);
	free(tables);
}

const struct config *tables_config(const struct tables *tables)
{
	return tables->config;
}

const struct place_config *tables_place(const struct tables *tables, int network, const uint8_t address[16])
{
	struct place_key key = {.network = network};
	struct place_entry *entry;

	memcpy(key.address, address, 16);
	HASH_FIND(hh, tables->places, &key, sizeof(key), entry);
	return entry ? entry->place : NULL;
}

static bool covers(const uint8_t prefix[16], uint8_t length, const uint8_t address[16])
{
	unsigned int bytes = length / 8, bits = length % 8;

	if (memcmp(prefix, address, bytes) != 0)
		return false;
	return !bits || !((prefix[bytes] ^ address[bytes]) >> (8 - bits));
}

const struct route_config *tables_route(const struct tables *tables, int network, const uint8_t address[16])
{
	const struct route_config *best = NULL;

	for (unsigned int i = 0; i < tables->config->n_routes; i++) {
		const struct route_config *route = &tables->config->routes[i];

		if (route->network == network && covers(route->prefix, route->length, address) &&
		    (!best || route->length > best->length))
			best = route;
	}
	return best;
}

int tables_network(const struct tables *tables, uint32_t vni)
{
	for (unsigned int i = 0; i < tables->config->n_networks; i++) {
		if (tables->config->networks[i].vni == vni)
			return (int)i;
	}
	return -1;
}

const struct rule_config *tables_rule(const struct tables *tables, int group, bool out, const struct vdg_flow *flow)
{
	const uint8_t *peer = out ? flow->dst : flow->src;

	for (unsigned int i = 0; i < tables->config->n_rules; i++) {
		const struct rule_config *rule = &tables->config->rules[i];

		if (rule->group != group || rule->out != out || (rule->proto && rule->proto != flow->proto) ||
		    !covers(rule->prefix, rule->length, peer))
			continue;
		if (!vt_proto_has_ports(rule->proto) || (flow->dport >= rule->first && flow->dport <= rule->last))
			return rule;
	}
	return NULL;
}

const uint8_t *tables_neighbour(const struct tables *tables, const uint8_t address[16])
{
	for (unsigned int i = 0; i < tables->config->n_neighbours; i++) {
		if (!memcmp(tables->config->neighbours[i].address, address, 16))
			return tables->config->neighbours[i].mac;
	}
	return NULL;
}
