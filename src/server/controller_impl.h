// SPDX-License-Identifier: BSD-3-Clause
/* What controller.c and lifecycles.c share: the two halves of one thing. Nobody else includes it. */
#ifndef VT_SERVER_CONTROLLER_IMPL_H
#define VT_SERVER_CONTROLLER_IMPL_H

#include <pthread.h>

#include "server/controller.h"
#include "server/trace.h"

struct state_change {
	uint32_t id;
	enum vt_state state;
};

struct controller {
	struct controller_config config;
	pthread_mutex_t lock; /* guards all below up to the analysis thread's own */
	struct analysis *analysis;
	struct trace *traces; /* those that run: uthash by id; only the analysis thread removes */
	struct nodes nodes;
	struct waiter *waiters;
	bool stopping;

	pthread_t thread;
	bool started;

	/* the analysis thread's own */
	struct state_change *changes; /* to be written to the store */
	unsigned int n_changes;
	struct trace *finishing; /* to be rendered and stored; each is still in `traces` */
	uint64_t heartbeat_at;
};

void *controller_thread(void *arg);

/* With the lock held. */
struct trace *controller_find(struct controller *ctl, uint32_t id);
void controller_tell(struct controller *ctl, json_t *line); /* to all connected nodes; takes the reference */

json_t *controller_line(const char *op, uint32_t id); /* {"op":"start","id":7} */

#endif
