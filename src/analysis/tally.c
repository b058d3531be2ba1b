// SPDX-License-Identifier: BSD-3-Clause
/*
 * See tally.h. Causes with the same words are one, but what is certain and what is inferred are counted apart, so that
 * the number beside `proven` is proven too. Near the limit, first causes that differ in evidence alone are
 * joined (a packet's own numbers in the text would fill the table), then all further kinds in one row that says so.
 */
#include "analysis/tally.h"

#include <stdlib.h>
#include <string.h>

#define TALLY_JOIN_EVIDENCE (TALLY_CAUSES / 2) /* from so many causes on, evidence alone makes no new one */
#define TALLY_KEY_MAX       (4 + 8 * TRAIL_VISITS)

static const char *detail_reason(const struct detail *detail)
{
	return detail ? detail->text : "";
}

static const char *detail_site(const struct detail *detail)
{
	return detail ? detail->text + detail->site : "";
}

static bool same_but_evidence(const struct analysis *a, const struct tally_cause *x, const struct tally_cause *y)
{
	const struct detail *d = intern_get(&a->details, x->detail), *e = intern_get(&a->details, y->detail);

	return x->code == y->code && x->node == y->node && x->next_node == y->next_node && x->reverse == y->reverse &&
	       x->weak == y->weak && x->device == y->device && !strcmp(detail_reason(d), detail_reason(e)) &&
	       !strcmp(detail_site(d), detail_site(e));
}

static bool same_cause(const struct tally_cause *x, const struct tally_cause *y)
{
	return x->code == y->code && x->node == y->node && x->next_node == y->next_node && x->reverse == y->reverse &&
	       x->weak == y->weak && x->device == y->device && x->detail == y->detail && x->outer == y->outer;
}

static struct tally_cause cause_wanted(const struct claim *claim, const struct trail *trail,
                                       const struct outcome *outcome)
{
	const struct stored *last = trail->last;
	struct tally_cause wanted = {.code = outcome->cause,
	                             .node = last->node,
	                             .reverse = claim->reverse,
	                             .weak = !outcome->proven,
	                             .device = last->device,
	                             .detail = last->detail};

	if (trail->leaf == LEAF_GAP) {
		wanted.next_node = trail->next_node;
		wanted.outer = last->outer;
	}
	return wanted;
}

static int cause_new(struct analysis *a, struct trace *trace, const struct tally_cause *wanted)
{
	int slot = (int)trace->n_causes++;

	trace->causes[slot] = *wanted;
	intern_ref(&a->devices, wanted->device);
	intern_ref(&a->details, wanted->detail);
	intern_ref(&a->outers, wanted->outer);
	return slot;
}

static int cause_slot(struct analysis *a, struct trace *trace, const struct tally_cause *wanted)
{
	struct tally_cause rest = *wanted;

	for (unsigned int i = 0; i < trace->n_causes; i++) {
		if (!trace->causes[i].joined && same_cause(&trace->causes[i], wanted))
			return (int)i;
	}
	if (trace->n_causes < TALLY_JOIN_EVIDENCE)
		return cause_new(a, trace, wanted);
	for (unsigned int i = 0; i < trace->n_causes; i++) {
		if (same_but_evidence(a, &trace->causes[i], wanted))
			return (int)i;
	}
	/* the last two slots stand for all further kinds, one a direction */
	if (trace->n_causes < TALLY_CAUSES - 2)
		return cause_new(a, trace, wanted);
	for (unsigned int i = TALLY_CAUSES - 2; i < trace->n_causes; i++) {
		if (trace->causes[i].reverse == wanted->reverse)
			return (int)i;
	}
	rest.code = VT_CAUSE_UNEXPLAINED;
	rest.joined = true;
	return cause_new(a, trace, &rest);
}

/* The translated flow, if the VFD translated: what left (or was dropped) is not what came in. */
static uint32_t visit_nat(const struct visit *visit)
{
	const struct stored *after = visit->error ? visit->error : visit->out;

	if (!visit->in || !after || visit->merged || after->flow == visit->in->flow)
		return 0;
	return after->flow;
}

