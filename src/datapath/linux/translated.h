// SPDX-License-Identifier: BSD-3-Clause
/*
 * Answers to translated flows. Behind a NAT the reverse of a bidirectional task's filter does not match the answers
 * that come back to this VFD: they are addressed to the translation. So when a packet of such a task leaves with
 * another five-tuple than it came with (the paper's NAT_key), the reverse of what it left with becomes one more rule of
 * the opposite direction.
 */
#ifndef VT_DATAPATH_LINUX_TRANSLATED_H
#define VT_DATAPATH_LINUX_TRANSLATED_H

#include <stdbool.h>

#include "core/task.h"

struct translated;

struct translated *translated_new(void);
void translated_free(struct translated *t);

/* A packet came in that belongs to slot `slot` (see rules.h). */
void translated_in(struct translated *t, const struct vt_record *rec, unsigned int slot);

/*
 * A packet leaves. True if it belongs to a slot and left translated: *ret_filter is then the filter of the answers, and
 * *ret_slot the slot of the opposite direction. TCP and UDP only: other protocols have no ports that name one flow.
 */
bool translated_out(struct translated *t, const struct vt_record *rec, struct vt_filter *ret_filter,
                    unsigned int *ret_slot);

#endif
