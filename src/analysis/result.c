// SPDX-License-Identifier: BSD-3-Clause
/* What the analysis says about a trace: progress, result, counters (analysis.h). Reads the model, changes nothing in
 * it. */
#include "analysis/analysis.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/evidence.h"
#include "analysis/node.h"

#define UNKNOWN_ENDS 8 /* hosts without an agent that a result names; whoever has more knows by the first */

static struct trace *trace_find(const struct analysis *a, uint32_t task)
{
	struct trace *trace;

	HASH_FIND(hh, a->traces, &task, sizeof(task), trace);
	return trace;
}

static bool took_part(const struct member *member)
{
	return member->state == MEMBER_ARMED || member->state == MEMBER_LATE;
}

/* Records that the node lost since the trace began, as far as it is known. */
static uint64_t member_missing(const struct analysis *a, const struct trace *trace, uint32_t i)
{
	return a->nodes[i]->missing - trace->members[i].missing_before;
}

/* Packets that the node says it coloured, and whose COLOURED record has not come. */
static uint64_t member_short(const struct member *member, int direction)
{
	if (!member->stopped || member->seen[direction] >= member->final[direction])
		return 0;
	return member->final[direction] - member->seen[direction];
}

/* Nothing of this node that concerns the trace can still come in time. */
static bool member_over(const struct analysis *a, const struct trace *trace, uint32_t i)
{
	const struct member *member = &trace->members[i];
	const struct node *node = a->nodes[i];

	if (!took_part(member) || member->gone || node->down || node->boot != member->boot)
		return true;
	if (!member->stopped)
		return false;
	if (a->now >= trace->stop_at + a->config.long_buffer_ns)
		return true;
	if (node->heard == member->heard_before) /* what it lost until the end is not known yet */
		return false;
	return !(member_short(member, 0) + member_short(member, 1)) || !node_complete(node, trace->begin_at);
}

static bool all_over(const struct analysis *a, const struct trace *trace)
{
	if (!trace->stop_at || trace->unsettled)
		return false;
	for (uint32_t i = 0; i < trace->n_members; i++) {
		if (!member_over(a, trace, i))
			return false;
	}
	return true;
}

int analysis_progress(const struct analysis *a, uint32_t task, struct analysis_progress *progress)
{
	const struct trace *trace = trace_find(a, task);

	if (!trace)
		return -ENOENT;
	memset(progress, 0, sizeof(*progress));
	for (int d = 0; d < 2; d++)
		progress->coloured[d] = trace->coloured[d];
	for (uint32_t i = 0; i < trace->n_members; i++) {
		const struct member *member = &trace->members[i];

		progress->armed += took_part(member);
		progress->failed += member->state == MEMBER_FAILED;
		progress->stopped += took_part(member) && member->stopped;
		for (int d = 0; d < 2; d++)
			progress->coloured[d] += member_short(member, d);
	}
	progress->unsettled = trace->unsettled;
	progress->settled = trace->n_claims - trace->unsettled;
	progress->settled_all = all_over(a, trace);
	return 0;
}

static void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

static void fill_cause(const struct analysis *a, const struct tally_cause *cause, const struct insight *insight,
                       struct vt_result_cause *out)
{
	const struct detail *detail = intern_get(&a->details, cause->detail);
	const struct node *node = a->nodes[cause->node];

	out->code = cause->code;
	copy_text(out->node, sizeof(out->node), node->name);
	out->kind = node->kind;
	copy_text(out->device, sizeof(out->device), device_name(a, cause->device));
	out->reverse = cause->reverse;
	out->packets = cause->packets;
	if (detail && !cause->joined) {
		copy_text(out->reason, sizeof(out->reason), detail->text);
		copy_text(out->site, sizeof(out->site), detail->text + detail->site);
	}
	evidence_of(a, cause, insight, out->evidence, sizeof(out->evidence));
	out->proven = cause->proven && !insight->unseen && !cause->joined;
}

struct ranked {
	uint64_t packets;
	bool proven;
	unsigned int slot;
};

static int compare_ranked(const void *x, const void *y)
{
	const struct ranked *r = x, *s = y;

	if (r->packets != s->packets)
		return r->packets > s->packets ? -1 : 1;
	if (r->proven != s->proven)
		return r->proven ? -1 : 1;
	return r->slot < s->slot ? -1 : 1;
}

