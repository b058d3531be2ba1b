// SPDX-License-Identifier: BSD-3-Clause
/*
 * Drops by a queueing discipline: the one whose drop counter moved (queues.h), with the class that it is of and what
 * limits it. Whether somebody set that limit or a queue only ran full is told by the kinds from it up to the root:
 * disciplines that merely order packets send as fast as the device takes them.
 */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "datapath/linux/inspect/inspectors.h"
#include "datapath/linux/inspect/queues.h"
#include "datapath/linux/inspect/suspects.h"

#define DEPTH_MAX  8 /* disciplines above each other, the kernel's own limit */
#define LEAVES_MAX 4 /* named if several may be the one; more are counted */
#define LEAF_TEXT  96
#define CLASS_TEXT 80
#define WORDS_MAX  (VT_EVIDENCE_MAX - 80)

struct class_search {
	uint32_t classid;
	char text[CLASS_TEXT];
};

static int class_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[TCA_OPTIONS + 1], *htb[TCA_HTB_CEIL64 + 1];
	struct class_search *search = arg;
	const struct tc_htb_opt *opt;
	char rate[24], ceil[24];

	if (tcm->tcm_handle != search->classid)
		return MNL_CB_OK;
	rtnl_attributes(nlh, sizeof(*tcm), tb, TCA_OPTIONS);
	if (!tb[TCA_KIND] || !tb[TCA_OPTIONS] || strcmp(mnl_attr_get_str(tb[TCA_KIND]), "htb"))
		return MNL_CB_OK;
	rtnl_nested(tb[TCA_OPTIONS], htb, TCA_HTB_CEIL64);
	if (!htb[TCA_HTB_PARMS] || mnl_attr_get_payload_len(htb[TCA_HTB_PARMS]) < sizeof(*opt))
		return MNL_CB_OK;
	opt = mnl_attr_get_payload(htb[TCA_HTB_PARMS]);
	qdisc_rate_text(htb[TCA_HTB_RATE64] ? mnl_attr_get_u64(htb[TCA_HTB_RATE64]) : opt->rate.rate, rate,
	                sizeof(rate));
	qdisc_rate_text(htb[TCA_HTB_CEIL64] ? mnl_attr_get_u64(htb[TCA_HTB_CEIL64]) : opt->ceil.rate, ceil,
	                sizeof(ceil));
	snprintf(search->text, sizeof(search->text), "class %x:%x rate %s ceil %s", search->classid >> 16,
	         search->classid & 0xffff, rate, ceil);
	return MNL_CB_OK;
}

/* Disciplines with one inner queue number it as a class, too; nobody calls it one. */
static bool kind_has_classes(const char *kind)
{
	static const char *const kinds[] = {"htb", "hfsc", "prio", "ets", "drr", "qfq", "cbq", "multiq"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(kind, kinds[i]))
			return true;
	}
	return false;
}

static void class_text(struct rtnl *rt, uint32_t ifindex, struct class_search *search)
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETTCLASS, NLM_F_DUMP);
	struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));

	snprintf(search->text, sizeof(search->text), "class %x:%x", search->classid >> 16, search->classid & 0xffff);
	tcm->tcm_ifindex = (int)ifindex;
	rtnl_ask(rt, nlh, class_seen, search);
}

static const struct qdisc *tree_root(const struct qdisc_tree *tree)
{
	for (unsigned int i = 0; i < tree->count; i++) {
		if (tree->list[i].parent == TC_H_ROOT)
			return &tree->list[i];
	}
	return NULL;
}

static bool qdisc_is_below(const struct qdisc *qdisc, const struct qdisc *above)
{
	for (int depth = 0; qdisc && depth < DEPTH_MAX; depth++) {
		qdisc = qdisc->above;
		if (qdisc == above)
			return true;
	}
	return false;
}

/* A drop is counted by the discipline that made it and by all above. */
static bool tree_dropped_itself(const struct qdisc_tree *tree, const struct qdisc *qdisc)
{
	if (!qdisc->moved)
		return false;
	for (unsigned int i = 0; i < tree->count; i++) {
		if (tree->list[i].moved && qdisc_is_below(&tree->list[i], qdisc))
			return false;
	}
	return true;
}

