// SPDX-License-Identifier: BSD-3-Clause
/*
 * See owner.h. With one packet this is a sort. With several, records are given out hop by hop: an `in` belongs to the
 * packet whose `out` of the hop before has the same flow, VNI and tunnel ends, which no underlay changes; an `out` or
 * `error` belongs to the packet whose `in` at that node has the same flow. Equal packets (a class) are paired in order
 * of the node's clock: since they are alike, any pairing gives the same counts.
 *
 * Copies that the underlay flooded to nodes that they are not for (strays) are nobody's, and left out.
 */
#include "analysis/owner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stray.h"

#define OWNER_NONE (-1)

/* One packet's `in` at the station at work. Members of one class lie side by side, in order of time. */
struct owner_member {
	int owner;
	uint32_t flow, vni;
	uint64_t time_ns;
};

struct owner_scratch {
	uint32_t cap, n, cap_phys, n_phys;
	const struct stored **recs;  /* sorted */
	const struct stored **split; /* the same, packet by packet */
	int *owner;                  /* of recs[i] */
	uint32_t *class;             /* of recs[i] at its station: first member */
	uint32_t *order, *order_in;
	struct owner_member *members;
	uint32_t *claims;
	struct phys *phys;
	const struct analysis *a;
};

static void scratch_free(struct owner_scratch *s)
{
	if (!s)
		return;
	free(s->recs);
	free(s->split);
	free(s->owner);
	free(s->class);
	free(s->order);
	free(s->order_in);
	free(s->members);
	free(s->claims);
	free(s->phys);
	free(s);
}

void owner_free(struct analysis *a)
{
	for (unsigned int i = 0; i < MERGE_DEPTH; i++)
		scratch_free(a->owner[i]);
}

/* Makes the scratch memory of a depth large enough for this group; it only ever grows. */
static struct owner_scratch *scratch_get(struct analysis *a, const struct group *group, unsigned int depth)
{
	struct owner_scratch *s = a->owner[depth];
	uint32_t cap = 64;

	if (s && s->cap >= group->n_recs)
		return s;
	while (cap < group->n_recs)
		cap *= 2;
	scratch_free(s);
	s = a->owner[depth] = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->recs = calloc(cap, sizeof(*s->recs));
	s->split = calloc(cap, sizeof(*s->split));
	s->owner = calloc(cap, sizeof(*s->owner));
	s->class = calloc(cap, sizeof(*s->class));
	s->order = calloc(cap, sizeof(*s->order));
	s->order_in = calloc(cap, sizeof(*s->order_in));
	s->members = calloc(cap, sizeof(*s->members));
	s->claims = calloc(cap, sizeof(*s->claims)); /* a claim is made by a record */
	s->phys = calloc(cap, sizeof(*s->phys));
	if (!s->recs || !s->split || !s->owner || !s->class || !s->order || !s->order_in || !s->members || !s->claims ||
	    !s->phys) {
		scratch_free(s);
		a->owner[depth] = NULL;
		return NULL;
	}
	s->a = a;
	s->cap = cap;
	return s;
}

#define COMPARE(x, y)                              \
	do {                                       \
		if ((x) != (y))                    \
			return (x) < (y) ? -1 : 1; \
	} while (0)

static int compare_recs(const void *x, const void *y)
{
	const struct stored *r = *(const struct stored *const *)x, *s = *(const struct stored *const *)y;

	COMPARE(r->hop, s->hop);
	COMPARE(r->node, s->node);
	COMPARE(r->loc != VT_LOC_IN, s->loc != VT_LOC_IN);
	COMPARE(r->time_ns, s->time_ns);
	COMPARE(r->loc, s->loc);
	return 0;
}

/* Few records, nearly in order already: insertion beats qsort. */
static void sort_recs(const struct stored **recs, uint32_t n)
{
	if (n > 24) {
		qsort(recs, n, sizeof(*recs), compare_recs);
		return;
	}
	for (uint32_t i = 1; i < n; i++) {
		const struct stored *rec = recs[i];
		uint32_t j = i;

		for (; j && compare_recs(&recs[j - 1], &rec) > 0; j--)
			recs[j] = recs[j - 1];
		recs[j] = rec;
	}
}