/* Fills causes, ranked; index[slot] is where a slot of the tally went, -1 for none. */
static int fill_causes(const struct analysis *a, const struct trace *trace, struct vt_result *result, int index[])
{
	struct vt_result_cause *causes = calloc(TALLY_CAUSES, sizeof(*causes));
	struct ranked ranked[TALLY_CAUSES];
	struct insight insights[TALLY_CAUSES];
	unsigned int n = 0;

	evidence_look(a, trace, insights);
	result->causes = calloc(TALLY_CAUSES, sizeof(*causes));
	if (!causes || !result->causes) {
		free(causes);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < trace->n_causes; i++) {
		index[i] = -1;
		if (!trace->causes[i].packets)
			continue;
		fill_cause(a, &trace->causes[i], &insights[i], &causes[i]);
		ranked[n++] = (struct ranked){causes[i].packets, causes[i].proven, i};
	}
	qsort(ranked, n, sizeof(*ranked), compare_ranked);
	for (unsigned int i = 0; i < n; i++) {
		result->causes[i] = causes[ranked[i].slot];
		index[ranked[i].slot] = (int)i;
	}
	result->n_causes = n;
	free(causes);
	return 0;
}

static int compare_ns(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

	return a < b ? -1 : a > b;
}

static void fill_latency(const struct tally_hop *hop, struct vt_result_hop *out)
{
	uint32_t sorted[TALLY_SAMPLES], n;

	if (!hop->n_latencies)
		return;
	n = hop->n_latencies < TALLY_SAMPLES ? (uint32_t)hop->n_latencies : TALLY_SAMPLES;
	memcpy(sorted, hop->samples, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_ns);
	out->has_latency = true;
	out->latency_min_us = hop->min_ns / 1000.0;
	out->latency_median_us = sorted[n / 2] / 1000.0;
	out->latency_max_us = hop->max_ns / 1000.0;
}

static void fill_hop(const struct analysis *a, const struct tally_hop *hop, struct vt_result_hop *out)
{
	const struct node *node = a->nodes[hop->node];
	const struct outer *outer = intern_get(&a->outers, hop->outer);
	const struct vt_flow *nat = intern_get(&a->flows, hop->nat);

	out->hop = hop->hop;
	copy_text(out->node, sizeof(out->node), node->name);
	out->kind = node->kind;
	out->vni = hop->vni;
	out->has_in = hop->has_in;
	out->has_out = hop->has_out;
	out->has_error = hop->has_error;
	copy_text(out->in_device, VT_DEVICE_MAX, device_name(a, hop->in_device));
	copy_text(out->out_device, VT_DEVICE_MAX, device_name(a, hop->out_device));
	copy_text(out->error_device, VT_DEVICE_MAX, device_name(a, hop->error_device));
	if (nat) {
		out->has_nat = true;
		out->nat = *nat;
	}
	if (outer) {
		out->has_outer = true;
		memcpy(out->outer_src, outer->src, 16);
		memcpy(out->outer_dst, outer->dst, 16);
	}
	fill_latency(hop, out);
}

static int fill_path(const struct analysis *a, const struct tally_path *path, const int index[],
                     struct vt_result_path *out)
{
	out->packets = path->packets;
	out->end = path->end;
	out->reverse = path->reverse;
	out->cause = path->cause >= 0 ? index[path->cause] : -1;
	out->flow = *(const struct vt_flow *)intern_get(&a->flows, path->flow);
	out->hops = calloc(path->n_hops ? path->n_hops : 1, sizeof(*out->hops));
	if (!out->hops)
		return -ENOMEM;
	out->n_hops = path->n_hops;
	for (unsigned int i = 0; i < path->n_hops; i++)
		fill_hop(a, &path->hops[i], &out->hops[i]);
	return 0;
}

static int compare_paths(const void *x, const void *y)
{
	const struct tally_path *p = *(struct tally_path *const *)x, *q = *(struct tally_path *const *)y;

	if (p->packets != q->packets)
		return p->packets > q->packets ? -1 : 1;
	if ((p->cause < 0) != (q->cause < 0))
		return p->cause < 0 ? 1 : -1; /* what went wrong comes first */
	return p->index < q->index ? -1 : 1;  /* then as they came */
}

static int fill_paths(const struct analysis *a, const struct trace *trace, const int index[], struct vt_result *result)
{
	unsigned int n = HASH_COUNT(trace->paths), kept = 0;
	struct tally_path **paths = calloc(n + 1, sizeof(*paths)); /* packed: sorted by what they hold */
	int err = 0;

	result->paths = calloc(n + 1, sizeof(*result->paths));
	if (!paths || !result->paths) {
		free(paths);
		return -ENOMEM;
	}
	for (struct tally_path *path = trace->paths; path; path = path->hh.next) {
		path->index = kept;
		if (path->packets)
			paths[kept++] = path;
	}
	qsort(paths, kept, sizeof(*paths), compare_paths);
	for (unsigned int i = 0; i < kept && !err; i++) {
		paths[i]->index = i;
		err = fill_path(a, paths[i], index, &result->paths[i]);
		result->n_paths = i + 1;
	}
	free(paths);
	return err;
}

