// SPDX-License-Identifier: BSD-3-Clause
/* The run in words, for --verbose: the network, what happens when, and truth against verdict. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "sim/check.h"

void story(struct world *w, const char *format, ...)
{
	va_list args;

	if (!w->verbose)
		return;
	printf("%10.6f  ", (double)w->now / 1e9);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void tell_route(const struct world *w, const struct route *route)
{
	printf("    ");
	for (uint32_t i = 0; i < route->n; i++)
		printf("%s%s", i ? " > " : "", w->nodes[route->nodes[i]].name);
	if (route->end == WAY_VM)
		printf(" > vm%u\n", route->port);
	else
		printf(" > %s\n", route->end == WAY_WORLD ? "the world" : "itself");
	for (uint32_t i = 0; i < route->n_floods; i++) {
		printf("    a copy:");
		tell_route(w, route->floods[i]);
	}
}

static void tell_flow(const struct world *w, const struct flow *flow)
{
	char text[VT_FLOW_TEXT_MAX];

	vt_flow_format(&flow->tuple, text);
	printf("  flow %u: %s, vni %u, path %u, %u packets from %.3f s on, one each %.1f ms%s%s%s%s\n", flow->number,
	       text, flow->vni, flow->hash / 16 % 4, flow->count, (double)flow->start / 1e9,
	       (double)flow->interval / 1e6, flow->from_world ? ", from the world" : "",
	       flow->no_ip_id ? ", no IP id" : "", flow->same_payload ? ", always the same" : "",
	       flow->spray ? ", sprayed" : "");
	for (uint32_t i = 0; i < flow->n_routes; i++)
		tell_route(w, flow->routes[i]);
	if (flow->change_at != UINT64_MAX)
		printf("    the last way from %.3f s on\n", (double)flow->change_at / 1e9);
	for (uint32_t i = 0; i < flow->n_translations; i++) {
		vt_flow_format(&flow->translations[i].flow, text);
		printf("    behind %s: %s, vni %u\n", w->nodes[flow->translations[i].node].name, text,
		       flow->translations[i].vni);
	}
}

static const char *const fault_words[FAULT_COUNT] = {
    [FAULT_DROP] = "drops",          [FAULT_LATE] = "drops late",      [FAULT_STOLEN] = "steals",
    [FAULT_ERASED] = "wipes colour", [FAULT_QUEUE] = "full queue",     [FAULT_LOCAL] = "takes in and drops",
    [FAULT_LINK] = "link loses",     [FAULT_BLEACH] = "link bleaches", [FAULT_DUPLICATE] = "link doubles",
};

static void tell_fault(const struct world *w, const struct fault *fault)
{
	printf("  fault at %s > %s: %s 1 in %u, ", w->nodes[fault->node].name, w->nodes[fault->peer].name,
	       fault_words[fault->kind], fault->one_in);
	if (fault->flow)
		printf("of flow %u, ", fault->flow->number);
	if (fault->paths != 0xf)
		printf("on underlay paths %#x, ", fault->paths);
	printf("cause %s, from %.3f s to %.3f s\n", vt_cause_info(fault->cause)->code, (double)fault->from / 1e9,
	       fault->to == UINT64_MAX ? 99 : (double)fault->to / 1e9);
}

static void tell_node(const struct node *node)
{
	char addr[INET6_ADDRSTRLEN];

	vt_addr_format(node->addrs[0], addr, sizeof(addr));
	printf("  %s: %s%s, clock %+.3f s, uplink %.1f ms%s%s%s%s\n", node->name, addr,
	       node->has_agent ? "" : ", no agent", (double)node->clock_ns / 1e9, (double)node->uplink_delay / 1e6,
	       node->gro_before ? ", offload before the hook" : "", node->gro_behind ? ", offload behind it" : "",
	       node->gro_any ? " that ignores colour" : "", node->reassembles ? ", reassembles" : "");
}

void story_topology(struct world *w)
{
	char text[VT_FILTER_MAX];

	if (!w->verbose)
		return;
	printf("seed %" PRIu64 ": %u nodes, batches of %u%s%s%s%s%s\n", w->seed, w->n_nodes, w->knobs.batch_items,
	       w->knobs.own_losses ? ", own losses" : "", w->knobs.lossy_log ? ", lossy log" : "",
	       w->knobs.slow_uplink ? ", slow uplink" : "", w->knobs.server_stalls ? ", server stalls" : "",
	       w->knobs.tight ? ", little room" : "");
	for (uint32_t i = 0; i < w->n_nodes && i < 64; i++)
		tell_node(&w->nodes[i]);
	for (uint32_t i = 0; i < w->n_flows; i++)
		tell_flow(w, w->flows[i]);
	for (uint32_t i = 0; i < w->n_faults; i++)
		tell_fault(w, w->faults[i]);
	for (uint32_t i = 0; i < w->server.n_traces; i++) {
		vt_filter_format(&w->server.traces[i].task.filter, text);
		printf("  task %u: %s, %u packets, %u ms%s\n", w->server.traces[i].id, text,
		       w->server.traces[i].task.packet_count, w->server.traces[i].task.trace_time_ms,
		       w->server.traces[i].task.bidirectional ? ", both directions" : "");
	}
}

static void tell_packet(const struct world *w, const struct trace_run *trace, uint64_t i)
{
	const struct vt_result_packet *entry = &trace->result.list[i];
	const struct packet *packet = trace->claims[i] ? trace->claims[i]->packet : NULL;

	if (!packet || (packet->arrived && entry->end == VT_DELIVERED))
		return;
	printf("  packet %u (%016" PRIx64 ", flow %u)%s: %s", packet->number, packet->id, packet->flow->number,
	       entry->ambiguous ? ", ambiguous" : "", vt_end_name(entry->end));
	if (entry->cause >= 0)
		printf(" by %s at %s", vt_cause_info(trace->result.causes[entry->cause].code)->code,
		       trace->result.causes[entry->cause].node);
	printf("; in truth %s", packet->arrived ? "it arrived" : "it was lost");
	for (const struct end *end = packet->ends; end; end = end->next_end)
		printf(", end %d at %s", end->kind, w->nodes[end->node].name);
	for (const struct blind *blind = packet->blinds; blind; blind = blind->next_blind)
		printf(", unseen (%d) behind %s", blind->kind, w->nodes[blind->node].name);
	putchar('\n');
}

void story_verdicts(struct world *w)
{
	for (uint32_t t = 0; w->verbose && t < w->server.n_traces; t++) {
		const struct trace_run *trace = &w->server.traces[t];
		const struct vt_result *r = &trace->result;

		if (!trace->have_result)
			continue;
		printf("task %u: %s, %" PRIu64 " coloured, %" PRIu64 " delivered, %" PRIu64 " dropped, %" PRIu64
		       " lost, %" PRIu64 " unfinished, %" PRIu64 " ambiguous, %" PRIu64 " records missing\n",
		       trace->id, vt_state_name(r->state), r->coloured, r->delivered, r->dropped, r->lost,
		       r->unfinished, r->ambiguous, r->missing);
		for (unsigned int i = 0; i < r->n_failed; i++)
			printf("  node %s: %s\n", r->failed[i].node, r->failed[i].error);
		for (unsigned int i = 0; i < r->n_causes; i++)
			printf("  %s %s at %s %s, %" PRIu64 " packets: %s\n",
			       r->causes[i].proven ? "proven" : "inferred", vt_cause_info(r->causes[i].code)->code,
			       r->causes[i].node, r->causes[i].device, r->causes[i].packets, r->causes[i].evidence);
		for (uint64_t i = 0; trace->claims && i < r->n_list; i++)
			tell_packet(w, trace, i);
	}
}
