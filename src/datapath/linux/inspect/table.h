// SPDX-License-Identifier: BSD-3-Clause
/* The table of drops and their inspectors, in the order in which they are asked. */
#ifndef VT_DATAPATH_LINUX_INSPECT_TABLE_H
#define VT_DATAPATH_LINUX_INSPECT_TABLE_H

#include <stdint.h>

#include "base/err.h"
#include "datapath/linux/inspect/drop.h"

struct table;

int table_open(struct table **ret, struct vt_err *err);
void table_close(struct table *table);

/* Coloured packets may come from now on: notes what is to be compared with later. */
void table_arm(struct table *table);

struct rtnl *table_rtnl(struct table *table);

/*
 * Always fills the finding: with VT_CAUSE_UNEXPLAINED and what is known in words if no row is certain. An answer is
 * used again for equal drops for a fifth of a second, so that a burst of drops costs one look at the kernel.
 */
void table_inspect(struct table *table, const struct drop *drop, uint64_t now_ns, struct finding *finding);

/* VT_CAUSE_UNEXPLAINED with reason, place, device and route error in words (behind `known`, which may be empty). */
void table_unexplained(const struct drop *drop, const char *known, struct finding *finding);

#endif
