// SPDX-License-Identifier: BSD-3-Clause
/*
 * The different sets of tasks that flows match, by number: a flow entry keeps the number. A set is the ascending list
 * of its slots (tasks.h); equal sets mostly have one number, but need not. Workers intern and read without locks; the
 * control thread lets sets die, and makes their numbers free when nobody can look at one any more (control.c).
 */
#ifndef VT_VDG_SETS_H
#define VT_VDG_SETS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <vtrace/vdg.h>

#define SET_PLACES (2 * VDG_SETS_MAX) /* half of them stay free: probing stays short */

enum set_state { SET_EMPTY, SET_BUSY, SET_READY, SET_DEAD };

struct set {
	_Atomic uint32_t state; /* enum set_state */
	uint32_t n;             /* this and the slots: of one that is READY */
	uint16_t slots[VDG_MATCHES_MAX];
};

struct sets {
	_Atomic uint32_t n;
	struct set places[SET_PLACES];
};

/* For workers: the number of a set of n slots, 0 where there is no room; and the set, NULL if there is none such. */
uint16_t sets_intern(struct sets *sets, const uint16_t *slots, unsigned int n);
const struct set *sets_get(const struct sets *sets, uint16_t number);

/* For the control thread: of the sets in which one of the slots [from, to) is, those that are READY die; the DEAD go.
 */
void sets_kill(struct sets *sets, unsigned int from, unsigned int to);
void sets_bury(struct sets *sets, unsigned int from, unsigned int to);

#endif
