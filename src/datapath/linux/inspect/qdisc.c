// SPDX-License-Identifier: BSD-3-Clause
/*
 * Drops by a queueing discipline. Named are the device's root discipline and, where it is another one, the one whose
 * drop counter moved, with their limits. Whether it is a limit set by someone or only a queue that ran full is told by
 * the kinds: disciplines that merely order packets send as fast as the device takes them.
 */
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/gen_stats.h>
#include <stdio.h>
#include <string.h>

#include "datapath/linux/inspect/inspectors.h"

#define QDISCS_MAX 64 /* of one device; a shaper's tree or a queue per CPU. More: the first ones are looked at */

struct qdisc {
	char kind[16];
	uint32_t handle, parent, drops;
	char options[96];
};

struct qdiscs {
	uint32_t ifindex;
	unsigned int count;
	struct qdisc list[QDISCS_MAX];
};

static void rate_text(uint64_t bytes_per_second, char *buf, size_t size)
{
	uint64_t bits = bytes_per_second * 8;

	if (bits >= 1000000000 && bits % 1000000000 == 0)
		snprintf(buf, size, "%lluGbit", (unsigned long long)bits / 1000000000);
	else if (bits >= 1000000 && bits % 1000000 == 0)
		snprintf(buf, size, "%lluMbit", (unsigned long long)bits / 1000000);
	else if (bits >= 1000 && bits % 1000 == 0)
		snprintf(buf, size, "%lluKbit", (unsigned long long)bits / 1000);
	else
		snprintf(buf, size, "%llubit", (unsigned long long)bits);
}

static void options_tbf(const struct nlattr *options, char *buf, size_t size)
{
	const struct nlattr *tb[TCA_TBF_RATE64 + 1];
	const struct tc_tbf_qopt *tbf;
	uint64_t rate;
	char text[32];

	rtnl_nested(options, tb, TCA_TBF_RATE64);
	if (!tb[TCA_TBF_PARMS] || mnl_attr_get_payload_len(tb[TCA_TBF_PARMS]) < sizeof(*tbf))
		return;
	tbf = mnl_attr_get_payload(tb[TCA_TBF_PARMS]);
	rate = tb[TCA_TBF_RATE64] ? mnl_attr_get_u64(tb[TCA_TBF_RATE64]) : tbf->rate.rate;
	rate_text(rate, text, sizeof(text));
	snprintf(buf, size, " rate %s limit %ub", text, tbf->limit);
}

static void options_fifo(const char *kind, const struct nlattr *options, char *buf, size_t size)
{
	const struct tc_fifo_qopt *fifo = mnl_attr_get_payload(options);

	if (mnl_attr_get_payload_len(options) >= sizeof(*fifo))
		snprintf(buf, size, " limit %u%s", fifo->limit, kind[0] == 'b' ? "b" : "p");
}

static void options_fq_codel(const struct nlattr *options, char *buf, size_t size)
{
	const struct nlattr *tb[TCA_FQ_CODEL_LIMIT + 1];

	rtnl_nested(options, tb, TCA_FQ_CODEL_LIMIT);
	if (tb[TCA_FQ_CODEL_LIMIT])
		snprintf(buf, size, " limit %up", mnl_attr_get_u32(tb[TCA_FQ_CODEL_LIMIT]));
}

static void options_text(const char *kind, const struct nlattr *options, char *buf, size_t size)
{
	buf[0] = '\0';
	if (!options)
		return;
	if (!strcmp(kind, "tbf"))
		options_tbf(options, buf, size);
	else if (!strcmp(kind, "pfifo") || !strcmp(kind, "bfifo") || !strcmp(kind, "pfifo_head_drop"))
		options_fifo(kind, options, buf, size);
	else if (!strcmp(kind, "fq_codel"))
		options_fq_codel(options, buf, size);
}

static uint32_t stats_drops(const struct nlattr *stats2)
{
	const struct nlattr *tb[TCA_STATS_QUEUE + 1];
	const struct gnet_stats_queue *queue;

	rtnl_nested(stats2, tb, TCA_STATS_QUEUE);
	if (!tb[TCA_STATS_QUEUE] || mnl_attr_get_payload_len(tb[TCA_STATS_QUEUE]) < sizeof(*queue))
		return 0;
	queue = mnl_attr_get_payload(tb[TCA_STATS_QUEUE]);
	return queue->drops;
}

static int qdisc_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[TCA_STATS2 + 1];
	struct qdiscs *qdiscs = arg;
	struct qdisc *qdisc;

	if ((uint32_t)tcm->tcm_ifindex != qdiscs->ifindex || qdiscs->count == QDISCS_MAX)
		return MNL_CB_OK;
	rtnl_attributes(nlh, sizeof(*tcm), tb, TCA_STATS2);
	if (!tb[TCA_KIND] || tcm->tcm_parent == TC_H_INGRESS)
		return MNL_CB_OK;
	qdisc = &qdiscs->list[qdiscs->count++];
	snprintf(qdisc->kind, sizeof(qdisc->kind), "%s", mnl_attr_get_str(tb[TCA_KIND]));
	qdisc->handle = tcm->tcm_handle;
	qdisc->parent = tcm->tcm_parent;
	qdisc->drops = stats_drops(tb[TCA_STATS2]);
	options_text(qdisc->kind, tb[TCA_OPTIONS], qdisc->options, sizeof(qdisc->options));
	return MNL_CB_OK;
}

