// SPDX-License-Identifier: BSD-3-Clause
/*
 * The uplink within one process: the owner pushes commands and gets every batch in a call, on the agent's own thread.
 * Used by `vtrace run` and by tests. It is connected from the start.
 */
#ifndef VT_AGENT_UPLINK_LOCAL_H
#define VT_AGENT_UPLINK_LOCAL_H

#include "agent/uplink.h"

/* Takes a batch, which is the agent's and holds during the call. 0, or -EAGAIN: not now, the agent keeps its items. */
typedef int (*uplink_local_take)(void *arg, const struct vt_batch *batch);

/* NULL without memory. Closed with its ops. */
struct uplink *uplink_local_new(uplink_local_take take, void *arg);

/* Gives the agent a command; everything in it is copied. -ENOBUFS if the agent has thousands to read, -ENOMEM. */
int uplink_local_push(struct uplink *up, const struct uplink_command *command);

#endif
