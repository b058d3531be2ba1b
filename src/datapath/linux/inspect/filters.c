// SPDX-License-Identifier: BSD-3-Clause
/*
 * tc filters and their actions, read by rtnetlink; see suspects.h. Whoever is not known to let packets pass stays a
 * suspect: an unknown kind of filter or action is never ruled out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdio.h>
#include <string.h>

#include "datapath/linux/inspect/suspects.h"

#define CLASSES_MAX 64     /* each is a question to the kernel; a drop in front of so many classes stays unexplained */
#define IFBS_MAX    64     /* with so many, none is told from other devices: nothing is said of redirections */
#define OWN_FILTER  0x5654 /* priority and handle of our own filters (links.c) */

/* Where each kind of filter keeps its actions, and the policer that stood there before actions did. */
static const struct filter_kind {
	const char *name;
	uint16_t actions, police;
} kinds[] = {
    {"basic", TCA_BASIC_ACT, TCA_BASIC_POLICE},
    {"bpf", TCA_BPF_ACT, TCA_BPF_POLICE},
    {"cgroup", TCA_CGROUP_ACT, TCA_CGROUP_POLICE},
    {"flow", TCA_FLOW_ACT, TCA_FLOW_POLICE},
    {"flower", TCA_FLOWER_ACT, 0},
    {"fw", TCA_FW_ACT, TCA_FW_POLICE},
    {"matchall", TCA_MATCHALL_ACT, 0},
    {"route", TCA_ROUTE4_ACT, TCA_ROUTE4_POLICE},
    {"u32", TCA_U32_ACT, TCA_U32_POLICE},
};

#define FILTER_OPTIONS_MAX 128 /* flower has the most attributes: 110 in 6.18 */

struct filter_walk {
	uint16_t protocol; /* ETH_P_* of the packet, 0: any */
	struct suspects *suspects;
	unsigned int n_ifbs;
	int ifbs[IFBS_MAX]; /* of_taking: devices that give back what is redirected to them */
};

static void ifb_keep(void *arg, const struct rtnl_link *link)
{
	struct filter_walk *walk = arg;

	if (!strcmp(link->kind, "ifb") && walk->n_ifbs < IFBS_MAX)
		walk->ifbs[walk->n_ifbs++] = link->ifindex;
}

static bool is_ifb(const struct filter_walk *walk, uint32_t ifindex)
{
	for (unsigned int i = 0; i < walk->n_ifbs; i++) {
		if (walk->ifbs[i] == (int)ifindex)
			return true;
	}
	return walk->n_ifbs == IFBS_MAX;
}

static uint32_t action_drops(const struct nlattr *stats)
{
	const struct nlattr *tb[TCA_STATS_MAX + 1];
	const struct gnet_stats_queue *queue;

	rtnl_nested(stats, tb, TCA_STATS_MAX);
	if (!tb[TCA_STATS_QUEUE] || mnl_attr_get_payload_len(tb[TCA_STATS_QUEUE]) < sizeof(*queue))
		return 1; /* not known: it may be the one */
	queue = mnl_attr_get_payload(tb[TCA_STATS_QUEUE]);
	return queue->drops;
}

static bool is_taking(int verdict)
{
	return verdict == TC_ACT_STOLEN || verdict == TC_ACT_QUEUED || verdict == TC_ACT_TRAP;
}

/* gact: its verdict is its purpose, and it counts each time that it was "drop". */
static bool gact_suspect(const struct nlattr *options, const struct nlattr *stats, bool of_taking)
{
	const struct nlattr *tb[TCA_GACT_MAX + 1];
	const struct tc_gact *gact;
	const struct tc_gact_p *chance;
	bool drops;

	rtnl_nested(options, tb, TCA_GACT_MAX);
	if (!tb[TCA_GACT_PARMS] || mnl_attr_get_payload_len(tb[TCA_GACT_PARMS]) < sizeof(*gact))
		return true;
	gact = mnl_attr_get_payload(tb[TCA_GACT_PARMS]);
	if (of_taking)
		return is_taking(gact->action);
	drops = gact->action == TC_ACT_SHOT;
	if (tb[TCA_GACT_PROB] && mnl_attr_get_payload_len(tb[TCA_GACT_PROB]) >= sizeof(*chance)) {
		chance = mnl_attr_get_payload(tb[TCA_GACT_PROB]);
		drops |= chance->ptype != PGACT_NONE && chance->paction == TC_ACT_SHOT;
	}
	return drops && action_drops(stats);
}

