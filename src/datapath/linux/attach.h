// SPDX-License-Identifier: BSD-3-Clause
/* What is attached where. With attach_sync() the attachments follow the devices; with attach_clear() nothing is left.
 */
#ifndef VT_DATAPATH_LINUX_ATTACH_H
#define VT_DATAPATH_LINUX_ATTACH_H

#include <bpf/libbpf.h>

#include "datapath/linux/devices.h"
#include "datapath/linux/expedite.h"
#include "datapath/linux/links.h"

/* The programs that attachments are made of; owned by the driver. */
struct attach_programs {
	const struct bpf_program *ingress[DEVICE_ROLES]; /* by role; NULL: none */
	const struct bpf_program *egress[DEVICE_ROLES];
	const struct bpf_program *drop;     /* tp_btf/kfree_skb */
	const struct bpf_program *taken;    /* tp_btf/consume_skb; NULL where the kernel does not say by whom */
	const struct bpf_program *local_in; /* NULL where the kernel has no netfilter programs */
};

struct attach;

/* force_clsact: use clsact even where tcx is there. Removes what a killed agent may have left in clsact. */
struct attach *attach_new(const struct attach_programs *programs, const struct devices *devices,
                          struct expedite *expedite, bool force_clsact);
void attach_free(struct attach *at);

/*
 * Attaches to every leaf, and to kfree_skb; detaches where a device is gone or has another role. filters: there are tc
 * filters, which may keep packets. Returns how many attachments are new, or -errno.
 */
int attach_sync(struct attach *at, const struct devices *devices, bool filters, struct vt_err *err);

/*
 * How many of those that the last sync made new had packets pass the device, perhaps before they were there: coloured
 * ones left, or came in from outside, without a record. `devices` is what was read after that sync.
 */
unsigned int attach_unseen(const struct attach *at, const struct devices *devices);
void attach_clear(struct attach *at);
unsigned int attach_count(const struct attach *at); /* hooks attached now */

#endif
