// SPDX-License-Identifier: BSD-3-Clause
/* What an agent needs of the machine it runs on: a name, an identity for this start, signals as a descriptor.
 */
#ifndef VT_AGENT_HOST_H
#define VT_AGENT_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/log.h"

/* Random, never 0: names this start of the agent. */
uint64_t agent_boot_id(void);

/*
 * The node's name: `given`, or the host's name up to its first dot if it is NULL. -EINVAL if it is empty, longer than
 * VT_NODE_MAX, or has other characters than host names have (and '_').
 */
int agent_node_name(const char *given, char name[VT_NODE_MAX], struct vt_err *err);

/* "vswitch" or "vrouter"; NULL means vswitch. -EINVAL. */
int agent_kind(const char *given, enum vt_kind *kind, struct vt_err *err);

/* A mask of skb->mark bits, in hexadecimal with or without 0x; NULL means 0, the driver's default. -EINVAL. */
int agent_mark_mask(const char *given, uint32_t *mask, struct vt_err *err);

/* Blocks SIGINT and SIGTERM in this process and returns a non-blocking descriptor that is readable when one came.
 * -errno. */
int agent_signal_fd(struct vt_err *err);

/* Takes one signal from it; false if there is none. */
bool agent_signal_take(int fd);

#endif
