// SPDX-License-Identifier: BSD-3-Clause
/*
 * Flows between VMs, what they send, and the tasks that ask for some of it. Tenants' addresses overlap, packet ids
 * repeat where the protocol lets them, TCP sends segments again, receivers answer.
 */
#include "sim/world.h"

#include <string.h>

#include "core/packet_id.h"

#define ICMP  1
#define TCP   6
#define UDP   17
#define ICMP6 58

#define TRAFFIC_START (300 * MS)
#define TRAFFIC_END   (5 * S)

static void mapped(uint8_t addr[16], bool v6, uint32_t host)
{
	memset(addr, 0, 16);
	if (v6) {
		addr[0] = 0x20;
		addr[1] = 1;
	} else {
		addr[10] = addr[11] = 0xff;
		addr[12] = 10;
	}
	addr[14] = (uint8_t)(host >> 8);
	addr[15] = (uint8_t)host;
}

static void draw_tuple(struct world *w, struct vt_flow *tuple)
{
	static const uint8_t protos[] = {UDP, UDP, TCP, TCP, ICMP};
	bool v6 = random_percent(&w->rnd, 25);
	uint32_t space = w->knobs.equal_ids ? 4 : 60; /* few addresses: overlapping ones */

	tuple->family = v6 ? 6 : 4;
	tuple->proto = protos[random_below(&w->rnd, 5)];
	mapped(tuple->src, v6, 1 + random_below(&w->rnd, space));
	mapped(tuple->dst, v6, 1 + random_below(&w->rnd, space));
	if (tuple->proto == ICMP) {
		tuple->proto = v6 ? ICMP6 : ICMP;
		tuple->sport = (uint16_t)random_below(&w->rnd, 3);
		tuple->dport = (uint16_t)((v6 ? 128 : 8) << 8);
		return;
	}
	tuple->sport = (uint16_t)(4000 + random_below(&w->rnd, space * 10));
	tuple->dport = (uint16_t)(random_one_in(&w->rnd, 2) ? 53 : 8000 + random_below(&w->rnd, 4));
}

static uint32_t draw_hops(struct world *w)
{
	uint32_t dice = random_below(&w->rnd, 100);

	if (dice < 60)
		return 1 + random_below(&w->rnd, 3);
	return dice < 92 ? 2 + random_below(&w->rnd, 5) : 6 + random_below(&w->rnd, 12);
}

static struct route *draw_route(struct world *w, const struct route *like)
{
	uint16_t first = like ? like->nodes[0] : (uint16_t)random_below(&w->rnd, w->n_nodes);
	uint16_t last = like ? like->nodes[like->n - 1] : (uint16_t)random_below(&w->rnd, w->n_nodes);
	struct route *route = route_make(w, first, last, draw_hops(w));

	if (like) {
		route->end = like->end;
		route->port = like->port;
	} else if (random_one_in(&w->rnd, 8)) {
		route->end = random_one_in(&w->rnd, 3) ? WAY_LOCAL : WAY_WORLD;
	}
	return route;
}

/* Copies leave at one node for up to three other places: more ports there, or more nodes. */
static void draw_flood(struct world *w, struct route *route)
{
	route->flood_at = (uint16_t)random_below(&w->rnd, route->n);
	route->n_floods = 1 + random_below(&w->rnd, 3);
	for (uint32_t i = 0; i < route->n_floods; i++) {
		struct route *way = arena_take(&w->arena, sizeof(*way));

		*way = *route;
		way->n_floods = 0;
		way->n = (uint16_t)(route->flood_at + 1);
		way->flood_at = ROUTE_MAX;
		way->end = WAY_VM;
		way->port = 60 + i;
		if (way->n < ROUTE_MAX && w->n_nodes > 1 && random_percent(&w->rnd, 60)) {
			uint16_t node = (uint16_t)random_below(&w->rnd, w->n_nodes);

			if (node != way->nodes[way->n - 1])
				way->nodes[way->n++] = node;
		}
		route->floods[i] = way;
	}
}

