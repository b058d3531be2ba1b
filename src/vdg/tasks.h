// SPDX-License-Identifier: BSD-3-Clause
/*
 * The tasks of a device, and the sets of tasks that its flows match.
 *
 * A task has a place, and for each of its directions a slot (2 * place + reverse) with a budget. A set is a bitmap of
 * slots; equal sets mostly have one number, but need not. Workers read and intern without locks. The control thread
 * alone installs and removes, and keeps to the order that makes a number and a place safe to use again (control.c).
 */
#ifndef VT_VDG_TASKS_H
#define VT_VDG_TASKS_H

#include <stdatomic.h>

#include "core/task.h"
#include <vtrace/vdg.h>

#define SLOTS_MAX  (2 * VDG_TASKS_MAX)
#define SLOT_WORDS (SLOTS_MAX / 64)
#define SET_PLACES (2 * VDG_SETS_MAX) /* half of them stay free: probing stays short */

enum place_state {
	PLACE_FREE,
	PLACE_ARMED,
	PLACE_LEAVING, /* no flow is matched with it any more; entries of flows may still have sets with it */
	PLACE_FADING,  /* no entry has such a set; a worker may still be looking at one */
};

struct place {
	enum place_state state;
	struct vt_task task;
	struct vt_filter filters[2];
	unsigned int directions; /* 2: the reverse flow is another one */
	uint64_t turn;           /* LEAVING, FADING: what all workers have to have seen */
	unsigned int turns;      /* LEAVING: how many more have to be asked for */
	bool started, stopped;   /* each happens once */
	uint64_t coloured[2];    /* when stopped */
};

/*
 * limit << 32 | used, so that one operation takes, and one ends. Coloured so far: min(used, packet_count); once the
 * limit is gone `used` means nothing: a worker that looked before may still add to it, and gets nothing for it.
 */
struct slot {
	_Alignas(64) _Atomic uint64_t budget;
};

enum set_state { SET_EMPTY, SET_BUSY, SET_READY, SET_DEAD };

struct set {
	_Atomic uint32_t state; /* enum set_state */
	_Atomic uint64_t bits[SLOT_WORDS];
};

struct tasks {
	_Atomic uint64_t active[VDG_TASKS_MAX / 64]; /* places that flows are matched with */
	_Atomic uint32_t n;                          /* of them; 0: coloured packets pass unseen */
	_Atomic uint32_t n_sets;
	struct place places[VDG_TASKS_MAX];
	struct slot slots[SLOTS_MAX];
	struct set sets[SET_PLACES];
};

/* For workers. */
uint16_t tasks_match(struct tasks *tasks, const struct vt_flow *flow, uint32_t vni, bool *ret_full);
const struct set *tasks_set(const struct tasks *tasks, uint16_t number); /* NULL if there is none such */
bool tasks_left(const struct tasks *tasks, unsigned int slot);           /* the slot's budget is not used up */
bool tasks_take(struct tasks *tasks, unsigned int slot);                 /* takes one, false if there was none */

/* For the control thread. */
int tasks_find(const struct tasks *tasks, uint32_t id); /* place of an armed task, or -ENOENT */
int tasks_add(struct tasks *tasks, const struct vt_task *task, struct vt_err *err); /* place */
void tasks_start(struct tasks *tasks, int place);
void tasks_stop(struct tasks *tasks, int place, uint64_t coloured[2]); /* final on return */
void tasks_hide(struct tasks *tasks, int place);                       /* ARMED -> LEAVING */
void tasks_fade(struct tasks *tasks, int place);                       /* LEAVING -> FADING: its sets are dead */
void tasks_free(struct tasks *tasks, int place);                       /* FADING -> FREE: and may be made anew */
bool place_wants(const struct place *place, unsigned int direction, const struct vt_flow *flow, uint32_t vni);

#endif
