// SPDX-License-Identifier: BSD-3-Clause
/* See evidence.h. */
#include "analysis/evidence.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define TELLING 3 /* packets lost, and arrived, from which on their lengths say something */

/* The record with which a packet left for the node behind the gap; NULL if it did not. */
static const struct stored *left_by(const struct analysis *a, const struct claim *claim,
                                    const struct tally_cause *cause)
{
	for (uint32_t r = group_at(a, claim->group)->recs; r; r = stored_at(a, r)->next) {
		const struct stored *rec = stored_at(a, r);

		if (rec->loc == VT_LOC_OUT && rec->node == cause->node && rec->outer == cause->outer)
			return rec;
	}
	return NULL;
}

/* Something coloured of the flow of `out` was seen entering the node behind the gap since the trace began. */
static bool arrived(const struct analysis *a, const struct stored *out, const struct trace *trace,
                    const struct tally_cause *cause)
{
	const struct outer *outer = intern_get(&a->outers, cause->outer);
	struct arrival_key key;
	struct arrival *arrival;

	memset(&key, 0, sizeof(key));
	if (!outer)
		return false;
	key.flow = intern_hash(intern_get(&a->flows, out->flow), sizeof(struct vt_flow));
	memcpy(key.src, outer->src, 16);
	key.node = cause->next_node;
	HASH_FIND(hh, a->arrivals, &key, sizeof(key), arrival);
	return arrival && arrival->last_at >= trace->begin_at;
}

static void look_at(const struct analysis *a, const struct claim *claim, int slot, struct insight *insight)
{
	const struct tally_cause *cause = &claim->trace->causes[slot];
	const struct stored *out;

	if (claim->cause != slot && claim->end != VT_DELIVERED)
		return;
	out = left_by(a, claim, cause);
	if (claim->cause == slot && !insight->unseen)
		insight->unseen = !out || !arrived(a, out, claim->trace, cause);
	if (!out || out->segments > 1)
		return;
	if (claim->cause == slot) {
		insight->shortest =
		    insight->lost++ && insight->shortest < out->length ? insight->shortest : out->length;
	} else if (claim->end == VT_DELIVERED) {
		insight->arrived++;
		insight->longest = insight->longest > out->length ? insight->longest : out->length;
	}
}

void evidence_look(const struct analysis *a, const struct trace *trace, struct insight insights[TALLY_CAUSES])
{
	memset(insights, 0, TALLY_CAUSES * sizeof(*insights));
	for (unsigned int slot = 0; slot < trace->n_causes; slot++) {
		for (uint32_t i = 0; i < trace->n_claims && trace->causes[slot].outer; i++)
			look_at(a, claim_at(a, trace->claims[i]), (int)slot, &insights[slot]);
	}
}

static void gap_evidence(const struct analysis *a, const struct tally_cause *cause, const struct insight *insight,
                         char *buf, size_t size)
{
	const struct outer *outer = intern_get(&a->outers, cause->outer);
	const char *from = a->nodes[cause->node]->name, *to = a->nodes[cause->next_node]->name;
	char addr[INET6_ADDRSTRLEN] = "?";
	int n;

	if (outer)
		vt_addr_format(outer->dst, addr, sizeof(addr));
	n = snprintf(buf, size, "left %s by %s for %s (%s), not seen entering %s", from, device_name(a, cause->device),
	             addr, to, to);
	if (n < 0 || (size_t)n >= size)
		return;
	if (insight->unseen)
		snprintf(buf + n, size - (size_t)n,
		         "; of a flow nothing coloured was seen there at all, so its path in the underlay may also be "
		         "rewriting the outer DSCP (bleaching)");
	else if (insight->lost >= TELLING && insight->arrived >= TELLING && insight->shortest > insight->longest)
		snprintf(
		    buf + n, size - (size_t)n,
		    "; all that were lost have %u bytes or more, all that arrived %u or less, as where the MTU of a "
		    "link in the underlay is too small",
		    insight->shortest, insight->longest);
}

static void drop_evidence(const struct tally_cause *cause, const struct detail *detail, char *buf, size_t size)
{
	const char *evidence = detail->text + detail->evidence, *site = detail->text + detail->site;

	if (*evidence)
		snprintf(buf, size, "%s", evidence);
	else
		snprintf(buf, size, "dropped with reason %s%s%s, nothing more is known",
		         *detail->text ? detail->text : "unknown", *site ? " at " : "", site);
}

void evidence_of(const struct analysis *a, const struct tally_cause *cause, const struct insight *insight, char *buf,
                 size_t size)
{
	const struct detail *detail = intern_get(&a->details, cause->detail);
	const char *node = a->nodes[cause->node]->name;

	if (cause->joined)
		snprintf(buf, size, "stands for all further kinds of loss, more than the %d that are listed apart",
		         TALLY_CAUSES - 2);
	else if (detail)
		drop_evidence(cause, detail, buf, size);
	else if (cause->outer)
		gap_evidence(a, cause, insight, buf, size);
	else
		snprintf(
		    buf, size,
		    "entered %s by %s, then neither left nor was seen dropped; its colour may have been erased, or "
		    "another program on the node took it",
		    node, device_name(a, cause->device));
}