static int qdiscs_read(struct rtnl *rt, uint32_t ifindex, struct qdiscs *qdiscs)
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETQDISC, NLM_F_DUMP);
	struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));

	memset(qdiscs, 0, sizeof(*qdiscs));
	qdiscs->ifindex = ifindex;
	tcm->tcm_family = AF_UNSPEC;
	tcm->tcm_ifindex = (int)ifindex;
	return rtnl_ask(rt, nlh, qdisc_seen, qdiscs);
}

struct class_search {
	uint32_t classid;
	char text[128];
};

static int class_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[TCA_OPTIONS + 1], *htb[TCA_HTB_PARMS + 1];
	struct class_search *search = arg;
	const struct tc_htb_opt *opt;
	char rate[32], ceil[32];

	if (tcm->tcm_handle != search->classid)
		return MNL_CB_OK;
	rtnl_attributes(nlh, sizeof(*tcm), tb, TCA_OPTIONS);
	if (!tb[TCA_KIND] || !tb[TCA_OPTIONS] || strcmp(mnl_attr_get_str(tb[TCA_KIND]), "htb"))
		return MNL_CB_OK;
	rtnl_nested(tb[TCA_OPTIONS], htb, TCA_HTB_PARMS);
	if (!htb[TCA_HTB_PARMS] || mnl_attr_get_payload_len(htb[TCA_HTB_PARMS]) < sizeof(*opt))
		return MNL_CB_OK;
	opt = mnl_attr_get_payload(htb[TCA_HTB_PARMS]);
	rate_text(opt->rate.rate, rate, sizeof(rate));
	rate_text(opt->ceil.rate, ceil, sizeof(ceil));
	snprintf(search->text, sizeof(search->text), ", class %x:%x rate %s ceil %s", search->classid >> 16,
	         search->classid & 0xffff, rate, ceil);
	return MNL_CB_OK;
}

static void class_text(struct rtnl *rt, uint32_t ifindex, struct class_search *search)
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETTCLASS, NLM_F_DUMP);
	struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));

	tcm->tcm_ifindex = (int)ifindex;
	rtnl_ask(rt, nlh, class_seen, search);
}

static bool kind_only_orders(const char *kind)
{
	static const char *const kinds[] = {
	    "pfifo", "bfifo", "pfifo_fast", "pfifo_head_drop", "mq",  "mqprio", "fq_codel", "codel",
	    "fq",    "sfq",   "prio",       "multiq",          "pie", "fq_pie",
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(kind, kinds[i]))
			return true;
	}
	return false;
}

/* The root, and the discipline below it whose drop counter is highest, if any counted. */
static const struct qdisc *qdiscs_pick(const struct qdiscs *qdiscs, const struct qdisc **ret_leaf, bool *ret_limits)
{
	const struct qdisc *root = NULL, *leaf = NULL;

	*ret_limits = false;
	for (unsigned int i = 0; i < qdiscs->count; i++) {
		const struct qdisc *qdisc = &qdiscs->list[i];

		if (!kind_only_orders(qdisc->kind))
			*ret_limits = true;
		if (qdisc->parent == TC_H_ROOT)
			root = qdisc;
		else if (qdisc->drops && (!leaf || qdisc->drops > leaf->drops))
			leaf = qdisc;
	}
	*ret_leaf = leaf;
	return root;
}

int qdisc_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct class_search search = {0};
	const struct qdisc *root, *leaf;
	struct qdiscs qdiscs;
	bool limits;
	enum vt_cause cause;

	/* without carrier a device has a discipline that drops everything, and netlink does not show it */
	if (port_down_inspect(rt, drop, finding))
		return 1;
	if (qdiscs_read(rt, drop->rec->ifindex, &qdiscs) < 0)
		return 0;
	root = qdiscs_pick(&qdiscs, &leaf, &limits);
	if (!root || !strcmp(root->kind, "noqueue") || !strcmp(root->kind, "noop"))
		return drop_unsure(finding, "%s has no queue now that could drop packets", drop->device);
	cause = limits ? VT_CAUSE_LIMIT_QDISC : VT_CAUSE_QUEUE_FULL;
	if (!leaf)
		return drop_found(finding, cause, "qdisc %s %x: root of %s:%s", root->kind, root->handle >> 16,
		                  drop->device, root->options[0] ? root->options : " no parameters");
	search.classid = leaf->parent;
	class_text(rt, drop->rec->ifindex, &search);
	return drop_found(finding, cause, "qdisc %s %x: root of %s%s%s, with %s %x:%s", root->kind, root->handle >> 16,
	                  drop->device, root->options, search.text, leaf->kind, leaf->handle >> 16, leaf->options);
}
