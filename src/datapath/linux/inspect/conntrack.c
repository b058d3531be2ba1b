// SPDX-License-Identifier: BSD-3-Clause
/* See conntrack.h. One socket a question: it is asked rarely, about drops that nothing else explains. */
#include "datapath/linux/inspect/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_SIZE 16384 /* statistics of a CPU take some 150 bytes, the kernel sends them in pages */

struct attributes {
	uint16_t max;
	uint32_t value[CTA_STATS_MAX + 1];
};

static int attribute_keep(const struct nlattr *attr, void *arg)
{
	struct attributes *wanted = arg;
	uint16_t type = mnl_attr_get_type(attr);

	if (type <= wanted->max && mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
		wanted->value[type] = ntohl(mnl_attr_get_u32(attr));
	return MNL_CB_OK;
}

static int cpu_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct attributes cpu = {.max = CTA_STATS_MAX};
	struct conntrack_state *state = arg;

	mnl_attr_parse(nlh, sizeof(struct nfgenmsg), attribute_keep, &cpu);
	state->drops += cpu.value[CTA_STATS_DROP];
	state->failures += cpu.value[CTA_STATS_INSERT_FAILED];
	return MNL_CB_OK;
}

static int table_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct attributes table = {.max = CTA_STATS_GLOBAL_MAX};
	struct conntrack_state *state = arg;

	mnl_attr_parse(nlh, sizeof(struct nfgenmsg), attribute_keep, &table);
	state->count = table.value[CTA_STATS_GLOBAL_ENTRIES];
	state->max = table.value[CTA_STATS_GLOBAL_MAX_ENTRIES];
	return MNL_CB_OK;
}

static int ask(struct mnl_socket *socket, uint8_t message, uint16_t flags, mnl_cb_t cb, struct conntrack_state *state)
{
	char buf[ANSWER_SIZE];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;
	int ret = 1;

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | message;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = message;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	if (mnl_socket_sendto(socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (ret > 0) {
		ssize_t n = mnl_socket_recvfrom(socket, buf, sizeof(buf));

		if (n < 0)
			return -errno;
		ret = mnl_cb_run(buf, (size_t)n, message, mnl_socket_get_portid(socket), cb, state);
		if (ret < 0)
			return -errno;
		if (!(flags & NLM_F_DUMP))
			return 0; /* one message is the whole answer */
	}
	return 0;
}

int conntrack_read(struct conntrack_state *ret)
{
	struct mnl_socket *socket;
	int code;

	memset(ret, 0, sizeof(*ret));
	if (access("/proc/sys/net/netfilter/nf_conntrack_max", F_OK) < 0)
		return -errno; /* nothing tracks connections here, and asking would load the module that does */
	socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!socket)
		return -errno;
	code = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
	if (!code)
		code = ask(socket, IPCTNL_MSG_CT_GET_STATS, 0, table_seen, ret);
	if (!code)
		code = ask(socket, IPCTNL_MSG_CT_GET_STATS_CPU, NLM_F_DUMP, cpu_seen, ret);
	mnl_socket_close(socket);
	return code;
}
