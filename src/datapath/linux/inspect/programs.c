// SPDX-License-Identifier: BSD-3-Clause
/*
 * Drops by BPF programs and tc filters. That one of them dropped the packet is certain by the kernel's reason or place;
 * which one it was is certain if only one is there that may have (suspects.h).
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datapath/linux/inspect/inspectors.h"
#include "datapath/linux/inspect/suspects.h"

#define ATTACH_TCX_INGRESS 46 /* BPF_TCX_INGRESS, which the headers of Debian 12 lack (kernel 6.6) */
#define ATTACH_TCX_EGRESS  47
#define PROGRAMS_MAX       64 /* the kernel takes no more on one hook (BPF_MPROG_MAX) */
#define MAPS_MAX           16 /* our programs have six */

void suspects_add(struct suspects *suspects, const char *fmt, ...)
{
	va_list args;

	if (suspects->count < SUSPECTS_NAMED) {
		va_start(args, fmt);
		vsnprintf(suspects->names[suspects->count], SUSPECT_TEXT, fmt, args);
		va_end(args);
	}
	suspects->count++;
}

const char *program_name(uint32_t id, char *buf, size_t size)
{
	struct bpf_prog_info info = {0};
	uint32_t length = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &length) && info.name[0])
		snprintf(buf, size, "%s (id %u)", info.name, id);
	else
		snprintf(buf, size, "id %u", id);
	if (fd >= 0)
		close(fd);
	return buf;
}

static bool map_is_ours(uint32_t id)
{
	struct bpf_map_info info = {0};
	uint32_t length = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);
	bool ours = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &length) && !strncmp(info.name, "vtrace_b", 8);

	if (fd >= 0)
		close(fd);
	return ours;
}

/* It shares the agents' global variables, a map that libbpf names. */
bool program_is_ours(uint32_t id)
{
	struct bpf_prog_info info = {0};
	uint32_t maps[MAPS_MAX] = {0}, length = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);
	bool ours = false;

	info.nr_map_ids = MAPS_MAX;
	info.map_ids = (uint64_t)(uintptr_t)maps;
	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &length)) {
		for (uint32_t i = 0; i < info.nr_map_ids && i < MAPS_MAX && !ours; i++)
			ours = map_is_ours(maps[i]);
	}
	if (fd >= 0)
		close(fd);
	return ours;
}

static void tcx_suspect(const struct tc_hook *hook, struct suspects *suspects)
{
	uint32_t ids[PROGRAMS_MAX] = {0};
	char name[48];
	LIBBPF_OPTS(bpf_prog_query_opts, opts, .prog_ids = ids, .prog_cnt = PROGRAMS_MAX);

	/* the device's index stands where other attach types have a descriptor; EINVAL: a kernel without tcx */
	if (bpf_prog_query_opts((int)hook->ifindex, hook->egress ? ATTACH_TCX_EGRESS : ATTACH_TCX_INGRESS, &opts))
		return;
	for (uint32_t i = 0; i < opts.prog_cnt && i < PROGRAMS_MAX; i++) {
		if (!program_is_ours(ids[i]))
			suspects_add(suspects, "tc program %s", program_name(ids[i], name, sizeof(name)));
	}
}

static enum vt_cause program_cause(const struct drop *drop)
{
	return drop_is_outer(drop) ? VT_CAUSE_UNDERLAY_FILTERED : VT_CAUSE_POLICY_BPF;
}

/* The name without the comma that parts it from what follows. */
static void name_append(char *buf, size_t size, const char *between, const char *name)
{
	size_t n = strlen(buf), length = strlen(name);

	if (length && name[length - 1] == ',')
		length--;
	snprintf(buf + n, size - n, "%s%.*s", between, (int)length, name);
}

/* "NAME; NAME; and 2 more" */
static const char *suspects_text(const struct suspects *suspects, char *buf, size_t size)
{
	size_t n;

	buf[0] = '\0';
	for (unsigned int i = 0; i < suspects->count && i < SUSPECTS_NAMED; i++)
		name_append(buf, size, i ? "; " : "", suspects->names[i]);
	n = strlen(buf);
	if (suspects->count > SUSPECTS_NAMED)
		snprintf(buf + n, size - n, "; and %u more", suspects->count - SUSPECTS_NAMED);
	return buf;
}

int suspects_found(const struct suspects *suspects, const struct drop *drop, const char *where, struct finding *finding)
{
	enum vt_cause cause = suspects->policers ? VT_CAUSE_LIMIT_QDISC : program_cause(drop);
	char names[VT_EVIDENCE_MAX - 120];

	if (!suspects->count)
		return drop_found(finding, cause,
		                  "a tc program or filter at %s dropped the packet; none that drops is there now",
		                  where);
	if (suspects->count == 1)
		return drop_found(finding, cause, "%s at %s dropped the packet", suspects->names[0], where);
	suspects_text(suspects, names, sizeof(names));
	if (suspects->policers && suspects->policers < suspects->count)
		return drop_unsure(finding, "one of these at %s dropped it: %s", where, names);
	return drop_found(finding, cause, "one of these at %s dropped the packet: %s", where, names);
}

