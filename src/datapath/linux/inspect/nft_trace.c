// SPDX-License-Identifier: BSD-3-Clause
/*
 * Reading the nftables trace; see nft_trace.h. The kernel sends a message for every rule that a traced packet matches
 * and one when it falls to a chain's policy. Only the first of a packet in a base chain shows the packet itself, so
 * what it showed is kept by trace id until the verdict comes.
 */
#include "datapath/linux/inspect/nft_trace.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/trace.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "datapath/linux/inspect/kernel_clock.h"
#include "datapath/linux/inspect/nft_table.h"

#define TRACE_RECEIVE  (16 << 20) /* bytes of socket buffer: some 1000 dropped packets with ten matching rules each */
#define CHANGE_RECEIVE (1 << 20)  /* overflow does no harm: it means "something changed" */
#define PACKETS_SHOWN  4096       /* packets between first message and verdict; one a CPU, so ids hardly ever collide */

struct shown {
	uint32_t id, iif, oif;
	bool valid;
	struct verdict_packet packet;
};

struct nft_trace {
	struct mnl_socket *traces, *changes;
	struct nft_tables *tables;
	struct verdicts *verdicts;
	int64_t shift_ns; /* of our clock against that of records */
	uint64_t now_ns, overruns, generation;
	bool changed;
	struct vt_err problem;
	struct shown shown[PACKETS_SHOWN]; /* index: trace id modulo size */
	uint64_t buffer[8192];             /* 64 KB: the largest netlink message of a change */
};

static int subscribe(struct mnl_socket **ret, int group, int receive, int epoll_fd, struct vt_err *err)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd;

	*ret = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!*ret || mnl_socket_bind(*ret, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(*ret, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return vt_fail(err, errno, "subscribe to nftables events: %s", strerror(errno));
	fd = mnl_socket_get_fd(*ret);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof(receive)) < 0)
		return vt_fail(err, errno, "enlarge a netlink receive buffer: %s (needs CAP_NET_ADMIN)",
		               strerror(errno));
	event.data.fd = fd;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return vt_fail(err, errno, "watch a netlink socket: %s", strerror(errno));
	return 0;
}

int nft_trace_open(struct nft_trace **ret, uint32_t mark_mask, int epoll_fd, struct vt_err *err)
{
	struct nft_trace *trace = calloc(1, sizeof(*trace));
	int code;

	if (!trace)
		return vt_fail(err, ENOMEM, "watch nftables: out of memory");
	trace->shift_ns = kernel_clock_shift_ns();
	trace->verdicts = verdicts_new();
	code = trace->verdicts ? 0 : vt_fail(err, ENOMEM, "watch nftables: out of memory");
	if (code == 0)
		code = subscribe(&trace->traces, NFNLGRP_NFTRACE, TRACE_RECEIVE, epoll_fd, err);
	if (code == 0)
		code = subscribe(&trace->changes, NFNLGRP_NFTABLES, CHANGE_RECEIVE, epoll_fd, err);
	if (code == 0)
		code = nft_tables_open(&trace->tables, mark_mask, err);
	if (code == 0)
		code = nft_tables_follow(trace->tables, err);
	if (code < 0) {
		nft_trace_close(trace);
		return code;
	}
	*ret = trace;
	return 0;
}

void nft_trace_close(struct nft_trace *trace)
{
	if (!trace)
		return;
	if (trace->tables)
		nft_tables_remove(trace->tables);
	nft_tables_close(trace->tables);
	if (trace->traces)
		mnl_socket_close(trace->traces);
	if (trace->changes)
		mnl_socket_close(trace->changes);
	verdicts_free(trace->verdicts);
	free(trace);
}

static void show_packet(struct shown *shown, const struct nftnl_trace *event, uint32_t id)
{
	uint32_t net_len = 0, transport_len = 0;
	const void *net = nftnl_trace_get_data(event, NFTNL_TRACE_NETWORK_HEADER, &net_len);
	const void *transport = NULL;

	if (nftnl_trace_is_set(event, NFTNL_TRACE_TRANSPORT_HEADER))
		transport = nftnl_trace_get_data(event, NFTNL_TRACE_TRANSPORT_HEADER, &transport_len);
	shown->id = id;
	shown->valid = verdict_packet_parse(net, net_len, transport, transport_len, &shown->packet);
	shown->iif = nftnl_trace_is_set(event, NFTNL_TRACE_IIF) ? nftnl_trace_get_u32(event, NFTNL_TRACE_IIF) : 0;
	shown->oif = nftnl_trace_is_set(event, NFTNL_TRACE_OIF) ? nftnl_trace_get_u32(event, NFTNL_TRACE_OIF) : 0;
}