static uint32_t visit_vni(const struct visit *visit)
{
	if (visit->in && visit->in->vni)
		return visit->in->vni;
	if (visit->out && visit->out->vni)
		return visit->out->vni;
	return visit->error ? visit->error->vni : 0;
}

/* What two packets must have in common to be one line of `paths`. */
static unsigned int path_key(const struct claim *claim, const struct trail *trail, const struct outcome *outcome,
                             unsigned int n_visits, uint32_t *key)
{
	unsigned int n = 0;

	key[n++] = (uint32_t)outcome->end | (uint32_t)claim->reverse << 8;
	key[n++] = (uint32_t)claim->cause;
	key[n++] = n_visits;
	for (unsigned int i = 0; i < n_visits; i++) {
		const struct visit *visit = &trail->visits[i];

		key[n++] = visit->hop | (uint32_t)visit->node << 8 | (uint32_t)(visit_nat(visit) != 0) << 31 |
		           (uint32_t)visit->merged << 30;
		key[n++] = visit_vni(visit);
		key[n++] = visit->in ? visit->in->device : 0;
		key[n++] = visit->out ? visit->out->device : 0;
		key[n++] = visit->error ? visit->error->device : 0;
		key[n++] = visit->out ? visit->out->outer : 0;
		key[n++] = (visit->in != NULL) | (visit->out != NULL) << 1 | (visit->error != NULL) << 2;
	}
	return n;
}

static void hop_init(struct analysis *a, struct tally_hop *hop, const struct visit *visit)
{
	hop->hop = visit->hop;
	hop->node = visit->node;
	hop->has_in = visit->in;
	hop->has_out = visit->out;
	hop->has_error = visit->error;
	hop->vni = visit_vni(visit);
	hop->in_device = intern_ref(&a->devices, visit->in ? visit->in->device : 0);
	hop->out_device = intern_ref(&a->devices, visit->out ? visit->out->device : 0);
	hop->error_device = intern_ref(&a->devices, visit->error ? visit->error->device : 0);
	hop->outer = intern_ref(&a->outers, visit->out ? visit->out->outer : 0);
	hop->nat = intern_ref(&a->flows, visit_nat(visit));
}

static struct tally_path *path_new(struct analysis *a, struct claim *claim, const struct trail *trail,
                                   const struct outcome *outcome, unsigned int n_visits, const uint32_t *key,
                                   unsigned int n)
{
	struct tally_path *path = calloc(1, sizeof(*path) + n_visits * sizeof(path->hops[0]));

	if (!path)
		return NULL;
	path->key = malloc(n * sizeof(*key));
	if (!path->key) {
		free(path);
		return NULL;
	}
	memcpy(path->key, key, n * sizeof(*key));
	path->key_words = n;
	path->end = outcome->end;
	path->reverse = claim->reverse;
	path->cause = claim->cause;
	path->flow = intern_ref(&a->flows, stored_at(a, claim->rec)->flow);
	path->n_hops = n_visits;
	for (unsigned int i = 0; i < n_visits; i++)
		hop_init(a, &path->hops[i], &trail->visits[i]);
	HASH_ADD_KEYPTR(hh, claim->trace->paths, path->key, n * sizeof(*key), path);
	return path;
}

static struct tally_path *path_get(struct analysis *a, struct claim *claim, const struct trail *trail,
                                   const struct outcome *outcome)
{
	uint32_t key[TALLY_KEY_MAX];
	unsigned int n_visits = trail->n_visits, n = path_key(claim, trail, outcome, n_visits, key);
	struct tally_path *path;

	HASH_FIND(hh, claim->trace->paths, key, n * sizeof(*key), path);
	if (path)
		return path;
	if (HASH_COUNT(claim->trace->paths) >= TALLY_PATHS) {
		n_visits = 0; /* one line for each end and cause */
		n = path_key(claim, trail, outcome, n_visits, key);
		HASH_FIND(hh, claim->trace->paths, key, n * sizeof(*key), path);
		if (path)
			return path;
	}
	return path_new(a, claim, trail, outcome, n_visits, key, n);
}

