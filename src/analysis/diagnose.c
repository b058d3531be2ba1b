// SPDX-License-Identifier: BSD-3-Clause
/*
 * See diagnose.h. The rules that hold for every verdict:
 *
 *  1. A healthy VFD is never blamed. Where something innocent explains the records as well, the packet is `unfinished`.
 *  2. `dropped` needs a witnessed `error` on every branch that did not deliver, or a provable end of it.
 *  3. `lost` needs complete records on both sides of the gap: every node involved was armed before colouring began,
 * lost nothing, skipped no batch, was not restarted or gone in the packet's time, and has sent a PROGRESS after the
 * deadline. Else the packet is `unfinished`.
 *  4. A witnessed drop on a node with losses of its own is `inferred`: a copy that got through may be among them. So is
 * one where another copy was not seen any more: its colour may have been wiped (6) or bleached.
 *  5. What is told apart by order alone never makes a cause `proven`; what cannot be told apart makes no cause. Equal
 * packets that were not coloured for the same tasks must have ended alike, else a task could get another one's loss.
 * Nor is anything said of a packet that was recorded while the node that coloured it lost records: an equal one may
 * have been coloured there, and what was recorded further on may be that one's.
 *  6. Where a packet vanished inside a VFD is known, that it is lost is not (its colour may have been erased, or
 * another program may have taken it): `inferred`, always.
 *
 * Waiting counts from the arrival of the last record. A node's incidents count from long_buffer before the packet's
 * first record, since batches of two nodes reach us at different times.
 */
#include "analysis/diagnose.h"

#include "analysis/node.h"
#include "analysis/tally.h"

static bool all_complete(const struct analysis *a, const struct trace *trace, const struct trail *trail, uint64_t since)
{
	if (trail->n_nodes > TRAIL_NODES)
		return false;
	for (unsigned int i = 0; i < trail->n_nodes; i++) {
		if (!member_complete(trace, a->nodes[trail->nodes[i]], since))
			return false;
	}
	return true;
}

/* A PROGRESS may have been under way for as long as an answer was. */
static bool all_progressed(const struct analysis *a, const struct trail *trail, uint64_t deadline)
{
	for (unsigned int i = 0; i < trail->n_nodes && i < TRAIL_NODES; i++) {
		const struct node *node = a->nodes[trail->nodes[i]];

		if (node->progress_at < deadline + node->lag)
			return false;
	}
	return true;
}

/* Some branch has no witnessed end: it is awaited, then it must be proven that nothing more comes. */
static enum wait open_branch(const struct analysis *a, const struct trail *trail, bool complete, bool *ret_proven)
{
	uint64_t buffer = trail->silent ? a->config.long_buffer_ns : a->config.short_buffer_ns;
	uint64_t deadline = trail->last_at + buffer;

	*ret_proven = false;
	if (a->now < deadline)
		return trail->silent ? WAIT_LONG : WAIT_SHORT;
	if (!complete || trail->beyond || trail->merge_possible)
		return WAIT_NONE;
	if (all_progressed(a, trail, deadline)) {
		*ret_proven = true;
		return WAIT_NONE;
	}
	return a->now < deadline + a->config.long_buffer_ns ? WAIT_PROOF : WAIT_NONE;
}

static enum vt_cause witnessed_cause(const struct analysis *a, const struct stored *error)
{
	const struct detail *detail = intern_get(&a->details, error->detail);

	return detail && detail->cause != VT_CAUSE_NONE ? (enum vt_cause)detail->cause : VT_CAUSE_UNEXPLAINED;
}

static bool is_translated(const struct phys *phys, const struct trail *trail)
{
	return phys->colour && trail->last && trail->last->flow != phys->colour->flow;
}

/*
 * Deliveries that need complete records: order tells equal packets apart only if all were recorded; what was merged
 * into another is known by nobody else having had its bytes; what a node's own stack took it may have dropped after
 * all.
 */
static bool needs_all(const struct phys *phys, const struct trail *trail)
{
	return phys->ambiguous || trail->rides || trail->last->flags & VT_REC_LOCAL || is_translated(phys, trail);
}

/*
 * While the node that coloured the packet lost records, an equal one may have been coloured there and not recorded;
 * then what was recorded further on may be of either. So it is with records that the node still had when it was given
 * up.
 */
static bool may_hide_equal(const struct analysis *a, const struct group *group, const struct trace *trace,
                           const struct phys *phys)
{
	const struct node *node = phys->colour ? a->nodes[phys->colour->node] : NULL;
	const struct member *member = node ? member_find(trace, node) : NULL;

	if (!node)
		return false;
	return node_lost_between(node, group->first_at, group->last_at) ||
	       (member && member->gone && node->progress_at < group->last_at + node->lag);
}

