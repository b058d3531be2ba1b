// SPDX-License-Identifier: BSD-3-Clause
/*
 * Device discovery by rtnetlink (rtnetlink(7)); see devices.h. Any notification makes the next refresh read links and
 * addresses anew: changes are rare, a dump of a thousand devices takes a few milliseconds, and there is no state to get
 * wrong.
 */
#include "datapath/linux/devices.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES_MAX 16384 /* the BPF table of devices has as many */
#define ADDRS_MAX   1024  /* addresses kept; a host with more has them from one prefix, and only tunnel ends matter */

struct addr {
	int ifindex;
	uint8_t bytes[16];
};

struct devices {
	struct mnl_socket *events;
	struct device_info *list;
	size_t n, capacity;
	struct addr addrs[ADDRS_MAX];
	size_t n_addrs;
	unsigned int seq;
	bool stale;
};

/* Kinds that other devices of this host carry: their packets pass a leaf as well. */
static const char *const inner_kinds[] = {"bridge",    "vxlan",  "geneve", "bond",   "team",   "vlan",      "macvlan",
                                          "macvtap",   "ipvlan", "gre",    "gretap", "ip6gre", "ip6gretap", "erspan",
                                          "ip6erspan", "ipip",   "sit",    "ip6tnl", "vti",    "vti6",      "ip_vti",
                                          "vrf",       "xfrm",   "nlmon",  "dummy",  "ifb"};

static bool kind_is_inner(const char *kind)
{
	for (size_t i = 0; i < sizeof(inner_kinds) / sizeof(inner_kinds[0]); i++)
		if (!strcmp(kind, inner_kinds[i]))
			return true;
	return false;
}

static void parse_vxlan(const struct nlattr *data, struct device_info *dev)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, data)
	{
		if (mnl_attr_get_type(attr) == IFLA_VXLAN_ID)
			dev->vni = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_VXLAN_PORT)
			dev->vxlan_port = ntohs(mnl_attr_get_u16(attr));
		else if (mnl_attr_get_type(attr) == IFLA_VXLAN_GBP)
			dev->grouped = true;
	}
}

static void parse_linkinfo(const struct nlattr *info, struct device_info *dev)
{
	const struct nlattr *attr, *data = NULL;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			strncpy(dev->kind, mnl_attr_get_str(attr), sizeof(dev->kind) - 1);
		else if (mnl_attr_get_type(attr) == IFLA_INFO_DATA)
			data = attr;
	}
	if (data && !strcmp(dev->kind, "vxlan"))
		parse_vxlan(data, dev);
}

static void parse_stats(const struct nlattr *attr, struct device_info *dev)
{
	struct rtnl_link_stats64 stats;

	if (mnl_attr_get_payload_len(attr) < sizeof(stats))
		return;
	memcpy(&stats, mnl_attr_get_payload(attr), sizeof(stats));
	dev->in = stats.rx_packets;
	dev->out = stats.tx_packets;
}

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct devices *d = arg;
	const struct nlattr *attr;
	struct device_info *dev;

	if (nlh->nlmsg_type != RTM_NEWLINK || ifi->ifi_family == AF_BRIDGE || d->n == DEVICES_MAX)
		return MNL_CB_OK;
	if (d->n == d->capacity) {
		size_t capacity = d->capacity ? 2 * d->capacity : 64;

		dev = reallocarray(d->list, capacity, sizeof(*dev));
		if (!dev)
			return MNL_CB_ERROR;
		d->list = dev;
		d->capacity = capacity;
	}
	dev = &d->list[d->n++];
	memset(dev, 0, sizeof(*dev));
	dev->ifindex = ifi->ifi_index;
	dev->type = ifi->ifi_type;
	mnl_attr_for_each(attr, nlh, sizeof(*ifi))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			strncpy(dev->name, mnl_attr_get_str(attr), sizeof(dev->name) - 1);
			break;
		case IFLA_MASTER:
			dev->master = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK:
			dev->link = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK_NETNSID:
			dev->link_elsewhere = true;
			break;
		case IFLA_LINKINFO:
			parse_linkinfo(attr, dev);
			break;
		case IFLA_STATS64:
			parse_stats(attr, dev);
			break;
		}
	}
	return MNL_CB_OK;
}

static int on_addr(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *best = NULL;
	struct devices *d = arg;
	struct addr *addr;

	if (nlh->nlmsg_type != RTM_NEWADDR || ifa->ifa_scope >= RT_SCOPE_LINK || d->n_addrs == ADDRS_MAX)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		int type = mnl_attr_get_type(attr);

		if (type == IFA_LOCAL || (type == IFA_ADDRESS && !best))
			best = attr;
	}
	if (!best)
		return MNL_CB_OK;
	addr = &d->addrs[d->n_addrs++];
	memset(addr, 0, sizeof(*addr));
	addr->ifindex = ifa->ifa_index;
	if (ifa->ifa_family == AF_INET6) {
		memcpy(addr->bytes, mnl_attr_get_payload(best), 16);
	} else {
		addr->bytes[10] = addr->bytes[11] = 0xff;
		memcpy(addr->bytes + 12, mnl_attr_get_payload(best), 4);
	}
	return MNL_CB_OK;
}

/* One dump on a socket of its own; notifications stay on the other. Starts over when the kernel says it was
 * interrupted. */
