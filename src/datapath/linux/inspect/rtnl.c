// SPDX-License-Identifier: BSD-3-Clause
/* rtnetlink on libmnl; see rtnl.h. */
#include "datapath/linux/inspect/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define RTNL_BUFFER 32768 /* the kernel fills dumps up to this much a message */

struct rtnl {
	struct mnl_socket *socket;
	uint32_t seq;
	char buffer[RTNL_BUFFER];
};

int rtnl_open(struct rtnl **ret, struct vt_err *err)
{
	struct rtnl *rt = calloc(1, sizeof(*rt));
	int on = 1;

	if (!rt)
		return vt_fail(err, ENOMEM, "open rtnetlink: out of memory");
	rt->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!rt->socket || mnl_socket_bind(rt->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int code = errno;

		rtnl_close(rt);
		return vt_fail(err, code, "open an rtnetlink socket: %s", strerror(code));
	}
	/* makes the kernel filter route dumps; where it is missing (before 4.20) we filter again anyway */
	setsockopt(mnl_socket_get_fd(rt->socket), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	*ret = rt;
	return 0;
}

void rtnl_close(struct rtnl *rt)
{
	if (!rt)
		return;
	if (rt->socket)
		mnl_socket_close(rt->socket);
	free(rt);
}

struct nlmsghdr *rtnl_request(void *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh;

	memset(buf, 0, RTNL_REQUEST_MAX);
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	return nlh;
}

/* Throws away what is left of an answer that we stopped reading, so that the next request gets its own. */
static void rtnl_drain(struct rtnl *rt)
{
	int fd = mnl_socket_get_fd(rt->socket);

	while (recv(fd, rt->buffer, sizeof(rt->buffer), MSG_DONTWAIT) > 0)
		;
}

int rtnl_ask(struct rtnl *rt, struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	unsigned int portid = mnl_socket_get_portid(rt->socket);
	int ret = 1;

	nlh->nlmsg_seq = ++rt->seq;
	if (!(nlh->nlmsg_flags & NLM_F_DUMP))
		nlh->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(rt->socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (ret > 0) {
		ssize_t n = mnl_socket_recvfrom(rt->socket, rt->buffer, sizeof(rt->buffer));

		if (n < 0)
			ret = -1;
		else
			ret = mnl_cb_run(rt->buffer, (size_t)n, rt->seq, portid, cb, arg);
	}
	if (ret < 0) {
		ret = -errno;
		rtnl_drain(rt);
	}
	return ret;
}

struct attributes {
	const struct nlattr **tb;
	uint16_t max;
};

static int attribute_keep(const struct nlattr *attr, void *arg)
{
	struct attributes *attributes = arg;

	if (mnl_attr_get_type(attr) <= attributes->max)
		attributes->tb[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

void rtnl_attributes(const struct nlmsghdr *nlh, size_t offset, const struct nlattr **tb, uint16_t max)
{
	struct attributes attributes = {.tb = tb, .max = max};

	memset(tb, 0, (max + 1U) * sizeof(*tb));
	mnl_attr_parse(nlh, (unsigned int)offset, attribute_keep, &attributes);
}

void rtnl_nested(const struct nlattr *nest, const struct nlattr **tb, uint16_t max)
{
	struct attributes attributes = {.tb = tb, .max = max};

	memset(tb, 0, (max + 1U) * sizeof(*tb));
	if (nest)
		mnl_attr_parse_nested(nest, attribute_keep, &attributes);
}

static void link_vxlan(const struct nlattr *data, struct rtnl_link *link)
{
	const struct nlattr *tb[IFLA_VXLAN_PORT + 1];

	rtnl_nested(data, tb, IFLA_VXLAN_PORT);
	if (tb[IFLA_VXLAN_ID])
		link->vni = mnl_attr_get_u32(tb[IFLA_VXLAN_ID]);
	if (tb[IFLA_VXLAN_PORT])
		link->port = ntohs(mnl_attr_get_u16(tb[IFLA_VXLAN_PORT]));
}

static bool flag(const struct nlattr *attr)
{
	return attr && mnl_attr_get_u8(attr);
}

static void link_bridge_port(const struct nlattr *data, struct rtnl_link *link)
{
	const struct nlattr *tb[IFLA_BRPORT_LOCKED + 1];

	rtnl_nested(data, tb, IFLA_BRPORT_LOCKED);
	link->bridge_port = true;
	if (tb[IFLA_BRPORT_STATE])
		link->state = mnl_attr_get_u8(tb[IFLA_BRPORT_STATE]);
	link->locked = flag(tb[IFLA_BRPORT_LOCKED]);
	link->isolated = flag(tb[IFLA_BRPORT_ISOLATED]);
	link->hairpin = flag(tb[IFLA_BRPORT_MODE]);
	link->flood = flag(tb[IFLA_BRPORT_UNICAST_FLOOD]);
	link->mcast_flood = flag(tb[IFLA_BRPORT_MCAST_FLOOD]);
	link->bcast_flood = flag(tb[IFLA_BRPORT_BCAST_FLOOD]);
}

static void link_parse(const struct nlmsghdr *nlh, struct rtnl_link *link)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFLA_LINKINFO + 1], *kind[IFLA_INFO_SLAVE_DATA + 1];

	memset(link, 0, sizeof(*link));
	link->ifindex = (uint32_t)info->ifi_index;
	link->flags = info->ifi_flags;
	rtnl_attributes(nlh, sizeof(*info), tb, IFLA_LINKINFO);
	if (tb[IFLA_IFNAME])
		snprintf(link->name, sizeof(link->name), "%s", mnl_attr_get_str(tb[IFLA_IFNAME]));
	if (tb[IFLA_MTU])
		link->mtu = mnl_attr_get_u32(tb[IFLA_MTU]);
	if (tb[IFLA_MASTER])
		link->master = mnl_attr_get_u32(tb[IFLA_MASTER]);
	rtnl_nested(tb[IFLA_LINKINFO], kind, IFLA_INFO_SLAVE_DATA);
	if (kind[IFLA_INFO_KIND])
		snprintf(link->kind, sizeof(link->kind), "%s", mnl_attr_get_str(kind[IFLA_INFO_KIND]));
	if (!strcmp(link->kind, "vxlan") && kind[IFLA_INFO_DATA])
		link_vxlan(kind[IFLA_INFO_DATA], link);
	if (kind[IFLA_INFO_SLAVE_KIND] && kind[IFLA_INFO_SLAVE_DATA] &&
	    !strcmp(mnl_attr_get_str(kind[IFLA_INFO_SLAVE_KIND]), "bridge"))
		link_bridge_port(kind[IFLA_INFO_SLAVE_DATA], link);
}

static int link_one(const struct nlmsghdr *nlh, void *arg)
{
	link_parse(nlh, arg);
	return MNL_CB_OK;
}

int rtnl_link(struct rtnl *rt, uint32_t ifindex, struct rtnl_link *ret_link)
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
	int ret;

	if (!ifindex)
		return -ENODEV;
	info->ifi_index = (int)ifindex;
	ret_link->ifindex = 0;
	ret = rtnl_ask(rt, nlh, link_one, ret_link);
	if (ret == 0 && !ret_link->ifindex)
		ret = -ENODEV;
	return ret;
}

struct link_walk {
	void (*fn)(void *arg, const struct rtnl_link *link);
	void *arg;
};

static int link_each(const struct nlmsghdr *nlh, void *arg)
{
	struct link_walk *walk = arg;
	struct rtnl_link link;

	link_parse(nlh, &link);
	walk->fn(walk->arg, &link);
	return MNL_CB_OK;
}

int rtnl_links(struct rtnl *rt, void (*fn)(void *arg, const struct rtnl_link *link), void *arg)
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETLINK, NLM_F_DUMP);
	struct link_walk walk = {.fn = fn, .arg = arg};

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	return rtnl_ask(rt, nlh, link_each, &walk);
}

struct netconf_value {
	uint16_t attribute;
	int value;
};

static int netconf_one(const struct nlmsghdr *nlh, void *arg)
{
	struct netconf_value *wanted = arg;
	const struct nlattr *tb[NETCONFA_MAX + 1];

	/* the family's one byte is padded to four */
	rtnl_attributes(nlh, MNL_ALIGN(sizeof(struct netconfmsg)), tb, NETCONFA_MAX);
	if (tb[wanted->attribute])
		wanted->value = (int)mnl_attr_get_u32(tb[wanted->attribute]);
	return MNL_CB_OK;
}

int rtnl_netconf(struct rtnl *rt, uint8_t family, uint32_t ifindex, uint16_t attribute)
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETNETCONF, 0);
	struct netconfmsg *conf = mnl_nlmsg_put_extra_header(nlh, sizeof(*conf));
	struct netconf_value wanted = {.attribute = attribute, .value = -ENOENT};
	int ret;

	conf->ncm_family = family;
	mnl_attr_put_u32(nlh, NETCONFA_IFINDEX, ifindex);
	ret = rtnl_ask(rt, nlh, netconf_one, &wanted);
	return ret < 0 ? ret : wanted.value;
}
