// SPDX-License-Identifier: BSD-3-Clause
/*
 * The fake datapath: replays scripted records instead of watching a forwarding device, under the same contract as every
 * driver (datapath.h). Unit tests give it records and faults through the functions here; with a record file as its
 * argument
 * ("fake:FILE") whole agents run without privileges.
 *
 * When a task starts, the script is played once for it, as fast as it is polled: a COLOURED record of the script is
 * handed out, with the task's id, if the task's filter matches it and its direction is not full yet; a later record, if
 * its packet was coloured so. A datapath hands out its own node's records only but knows the whole script, so that the
 * fakes of several nodes agree about what was coloured. Records of packets that no COLOURED record introduces come with
 * the first start.
 */
#ifndef VT_DATAPATH_FAKE_FAKE_H
#define VT_DATAPATH_FAKE_FAKE_H

#include <stdbool.h>

#include "datapath/datapath.h"

extern const struct datapath_driver datapath_fake_driver; /* "fake" */

/* Its open(): config->arg is a record file, NULL for an empty script. */
int fake_open(struct datapath **ret, const struct datapath_config *config, struct vt_err *err);

/* Appends a record of this node to the script. -ENOSPC, -ENOMEM. */
int fake_script(struct datapath *dp, const struct vt_log *log);

/* The VFD logs this now, whatever the script says; without a task it sees nothing. -ENOMEM. */
int fake_emit(struct datapath *dp, const struct vt_log *log);

void fake_busy(struct datapath *dp, bool busy);        /* what busy() says from now on */
void fake_lose(struct datapath *dp, uint64_t records); /* the VFD's ring overflows by so many records */
void fake_refuse(struct datapath *dp, int code,
                 const char *text);   /* arm() fails with this from now on; code 0: no more */
void fake_break(struct datapath *dp); /* the VFD is gone: poll() fails */
void fake_node(struct datapath *dp, const struct vt_node_info *info); /* the node changes */

/* What was done to it: ids of armed tasks in the order of arming (at most VT_TASKS_MAX), and how many are started. */
unsigned int fake_armed(const struct datapath *dp, uint32_t *ret_ids);
unsigned int fake_started(const struct datapath *dp);

#endif
