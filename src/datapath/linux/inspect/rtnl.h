// SPDX-License-Identifier: BSD-3-Clause
/*
 * rtnetlink questions to the kernel, and what several inspectors ask of devices. One socket, bound to the network
 * namespace it was opened in; requests are answered by the kernel at once, so nothing here waits.
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_RTNL_H
#define VT_DATAPATH_LINUX_INSPECT_RTNL_H

#include <libmnl/libmnl.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct rtnl;

struct rtnl_link {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	char kind[16]; /* "bridge", "vxlan", "veth", ... or empty */
	uint32_t mtu, flags, master;
	uint32_t vni;  /* of a vxlan device */
	uint16_t port; /* of a vxlan device, host order */
	bool bridge_port;
	uint8_t state; /* of a bridge port: BR_STATE_* of linux/if_bridge.h */
	bool locked, isolated, hairpin;
	bool flood, mcast_flood, bcast_flood; /* takes frames for unknown, multicast, broadcast addresses */
};

#define RTNL_REQUEST_MAX 256 /* bytes of a request: our largest has four attributes */

int rtnl_open(struct rtnl **ret, struct vt_err *err);
void rtnl_close(struct rtnl *rt);

/* Begins a request in `buf` (RTNL_REQUEST_MAX bytes): type RTM_*, flags such as NLM_F_DUMP. */
struct nlmsghdr *rtnl_request(void *buf, uint16_t type, uint16_t flags);

/* Sends it and gives every answer to `cb`. 0, the kernel's -errno, or -EINTR if a dump was inconsistent. */
int rtnl_ask(struct rtnl *rt, struct nlmsghdr *nlh, mnl_cb_t cb, void *arg);

int rtnl_link(struct rtnl *rt, uint32_t ifindex, struct rtnl_link *ret_link); /* -ENODEV */

/* Calls fn for every device of the namespace. */
int rtnl_links(struct rtnl *rt, void (*fn)(void *arg, const struct rtnl_link *link), void *arg);

/* A per-device setting of IPv4 or IPv6 (family AF_INET*, NETCONFA_FORWARDING or NETCONFA_RP_FILTER), or -errno. */
int rtnl_netconf(struct rtnl *rt, uint8_t family, uint32_t ifindex, uint16_t attribute);

/* Helper for callbacks: fills tb[0..max] with the attributes behind a header of `offset` bytes. */
void rtnl_attributes(const struct nlmsghdr *nlh, size_t offset, const struct nlattr **tb, uint16_t max);
void rtnl_nested(const struct nlattr *nest, const struct nlattr **tb, uint16_t max);

#endif
