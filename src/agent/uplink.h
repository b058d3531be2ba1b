// SPDX-License-Identifier: BSD-3-Clause
/*
 * The agent's seam to the analysis: commands come down, batches go up. Over HTTP for `vtrace agent` (uplink_http.c), in
 * memory for `vtrace run` and for tests (uplink_local.c). One thread; nothing blocks but wait().
 */
#ifndef VT_AGENT_UPLINK_H
#define VT_AGENT_UPLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/batch.h"
#include "core/task.h"

enum uplink_op {
	UPLINK_ARM =
	    1, /* task: install it, answer ARMED or FAILED; with text: only task.id was understood, text says why */
	UPLINK_START,    /* task.id: begin to colour */
	UPLINK_STOP,     /* task.id: end colouring, answer STOPPED */
	UPLINK_DISARM,   /* task.id: forget it */
	UPLINK_SNAPSHOT, /* the ids in snapshot[] are all that exist: disarm any other */
	UPLINK_UP,       /* connected, the agent may say `ready:` */
	UPLINK_DOWN,     /* not connected; text says why. Tasks stay armed until their own deadline. */
	UPLINK_TROUBLE, /* text: what goes wrong with the batches; `lost` records were given up (0: they are sent again)
	                 */
};

struct uplink_command {
	enum uplink_op op;
	struct vt_task task;
	uint32_t n_snapshot;
	const uint32_t *snapshot;
	const char *text;
	uint64_t lost;
};

struct uplink; /* each uplink embeds this as its first member */

struct uplink_ops {
	/*
	 * Waits until a command came, a batch was acknowledged, fd is readable (fd -1: none), or timeout_ms is over.
	 * Returns whether fd was readable.
	 */
	int (*wait)(struct uplink *up, int fd, int timeout_ms);

	/* Takes the next command; false if there is none. Pointers in it hold until the next call. */
	bool (*command)(struct uplink *up, struct uplink_command *command);

	/*
	 * Sends a batch (number already set). The uplink copies it, resends it until it is acknowledged and keeps the
	 * order. -EAGAIN: too many are on their way; the agent keeps its items and tries again later.
	 */
	int (*send)(struct uplink *up, const struct vt_batch *batch);

	unsigned int (*unacknowledged)(struct uplink *up);
	void (*close)(struct uplink *up);
};

struct uplink {
	const struct uplink_ops *ops;
};

#endif