static int compare_claims(const void *x, const void *y, void *arg)
{
	const struct analysis *a = arg;
	const struct claim *c = claim_at(a, *(const uint32_t *)x), *d = claim_at(a, *(const uint32_t *)y);
	const struct stored *r = stored_at(a, c->rec), *s = stored_at(a, d->rec);

	COMPARE(r->node, s->node);
	COMPARE(r->flow, s->flow);
	COMPARE(r->vni, s->vni);
	COMPARE(r->time_ns, s->time_ns);
	COMPARE(c->trace->task.id, d->trace->task.id);
	COMPARE(c->reverse, d->reverse);
	COMPARE(c->rec, d->rec);
	return 0;
}

static bool same_packet(const struct stored *r, const struct stored *s)
{
	return r->node == s->node && r->flow == s->flow && r->vni == s->vni && r->time_ns == s->time_ns;
}

static bool same_class(const struct stored *r, const struct stored *s)
{
	return r->node == s->node && r->flow == s->flow && r->vni == s->vni;
}

/*
 * Claims of several tasks, or of both directions of one (its filter fits either way), with the same node, flow and time
 * are one packet. Twice the same task and direction in such a run means two packets in one tick of the clock.
 */
static void claims_to_phys(struct owner_scratch *s, const struct group *group)
{
	const struct analysis *a = s->a;
	uint32_t n = 0, base = 0, nth = 0;

	for (uint32_t c = group->claims; c; c = claim_at(a, c)->next)
		s->claims[n++] = c;
	if (n > 1)
		qsort_r(s->claims, n, sizeof(*s->claims), compare_claims, (void *)a);
	s->n_phys = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct claim *claim = claim_at(a, s->claims[i]), *last = i ? claim_at(a, s->claims[i - 1]) : NULL;
		const struct stored *rec = stored_at(a, claim->rec);

		if (!last || !same_packet(rec, stored_at(a, last->rec))) {
			base = s->n_phys;
			nth = 0;
		} else {
			nth = last->trace == claim->trace && last->reverse == claim->reverse ? nth + 1 : 0;
		}
		claim->phys = base + nth;
		if (claim->phys == s->n_phys)
			s->phys[s->n_phys++] = (struct phys){.colour = rec};
		s->phys[claim->phys].tasks +=
		    ((uint64_t)claim->trace->task.id << 1 | claim->reverse) * 0x9e3779b97f4a7c15ULL;
	}
}

/*
 * Packets that no task of ours claims, because theirs is gone: their records are in the group, and must not be taken
 * for those of others.
 */
static void add_unclaimed(struct owner_scratch *s)
{
	uint32_t claimed = s->n_phys;

	for (uint32_t i = 0; i < s->n && s->recs[i]->hop == 1; i++) {
		const struct stored *rec = s->recs[i];
		uint32_t p = 0;

		if (rec->loc != VT_LOC_IN || !(rec->flags & VT_REC_COLOURED) || rec->claim)
			continue;
		while (p < s->n_phys && !same_packet(s->phys[p].colour, rec))
			p++;
		if (p == s->n_phys)
			s->phys[s->n_phys++] = (struct phys){.colour = rec};
	}
	for (uint32_t p = claimed; p < s->n_phys; p++) {
		for (uint32_t q = 0; q < s->n_phys; q++) {
			if (p != q && same_class(s->phys[p].colour, s->phys[q].colour))
				s->phys[p].ambiguous = s->phys[q].ambiguous = s->phys[q].mixed = true;
		}
	}
}

/* Equal packets may change places without harm only where all of them count for the same tasks. */
static void find_equals(struct owner_scratch *s)
{
	for (uint32_t first = 0, end; first < s->n_phys; first = end) {
		bool uneven = false;

		for (end = first + 1; end < s->n_phys && same_class(s->phys[end].colour, s->phys[first].colour); end++)
			uneven |= s->phys[end].tasks != s->phys[first].tasks;
		for (uint32_t i = first; i < end && end - first > 1; i++) {
			s->phys[i].ambiguous = true;
			s->phys[i].uneven = uneven;
		}
	}
}

static void all_mixed(struct owner_scratch *s)
{
	for (uint32_t i = 0; i < s->n_phys; i++)
		s->phys[i].mixed = true;
}

