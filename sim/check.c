// SPDX-License-Identifier: BSD-3-Clause
/*
 * The invariants, checked after every run, packet by packet, against what really happened.
 *
 *  1. No healthy VFD is ever blamed. A cause's node is one where this very packet (or a copy of it) was really lost; a
 *     gap lies between the two nodes between which it was really lost. Nothing is called lost that arrived, but for
 *     what is documented, and never proven:
 *       - `dropped`, inferred: a copy was dropped there, as said; another arrived, and that is in records that VTrace
 *         lost, of which the result shows that it lost some, or it had lost its colour (diagnose.c, rule 4);
 *       - underlay-lost, inferred, with bleaching named as possible: the underlay did clear the colour on that link
 *         (README of the golden case dscp-bleaching);
 *       - vanished-in-node, always inferred: the packet's colour was wiped in that node, or one of several copies was
 *         taken away there (diagnose.c, rule 6).
 *  2. Nothing is `proven` that did not happen: each packet of a proven cause was lost, at that node, for that reason.
 *     `delivered` is said only of packets of which a copy left for a receiver; what VTrace follows through
 *     fragmentation and segmentation is the first piece.
 *  3. Equal packets that are told apart by order (`ambiguous`) may change places: of them the numbers must be right,
 * and nothing is proven by them alone.
 *  4. Ends add up; each cause has as many packets as the list says; a path's nodes were passed by the packet.
 *  5. VTrace's own losses show: if records of an unfinished packet were lost, or coloured packets were never heard of,
 *     something is counted as missing or a node is named.
 *  6. Every trace ends, and within the bounds of its life cycle.
 *
 * Where the truth cannot be known from the records, `unfinished` is the right answer, so it is never a violation.
 */
#include "sim/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define END_SLACK (500 * MS)

enum fault_of { WRONG_BLAME, FALSE_PROOF, OTHER };

static void violation(struct world *w, enum fault_of of, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void violation(struct world *w, enum fault_of of, const char *format, ...)
{
	char text[sizeof(w->first)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!w->violations++)
		memcpy(w->first, text, sizeof(text));
	w->tallies->wrong_blames += of == WRONG_BLAME;
	w->tallies->false_proofs += of == FALSE_PROOF;
	w->tallies->other += of == OTHER;
	story(w, "VIOLATION: %s", text);
}

static int node_by_name(const struct world *w, const char *name)
{
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		if (!strcmp(w->nodes[i].name, name))
			return (int)i;
	}
	return -1;
}

static bool is_joined(const struct vt_result_cause *row)
{
	return !strncmp(row->evidence, "stands for all further kinds", 28);
}

/* The node behind a gap, as the evidence names it. */
static int node_behind(const struct world *w, const struct vt_result_cause *row)
{
	static const char before[] = "not seen entering ";
	const char *at = strstr(row->evidence, before);
	char name[VT_NODE_MAX];

	if (!at)
		return -1;
	snprintf(name, sizeof(name), "%s", at + strlen(before));
	name[strcspn(name, ";")] = '\0';
	return node_by_name(w, name);
}

/* --- one packet, one cause ---------------------------------------------------------------------------------------- */

static enum fit fit_drop(const struct packet *packet, int node, const struct vt_result_cause *row)
{
	for (const struct end *end = packet->ends; end; end = end->next_end) {
		if (end->kind == END_DROPPED && end->node == node && end->cause == row->code &&
		    !strcmp(end->device, row->device))
			return packet->arrived ? FIT_INFERRED : FIT_TRUE;
	}
	return FIT_WRONG;
}

static enum fit fit_gap(const struct packet *packet, int node, int next, const struct vt_result_cause *row)
{
	for (const struct end *end = packet->ends; end && !packet->arrived; end = end->next_end) {
		if (end->kind == END_BETWEEN && end->node == node && end->next == next)
			return FIT_TRUE;
	}
	for (const struct blind *blind = packet->blinds; blind; blind = blind->next_blind) {
		if (blind->kind == BLIND_BLEACHED && blind->node == node && blind->next == next &&
		    strstr(row->evidence, "bleaching"))
			return FIT_INFERRED;
	}
	return FIT_WRONG;
}

static enum fit fit_vanished(const struct packet *packet, int node)
{
	for (const struct end *end = packet->ends; end; end = end->next_end) {
		if ((end->kind == END_SILENT || end->kind == END_DROPPED) && end->node == node)
			return FIT_INFERRED;
	}
	for (const struct blind *blind = packet->blinds; blind; blind = blind->next_blind) {
		if ((blind->kind == BLIND_ERASED || blind->kind == BLIND_MERGED) && blind->node == node)
			return FIT_INFERRED;
	}
	return FIT_WRONG;
}

enum fit check_fit(const struct world *w, const struct packet *packet, const struct vt_result_cause *row)
{
	int node = node_by_name(w, row->node);