/* Does this message say that the packet is dropped, by a rule or by a chain's policy? */
static bool event_drops(const struct nftnl_trace *event)
{
	uint32_t type = nftnl_trace_get_u32(event, NFTNL_TRACE_TYPE), verdict;

	if (type == NFT_TRACETYPE_POLICY && nftnl_trace_is_set(event, NFTNL_TRACE_POLICY))
		return nftnl_trace_get_u32(event, NFTNL_TRACE_POLICY) == NF_DROP;
	if (type != NFT_TRACETYPE_RULE || !nftnl_trace_is_set(event, NFTNL_TRACE_VERDICT))
		return false;
	verdict = nftnl_trace_get_u32(event, NFTNL_TRACE_VERDICT);
	/* negative ones are jump, goto, continue, return; the upper half of NF_DROP may carry an errno */
	return (int32_t)verdict >= 0 && (verdict & NF_VERDICT_MASK) == NF_DROP;
}

static int trace_event(const struct nlmsghdr *nlh, void *arg)
{
	struct nft_trace *trace = arg;
	struct nftnl_trace *event = nftnl_trace_alloc();
	struct shown *shown;
	uint32_t id;

	if (!event)
		return MNL_CB_OK;
	if (nftnl_trace_nlmsg_parse(nlh, event) < 0)
		goto out;
	id = nftnl_trace_get_u32(event, NFTNL_TRACE_ID);
	shown = &trace->shown[id % PACKETS_SHOWN];
	if (nftnl_trace_is_set(event, NFTNL_TRACE_NETWORK_HEADER))
		show_packet(shown, event, id);
	if (event_drops(event) && shown->valid && shown->id == id) {
		struct verdict verdict = {
		    .time_ns = trace->now_ns,
		    .packet = shown->packet,
		    .iif = shown->iif,
		    .oif = shown->oif,
		    .generation = trace->generation,
		    .family = (uint8_t)nftnl_trace_get_u32(event, NFTNL_TRACE_FAMILY),
		    .table = (char *)nftnl_trace_get_str(event, NFTNL_TRACE_TABLE),
		    .chain = (char *)nftnl_trace_get_str(event, NFTNL_TRACE_CHAIN),
		};

		if (nftnl_trace_is_set(event, NFTNL_TRACE_RULE_HANDLE))
			verdict.handle = nftnl_trace_get_u64(event, NFTNL_TRACE_RULE_HANDLE);
		if (verdict.table && verdict.chain)
			verdicts_add(trace->verdicts, &verdict);
	}
out:
	nftnl_trace_free(event);
	return MNL_CB_OK;
}

/* Our own tables coming and going change nothing for anyone. */
static int change_event(const struct nlmsghdr *nlh, void *arg)
{
	struct nft_trace *trace = arg;

	if (nlh->nlmsg_pid != nft_tables_portid(trace->tables))
		trace->changed = true;
	return MNL_CB_OK;
}

/* Reads until the socket is empty; true if the kernel had to throw messages away. */
static bool read_socket(struct nft_trace *trace, struct mnl_socket *socket, mnl_cb_t cb)
{
	bool overrun = false;

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(socket, trace->buffer, sizeof(trace->buffer));

		if (n > 0)
			mnl_cb_run(trace->buffer, (size_t)n, 0, 0, cb, trace);
		else if (n < 0 && (errno == ENOBUFS || errno == ENOSPC)) /* ENOSPC: cut, longer than the buffer */
			overrun = true;
		else if (n == 0 || errno != EINTR)
			return overrun;
	}
}

void nft_trace_read(struct nft_trace *trace, uint64_t now_ns)
{
	trace->now_ns = now_ns - (uint64_t)trace->shift_ns;
	trace->changed = false;
	if (read_socket(trace, trace->traces, trace_event)) {
		trace->overruns++;
		verdicts_clear(trace->verdicts); /* with some missing, order does not tell whose the others are */
	}
	if (read_socket(trace, trace->changes, change_event))
		trace->changed = true;
	if (!trace->changed)
		return;
	trace->generation++;
	if (nft_tables_follow(trace->tables, &trace->problem) >= 0)
		trace->problem.text[0] = '\0';
}

uint64_t nft_trace_generation(const struct nft_trace *trace)
{
	return trace->generation;
}

bool nft_trace_changing(const struct nft_trace *trace)
{
	struct pollfd fd = {.fd = mnl_socket_get_fd(trace->changes), .events = POLLIN};

	return poll(&fd, 1, 0) > 0;
}

struct verdicts *nft_trace_verdicts(struct nft_trace *trace)
{
	return trace->verdicts;
}

bool nft_trace_active(const struct nft_trace *trace)
{
	return nft_tables_installed(trace->tables) != 0;
}

uint64_t nft_trace_overruns(const struct nft_trace *trace)
{
	return trace->overruns;
}

const char *nft_trace_problem(const struct nft_trace *trace)
{
	return trace->problem.text;
}