static bool address_is_ipv4(const __u8 address[16])
{
	static const __u8 mapped[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(address, mapped, sizeof(mapped));
}

static struct tc_hook hook_of(const struct drop *drop, bool egress)
{
	return (struct tc_hook){
	    .ifindex = drop->rec->ifindex,
	    .egress = egress,
	    .protocol = address_is_ipv4(drop_destination(drop)) ? ETH_P_IP : ETH_P_IPV6,
	};
}

static int programs_tc_inspect(struct rtnl *rt, const struct drop *drop, bool egress, struct finding *finding)
{
	struct tc_hook hook = hook_of(drop, egress);
	struct suspects suspects = {0};
	char where[40];

	snprintf(where, sizeof(where), "%s of %s", egress ? "egress" : "ingress", drop->device);
	tcx_suspect(&hook, &suspects);
	filters_suspect(rt, &hook, &suspects);
	return suspects_found(&suspects, drop, where, finding);
}

/* Only filters can keep a packet, no program at tcx. If none is there that does, somebody else consumed it: no loss. */
int programs_taken_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	bool egress = !strcmp(drop->function, "__dev_queue_xmit");
	struct tc_hook hook = hook_of(drop, egress);
	struct suspects suspects = {.of_taking = true};
	char names[VT_EVIDENCE_MAX - 120], where[40];

	if (filters_suspect(rt, &hook, &suspects) == 0 && !suspects.count) {
		finding->no_loss = true;
		return 1;
	}
	snprintf(where, sizeof(where), "%s of %s", egress ? "egress" : "ingress", drop->device);
	if (suspects.count == 1)
		return drop_found(finding, VT_CAUSE_VANISHED_IN_NODE, "%s at %s took the packet", suspects.names[0],
		                  where);
	return drop_found(finding, VT_CAUSE_VANISHED_IN_NODE, "one of these at %s took the packet: %s", where,
	                  suspects_text(&suspects, names, sizeof(names)));
}

int programs_ingress_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	return programs_tc_inspect(rt, drop, false, finding);
}

int programs_egress_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	return programs_tc_inspect(rt, drop, true, finding);
}

struct xdp {
	uint32_t native, generic, offloaded; /* ids of programs, 0: none */
};

static int xdp_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[IFLA_XDP + 1], *xdp[IFLA_XDP_MAX + 1];
	struct xdp *found = arg;

	rtnl_attributes(nlh, sizeof(struct ifinfomsg), tb, IFLA_XDP);
	if (!tb[IFLA_XDP])
		return MNL_CB_OK;
	rtnl_nested(tb[IFLA_XDP], xdp, IFLA_XDP_MAX);
	found->native = xdp[IFLA_XDP_DRV_PROG_ID] ? mnl_attr_get_u32(xdp[IFLA_XDP_DRV_PROG_ID]) : 0;
	found->generic = xdp[IFLA_XDP_SKB_PROG_ID] ? mnl_attr_get_u32(xdp[IFLA_XDP_SKB_PROG_ID]) : 0;
	found->offloaded = xdp[IFLA_XDP_HW_PROG_ID] ? mnl_attr_get_u32(xdp[IFLA_XDP_HW_PROG_ID]) : 0;
	return MNL_CB_OK;
}

static int xdp_read(struct rtnl *rt, uint32_t ifindex, struct xdp *ret)
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));

	memset(ret, 0, sizeof(*ret));
	info->ifi_index = (int)ifindex;
	return ifindex ? rtnl_ask(rt, nlh, xdp_seen, ret) : -ENODEV;
}

/* A driver runs its native program, the stack the generic one: the place tells which, if both are there. */
int programs_xdp_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	bool generic = !strcmp(drop->function, "do_xdp_generic");
	struct xdp xdp = {0};
	char name[48];
	uint32_t id;

	if (xdp_read(rt, drop->rec->ifindex, &xdp) < 0)
		memset(&xdp, 0, sizeof(xdp));
	id = generic ? xdp.generic : xdp.native;
	if (id)
		return drop_found(finding, program_cause(drop), "XDP program %s (%s) at %s dropped the packet",
		                  program_name(id, name, sizeof(name)), generic ? "generic" : "native", drop->device);
	if (!strcmp(drop->reason, "XDP"))
		return drop_found(finding, program_cause(drop),
		                  "an XDP program at %s dropped the packet; it is not attached any more", drop->device);
	return drop_unsure(finding, "%s has no XDP program now that could drop packets", drop->device);
}