/* By what crosses the underlay unchanged, then time. */
static int compare_links(const void *x, const void *y, void *arg)
{
	const struct owner_scratch *s = arg;
	const struct stored *r = s->recs[*(const uint32_t *)x], *t = s->recs[*(const uint32_t *)y];

	COMPARE(r->flow, t->flow);
	COMPARE(r->vni, t->vni);
	COMPARE(r->outer, t->outer);
	COMPARE(r->time_ns, t->time_ns);
	return 0;
}

static int compare_link_keys(const struct stored *r, const struct stored *t)
{
	COMPARE(r->flow, t->flow);
	COMPARE(r->vni, t->vni);
	COMPARE(r->outer, t->outer);
	return 0;
}

/* No `out` of the hop before has this link's key: its owner if all of that hop with its flow have one owner. */
static int owner_by_flow(const struct owner_scratch *s, const struct stored *in, uint32_t n_outs)
{
	int owner = OWNER_NONE;

	for (uint32_t i = 0; i < n_outs; i++) {
		if (s->recs[s->order[i]]->flow != in->flow)
			continue;
		if (owner != OWNER_NONE && owner != s->owner[s->order[i]])
			return OWNER_NONE;
		owner = s->owner[s->order[i]];
	}
	return owner;
}

/* Gives the `in`s of recs[first, end) to the owners of the `out`s in recs[before, first). */
static void own_ins(struct owner_scratch *s, uint32_t before, uint32_t first, uint32_t end)
{
	uint32_t n_outs = 0, n_ins = 0, at = 0, used = 0;

	for (uint32_t i = before; i < first; i++) {
		const struct stored *rec = s->recs[i];

		if (rec->loc == VT_LOC_OUT && rec->flags & VT_REC_ENCAP && s->owner[i] != OWNER_NONE)
			s->order[n_outs++] = i;
	}
	for (uint32_t i = first; i < end; i++) {
		if (s->recs[i]->loc == VT_LOC_IN)
			s->order_in[n_ins++] = i;
	}
	qsort_r(s->order, n_outs, sizeof(*s->order), compare_links, s);
	qsort_r(s->order_in, n_ins, sizeof(*s->order_in), compare_links, s);
	for (uint32_t i = 0; i < n_ins; i++) {
		const struct stored *in = s->recs[s->order_in[i]];
		int *owner = &s->owner[s->order_in[i]];

		while (at < n_outs && compare_link_keys(s->recs[s->order[at]], in) < 0) {
			at++;
			used = 0;
		}
		if (at < n_outs && !compare_link_keys(s->recs[s->order[at]], in)) {
			/* the n-th with the n-th; more than went in are copies of the last */
			if (used && at + 1 < n_outs && !compare_link_keys(s->recs[s->order[at + 1]], in))
				at++;
			used = 1;
			*owner = s->owner[s->order[at]];
		} else {
			*owner = owner_by_flow(s, in, n_outs);
		}
		if (*owner == OWNER_NONE)
			all_mixed(s);
	}
}

/* Hop 1: a COLOURED record is its claim's packet; of a task that is gone, the packet that looks like it. */
static void own_colours(struct owner_scratch *s, uint32_t end)
{
	for (uint32_t i = 0; i < end; i++) {
		const struct stored *rec = s->recs[i];

		if (rec->loc == VT_LOC_IN && rec->claim)
			s->owner[i] = (int)claim_at(s->a, rec->claim)->phys;
		for (uint32_t p = 0; rec->loc == VT_LOC_IN && s->owner[i] == OWNER_NONE && p < s->n_phys; p++) {
			if (same_packet(s->phys[p].colour, rec))
				s->owner[i] = (int)p;
		}
	}
}

static int compare_members(const void *x, const void *y)
{
	const struct owner_member *m = x, *n = y;

	COMPARE(m->flow, n->flow);
	COMPARE(m->vni, n->vni);
	COMPARE(m->time_ns, n->time_ns);
	COMPARE(m->owner, n->owner);
	return 0;
}

