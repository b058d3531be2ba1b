// SPDX-License-Identifier: BSD-3-Clause
/*
 * The tally of a trace: how many packets ended how, for which cause, on which path. Settled packets are added, and
 * taken out again if a record comes after all. What is kept grows with the number of different causes and paths, not
 * with packets.
 */
#ifndef VT_ANALYSIS_TALLY_H
#define VT_ANALYSIS_TALLY_H

#include "analysis/diagnose.h"

/* Counts a packet and writes its end, cause and path into the claim. */
void tally_add(struct analysis *a, struct claim *claim, const struct trail *trail, const struct outcome *outcome);

/* Takes a settled packet out. Its latencies stay among the samples: they were measured, and on that path. */
void tally_remove(struct analysis *a, struct claim *claim);
void tally_free(struct analysis *a, struct trace *trace);

#endif
