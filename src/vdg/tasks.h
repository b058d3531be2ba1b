// SPDX-License-Identifier: BSD-3-Clause
/*
 * The tasks of a device, and the sets of tasks that its flows match.
 *
 * A task has a place, and for each of its directions a slot (2 * place + reverse) with a budget. What finds the tasks
 * of a flow is in filters.h, what makes a number of them in sets.h. Workers read and intern without locks. The control
 * thread alone installs and removes, and keeps to the order that makes a number and a place safe to use again
 * (control.c).
 */
#ifndef VT_VDG_TASKS_H
#define VT_VDG_TASKS_H

#include <stdatomic.h>

#include <uthash.h>

#include "core/task.h"
#include "vdg/filters.h"
#include "vdg/sets.h"
#include <vtrace/vdg.h>

enum place_state {
	PLACE_FREE,
	PLACE_ARMED,
	PLACE_LEAVING, /* no flow is matched with it any more; entries of flows may still have sets with it */
	PLACE_FADING,  /* no entry has such a set; a worker may still be looking at one */
};

struct place {
	enum place_state state;
	bool started, stopped;     /* each happens once */
	struct place *prev, *next; /* of the list it is in: free or leaving */
	struct place *next_changing;
	struct vt_task task;
	struct vt_filter filters[2];
	unsigned int directions; /* 2: the reverse flow is another one */
	uint64_t turn;           /* LEAVING, FADING: what all workers have to have seen */
	unsigned int turns;      /* LEAVING: how many more have to be asked for */
	uint64_t coloured[2];    /* when stopped */
	UT_hash_handle hh;       /* ARMED: by id */
};

/*
 * limit << 32 | used, so that one operation takes, and one ends. Coloured so far: min(used, packet_count); once the
 * limit is gone `used` means nothing: a worker that looked before may still add to it, and gets nothing for it.
 */
struct slot {
	_Alignas(64) _Atomic uint64_t budget;
};

struct tasks {
	_Atomic uint32_t n; /* that flows are matched with; 0: coloured packets pass unseen */
	struct place *places;
	struct slot *slots;
	struct filters *filters;
	struct sets *sets;
	/* of the control thread */
	struct place *armed;   /* by id */
	struct place *leaving; /* LEAVING and FADING */
	struct place *unused;
};

bool tasks_init(struct tasks *tasks); /* false: no memory */
void tasks_done(struct tasks *tasks);

/* For workers. */
uint16_t tasks_match(struct tasks *tasks, const struct vt_flow *flow, uint32_t vni, bool *ret_full);
bool tasks_left(const struct tasks *tasks, unsigned int slot);  /* the slot's budget is not used up */
bool tasks_spent(const struct tasks *tasks, unsigned int slot); /* it had one, and that is used up */
bool tasks_take(struct tasks *tasks, unsigned int slot);        /* takes one, false if there was none */

/* For the control thread. */
struct place *tasks_find(const struct tasks *tasks, uint32_t id); /* an armed task, or NULL */
struct place *tasks_add(struct tasks *tasks, const struct vt_task *task, struct vt_err *err); /* or NULL */
void tasks_start(struct tasks *tasks, struct place *place);
void tasks_stop(struct tasks *tasks, struct place *place, uint64_t coloured[2]); /* final on return */
void tasks_hide(struct tasks *tasks, struct place *place);                       /* ARMED -> LEAVING */
void tasks_fade(struct tasks *tasks, struct place *place); /* LEAVING -> FADING: its sets are dead */
void tasks_free(struct tasks *tasks, struct place *place); /* FADING -> FREE: and may be made anew */
bool place_wants(const struct place *place, unsigned int direction, const struct vt_flow *flow, uint32_t vni);

#endif
