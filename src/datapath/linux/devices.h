// SPDX-License-Identifier: BSD-3-Clause
/*
 * The host's devices, as rtnetlink tells them: which are leaves (packets enter and leave the VFD there), which role
 * each has, and which VNI the network behind it has. Works in the network namespace that the calling thread is in at
 * devices_open().
 */
#ifndef VT_DATAPATH_LINUX_DEVICES_H
#define VT_DATAPATH_LINUX_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/batch.h"

enum device_role {
	DEVICE_INNER = 0, /* bridge, VXLAN device, lo, ...: not attached to, packets pass a leaf before and after */
	DEVICE_TENANT,    /* port of a bridge that a VXLAN device is in */
	DEVICE_OUTSIDE,   /* anything else with an Ethernet header: underlay, external, routed pods */
	DEVICE_L3,        /* like OUTSIDE, without an Ethernet header (tun, wireguard) */
	DEVICE_GROUPED,   /* no leaf: a VXLAN device that sends skb->mark along as the packet's group (gbp) */
	DEVICE_ROLES
};

static inline bool device_role_is_leaf(enum device_role role)
{
	return role != DEVICE_INNER && role != DEVICE_GROUPED;
}

struct device_info {
	int ifindex;
	int master;          /* ifindex of the bridge or bond, 0 */
	int link;            /* ifindex of the device below, or of the veth peer; 0 */
	bool link_elsewhere; /* `link` is in another network namespace */
	unsigned short type; /* ARPHRD_* */
	char name[VT_DEVICE_MAX];
	char kind[16];       /* "veth", "vxlan", ...; "" for hardware */
	uint32_t vni;        /* VXLAN device: its VNI; leaf: the VNI of its network; 0: none or not one */
	uint16_t vxlan_port; /* VXLAN device: UDP port, host order */
	bool grouped;        /* VXLAN device: group based policy */
	uint64_t in, out;    /* packets that have passed it, as of the last refresh */
	enum device_role role;
};

struct devices;

int devices_open(struct devices **ret, struct vt_err *err);
void devices_close(struct devices *d);

/* A netlink socket that polls readable when something changed; the caller then calls devices_refresh(). */
int devices_fd(const struct devices *d);

/* Reads everything anew if notifications came. 1 if there were any, 0 if not, -errno. */
int devices_refresh(struct devices *d, struct vt_err *err);

/* The same whether or not any came: for counters that are of now. 0 or -errno. */
int devices_reread(struct devices *d, struct vt_err *err);

/* All devices, leaves and others; the array holds until the next refresh. */
const struct device_info *devices_all(const struct devices *d, size_t *ret_n);
const struct device_info *devices_find(const struct devices *d, int ifindex); /* NULL if there is none */

/* The node's own addresses, IPv4-mapped, without loopback and link-local ones. At most `max`; returns how many. */
size_t devices_addrs(const struct devices *d, uint8_t (*addrs)[16], size_t max);

/* Whether tenants' packets may end in the node's own stack: an address on a VXLAN device or on a bridge with one. */
bool devices_has_tenant_addr(const struct devices *d);

#endif