static int fill_list(const struct analysis *a, const struct trace *trace, const int index[], struct vt_result *result)
{
	result->list = calloc(trace->n_claims + 1, sizeof(*result->list));
	if (!result->list)
		return -ENOMEM;
	for (uint32_t i = 0; i < trace->n_claims; i++) {
		const struct claim *claim = claim_at(a, trace->claims[i]);
		const struct stored *rec = stored_at(a, claim->rec);

		result->list[i] = (struct vt_result_packet){
		    .packet_id = group_at(a, claim->group)->id,
		    .flow = *(const struct vt_flow *)intern_get(&a->flows, rec->flow),
		    .reverse = claim->reverse,
		    .ambiguous = claim->ambiguous,
		    .end = claim->end ? (enum vt_end)claim->end : VT_UNFINISHED,
		    .path = claim->path ? (int)claim->path->index : -1,
		    .cause = claim->cause >= 0 ? index[claim->cause] : -1,
		    .time_ns = rec->time_ns,
		    .length = rec->length,
		    .segments = rec->segments,
		};
	}
	result->n_list = trace->n_claims;
	return 0;
}

static void name_failed(struct vt_result *result, const struct node *node, const char *error)
{
	struct vt_result_node_error *failed = &result->failed[result->n_failed++];

	copy_text(failed->node, sizeof(failed->node), node->name);
	copy_text(failed->error, sizeof(failed->error), error);
}

/* Where a path ends that left for a tunnel end which no node has: its `outer`, else 0. */
static uint32_t unknown_end(const struct analysis *a, const struct tally_path *path)
{
	const struct tally_hop *last = path->n_hops ? &path->hops[path->n_hops - 1] : NULL;
	const struct outer *outer = last && last->has_out ? intern_get(&a->outers, last->outer) : NULL;

	if (path->end != VT_UNFINISHED || !outer || last->has_error || addr_is_known(a, outer->dst))
		return 0;
	return last->outer;
}

/* Hosts without an agent have no name: their address stands for them. The first UNKNOWN_ENDS are named. */
static void name_unknown_ends(const struct analysis *a, const struct trace *trace, struct vt_result *result)
{
	const struct outer *ends[UNKNOWN_ENDS];
	uint64_t packets[UNKNOWN_ENDS];
	unsigned int n = 0, i;

	for (const struct tally_path *path = trace->paths; path; path = path->hh.next) {
		const struct outer *end = intern_get(&a->outers, unknown_end(a, path));

		for (i = 0; end && i < n && memcmp(ends[i]->dst, end->dst, 16) != 0;)
			i++;
		if (!end || i == UNKNOWN_ENDS)
			continue;
		packets[i] = path->packets + (i < n ? packets[i] : 0);
		ends[i] = end;
		n += i == n;
	}
	for (i = 0; i < n; i++) {
		struct vt_result_node_error *failed = &result->failed[result->n_failed++];

		vt_addr_format(ends[i]->dst, failed->node, sizeof(failed->node));
		snprintf(failed->error, sizeof(failed->error),
		         "no agent has this underlay address, and %" PRIu64 " packet%s left for it", packets[i],
		         packets[i] == 1 ? "" : "s");
	}
}

/* Records are missing, and no number says so. */
static void name_incomplete(const struct analysis *a, const struct trace *trace, const struct node *node,
                            struct vt_result *result)
{
	uint64_t before = trace->begin_at > a->config.long_buffer_ns ? trace->begin_at - a->config.long_buffer_ns : 0;

	if (!node_complete(node, trace->begin_at))
		name_failed(result, node, "some of its batches did not arrive");
	else if (!node_complete(node, before))
		name_failed(result, node, "lost records just before the trace began");
}