static void draw_routes(struct world *w, struct flow *flow)
{
	flow->routes[flow->n_routes++] = draw_route(w, NULL);
	flow->change_at = UINT64_MAX;
	if (w->knobs.reroutes && random_one_in(&w->rnd, 2)) {
		while (flow->n_routes < 1 + random_below(&w->rnd, ROUTES_MAX))
			flow->routes[flow->n_routes++] = draw_route(w, flow->routes[0]);
		flow->spray = random_one_in(&w->rnd, 3);
		if (random_one_in(&w->rnd, 2))
			flow->change_at = random_between(&w->rnd, TRAFFIC_START, TRAFFIC_END);
	}
	if (w->knobs.flooding && flow->tuple.proto != TCP && random_one_in(&w->rnd, 2))
		draw_flood(w, flow->routes[0]);
}

/* A gateway on the way gives the flow another source or destination, or moves it to another network. */
static void draw_translation(struct world *w, struct flow *flow)
{
	const struct route *route = flow->routes[0];
	struct translation *t = &flow->translations[0];

	if (route->n < 3 || !random_one_in(&w->rnd, 3))
		return;
	t->node = route->nodes[1 + random_below(&w->rnd, route->n - 2u)];
	t->flow = flow->tuple;
	t->vni = random_one_in(&w->rnd, 2) ? flow->vni : 900 + random_below(&w->rnd, 4);
	if (random_percent(&w->rnd, 70)) {
		mapped(t->flow.src, t->flow.family == 6, 2000 + random_below(&w->rnd, 2));
		if (vt_proto_has_ports(t->flow.proto))
			t->flow.sport = (uint16_t)(50000 + random_below(&w->rnd, w->knobs.equal_ids ? 2 : 5000));
	}
	flow->n_translations = 1;
}

