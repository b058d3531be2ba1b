// SPDX-License-Identifier: BSD-3-Clause
/* See lifecycle.h. It asks the analysis how far things are, and keeps nothing of its own but the state and its
 * deadline. */
#include "analysis/lifecycle.h"

#include <string.h>

#define MS 1000000ULL

int lifecycle_begin(struct lifecycle *life, struct analysis *a, const struct vt_task *task, unsigned int expected,
                    uint64_t now)
{
	int err = analysis_begin(a, task, now);

	if (err < 0)
		return err;
	*life = (struct lifecycle){
	    .task = *task, .state = VT_READY, .expected = expected, .deadline = now + LIFECYCLE_ARM_NS};
	return 0;
}

static bool count_reached(const struct lifecycle *life, const struct analysis_progress *progress)
{
	return progress->coloured[0] >= life->task.packet_count &&
	       (!life->task.bidirectional || progress->coloured[1] >= life->task.packet_count);
}

/* READY: all have answered, or the time for it is over. Without a single armed node there is nothing to trace with. */
static enum lifecycle_action advance_ready(struct lifecycle *life, struct analysis *a,
                                           const struct analysis_progress *progress, uint64_t now)
{
	bool answered = progress->armed + progress->failed >= life->expected;

	if (!answered && now < life->deadline)
		return LIFECYCLE_WAIT;
	analysis_start(a, life->task.id, now);
	if (!progress->armed) {
		life->state = VT_FAILED;
		return LIFECYCLE_FINISH;
	}
	life->state = VT_TRACING;
	life->deadline = now + life->task.trace_time_ms * MS;
	return LIFECYCLE_START;
}

static enum lifecycle_action advance_tracing(struct lifecycle *life, struct analysis *a,
                                             const struct analysis_progress *progress, uint64_t now)
{
	if (!count_reached(life, progress) && now < life->deadline)
		return LIFECYCLE_WAIT;
	analysis_stop(a, life->task.id, now);
	life->state = VT_ANALYZING;
	life->deadline = now + LIFECYCLE_FLUSH_NS;
	life->gave_up = false;
	return LIFECYCLE_STOP;
}

/*
 * ANALYZING: silent agents are given up once; from then on every wait of the analysis is bounded, but for a node that
 * is given up and still sends packets of the trace. LIFECYCLE_SETTLE_NS is the end for that.
 */
static enum lifecycle_action advance_analyzing(struct lifecycle *life, struct analysis *a,
                                               struct analysis_progress *progress, uint64_t now)
{
	if (!life->gave_up && now >= life->deadline) {
		analysis_give_up(a, life->task.id, now);
		analysis_progress(a, life->task.id, progress);
		life->gave_up = true;
		life->deadline = now + LIFECYCLE_SETTLE_NS;
	}
	if (progress->settled_all || (life->gave_up && now >= life->deadline)) {
		life->state = VT_DONE;
		return LIFECYCLE_FINISH;
	}
	return LIFECYCLE_WAIT;
}

enum lifecycle_action lifecycle_advance(struct lifecycle *life, struct analysis *a, uint64_t now, uint64_t *ret_next)
{
	enum lifecycle_action action = LIFECYCLE_FINISH;
	struct analysis_progress progress;
	uint64_t due = analysis_advance(a, now);

	*ret_next = UINT64_MAX;
	if (vt_state_final(life->state))
		return LIFECYCLE_FINISH;
	if (analysis_progress(a, life->task.id, &progress) < 0) {
		life->state = VT_FAILED; /* someone ended the task behind our back */
		return LIFECYCLE_FINISH;
	}
	if (life->state == VT_READY)
		action = advance_ready(life, a, &progress, now);
	else if (life->state == VT_TRACING)
		action = advance_tracing(life, a, &progress, now);
	else
		action = advance_analyzing(life, a, &progress, now);
	if (action == LIFECYCLE_WAIT)
		*ret_next = due < life->deadline ? due : life->deadline;
	return action;
}

void lifecycle_cancel(struct lifecycle *life, struct analysis *a, uint64_t now)
{
	if (vt_state_final(life->state))
		return;
	analysis_stop(a, life->task.id, now);
	analysis_advance(a, now);
	life->state = VT_CANCELLED;
}
