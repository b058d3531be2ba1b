// SPDX-License-Identifier: BSD-3-Clause
/* Evidence: the one line of fact that a result gives with each cause. */
#ifndef VT_ANALYSIS_EVIDENCE_H
#define VT_ANALYSIS_EVIDENCE_H

#include "analysis/model.h"

/* What all packets of a trace together say about one of its causes; of a gap only, else zero. Lengths are of IP
 * packets. */
struct insight {
	bool unseen; /* of a flow that was lost in it nothing coloured arrived behind it */
	uint64_t lost,
	    arrived; /* packets of known length that were lost in it, and that passed there and were delivered */
	uint32_t shortest, longest; /* of those lost, of those that arrived */
};

/* Fills one insight for each of the trace's causes. Takes time by packets and records: for results, not for each step.
 */
void evidence_look(const struct analysis *a, const struct trace *trace, struct insight insights[TALLY_CAUSES]);

void evidence_of(const struct analysis *a, const struct tally_cause *cause, const struct insight *insight, char *buf,
                 size_t size);

#endif
