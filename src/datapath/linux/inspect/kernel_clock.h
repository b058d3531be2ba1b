// SPDX-License-Identifier: BSD-3-Clause
/*
 * The monotonic clock by which BPF programs stamp records. The agent's own is another one in a time namespace (a
 * container that was restored from a checkpoint, `unshare --time`): the kernel shifts what processes read there, not
 * what it stamps. What is set against a record's time is read from this clock.
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_KERNEL_CLOCK_H
#define VT_DATAPATH_LINUX_INSPECT_KERNEL_CLOCK_H

#include <stdint.h>

/* How far vt_now_ns() is ahead of the kernel's clock, in ns; a process's namespace does not change while it runs. */
int64_t kernel_clock_shift_ns(void);

#endif