/*
 * mirred: a copy never drops by itself, only by the verdict behind it; a redirection does if its target is down. Either
 * may go on as a copy while the packet itself is consumed.
 */
static bool mirred_suspect(const struct nlattr *options, const struct filter_walk *walk)
{
	const struct nlattr *tb[TCA_MIRRED_MAX + 1];
	const struct tc_mirred *mirred;

	rtnl_nested(options, tb, TCA_MIRRED_MAX);
	if (!tb[TCA_MIRRED_PARMS] || mnl_attr_get_payload_len(tb[TCA_MIRRED_PARMS]) < sizeof(*mirred))
		return true;
	mirred = mnl_attr_get_payload(tb[TCA_MIRRED_PARMS]);
	if (mirred->eaction == TCA_EGRESS_MIRROR || mirred->eaction == TCA_INGRESS_MIRROR)
		return walk->suspects->of_taking ? is_taking(mirred->action) : mirred->action == TC_ACT_SHOT;
	return !walk->suspects->of_taking || !is_ifb(walk, mirred->ifindex);
}

/* Writes the kind of the first action that may have dropped (or kept) the packet; false if none may. */
static bool actions_suspect(const struct nlattr *actions, const struct filter_walk *walk, char *kind, size_t size)
{
	const struct nlattr *action, *tb[TCA_ACT_MAX + 1];

	if (!actions)
		return false;
	mnl_attr_for_each_nested(action, actions)
	{
		bool suspect = true;

		rtnl_nested(action, tb, TCA_ACT_MAX);
		if (!tb[TCA_ACT_KIND])
			continue;
		snprintf(kind, size, "%s", mnl_attr_get_str(tb[TCA_ACT_KIND]));
		if (!strcmp(kind, "gact"))
			suspect = gact_suspect(tb[TCA_ACT_OPTIONS], tb[TCA_ACT_STATS], walk->suspects->of_taking);
		else if (!strcmp(kind, "mirred"))
			suspect = mirred_suspect(tb[TCA_ACT_OPTIONS], walk);
		if (suspect)
			return true;
	}
	return false;
}

static const struct filter_kind *kind_of(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	}
	return NULL;
}

/* "tc filter u32 pref 10 handle 800::800" */
static void filter_text(const struct tcmsg *tcm, const char *kind, char *buf, size_t size)
{
	uint32_t h = tcm->tcm_handle;

	if (!strcmp(kind, "u32"))
		snprintf(buf, size, "tc filter u32 pref %u handle %x:%x:%x", tcm->tcm_info >> 16, h >> 20,
		         h >> 12 & 0xff, h & 0xfff);
	else
		snprintf(buf, size, "tc filter %s pref %u handle 0x%x", kind, tcm->tcm_info >> 16, h);
}

static bool filter_is_bpf_verdict(const struct nlattr *const *options)
{
	return options[TCA_BPF_FLAGS] && mnl_attr_get_u32(options[TCA_BPF_FLAGS]) & TCA_BPF_FLAG_ACT_DIRECT;
}

static void filter_add(const struct filter_walk *walk, const struct tcmsg *tcm, const char *kind,
                       const struct nlattr *nest)
{
	const struct nlattr *options[FILTER_OPTIONS_MAX + 1];
	const struct filter_kind *known = kind_of(kind);
	struct suspects *suspects = walk->suspects;
	char text[64], action[32], program[48];

	filter_text(tcm, kind, text, sizeof(text));
	if (!known) {
		suspects_add(suspects, "%s", text);
		return;
	}
	rtnl_nested(nest, options, FILTER_OPTIONS_MAX);
	if (!strcmp(kind, "bpf") && filter_is_bpf_verdict(options)) {
		uint32_t id = options[TCA_BPF_ID] ? mnl_attr_get_u32(options[TCA_BPF_ID]) : 0;

		suspects_add(suspects, "%s, program %s,", text, program_name(id, program, sizeof(program)));
	} else if (actions_suspect(options[known->actions], walk, action, sizeof(action))) {
		suspects->policers += !strcmp(action, "police");
		suspects_add(suspects, "%s, action %s,", text, action);
	} else if (!suspects->of_taking && known->police && options[known->police]) {
		suspects->policers++;
		suspects_add(suspects, "%s, policer,", text);
	}
}