static void draw_sending(struct world *w, struct flow *flow)
{
	static const uint32_t sizes[] = {0, 1, 18, 32, 512, 1400};

	flow->payload = sizes[random_below(&w->rnd, 6)];
	flow->burst = 1;
	flow->no_ip_id = flow->tuple.family == 6 || random_percent(&w->rnd, w->knobs.equal_ids ? 60 : 10);
	flow->same_payload = w->knobs.equal_ids && random_one_in(&w->rnd, 2);
	flow->timestamps = random_percent(&w->rnd, 80);
	if (flow->tuple.proto == TCP) {
		flow->payload = 1448;
		flow->burst = 1 + random_below(&w->rnd, 8);
	} else {
		flow->fragments = w->knobs.fragments && flow->tuple.proto == UDP && random_one_in(&w->rnd, 2);
	}
	flow->count = 1 + random_below(&w->rnd, random_one_in(&w->rnd, 10) ? 300 : 50);
	flow->interval = random_between(&w->rnd, 1 * MS, random_one_in(&w->rnd, 5) ? 200 * MS : 40 * MS);
	flow->start = random_between(&w->rnd, TRAFFIC_START, 2 * S);
	flow->tcp_seq = random_one_in(&w->rnd, 4) ? 0xfffff000u : (uint32_t)random_next(&w->rnd);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static uint64_t draw_id(struct world *w, const struct flow *flow, uint32_t seq, uint32_t offset)
{
	struct vt_id_input input = {.proto = flow->tuple.proto};

	input.ip_id = flow->no_ip_id ? 0 : (uint16_t)random_next(&w->rnd);
	if (flow->tuple.proto == TCP) {
		input.tcp[0] = seq;
		if (flow->timestamps)
			input.tcp[2] = (uint32_t)(w->now / MS);
		return vt_packet_id(&input);
	}
	if (flow->tuple.proto != UDP)
		input.icmp_seq = (uint16_t)flow->sent;
	input.length = (uint16_t)(offset ? offset : flow->payload + 8);
	input.words[0] = flow->same_payload ? 0 : random_next(&w->rnd);
	return vt_packet_id(&input);
}

static const struct route *choose_route(struct world *w, const struct flow *flow)
{
	uint32_t first = flow->n_routes > 1 && flow->change_at != UINT64_MAX ? flow->n_routes - 1 : flow->n_routes;

	if (w->now >= flow->change_at)
		return flow->routes[flow->n_routes - 1];
	return flow->routes[flow->spray ? random_below(&w->rnd, first) : flow->hash % first];
}

static struct copy *copy_make(struct world *w, struct flow *flow, uint64_t id, const struct route *route)
{
	struct copy *copy = arena_take(&w->arena, sizeof(*copy));

	copy->packet = truth_packet(w, flow, id);
	copy->route = route;
	copy->tuple = flow->tuple;
	copy->vni = flow->from_world ? 0 : flow->vni;
	copy->length = flow->payload + 28;
	copy->segments = 1;
	return copy;
}

static void again(struct world *w, void *what, uint64_t number);

static void send_segment(struct world *w, struct flow *flow, uint32_t seq, uint32_t segments, const struct route *route)
{
	struct copy *copy = copy_make(w, flow, draw_id(w, flow, seq, 0), route);

	copy->seq = seq;
	copy->segments = (uint16_t)segments;
	copy->payload = flow->payload * segments;
	copy->length = copy->payload + 52;
	copy_send(w, copy);
	if (random_percent(&w->rnd, 6)) /* sent again although it arrived, at once or after a timeout */
		events_add(&w->events,
		           w->now + (random_one_in(&w->rnd, 2) ? random_between(&w->rnd, 400 * US, 20 * MS) : 200 * MS),
		           again, copy->packet, seq);
	else /* sent again if it did not, by then */
		events_add(&w->events, w->now + (random_one_in(&w->rnd, 2) ? 2 * MS : 210 * MS), again, copy->packet,
		           (uint64_t)1 << 32 | seq);
}

static void again(struct world *w, void *what, uint64_t number)
{
	const struct packet *packet = what;

	if (number >> 32 && (packet->arrived || random_one_in(&w->rnd, 3)))
		return;
	if (w->now < TRAFFIC_END)
		send_segment(w, packet->flow, (uint32_t)number, 1, choose_route(w, packet->flow));
}

static void send_fragments(struct world *w, struct flow *flow, const struct route *route)
{
	struct copy *first = copy_make(w, flow, draw_id(w, flow, 0, 0), route);
	struct copy *later = copy_make(w, flow, draw_id(w, flow, 0, 185), route);

	first->frag_flags = VT_REC_FRAG;
	later->frag_flags = VT_REC_FRAG | VT_REC_LATER_FRAG;
	later->tuple.sport = later->tuple.dport = 0;
	copy_send(w, first);
	copy_send(w, later);
}

static void send_next(struct world *w, void *what, uint64_t number)
{
	struct flow *flow = what;
	const struct route *route = choose_route(w, flow);

	for (uint32_t i = 0; i < flow->burst && flow->sent < flow->count; i++, flow->sent++) {
		if (flow->tuple.proto == TCP) {
			uint32_t segments = random_one_in(&w->rnd, 8) ? 2 + random_below(&w->rnd, 6) : 1;

			send_segment(w, flow, flow->tcp_seq, segments, route);
			flow->tcp_seq += flow->payload * segments;
		} else if (flow->fragments) {
			send_fragments(w, flow, route);
		} else {
			copy_send(w, copy_make(w, flow, draw_id(w, flow, 0, 0), route));
		}
	}
	if (flow->sent < flow->count && w->now + flow->interval < TRAFFIC_END)
		events_add(&w->events, w->now + flow->interval, send_next, flow, 0);
}

/* --- flows and tasks ---------------------------------------------------------------------------------------------- */

static struct flow *flow_make(struct world *w)
{
	struct flow *flow = arena_take(&w->arena, sizeof(*flow));

	flow->number = w->n_flows;
	flow->hash = (uint32_t)random_next(&w->rnd);
	draw_tuple(w, &flow->tuple);
	flow->vni = 100 + random_below(&w->rnd, 3);
	flow->port = 10 + random_below(&w->rnd, 40);
	flow->from_world = random_one_in(&w->rnd, 12);
	draw_routes(w, flow);
	draw_translation(w, flow);
	draw_sending(w, flow);
	w->flows[w->n_flows++] = flow;
	return flow;
}

/* The same two VMs the other way round, over ways of its own. Echo replies have the ids of what they answer. */
static void reply_make(struct world *w, const struct flow *flow)
{
	struct flow *reply = arena_take(&w->arena, sizeof(*reply));

	*reply = *flow;
	reply->number = w->n_flows;
	reply->hash = (uint32_t)random_next(&w->rnd);
	memcpy(reply->tuple.src, flow->tuple.dst, 16);
	memcpy(reply->tuple.dst, flow->tuple.src, 16);
	if (vt_proto_has_ports(flow->tuple.proto)) {
		reply->tuple.sport = flow->tuple.dport;
		reply->tuple.dport = flow->tuple.sport;
	} else {
		reply->tuple.dport = (uint16_t)((flow->tuple.family == 6 ? 129 : 0) << 8);
	}
	reply->n_routes = 0;
	reply->n_translations = 0;
	reply->from_world = false;
	reply->start += 2 * MS;
	reply->tcp_seq = (uint32_t)random_next(&w->rnd);
	draw_routes(w, reply);
	w->flows[w->n_flows++] = reply;
}

static void task_filter(struct world *w, const struct flow *flow, struct vt_filter *filter)
{
	struct random *r = &w->rnd;

	filter->fields = VT_FILTER_PROTO;
	filter->proto = flow->tuple.proto;
	filter->family = flow->tuple.family;
	if (random_percent(r, 70)) {
		filter->fields |= VT_FILTER_SRC;
		filter->src_len = random_percent(r, 80) ? 128 : 112;
		memcpy(filter->src, flow->tuple.src, filter->src_len / 8);
	}
	if (random_percent(r, 60)) {
		filter->fields |= VT_FILTER_DST;
		filter->dst_len = 128;
		memcpy(filter->dst, flow->tuple.dst, 16);
	}
	if (random_percent(r, 25)) {
		filter->fields |= VT_FILTER_VNI;
		filter->vni = flow->from_world ? 0 : flow->vni;
	}
	if (vt_proto_has_ports(flow->tuple.proto) && !flow->fragments && random_percent(r, 50)) {
		filter->fields |= VT_FILTER_DPORT;
		filter->dport = flow->tuple.dport;
	}
}

static void task_make(struct world *w, uint32_t number)
{
	struct trace_run *trace = &w->server.traces[number - 1];
	struct random *r = &w->rnd;

	trace->id = number;
	trace->task = (struct vt_task){.id = number,
	                               .bidirectional = random_percent(r, 40),
	                               .packet_count = 1 + random_below(r, random_one_in(r, 3) ? 20 : 400),
	                               .trace_time_ms = 200 + random_below(r, 3000)};
	task_filter(w, w->flows[random_below(r, w->n_flows)], &trace->task.filter);
	trace->begin_at = random_between(r, 100 * MS, 2 * S);
}

void traffic_make(struct world *w)
{
	uint32_t n = 1 + random_below(&w->rnd, 6);

	if (w->n_nodes > 100 || w->knobs.many_faults)
		n += random_below(&w->rnd, 40);
	w->flows = arena_take(&w->arena, n * 2 * sizeof(struct flow *));
	for (uint32_t i = 0; i < n; i++) {
		const struct flow *flow = flow_make(w);

		if (random_percent(&w->rnd, 40))
			reply_make(w, flow);
	}
	for (uint32_t i = 0; i < w->n_flows; i++)
		events_add(&w->events, w->flows[i]->start, send_next, w->flows[i], 0);
	w->server.n_traces = 1 + random_below(&w->rnd, random_one_in(&w->rnd, 3) ? TASKS_MAX : 2);
	for (uint32_t i = 1; i <= w->server.n_traces; i++)
		task_make(w, i);
}
