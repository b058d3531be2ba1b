// SPDX-License-Identifier: BSD-3-Clause
/*
 * The slow path: what the tables say of a flow, as an entry of the cache. Whatever is refused keeps its reason there,
 * in VTrace's words too, so that the next packet of the flow is dropped for it without a look at any table.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/task.h"
#include "vfd/device.h"

struct decision {
	struct device *device;
	const struct tables *tables;
	const struct config *config;
	const struct flow_key *key;
	const struct port_config *in;
	int network;
	struct flow_entry *entry;
};

static uint32_t why(struct device *device, enum drop drop, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static uint32_t why(struct device *device, enum drop drop, const char *fmt, ...)
{
	const struct drop_info *info = &drop_infos[drop];
	char evidence[256];
	va_list args;

	if (!device->vdg)
		return 0;
	va_start(args, fmt);
	vsnprintf(evidence, sizeof(evidence), fmt, args);
	va_end(args);
	return vdg_why(device->vdg, info->code, info->name, info->site, evidence);
}

#define REFUSE(decision, which, ...)                                                         \
	do {                                                                                 \
		(decision)->entry->action = FLOW_DROP;                                       \
		(decision)->entry->drop = DROP_##which;                                      \
		(decision)->entry->why = why((decision)->device, DROP_##which, __VA_ARGS__); \
		return;                                                                      \
	} while (0)

static const char *text_of(const uint8_t address[16], char buf[64])
{
	vt_addr_format(address, buf, 64);
	return buf;
}

static void to_port(struct decision *d, const struct place_config *place)
{
	const struct port_config *out = &d->config->ports[place->port];

	if (d->in == out)
		REFUSE(d, SAME_PORT, "the receiver is at port %s, where the packet came in", out->name);
	d->entry->action = FLOW_PORT;
	d->entry->port = (uint16_t)place->port;
	d->entry->why = why(d->device, DROP_TOO_BIG, "packets are larger than MTU %u of port %s", out->mtu, out->name);
}

static void to_tunnel(struct decision *d, const struct place_config *place)
{
	const struct port_config *out = d->config->underlay >= 0 ? &d->config->ports[d->config->underlay] : NULL;
	const uint8_t *mac = tables_neighbour(d->tables, place->vtep);
	char vtep[64];

	text_of(place->vtep, vtep);
	if (!out || !vt_addr_is_ipv4(place->vtep) || !vt_addr_is_ipv4(out->address))
		REFUSE(d, NO_UNDERLAY, "no underlay port reaches tunnel end point %s", vtep);
	if (!mac)
		REFUSE(d, NO_NEIGHBOUR, "tunnel end point %s is not among the neighbours", vtep);
	d->entry->action = FLOW_TUNNEL;
	d->entry->port = (uint16_t)d->config->underlay;
	memcpy(d->entry->next_mac, mac, 6);
	memcpy(d->entry->vtep, place->vtep, 16);
	d->entry->why = why(d->device, DROP_TOO_BIG_UNDERLAY, "tunnel packets are larger than MTU %u of port %s",
	                    out->mtu, out->name);
}

/* Security groups: of the sender, if it is here, and of the receiver. True: the flow may pass. */
static bool may_pass(struct decision *d, const struct place_config *place, const char **ret_evidence,
                     enum drop *ret_drop)
{
	const struct vdg_flow *flow = &d->key->flow;
	int from = d->in->kind == PORT_VM ? d->in->group : -1,
	    to = place->port >= 0 ? d->config->ports[place->port].group : -1;
	const struct rule_config *rule;

	*ret_drop = DROP_POLICY_RULE;
	if (flows_is_answer(d->device->flows, flow))
		return true;
	rule = from >= 0 ? tables_rule(d->tables, from, true, flow) : NULL;
	if (rule && !rule->allow) {
		*ret_evidence = rule->text;
		return false;
	}
	if (to < 0)
		return true;
	rule = tables_rule(d->tables, to, false, flow);
	if (rule && rule->allow)
		return true;
	*ret_drop = rule ? DROP_POLICY_RULE : DROP_POLICY_DEFAULT;
	*ret_evidence = rule ? rule->text : d->config->groups[to];
	return false;
}

static void decide(struct decision *d)
{
	const struct vdg_flow *flow = &d->key->flow;
	const struct place_config *place;
	const struct route_config *route;
	const char *evidence = NULL;
	enum drop drop;
	char dst[64];

	d->network = d->in->kind == PORT_VM ? d->in->network : tables_network(d->tables, flow->vni);
	if (d->network < 0)
		REFUSE(d, VNI_UNKNOWN, "no network here has VNI %u", flow->vni);
	place = tables_place(d->tables, d->network, flow->dst);
	if (!place) {
		route = tables_route(d->tables, d->network, flow->dst);
		text_of(flow->dst, dst);
		if (!route)
			REFUSE(d, NO_ROUTE, "network %s has neither a place nor a route for %s",
			       d->config->networks[d->network].name, dst);
		if (route->blackhole)
			REFUSE(d, BLACKHOLE, "%s", route->text);
		place = tables_place(d->tables, d->network, route->via);
		if (!place)
			REFUSE(d, NO_VIA, "route %s: its next hop has no place", route->text);
	}
	if (!may_pass(d, place, &evidence, &drop)) {
		if (drop == DROP_POLICY_DEFAULT)
			REFUSE(d, POLICY_DEFAULT, "group %s has no rule that allows it in", evidence);
		REFUSE(d, POLICY_RULE, "%s", evidence);
	}
	memcpy(d->entry->mac, place->mac, 6);
	d->entry->vni = d->config->networks[d->network].vni;
	if (place->port >= 0)
		to_port(d, place);
	else
		to_tunnel(d, place);
	if (d->entry->action != FLOW_DROP)
		flows_connect(d->device->flows, flow);
}

void slow_path(struct device *device, const struct tables *tables, const struct flow_key *key, uint32_t epoch,
               struct flow_entry *entry)
{
	const struct config *config = tables_config(tables);
	struct decision decision = {.device = device,
	                            .tables = tables,
	                            .config = config,
	                            .key = key,
	                            .in = &config->ports[key->port],
	                            .entry = entry};

	count(&device->slow_paths);
	entry->epoch = epoch;
	/* a tunnel packet that comes without colour was not wanted where it came from */
	entry->set = device->worker && decision.in->kind == PORT_VM ? vdg_match(device->worker, &key->flow) : 0;
	decide(&decision);
}
