// SPDX-License-Identifier: BSD-3-Clause
/*
 * The record as user space hands it on: what the VFD logged, and the words that the agent found for it on the spot.
 */
#ifndef VT_CORE_LOG_H
#define VT_CORE_LOG_H

#include "core/cause.h"
#include "core/record.h"

#define VT_NODE_MAX     64  /* bytes of a node's name with its NUL: a host name label */
#define VT_DEVICE_MAX   16  /* IFNAMSIZ */
#define VT_REASON_MAX   48  /* longest name in enum skb_drop_reason of 6.18 is 35 */
#define VT_SITE_MAX     80  /* symbol+0xoffset */
#define VT_EVIDENCE_MAX 512 /* one line; an nftables rule fits */

enum vt_kind { VT_KIND_VSWITCH = 1, VT_KIND_VROUTER = 2 };

struct vt_log {
	struct vt_record rec;
	char device[VT_DEVICE_MAX]; /* name of rec.ifindex; for `error` the device the cause is about */
	/* the rest is for VT_LOC_ERROR only, else empty */
	enum vt_cause cause;            /* what the inspectors found; VT_CAUSE_UNEXPLAINED if nothing certain */
	char reason[VT_REASON_MAX];     /* e.g. NETFILTER_DROP */
	char site[VT_SITE_MAX];         /* e.g. nft_do_chain+0x3e8 */
	char evidence[VT_EVIDENCE_MAX]; /* one line of fact, empty if there is none beyond reason and site */
};

const char *vt_kind_name(enum vt_kind kind);             /* "vswitch", "vrouter" */
int vt_kind_parse(const char *name, enum vt_kind *kind); /* 0 or -EINVAL */

#endif