	if (is_joined(row))
		return FIT_INFERRED; /* of many kinds: fits() looks whether it may be of one that arrived */
	if (row->code == VT_CAUSE_UNDERLAY_LOST)
		return fit_gap(packet, node, node_behind(w, row), row);
	if (row->code == VT_CAUSE_VANISHED_IN_NODE)
		return fit_vanished(packet, node);
	return fit_drop(packet, node, row);
}

static bool losses_shown(const struct trace_run *trace)
{
	return trace->result.missing || trace->result.n_failed || trace->silent;
}

static bool lost_colour(const struct packet *packet)
{
	for (const struct blind *blind = packet->blinds; blind; blind = blind->next_blind) {
		if (blind->kind == BLIND_ERASED || blind->kind == BLIND_MERGED || blind->kind == BLIND_BLEACHED)
			return true;
	}
	return false;
}

static bool fits(const struct trace_run *trace, const struct vt_result_cause *row, enum fit fit,
                 const struct packet *packet)
{
	if (fit == FIT_INFERRED && !row->proven && packet->arrived && row->code != VT_CAUSE_UNDERLAY_LOST &&
	    row->code != VT_CAUSE_VANISHED_IN_NODE)
		return losses_shown(trace) || lost_colour(packet);
	return fit == FIT_TRUE || (fit == FIT_INFERRED && !row->proven);
}

static void check_blame(struct world *w, const struct trace_run *trace, const struct packet *packet,
                        const struct vt_result_cause *row)
{
	enum fit fit = check_fit(w, packet, row);

	if (fits(trace, row, fit, packet))
		return;
	violation(w, row->proven ? FALSE_PROOF : WRONG_BLAME, "task %u, packet %u: %s at %s (%s) is %s; %s", trace->id,
	          packet->number, vt_cause_info(row->code)->code, row->node, row->evidence,
	          row->proven ? "called proven" : "blamed",
	          packet->arrived ? "the packet arrived" : "it was not lost there, or not so");
}

