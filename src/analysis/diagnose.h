// SPDX-License-Identifier: BSD-3-Clause
/* Diagnosis: how each packet of a group ended, with which cause and how certain, or what has to be awaited first. */
#ifndef VT_ANALYSIS_DIAGNOSE_H
#define VT_ANALYSIS_DIAGNOSE_H

#include "analysis/walk.h"

enum wait {
	WAIT_NONE,  /* settled: all packets of the group are in their traces' tallies */
	WAIT_PROOF, /* nodes have yet to prove that they reported everything */
	WAIT_SHORT, /* records of the next VFD may come */
	WAIT_LONG,  /* the VFD itself may report late */
};

struct outcome {
	enum vt_end end;
	enum vt_cause cause; /* VT_CAUSE_NONE for delivered and unfinished */
	bool proven, ambiguous;
};

/* Decides the whole group by a->now, or says what to wait for and changes nothing. */
enum wait diagnose_group(struct analysis *a, struct group *group);

#endif
