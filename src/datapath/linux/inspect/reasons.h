// SPDX-License-Identifier: BSD-3-Clause
/*
 * Names of the kernel's drop reasons. Their numbers change between kernel versions, so the names are read at run time
 * from the enum skb_drop_reason in the running kernel's BTF.
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_REASONS_H
#define VT_DATAPATH_LINUX_INSPECT_REASONS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct reasons;

int reasons_open(struct reasons **ret, struct vt_err *err);
void reasons_close(struct reasons *reasons);

/* The name without SKB_DROP_REASON_; numbers of other subsystems and unknown ones as "REASON_0x10003". */
void reasons_name(const struct reasons *reasons, uint32_t number, char *buf, size_t size);

/* The number of a name without SKB_DROP_REASON_, or -ENOENT if this kernel does not have it. */
int reasons_number(const struct reasons *reasons, const char *name);

#endif
