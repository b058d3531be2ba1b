// SPDX-License-Identifier: BSD-3-Clause
/* One run: a world is made from its seed, lives until all traces are over, is checked, adds to the tallies. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/check.h"

#define RUN_MAX (120 * S) /* simulated; the longest life of a trace is far below */

static bool is_over(const struct world *w)
{
	return w->server.n_over == w->server.n_traces && !w->alive;
}

static void live(struct world *w)
{
	struct event event;

	while (!is_over(w) && events_take(&w->events, &event) && event.at < RUN_MAX) {
		w->now = event.at;
		event.fn(w, event.what, event.number);
	}
}

/* How the packets that were really lost ended in the answers, and those that arrived. */
static void tally_packet(const struct world *w, const struct trace_run *trace, uint64_t i)
{
	const struct vt_result_packet *entry = &trace->result.list[i];
	const struct vt_result_cause *row = entry->cause >= 0 ? &trace->result.causes[entry->cause] : NULL;
	struct tallies *t = w->tallies;

	if (!trace->claims || !trace->claims[i])
		return;
	if (trace->claims[i]->packet->arrived) {
		t->arrived++;
		t->delivered += entry->end == VT_DELIVERED;
		t->arrived_inferred += row != NULL;
		t->arrived_unfinished += entry->end == VT_UNFINISHED;
		return;
	}
	t->truly_lost++;
	t->lost_unfinished += entry->end == VT_UNFINISHED;
	if (!row)
		return;
	if (check_fit(w, trace->claims[i]->packet, row) == FIT_TRUE && row->code != VT_CAUSE_UNEXPLAINED)
		t->named++;
	else
		t->place_only++;
}

static void tally(struct world *w)
{
	struct tallies *t = w->tallies;

	t->runs++;
	t->packets += w->n_packets;
	t->claims += w->n_claims;
	t->records += w->records;
	t->batches += w->batches;
	for (uint32_t i = 0; i < w->server.n_traces; i++) {
		for (uint64_t k = 0; k < w->server.traces[i].result.n_list; k++)
			tally_packet(w, &w->server.traces[i], k);
	}
	for (int b = 0; b < CLAIM_BUCKETS; b++) {
		for (const struct claim_truth *claim = w->claims[b]; claim; claim = claim->next) {
			bool unseen = !claim->listed && !claim->packet->arrived;

			t->truly_lost += unseen;
			t->lost_unseen += unseen;
		}
	}
}

static void world_done(struct world *w)
{
	agents_free(w);
	server_free(w);
	events_done(&w->events);
	free(w->packets);
	arena_done(&w->arena);
	free(w);
}

bool run_seed(uint64_t seed, uint32_t nodes_max, bool verbose, struct tallies *tallies)
{
	struct world *w = calloc(1, sizeof(*w));
	bool good;

	if (!w)
		abort();
	w->seed = seed;
	w->verbose = verbose;
	w->tallies = tallies;
	random_init(&w->rnd, seed);
	random_init(&w->switches, ~seed);
	knobs_draw(w, nodes_max);
	topology_make(w);
	traffic_make(w);
	faults_make(w);
	story_topology(w);
	agents_make(w);
	server_open(w);
	live(w);
	check_run(w);
	story_verdicts(w);
	tally(w);
	good = !w->violations;
	if (!good)
		printf("seed %" PRIu64 ": %s\n  replay: build/sim/vtrace-sim --seed %" PRIu64 " -v%s\n", seed,
		       w->first[0] ? w->first : "a batch could not be decoded", seed,
		       nodes_max < SIM_NODES_MAX ? " (and --nodes-max as before)" : "");
	world_done(w);
	return good;
}