/* The packets that entered the station recs[first, end), each once, class by class. */
static uint32_t station_members(struct owner_scratch *s, uint32_t first, uint32_t end)
{
	uint32_t n = 0, kept = 0;

	for (uint32_t i = first; i < end; i++) {
		const struct stored *rec = s->recs[i];

		if (rec->loc == VT_LOC_IN && s->owner[i] != OWNER_NONE)
			s->members[n++] = (struct owner_member){s->owner[i], rec->flow, rec->vni, rec->time_ns};
	}
	qsort(s->members, n, sizeof(*s->members), compare_members);
	for (uint32_t i = 0; i < n; i++) {
		if (!kept || s->members[i].owner != s->members[kept - 1].owner)
			s->members[kept++] = s->members[i];
	}
	return kept;
}

static uint32_t class_end(const struct owner_scratch *s, uint32_t first, uint32_t n)
{
	uint32_t end = first + 1;

	while (end < n && s->members[end].flow == s->members[first].flow &&
	       s->members[end].vni == s->members[first].vni)
		end++;
	return end;
}

/* First member of the class that a record leaving the station belongs to; n for "cannot tell". */
static uint32_t class_of(const struct owner_scratch *s, uint32_t n, const struct stored *rec)
{
	uint32_t by_flow = n, flows = 0;

	if (class_end(s, 0, n) == n)
		return 0;
	for (uint32_t first = 0; first < n; first = class_end(s, first, n)) {
		if (s->members[first].flow != rec->flow)
			continue;
		if (s->members[first].vni == rec->vni)
			return first;
		by_flow = first;
		flows++;
	}
	return flows == 1 ? by_flow : n;
}

static int compare_leavers(const void *x, const void *y, void *arg)
{
	const struct owner_scratch *s = arg;
	uint32_t i = *(const uint32_t *)x, j = *(const uint32_t *)y;

	COMPARE(s->class[i], s -> class[j]);
	COMPARE(i, j); /* time, since recs are sorted */
	return 0;
}

static int compare_devices(const void *x, const void *y, void *arg)
{
	const struct owner_scratch *s = arg;
	uint32_t i = *(const uint32_t *)x, j = *(const uint32_t *)y;

	COMPARE(s->recs[i]->loc, s->recs[j]->loc);
	COMPARE(s->recs[i]->ifindex, s->recs[j]->ifindex);
	COMPARE(i, j);
	return 0;
}

/* More leave than came: clones. Certain only if every device saw each packet once. */
static void own_clones(struct owner_scratch *s, uint32_t *leavers, uint32_t n, uint32_t first, uint32_t m)
{
	uint32_t nth = 0;
	bool certain = true;

	qsort_r(leavers, n, sizeof(*leavers), compare_devices, s);
	for (uint32_t i = 0; i < n; i++) {
		const struct stored *rec = s->recs[leavers[i]], *last = i ? s->recs[leavers[i - 1]] : NULL;
		bool new_device = last && (last->loc != rec->loc || last->ifindex != rec->ifindex);

		certain &= !new_device || nth == m;
		nth = new_device ? 0 : nth;
		s->owner[leavers[i]] = s->members[first + nth % m].owner;
		nth++;
	}
	if (certain && nth == m)
		return;
	for (uint32_t i = 0; i < m; i++)
		s->phys[s->members[first + i].owner].mixed = true;
}

