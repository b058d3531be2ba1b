// SPDX-License-Identifier: BSD-3-Clause
/*
 * Strays: where a switch of the underlay floods (a link went down, a MAC address aged), encapsulated packets reach
 * nodes that they are not for. Those record what came in, and throw it away as any host does.
 */
#ifndef VT_ANALYSIS_STRAY_H
#define VT_ANALYSIS_STRAY_H

#include "analysis/model.h"

/* Takes the strays out of recs[n], which are in the order of owner.h; returns how many are left. */
uint32_t strays_drop(const struct analysis *a, const struct stored **recs, uint32_t n);

#endif