static enum wait diagnose(const struct analysis *a, const struct group *group, const struct trace *trace,
                          const struct phys *phys, const struct trail *trail, struct outcome *outcome)
{
	bool complete, closed = true, mixed = phys->mixed || trail->foreign || group->torn;
	enum wait wait;

	*outcome = (struct outcome){.end = VT_UNFINISHED, .ambiguous = phys->ambiguous || mixed};
	complete = !trail->loose && all_complete(a, trace, trail, group_window(a, group));
	if (trail->leaf == LEAF_DELIVERED && !mixed) {
		outcome->end = (needs_all(phys, trail) && !complete) || may_hide_equal(a, group, trace, phys)
		                   ? VT_UNFINISHED
		                   : VT_DELIVERED;
		return WAIT_NONE;
	}
	if (trail->leaf == LEAF_NONE || mixed || trail->gap || trail->silent || trail->beyond) {
		wait = open_branch(a, trail, complete, &closed);
		if (wait != WAIT_NONE)
			return wait;
	}
	/* behind a queue that is full a packet may still wait */
	if (mixed || !closed || may_hide_equal(a, group, trace, phys) || trail->queued ||
	    ((phys->ambiguous || is_translated(phys, trail)) && !complete))
		return WAIT_NONE;
	switch (trail->leaf) {
	case LEAF_DROP:
		outcome->end = VT_DROPPED;
		outcome->cause = witnessed_cause(a, trail->last);
		/* that another copy which was not seen any more is lost as well is not known for certain */
		outcome->proven = complete && !trail->silent && !trail->gap;
		break;
	case LEAF_GAP:
		outcome->end = VT_LOST;
		outcome->cause = VT_CAUSE_UNDERLAY_LOST;
		outcome->proven = true; /* the tally weakens it if nothing coloured ever made this way */
		break;
	case LEAF_SILENT:
		outcome->end = VT_LOST;
		outcome->cause = VT_CAUSE_VANISHED_IN_NODE;
		break;
	case LEAF_DELIVERED:
	case LEAF_BEYOND:
	case LEAF_NONE:
		break;
	}
	return WAIT_NONE;
}

/* Whether all uneven packets of a group ended in the same way. */
struct agreement {
	bool any, broken;
	struct outcome outcome;
	uint32_t node, device;
};

static void agree(struct agreement *agreement, const struct trail *trail, const struct outcome *outcome)
{
	uint32_t node = trail->last ? trail->last->node : 0, device = trail->last ? trail->last->device : 0;

	if (!agreement->any)
		*agreement = (struct agreement){true, false, *outcome, node, device};
	agreement->broken |= outcome->end != agreement->outcome.end || outcome->cause != agreement->outcome.cause ||
	                     node != agreement->node || device != agreement->device;
}

/* Goes through the claims; `settle` writes the outcomes into the tallies, else the longest wait is found. */
static enum wait each_claim(struct analysis *a, struct group *group, const struct owned *owned,
                            struct agreement *agreement, bool settle)
{
	enum wait longest = WAIT_NONE;

	for (uint32_t c = group->claims; c; c = claim_at(a, c)->next) {
		struct claim *claim = claim_at(a, c);
		const struct phys *phys = &owned->phys[claim->phys];
		struct outcome outcome;
		struct trail trail;
		enum wait wait;

		if (walk(a, claim->group, owned, claim->phys, 0, &trail) < 0)
			return WAIT_PROOF; /* no memory now; later perhaps */
		wait = diagnose(a, group, claim->trace, phys, &trail, &outcome);
		if (wait > longest)
			longest = wait;
		if (phys->uneven && !settle)
			agree(agreement, &trail, &outcome);
		if (phys->uneven && agreement->broken)
			outcome = (struct outcome){.end = VT_UNFINISHED, .ambiguous = true};
		/* a single claim, the usual case, needs no second round */
		if (settle || (wait == WAIT_NONE && group->n_claims == 1)) {
			tally_add(a, claim, &trail, &outcome);
			group->rides |= trail.rides;
			group->fragile |= outcome.end == VT_LOST || outcome.proven ||
			                  (outcome.end == VT_DELIVERED && needs_all(phys, &trail));
		}
	}
	return longest;
}

enum wait diagnose_group(struct analysis *a, struct group *group)
{
	struct agreement agreement = {0};
	struct owned owned;
	enum wait wait;

	if (owner_sort(a, group, 0, &owned) < 0)
		return WAIT_PROOF;
	wait = each_claim(a, group, &owned, &agreement, false);
	if (wait == WAIT_NONE && group->n_claims > 1)
		each_claim(a, group, &owned, &agreement, true);
	/* What this packet waits for may be another one's record, so its own deadline can be over. */
	if (wait == WAIT_SHORT && a->now >= group->last_at + a->config.short_buffer_ns)
		wait = WAIT_PROOF;
	if (wait == WAIT_LONG && a->now >= group->last_at + a->config.long_buffer_ns)
		wait = WAIT_PROOF;
	return wait;
}