static int filter_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[TCA_OPTIONS + 1];
	struct filter_walk *walk = arg;
	uint16_t protocol = ntohs(tcm->tcm_info & 0xffff);

	rtnl_attributes(nlh, sizeof(*tcm), tb, TCA_OPTIONS);
	/* a classifier is dumped itself, with handle 0 and without options, before its filters */
	if (!tb[TCA_KIND] || !tb[TCA_OPTIONS] || !tcm->tcm_handle)
		return MNL_CB_OK;
	if (tcm->tcm_info >> 16 == OWN_FILTER && tcm->tcm_handle == OWN_FILTER)
		return MNL_CB_OK;
	if ((walk->protocol == ETH_P_IP && protocol == ETH_P_IPV6) ||
	    (walk->protocol == ETH_P_IPV6 && protocol == ETH_P_IP))
		return MNL_CB_OK;
	filter_add(walk, tcm, mnl_attr_get_str(tb[TCA_KIND]), tb[TCA_OPTIONS]);
	return MNL_CB_OK;
}

static int filters_walk(struct rtnl *rt, uint32_t ifindex, uint32_t parent, struct filter_walk *walk)
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETTFILTER, NLM_F_DUMP);
	struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));

	tcm->tcm_family = AF_UNSPEC;
	tcm->tcm_ifindex = (int)ifindex;
	tcm->tcm_parent = parent;
	return rtnl_ask(rt, nlh, filter_seen, walk);
}

static int filter_place_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[TCA_KIND + 1];
	bool *found = arg;

	rtnl_attributes(nlh, sizeof(struct tcmsg), tb, TCA_KIND);
	if (tb[TCA_KIND])
		*found |= !strcmp(mnl_attr_get_str(tb[TCA_KIND]), "clsact") ||
		          !strcmp(mnl_attr_get_str(tb[TCA_KIND]), "ingress");
	return MNL_CB_OK;
}

bool filters_possible(struct rtnl *rt)
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETQDISC, NLM_F_DUMP);
	bool found = false;

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct tcmsg));
	return rtnl_ask(rt, nlh, filter_place_seen, &found) < 0 || found;
}

int filters_suspect(struct rtnl *rt, const struct tc_hook *hook, struct suspects *suspects)
{
	struct filter_walk walk = {.protocol = hook->protocol, .suspects = suspects};

	if (suspects->of_taking)
		rtnl_links(rt, ifb_keep, &walk);
	return filters_walk(rt, hook->ifindex,
	                    TC_H_MAKE(TC_H_CLSACT, hook->egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS), &walk);
}

struct class_list {
	uint32_t handle; /* of their discipline */
	unsigned int count;
	uint32_t ids[CLASSES_MAX];
};

static int class_listed(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	struct class_list *list = arg;

	if (TC_H_MAJ(tcm->tcm_handle) != list->handle)
		return MNL_CB_OK;
	if (list->count == CLASSES_MAX) {
		errno = E2BIG;
		return MNL_CB_ERROR;
	}
	list->ids[list->count++] = tcm->tcm_handle;
	return MNL_CB_OK;
}

static int classes_read(struct rtnl *rt, uint32_t ifindex, struct class_list *list)
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETTCLASS, NLM_F_DUMP);
	struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));

	tcm->tcm_ifindex = (int)ifindex;
	return rtnl_ask(rt, nlh, class_listed, list);
}

int filters_suspect_qdisc(struct rtnl *rt, uint32_t ifindex, uint32_t handle, struct suspects *suspects)
{
	struct filter_walk walk = {.suspects = suspects};
	struct class_list classes = {.handle = handle};
	int ret = classes_read(rt, ifindex, &classes);

	if (ret == 0)
		ret = filters_walk(rt, ifindex, handle, &walk);
	for (unsigned int i = 0; i < classes.count && ret == 0; i++)
		ret = filters_walk(rt, ifindex, classes.ids[i], &walk);
	return ret;
}