/* Pairs the leavers of one class with its m members, in order. */
static void own_class(struct owner_scratch *s, uint32_t *leavers, uint32_t n, uint32_t m)
{
	uint32_t first = s->class[leavers[0]];

	if (n > m && m > 1) {
		own_clones(s, leavers, n, first, m);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		s->owner[leavers[i]] = s->members[first + (m == 1 ? 0 : i)].owner;
}

/* An error behind the egress hook is that of the last `out` before it on its device that has none yet. */
static void own_after_out(struct owner_scratch *s, uint32_t first, uint32_t error)
{
	for (uint32_t i = error; i-- > first;) {
		const struct stored *out = s->recs[i];

		if (out->loc != VT_LOC_OUT || out->ifindex != s->recs[error]->ifindex || s->class[i] == UINT32_MAX)
			continue;
		s->owner[error] = s->owner[i];
		s->class[i] = UINT32_MAX; /* taken */
		return;
	}
	all_mixed(s);
}

static bool is_after_out(const struct stored *rec)
{
	return rec->loc == VT_LOC_ERROR && rec->flags & VT_REC_AFTER_OUT;
}

/*
 * An error of the node's own stack takes the delivery to that stack back, but its record looks like any other: with
 * several packets at the station it could be of one that was forwarded.
 */
static bool stack_may_have_dropped(const struct owner_scratch *s, uint32_t first, uint32_t error)
{
	for (uint32_t i = first; i < error; i++) {
		if (s->recs[i]->loc == VT_LOC_OUT && s->recs[i]->flags & VT_REC_LOCAL &&
		    s->recs[i]->ifindex == s->recs[error]->ifindex)
			return true;
	}
	return false;
}

/* Gives out and error records of one station recs[first, end) to the packets that entered it. */
static void own_leavers(struct owner_scratch *s, uint32_t first, uint32_t end)
{
	uint32_t n_members = station_members(s, first, end), n = 0;

	for (uint32_t i = first; i < end; i++) {
		if (s->recs[i]->loc == VT_LOC_IN || is_after_out(s->recs[i]))
			continue;
		s->class[i] = n_members ? class_of(s, n_members, s->recs[i]) : 0;
		if (s->class[i] == n_members) {
			all_mixed(s); /* translated, and not to be told from whom: it could be anyone's end */
			continue;
		}
		if (n_members > 1 && s->recs[i]->loc == VT_LOC_ERROR && stack_may_have_dropped(s, first, i))
			all_mixed(s);
		s->order[n++] = i;
	}
	qsort_r(s->order, n, sizeof(*s->order), compare_leavers, s);
	for (uint32_t i = 0, run; i < n; i += run) {
		uint32_t class = s->class[s->order[i]];

		for (run = 1; i + run < n && s->class[s->order[i + run]] == class;)
			run++;
		own_class(s, s->order + i, run, class_end(s, class, n_members) - class);
	}
	for (uint32_t i = first; i < end; i++) {
		if (is_after_out(s->recs[i]))
			own_after_out(s, first, i);
	}
}

static void own_all(struct owner_scratch *s)
{
	uint32_t before = 0, first = 0;

	for (uint32_t i = 0; i < s->n; i++)
		s->owner[i] = OWNER_NONE;
	while (first < s->n) {
		uint32_t end = first, station = first;

		while (end < s->n && s->recs[end]->hop == s->recs[first]->hop)
			end++;
		if (s->recs[first]->hop == 1)
			own_colours(s, end);
		else
			own_ins(s, before, first, end);
		for (uint32_t i = first; i < end; i++) {
			if (i + 1 < end && s->recs[i + 1]->node == s->recs[i]->node)
				continue;
			own_leavers(s, station, i + 1);
			station = i + 1;
		}
		before = first;
		first = end;
	}
}

/* Copies recs packet by packet, keeping their order. */
static void split(struct owner_scratch *s)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		if (s->owner[i] != OWNER_NONE)
			s->phys[s->owner[i]].n++;
	}
	for (uint32_t p = 0; p < s->n_phys; p++) {
		s->phys[p].first = at;
		at += s->phys[p].n;
		s->phys[p].n = 0;
	}
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->owner[i] != OWNER_NONE) {
			struct phys *phys = &s->phys[s->owner[i]];

			s->split[phys->first + phys->n++] = s->recs[i];
		}
	}
}

int owner_sort(struct analysis *a, const struct group *group, unsigned int depth, struct owned *owned)
{
	struct owner_scratch *s = scratch_get(a, group, depth);
	uint16_t flags = 0;

	if (!s)
		return -ENOMEM;
	s->n = 0;
	for (uint32_t r = group->recs; r; r = stored_at(a, r)->next) {
		s->recs[s->n++] = stored_at(a, r);
		flags |= stored_at(a, r)->flags;
	}
	sort_recs(s->recs, s->n);
	if (flags & VT_REC_OTHERHOST)
		s->n = strays_drop(a, s->recs, s->n);
	claims_to_phys(s, group);
	find_equals(s);
	add_unclaimed(s);
	if (s->n_phys == 0)
		s->phys[s->n_phys++] = (struct phys){0};
	owned->phys = s->phys;
	owned->n_phys = s->n_phys;
	owned->recs = s->recs;
	if (s->n_phys == 1) {
		s->phys[0].n = s->n;
		return 0;
	}
	own_all(s);
	split(s);
	owned->recs = s->split;
	return 0;
}