static bool tree_has_below(const struct qdisc_tree *tree, const struct qdisc *qdisc)
{
	for (unsigned int i = 0; i < tree->count; i++) {
		if (qdisc_is_below(&tree->list[i], qdisc))
			return true;
	}
	return false;
}

/* By the kinds up to the root; NONE where one of them is of a kind that is not known. */
static enum vt_cause chain_cause(const struct qdisc *qdisc)
{
	bool limits = false;

	for (int depth = 0; qdisc && depth < DEPTH_MAX; depth++) {
		if (!qdisc->limits && !qdisc->orders)
			return VT_CAUSE_NONE;
		limits |= qdisc->limits;
		qdisc = qdisc->above;
	}
	return limits ? VT_CAUSE_LIMIT_QDISC : VT_CAUSE_QUEUE_FULL;
}

/* What is to be looked at: a class and the queue in it, or the discipline where there are no classes. */
struct leaf {
	const struct qdisc *qdisc;
	enum vt_cause cause;
	char text[LEAF_TEXT];
};

/* "class 1:10 rate 8Kbit ceil 8Kbit, with pfifo 10: limit 1p": from the root down, which is not told itself */
static void leaf_describe(struct rtnl *rt, uint32_t ifindex, const struct qdisc *qdisc, int depth, struct leaf *leaf)
{
	struct class_search search = {.classid = qdisc->parent};
	size_t n;

	if (!qdisc->above || depth == DEPTH_MAX)
		return;
	leaf_describe(rt, ifindex, qdisc->above, depth + 1, leaf);
	n = strlen(leaf->text);
	if (kind_has_classes(qdisc->above->kind)) {
		class_text(rt, ifindex, &search);
		snprintf(leaf->text + n, sizeof(leaf->text) - n, "%s%s", n ? ", " : "", search.text);
		n = strlen(leaf->text);
	}
	if (qdisc->handle)
		snprintf(leaf->text + n, sizeof(leaf->text) - n, "%swith %s %x:%s", n ? ", " : "", qdisc->kind,
		         qdisc->handle >> 16, qdisc->options);
}

/*
 * A discipline that dropped by itself what it should have handed on to the ones below it. Either it has a reason of its
 * own, which goes to ret_why, or one of its filters said so. -EAGAIN: not known which.
 */
static int inner_reason(struct rtnl *rt, const struct drop *drop, const struct qdisc *qdisc, const char **ret_why,
                        struct finding *finding)
{
	struct suspects suspects = {0};
	char where[64];

	if (!strcmp(qdisc->kind, "tbf"))
		*ret_why = "packets are longer than its burst";
	else if (!strcmp(qdisc->kind, "red") || !strcmp(qdisc->kind, "sfb"))
		*ret_why = "dropped early, to keep the queue in it short";
	if (*ret_why[0])
		return 0;
	if (strcmp(qdisc->kind, "htb") || filters_suspect_qdisc(rt, drop->rec->ifindex, qdisc->handle, &suspects) < 0 ||
	    !suspects.count == !qdisc->direct) /* both are possible, or neither */
		return -EAGAIN;
	snprintf(where, sizeof(where), "qdisc htb %x: of %s", qdisc->handle >> 16, drop->device);
	if (suspects.count)
		return suspects_found(&suspects, drop, where, finding);
	*ret_why = "its queue for packets of no class is full";
	return 0;
}

static int qdisc_one(struct rtnl *rt, const struct drop *drop, const struct qdisc_tree *tree, struct leaf *leaf,
                     struct finding *finding)
{
	const struct qdisc *root = tree_root(tree);
	const char *why = "", *options = root->options[0] ? root->options : " no parameters";
	char text[WORDS_MAX];

	snprintf(text, sizeof(text), "qdisc %s %x: root of %s", root->kind, root->handle >> 16, drop->device);
	if (tree_has_below(tree, leaf->qdisc)) {
		int ret = inner_reason(rt, drop, leaf->qdisc, &why, finding);

		if (ret > 0)
			return ret;
		if (ret < 0)
			return drop_unsure(finding,
			                   "%s: %s %x: dropped the packet before any class or queue of it took it",
			                   text, leaf->qdisc->kind, leaf->qdisc->handle >> 16);
	}
	if (leaf->cause == VT_CAUSE_NONE)
		return drop_unsure(finding, "%s:%s%s%s", text, options, leaf->text[0] ? ", " : "", leaf->text);
	if (!leaf->text[0])
		return drop_found(finding, leaf->cause, "%s:%s%s%s", text, options, why[0] ? ", " : "", why);
	return drop_found(finding, leaf->cause, "%s%s, %s%s%s", text, root->options, leaf->text, why[0] ? ", " : "",
	                  why);
}