/* Reservoir sampling (algorithm R): every latency has the same chance to be among the samples. */
static void hop_sample(struct analysis *a, struct tally_hop *hop, const struct visit *visit)
{
	uint64_t ns, at = hop->n_latencies;

	if (!visit->in || !visit->out || visit->merged || visit->out->time_ns < visit->in->time_ns)
		return;
	ns = visit->out->time_ns - visit->in->time_ns;
	if (ns > UINT32_MAX)
		ns = UINT32_MAX;
	if (!at || ns < hop->min_ns)
		hop->min_ns = (uint32_t)ns;
	if (ns > hop->max_ns)
		hop->max_ns = (uint32_t)ns;
	hop->n_latencies++;
	if (at >= TALLY_SAMPLES) {
		a->random ^= a->random << 13;
		a->random ^= a->random >> 7;
		a->random ^= a->random << 17;
		at = a->random % hop->n_latencies;
	}
	if (at < TALLY_SAMPLES)
		hop->samples[at] = (uint32_t)ns;
}

void tally_add(struct analysis *a, struct claim *claim, const struct trail *trail, const struct outcome *outcome)
{
	struct trace *trace = claim->trace;
	struct tally_path *path;

	claim->end = (uint8_t)outcome->end;
	claim->ambiguous = outcome->ambiguous;
	claim->proven = outcome->proven && !outcome->ambiguous;
	claim->cause = -1;
	if (outcome->cause != VT_CAUSE_NONE) {
		struct tally_cause wanted = cause_wanted(claim, trail, outcome);

		claim->cause = (int8_t)cause_slot(a, trace, &wanted);
		trace->causes[claim->cause].packets++;
		trace->causes[claim->cause].proven += claim->proven;
	}
	path = path_get(a, claim, trail, outcome);
	claim->path = path;
	if (path) {
		path->packets++;
		for (unsigned int i = 0; i < path->n_hops; i++)
			hop_sample(a, &path->hops[i], &trail->visits[i]);
	}
	trace->ended[outcome->end]++;
	trace->ambiguous += outcome->ambiguous;
	trace->unsettled--;
}

void tally_remove(struct analysis *a, struct claim *claim)
{
	struct trace *trace = claim->trace;

	if (!claim->end)
		return;
	if (claim->cause >= 0) {
		trace->causes[claim->cause].packets--;
		trace->causes[claim->cause].proven -= claim->proven;
	}
	if (claim->path)
		claim->path->packets--;
	trace->ended[claim->end]--;
	trace->ambiguous -= claim->ambiguous;
	trace->unsettled++;
	claim->end = 0;
	claim->path = NULL;
	claim->cause = -1;
	claim->proven = claim->ambiguous = false;
}

static void path_free(struct analysis *a, struct tally_path *path)
{
	for (unsigned int i = 0; i < path->n_hops; i++) {
		struct tally_hop *hop = &path->hops[i];

		intern_put(&a->devices, hop->in_device);
		intern_put(&a->devices, hop->out_device);
		intern_put(&a->devices, hop->error_device);
		intern_put(&a->outers, hop->outer);
		intern_put(&a->flows, hop->nat);
	}
	intern_put(&a->flows, path->flow);
	free(path->key);
	free(path);
}

void tally_free(struct analysis *a, struct trace *trace)
{
	struct tally_path *path, *next;

	HASH_ITER (hh, trace->paths, path, next) {
		HASH_DEL(trace->paths, path);
		path_free(a, path);
	}
	for (unsigned int i = 0; i < trace->n_causes; i++) {
		intern_put(&a->devices, trace->causes[i].device);
		intern_put(&a->details, trace->causes[i].detail);
		intern_put(&a->outers, trace->causes[i].outer);
	}
	trace->n_causes = 0;
}