static int dump(struct devices *d, int type, mnl_cb_t cb, struct vt_err *err)
{
	char buf[32768];
	struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtgenmsg *gen;
	ssize_t n;
	int ret = -1;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = ++d->seq;
	gen = mnl_nlmsg_put_extra_header(nlh, type == RTM_GETLINK ? sizeof(struct ifinfomsg) : sizeof(*gen));
	gen->rtgen_family = AF_UNSPEC;
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		goto out;
	do {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		ret = n < 0 ? -1 : mnl_cb_run(buf, n, d->seq, mnl_socket_get_portid(nl), cb, d);
	} while (ret > 0);
out:
	if (ret < 0)
		ret = vt_fail(err, errno, "read the host's devices by netlink: %s", strerror(errno));
	if (nl)
		mnl_socket_close(nl);
	return ret;
}

static struct device_info *find(const struct devices *d, int ifindex)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->list[i].ifindex == ifindex)
			return &d->list[i];
	return NULL;
}

/* The VNI of a bridge's network: that of its VXLAN port; 0 if it has none. *ret_has tells 0 from several. */
static uint32_t bridge_vni(const struct devices *d, int bridge, bool *ret_has)
{
	uint32_t vni = 0;

	*ret_has = false;
	for (size_t i = 0; bridge && i < d->n; i++) {
		const struct device_info *dev = &d->list[i];

		if (dev->master != bridge || strcmp(dev->kind, "vxlan"))
			continue;
		vni = *ret_has && vni != dev->vni ? 0 : dev->vni;
		*ret_has = true;
	}
	return vni;
}

/* veth pairs inside one namespace are patch cables between bridges, not places where packets enter or leave. */
static bool is_patch(const struct devices *d, const struct device_info *dev)
{
	return !strcmp(dev->kind, "veth") && dev->link && !dev->link_elsewhere && find(d, dev->link);
}

static void set_roles(struct devices *d)
{
	for (size_t i = 0; i < d->n; i++) {
		struct device_info *dev = &d->list[i];
		bool overlay;
		uint32_t vni;

		if (dev->grouped)
			dev->role = DEVICE_GROUPED;
		if (dev->type == ARPHRD_LOOPBACK || kind_is_inner(dev->kind) || is_patch(d, dev))
			continue;
		vni = bridge_vni(d, dev->master, &overlay);
		if (dev->type == ARPHRD_ETHER) {
			dev->role = overlay ? DEVICE_TENANT : DEVICE_OUTSIDE;
			dev->vni = vni;
		} else if (dev->type == ARPHRD_NONE || dev->type == ARPHRD_RAWIP) {
			dev->role = DEVICE_L3;
		}
	}
}

static int read_all(struct devices *d, struct vt_err *err)
{
	int ret, tries = 5; /* a dump that a change interrupted is not whole */

	do {
		d->n = d->n_addrs = 0;
		ret = dump(d, RTM_GETLINK, on_link, err);
		if (!ret)
			ret = dump(d, RTM_GETADDR, on_addr, err);
	} while (ret == -EINTR && --tries);
	if (!ret)
		set_roles(d);
	return ret;
}

int devices_open(struct devices **ret, struct vt_err *err)
{
	struct devices *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return vt_fail(err, ENOMEM, "read the host's devices: out of memory");
	d->events = mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (!d->events ||
	    mnl_socket_bind(d->events, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, MNL_SOCKET_AUTOPID) < 0) {
		r = vt_fail(err, errno, "open a netlink socket for device changes: %s", strerror(errno));
		devices_close(d);
		return r;
	}
	r = read_all(d, err);
	if (r) {
		devices_close(d);
		return r;
	}
	*ret = d;
	return 0;
}

void devices_close(struct devices *d)
{
	if (!d)
		return;
	if (d->events)
		mnl_socket_close(d->events);
	free(d->list);
	free(d);
}

int devices_fd(const struct devices *d)
{
	return mnl_socket_get_fd(d->events);
}

int devices_refresh(struct devices *d, struct vt_err *err)
{
	char buf[32768];
	ssize_t n;

	/* What a notification says is not looked at; ENOBUFS (some were lost) means the same: read anew. */
	while ((n = mnl_socket_recvfrom(d->events, buf, sizeof(buf))) >= 0 || errno == ENOBUFS)
		d->stale = true;
	if (!d->stale)
		return 0;
	n = read_all(d, err);
	if (n < 0)
		return n;
	d->stale = false;
	return 1;
}

int devices_reread(struct devices *d, struct vt_err *err)
{
	int ret;

	d->stale = true;
	ret = devices_refresh(d, err);
	return ret < 0 ? ret : 0;
}

const struct device_info *devices_all(const struct devices *d, size_t *ret_n)
{
	*ret_n = d->n;
	return d->list;
}

const struct device_info *devices_find(const struct devices *d, int ifindex)
{
	return find(d, ifindex);
}

size_t devices_addrs(const struct devices *d, uint8_t (*addrs)[16], size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_addrs && n < max; i++) {
		const struct device_info *dev = find(d, d->addrs[i].ifindex);

		if (dev && dev->type != ARPHRD_LOOPBACK)
			memcpy(addrs[n++], d->addrs[i].bytes, 16);
	}
	return n;
}

bool devices_has_tenant_addr(const struct devices *d)
{
	for (size_t i = 0; i < d->n_addrs; i++) {
		const struct device_info *dev = find(d, d->addrs[i].ifindex);
		bool overlay = false;

		if (!dev)
			continue;
		if (!strcmp(dev->kind, "bridge"))
			bridge_vni(d, dev->ifindex, &overlay);
		if (overlay || !strcmp(dev->kind, "vxlan"))
			return true;
	}
	return false;
}
