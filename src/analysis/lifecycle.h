// SPDX-License-Identifier: BSD-3-Clause
/*
 * The life of one task: new -> ready -> tracing -> analyzing -> done, or cancelled, failed (design: "Order of arming").
 * Pure, like the analysis: it says what to send to the agents, the caller sends it. The server's controller runs one
 * for each task over HTTP; `vtrace run` runs one in memory.
 */
#ifndef VT_ANALYSIS_LIFECYCLE_H
#define VT_ANALYSIS_LIFECYCLE_H

#include "analysis/analysis.h"

#define LIFECYCLE_ARM_NS \
	1000000000ULL /* a node that has not answered by then is named in the result and not waited for */
#define LIFECYCLE_FLUSH_NS  2000000000ULL  /* an agent that has not answered STOP by then is treated as gone */
#define LIFECYCLE_SETTLE_NS 10000000000ULL /* then the result is taken as it is: twice long_buffer and some more */

struct lifecycle {
	struct vt_task task;
	enum vt_state state;
	unsigned int expected; /* nodes that were sent ARM */
	uint64_t deadline;     /* of the present state, ns */
	bool gave_up;          /* analyzing: agents that had not answered STOP were given up */
};

enum lifecycle_action {
	LIFECYCLE_WAIT,   /* nothing to send; call again at *ret_next or when something came */
	LIFECYCLE_START,  /* send START to all agents (state has become tracing) */
	LIFECYCLE_STOP,   /* send STOP to all agents (state has become analyzing) */
	LIFECYCLE_FINISH, /* state is final: take the result, send DISARM, call analysis_end() */
};

/* Calls analysis_begin(); the state becomes ready. The caller then sends ARM to `expected` agents; 0 is allowed: it
 * fails. */
int lifecycle_begin(struct lifecycle *life, struct analysis *a, const struct vt_task *task, unsigned int expected,
                    uint64_t now);

/*
 * Says what is due, after analysis_advance(a, now), which it calls itself. Call again after carrying out what it says,
 * until it says WAIT or FINISH. *ret_next is when to call again at the latest; call earlier when a batch came. With no
 * node armed the state becomes failed: the caller words the error.
 */
enum lifecycle_action lifecycle_advance(struct lifecycle *life, struct analysis *a, uint64_t now, uint64_t *ret_next);

/* Ends the task early: state cancelled; the next advance says FINISH. What was found so far stays in the result. */
void lifecycle_cancel(struct lifecycle *life, struct analysis *a, uint64_t now);

#endif