/* Marks the nodes for which unfinished packets left: if one of them is not there, that is why. */
static void mark_targets(const struct analysis *a, const struct trace *trace, bool marks[])
{
	for (uint32_t i = 0; i < trace->n_claims; i++) {
		const struct claim *claim = claim_at(a, trace->claims[i]);

		if (claim->end && claim->end != VT_UNFINISHED)
			continue;
		for (uint32_t r = group_at(a, claim->group)->recs; r; r = stored_at(a, r)->next) {
			const struct outer *outer = intern_get(&a->outers, stored_at(a, r)->outer);
			const struct node *node = outer ? node_by_addr(a, outer->dst) : NULL;

			if (node)
				marks[node->index] = true;
		}
	}
}

/* Nodes that armed, and those that did not, with the reason. */
static int fill_nodes(const struct analysis *a, const struct trace *trace, struct vt_result *result)
{
	bool *targets;

	result->failed = calloc(a->n_nodes + UNKNOWN_ENDS, sizeof(*result->failed));
	targets = calloc(a->n_nodes + 1, sizeof(*targets));
	if (!result->failed || !targets) {
		free(targets);
		return -ENOMEM;
	}
	mark_targets(a, trace, targets);
	for (uint32_t i = 0; i < a->n_nodes; i++) {
		const struct member *member = i < trace->n_members ? &trace->members[i] : NULL;
		const struct node *node = a->nodes[i];

		switch (member ? (enum member_state)member->state : MEMBER_NONE) {
		case MEMBER_ARMED:
			result->armed++;
			if (node->boot != member->boot)
				name_failed(result, node, "was restarted while the trace ran");
			else if (node->down || member->gone)
				name_failed(result, node, "stopped answering while the trace ran");
			else if (!member_missing(a, trace, i))
				name_incomplete(a, trace, node, result);
			break;
		case MEMBER_LATE:
			name_failed(result, node,
			            member->restarted
			                ? "was restarted while the trace ran"
			                : "armed after colouring had begun: its records are not complete");
			break;
		case MEMBER_FAILED:
			name_failed(result, node, member->error);
			break;
		case MEMBER_NONE:
			if (trace->start_at && !node->down)
				name_failed(result, node, "did not arm before colouring began");
			else if (targets[i])
				name_failed(result, node, "is not connected, and packets of this trace went there");
			break;
		}
		result->missing += member ? member_missing(a, trace, i) : node->missing;
	}
	name_unknown_ends(a, trace, result);
	free(targets);
	return 0;
}

/* Records of this trace's packets; a group of several of its packets counts once. */
static uint64_t count_received(const struct analysis *a, const struct trace *trace)
{
	uint64_t received = 0;

	for (uint32_t i = 0; i < trace->n_claims; i++) {
		const struct claim *claim = claim_at(a, trace->claims[i]);
		uint32_t c = group_at(a, claim->group)->claims;

		while (claim_at(a, c)->trace != trace)
			c = claim_at(a, c)->next;
		if (c == trace->claims[i])
			received += group_at(a, claim->group)->n_recs;
	}
	return received;
}

/* Packets that were coloured for sure but of which no record came: they are unfinished, and their records missing. */
static void add_unseen(const struct trace *trace, struct vt_result *result)
{
	uint64_t unseen = trace->coloured[0] + trace->coloured[1] - trace->n_claims;

	result->missing += trace->missing;
	for (uint32_t i = 0; i < trace->n_members; i++)
		unseen += member_short(&trace->members[i], 0) + member_short(&trace->members[i], 1);
	result->coloured = trace->n_claims + unseen;
	result->unfinished += unseen;
	if (result->missing < unseen)
		result->missing = unseen;
}

int analysis_result(const struct analysis *a, uint32_t task, bool with_list, struct vt_result *result)
{
	const struct trace *trace = trace_find(a, task);
	int index[TALLY_CAUSES], err;

	if (!trace)
		return -ENOENT;
	memset(result, 0, sizeof(*result));
	result->task = trace->task;
	result->delivered = trace->ended[VT_DELIVERED];
	result->dropped = trace->ended[VT_DROPPED];
	result->lost = trace->ended[VT_LOST];
	result->unfinished = trace->ended[VT_UNFINISHED] + trace->unsettled;
	result->ambiguous = trace->ambiguous;
	result->received = count_received(a, trace);
	err = fill_nodes(a, trace, result);
	add_unseen(trace, result);
	if (!err)
		err = fill_causes(a, trace, result, index);
	if (!err)
		err = fill_paths(a, trace, index, result);
	if (!err && with_list)
		err = fill_list(a, trace, index, result);
	if (err)
		vt_result_done(result);
	return err;
}

void analysis_stats(const struct analysis *a, struct analysis_stats *stats)
{
	*stats = a->stats;
	stats->packets = a->claims.used;
	stats->nodes = a->n_nodes;
}
