// SPDX-License-Identifier: BSD-3-Clause
/*
 * The tuple space, user side: filters become masks and keys in the BPF tables (bpf/shared.h). A task owns one place,
 * that is two slots: 2 * place for the forward direction, 2 * place + 1 for the reverse.
 */
#ifndef VT_DATAPATH_LINUX_RULES_H
#define VT_DATAPATH_LINUX_RULES_H

#include "base/err.h"
#include "core/task.h"
#include "datapath/linux/bpf/shared.h"

struct rules;

/* config is the programs' mmaped memory, map_fd their table of rules; both outlive the rules. */
struct rules *rules_new(struct bpf_config *config, int map_fd);
void rules_free(struct rules *r);

/* Adds one filter for one slot; one that is there already is left as it is. -ENOSPC: too many shapes or rules. */
int rules_add(struct rules *r, const struct vt_filter *filter, unsigned int slot, struct vt_err *err);

/* Removes all filters of a slot. */
void rules_remove(struct rules *r, unsigned int slot);

#endif