static void check_path(struct world *w, const struct trace_run *trace, const struct packet *packet,
                       const struct vt_result_path *path)
{
	for (unsigned int i = 0; i < path->n_hops; i++) {
		int node = node_by_name(w, path->hops[i].node);
		const struct visit_truth *visit = packet->visits;

		while (visit && (visit->node != node || visit->hop != path->hops[i].hop))
			visit = visit->next;
		if (!visit)
			violation(w, OTHER, "task %u, packet %u: hop %u at %s is in its path, but not in the truth",
			          trace->id, packet->number, path->hops[i].hop, path->hops[i].node);
	}
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

/* Equal packets: of those that the list calls ambiguous with this id, the numbers must be right. */
static void check_equals(struct world *w, const struct trace_run *trace, struct claim_truth *const *claims, uint64_t i)
{
	const struct vt_result *result = &trace->result;
	const struct vt_result_packet *one = &result->list[i];
	uint64_t said = 0, true_ones = 0;

	for (uint64_t k = 0; k < result->n_list; k++) {
		const struct vt_result_packet *other = &result->list[k];
		const struct packet *packet = claims[k] ? claims[k]->packet : NULL;

		if (!packet || !other->ambiguous || other->packet_id != one->packet_id)
			continue;
		said += other->end == one->end && other->cause == one->cause;
		if (one->end == VT_DELIVERED)
			true_ones += packet->arrived;
		else
			true_ones += fits(trace, &result->causes[one->cause],
			                  check_fit(w, packet, &result->causes[one->cause]), packet);
	}
	if (said > true_ones)
		violation(w, WRONG_BLAME,
		          "task %u: of the equal packets with id %016" PRIx64 " %" PRIu64 " %s%s, but %" PRIu64 " did",
		          trace->id, one->packet_id, said,
		          one->end == VT_DELIVERED ? "are called delivered" : "are blamed on ",
		          one->end == VT_DELIVERED ? "" : result->causes[one->cause].node, true_ones);
}

static void check_entry(struct world *w, const struct trace_run *trace, struct claim_truth *const *claims, uint64_t i)
{
	const struct vt_result *result = &trace->result;
	const struct vt_result_packet *entry = &result->list[i];
	const struct packet *packet = claims[i]->packet;

	if (entry->end == VT_UNFINISHED) {
		if (entry->cause >= 0)
			violation(w, WRONG_BLAME, "task %u, packet %u: unfinished, with a cause", trace->id,
			          packet->number);
		if (trace->missing[i] && !losses_shown(trace))
			violation(w, OTHER, "task %u, packet %u: records were lost, and the result does not show it",
			          trace->id, packet->number);
		return;
	}
	if ((entry->end == VT_DELIVERED) != (entry->cause < 0)) {
		violation(w, OTHER, "task %u, packet %u: %s, but cause %d", trace->id, packet->number,
		          vt_end_name(entry->end), entry->cause);
		return;
	}
	if (entry->ambiguous) {
		check_equals(w, trace, claims, i);
		return;
	}
	if (entry->end == VT_DELIVERED && !packet->arrived)
		violation(w, FALSE_PROOF, "task %u, packet %u: called delivered, and never arrived", trace->id,
		          packet->number);
	if (entry->cause >= 0)
		check_blame(w, trace, packet, &result->causes[entry->cause]);
	if (entry->path >= 0)
		check_path(w, trace, packet, &result->paths[entry->path]);
}

static void check_list(struct world *w, struct trace_run *trace)
{
	const struct vt_result *result = &trace->result;
	struct claim_truth **claims = arena_take(&w->arena, (result->n_list + 1) * sizeof(struct claim_truth *));

	for (uint64_t i = 0; i < result->n_list; i++) {
		const struct vt_result_packet *entry = &result->list[i];

		claims[i] = truth_find(w, trace->id, entry->packet_id, entry->time_ns, entry->reverse);
		if (claims[i])
			claims[i]->listed = true;
		else
			violation(w, OTHER, "task %u: a packet with id %016" PRIx64 " that was never coloured",
			          trace->id, entry->packet_id);
	}
	for (uint64_t i = 0; i < result->n_list; i++) {
		if (claims[i])
			check_entry(w, trace, claims, i);
	}
	trace->claims = claims;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static void check_sums(struct world *w, const struct trace_run *trace)
{
	const struct vt_result *result = &trace->result;
	uint64_t ends[VT_UNFINISHED + 1] = {0}, coloured = 0;

	if (result->coloured != result->delivered + result->dropped + result->lost + result->unfinished)
		violation(w, OTHER, "task %u: the ends do not add up", trace->id);
	for (uint64_t i = 0; i < result->n_list; i++)
		ends[result->list[i].end]++;
	if (ends[VT_DELIVERED] != result->delivered || ends[VT_DROPPED] != result->dropped ||
	    ends[VT_LOST] != result->lost)
		violation(w, OTHER, "task %u: the list has other ends than the counts", trace->id);
	for (unsigned int c = 0; c < result->n_causes; c++) {
		uint64_t packets = 0, sure = 0;

		for (uint64_t i = 0; i < result->n_list; i++) {
			packets += result->list[i].cause == (int)c;
			sure += result->list[i].cause == (int)c && !result->list[i].ambiguous;
		}
		if (result->causes[c].proven && !sure)
			violation(w, FALSE_PROOF,
			          "task %u: %s at %s rests on ambiguous packets alone, and is called proven", trace->id,
			          vt_cause_info(result->causes[c].code)->code, result->causes[c].node);
		if (packets != result->causes[c].packets)
			violation(w, OTHER, "task %u: cause %s has %" PRIu64 " packets, the list has %" PRIu64,
			          trace->id, vt_cause_info(result->causes[c].code)->code, result->causes[c].packets,
			          packets);
		if (result->causes[c].proven &&
		    (is_joined(&result->causes[c]) || result->causes[c].code == VT_CAUSE_VANISHED_IN_NODE))
			violation(w, FALSE_PROOF, "task %u: %s called proven", trace->id, result->causes[c].evidence);
	}
	for (int b = 0; b < CLAIM_BUCKETS; b++) {
		for (const struct claim_truth *claim = w->claims[b]; claim; claim = claim->next)
			coloured += claim->task == trace->id;
	}
	if (result->coloured > coloured)
		violation(w, OTHER, "task %u: %" PRIu64 " coloured, in truth %" PRIu64, trace->id, result->coloured,
		          coloured);
	if (result->coloured < coloured && !losses_shown(trace))
		violation(w, OTHER, "task %u: only %" PRIu64 " of %" PRIu64 " coloured packets, and nothing missing",
		          trace->id, result->coloured, coloured);
}

static void check_time(struct world *w, const struct trace_run *trace)
{
	uint64_t most = LIFECYCLE_ARM_NS + trace->task.trace_time_ms * MS + LIFECYCLE_FLUSH_NS + LIFECYCLE_SETTLE_NS;

	if (!trace->over)
		violation(w, OTHER, "task %u: does not end", trace->id);
	else if (trace->over_at - trace->begin_at > most + END_SLACK + (w->knobs.server_stalls ? 3 * S : 0))
		violation(w, OTHER, "task %u: took %" PRIu64 " ms", trace->id,
		          (uint64_t)((trace->over_at - trace->begin_at) / MS));
}

void check_run(struct world *w)
{
	for (uint32_t i = 0; i < w->server.n_traces; i++) {
		struct trace_run *trace = &w->server.traces[i];

		if (trace->aborted)
			continue;
		check_time(w, trace);
		if (!trace->have_result)
			continue;
		check_list(w, trace);
		check_sums(w, trace);
	}
	if (w->alive)
		violation(w, OTHER, "%" PRIu64 " copies are still under way", w->alive);
}
