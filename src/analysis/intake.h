// SPDX-License-Identifier: BSD-3-Clause
/* Intake: items of a batch into the model. */
#ifndef VT_ANALYSIS_INTAKE_H
#define VT_ANALYSIS_INTAKE_H

#include "analysis/model.h"

/* Takes one item of a new batch of the node. */
void intake_item(struct analysis *a, struct node *node, const struct vt_item *item);

#endif
