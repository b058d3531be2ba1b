// SPDX-License-Identifier: BSD-3-Clause
/*
 * The driver seam: what VTrace needs of a kind of forwarding device (the paper's VDG, virtual forwarding device data
 * generation). The Linux kernel is one driver, devices that embed
 * libvdg another (vfd), the fake one serves tests; the agent knows only this header.
 *
 * All calls come from one thread. A task passes through arm -> start -> stop -> disarm, in that order; steps may be
 * left out at the end when the agent closes. Coloured packets are matched and logged from arm to disarm, whichever VFD
 * coloured them; packets are coloured from start to stop only. Arming everywhere before anyone colours is what lets the
 * analysis call a missing record a loss.
 */
#ifndef VT_DATAPATH_DATAPATH_H
#define VT_DATAPATH_DATAPATH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/batch.h"
#include "core/task.h"

#define VT_TASKS_MAX 256 /* tasks at once on a node: bounds the datapath's tables; past it arm() fails with -ENOSPC */

/* Takes one log; it must copy what it keeps. Called only from within poll() and stop(). */
typedef void (*datapath_sink)(void *arg, const struct vt_log *log);

struct datapath; /* each driver embeds this as its first member */

struct datapath_stats {
	uint32_t devices;  /* devices we are or would be attached to */
	uint32_t attached; /* hooks attached at the moment; 0 without tasks */
	uint64_t records;  /* handed to the sink since open */
	uint64_t lost;     /* records lost since open (ring full, table full), cumulative */
};

struct datapath_ops {
	const char *name; /* "linux", "vfd", "fake" */

	/* Installs a task and begins to match and log coloured packets; returns when that is in force. -ENOSPC,
	 * -EEXIST. */
	int (*arm)(struct datapath *dp, const struct vt_task *task, struct vt_err *err);

	/* Begins to colour, at most packet_count per direction. -ENOENT for a task that is not armed. */
	int (*start)(struct datapath *dp, uint32_t task, struct vt_err *err);

	/* Ends colouring; on return coloured[] (forward, reverse) is final. Idempotent. -ENOENT. */
	int (*stop)(struct datapath *dp, uint32_t task, uint64_t coloured[2], struct vt_err *err);

	/* Forgets the task; with the last one nothing stays attached. Unknown tasks are ignored. */
	void (*disarm)(struct datapath *dp, uint32_t task);

	/* A descriptor that polls readable when poll() has something to do. Owned by the driver, constant. */
	int (*fd)(struct datapath *dp);

	/* Hands every log that is ready to the sink, without blocking; returns how many, or -errno when the VFD is
	 * gone. */
	int (*poll)(struct datapath *dp, datapath_sink sink, void *arg, struct vt_err *err);

	/* 1 if a log may still come for something that has already happened (an inspector is at work), else 0. */
	int (*busy)(struct datapath *dp);

	/* Valid while busy() says 0: the CLOCK_MONOTONIC time for which all logs of what happened before are handed
	 * out. NULL: that at which the last poll() was called. */
	uint64_t (*complete)(struct datapath *dp);

	/* Fills what the node is: number of devices, its own addresses. Changes as devices come and go. */
	void (*node)(struct datapath *dp, struct vt_node_info *info);

	void (*stats)(struct datapath *dp, struct datapath_stats *stats);

	/* Detaches everything and frees. */
	void (*close)(struct datapath *dp);
};

struct datapath {
	const struct datapath_ops *ops;
};

struct datapath_config {
	const char *node;   /* this node's name */
	uint32_t mark_mask; /* bits of skb->mark that may carry the colour; 0: the driver's default */
	const char *arg;    /* what follows the driver's name and a colon ("vfd:SOCKET"), NULL for none */
};

/* A kind of datapath that this program has; main.c has the table of them. */
struct datapath_driver {
	const char *name;
	/* Makes it ready to arm tasks. On failure `err` says what is missing (a capability, BTF, the VFD) and *ret
	 * stays. */
	int (*open)(struct datapath **ret, const struct datapath_config *config, struct vt_err *err);
};

/*
 * The driver that `spec`, "NAME" or "NAME:ARG", asks for; NULL spec means the first one. *ret_arg is what follows the
 * colon, NULL for none. NULL for a name that is not in the table; `err` lists those that are.
 */
const struct datapath_driver *datapath_find(const struct datapath_driver *drivers, size_t n_drivers, const char *spec,
                                            const char **ret_arg, struct vt_err *err);

#endif
