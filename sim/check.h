// SPDX-License-Identifier: BSD-3-Clause
/* The invariants; what they are is in check.c. */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "sim/world.h"

enum fit {
	FIT_WRONG,    /* the packet was not lost like that */
	FIT_INFERRED, /* what is said may be said of it, but not be called proven */
	FIT_TRUE,
};

/* Does the cause fit what became of the packet? */
enum fit check_fit(const struct world *w, const struct packet *packet, const struct vt_result_cause *row);

#endif