static int qdisc_several(const struct drop *drop, const struct qdisc_tree *tree, const struct leaf *leaves,
                         unsigned int count, struct finding *finding)
{
	const struct qdisc *root = tree_root(tree);
	enum vt_cause cause = leaves[0].cause;
	char text[WORDS_MAX] = "", more[32] = "";
	size_t n = 0;

	for (unsigned int i = 0; i < count && i < LEAVES_MAX; i++) {
		snprintf(text + n, sizeof(text) - n, "%s%s", i ? "; " : "",
		         leaves[i].text[0] ? leaves[i].text : "the root itself");
		n = strlen(text);
		if (leaves[i].cause != cause)
			cause = VT_CAUSE_NONE;
	}
	if (count > LEAVES_MAX)
		snprintf(more, sizeof(more), "; or another of %u", count);
	if (cause == VT_CAUSE_NONE || count > LEAVES_MAX)
		return drop_unsure(finding, "qdisc %s %x: root of %s%s, one of these: %s%s", root->kind,
		                   root->handle >> 16, drop->device, root->options, text, more);
	return drop_found(finding, cause, "qdisc %s %x: root of %s%s, one of these: %s", root->kind, root->handle >> 16,
	                  drop->device, root->options, text);
}

static int tree_inspect(struct rtnl *rt, const struct drop *drop, const struct qdisc_tree *tree,
                        struct finding *finding)
{
	const struct qdisc *root = tree_root(tree);
	struct leaf leaves[LEAVES_MAX];
	unsigned int count = 0;

	if (!root || !strcmp(root->kind, "noqueue") || !strcmp(root->kind, "noop"))
		return drop_unsure(finding, "%s has no queue now that could drop packets", drop->device);
	if (!tree->complete)
		return drop_unsure(finding, "qdisc %s %x: root of %s has too many queues to tell which one dropped it",
		                   root->kind, root->handle >> 16, drop->device);
	for (unsigned int i = 0; i < tree->count; i++) {
		if (!tree_dropped_itself(tree, &tree->list[i]))
			continue;
		if (count++ >= LEAVES_MAX)
			continue;
		leaves[count - 1] = (struct leaf){.qdisc = &tree->list[i], .cause = chain_cause(&tree->list[i])};
		leaf_describe(rt, drop->rec->ifindex, &tree->list[i], 0, &leaves[count - 1]);
	}
	if (!count)
		return drop_unsure(finding, "qdisc %s %x: root of %s%s, which counted no drop", root->kind,
		                   root->handle >> 16, drop->device, root->options);
	if (count == 1)
		return qdisc_one(rt, drop, tree, leaves, finding);
	return qdisc_several(drop, tree, leaves, count, finding);
}

static bool tree_moved(const struct qdisc_tree *tree)
{
	for (unsigned int i = 0; i < tree->count; i++) {
		if (tree->list[i].moved)
			return true;
	}
	return false;
}

/* Without carrier a device drops all that it is to send, for the same reason and without counting it. */
static int qdisc_or_down(struct rtnl *rt, const struct drop *drop, const struct qdisc_tree *tree,
                         struct finding *finding)
{
	struct finding down = {0};

	if (!port_down_inspect(rt, drop, &down))
		return tree_inspect(rt, drop, tree, finding);
	if (!tree->complete || tree_moved(tree))
		return drop_unsure(finding, "%s, and its queue has dropped packets too", down.evidence);
	*finding = down;
	return 1;
}

int qdisc_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct qdisc_tree tree;

	if (queues_around(drop->queues, rt, drop->rec, &tree) >= 0) {
		if (!tree.answer->known) {
			qdisc_or_down(rt, drop, &tree, finding);
			tree.answer->finding = *finding;
			tree.answer->known = true;
		}
		*finding = tree.answer->finding;
	}
	finding->once = true; /* the next drop may be of another class; the answers are kept in queues.h */
	return finding->cause != VT_CAUSE_NONE;
}
