// SPDX-License-Identifier: BSD-3-Clause
/*
 * Looks at the drop counters of all queueing disciplines; see queues.h. The kernel gives them in one dump, of which
 * only counters that are not zero are kept: a discipline that is not there has dropped nothing.
 */
#include "datapath/linux/inspect/queues.h"

#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "datapath/linux/inspect/kernel_clock.h"

#define LOOKS        4     /* the one before the last drop, the one after it, and two for drops that come late */
#define COUNTERS_MAX 65536 /* disciplines of a host that have dropped anything, 1 MB a look */
#define QDISCS_MAX   1024  /* of one device: a shaper with a class for each of some hundred VMs */
#define ANSWERS      16    /* devices that drop at the same time; more are read again */
/*
 * A drop is counted microseconds before its record is made, more where the CPU is taken away in between. A look counts
 * as before the drop only if it is so much older, or was the first, before which no drop could be witnessed.
 */
#define LOOK_MARGIN_NS (100 * VT_MSEC_NS)

struct counter {
	uint32_t ifindex, handle, parent, drops;
};

struct look {
	uint64_t from_ns, to_ns; /* when it was taken, by the clock of records */
	bool first, complete;
	size_t count;
	struct counter *counters;
};

struct answer_slot {
	uint64_t before_ns, after_ns; /* the looks */
	uint32_t ifindex;
	struct qdisc_answer answer;
};

struct queues {
	int64_t shift_ns; /* of our clock against the kernel's */
	unsigned int n_looks, next_answer;
	struct look looks[LOOKS]; /* oldest first */
	struct answer_slot answers[ANSWERS];
	/* the tree given last */
	uint32_t ifindex;
	unsigned int n_qdiscs;
	bool overflow;
	struct qdisc qdiscs[QDISCS_MAX];
};

struct queues *queues_new(void)
{
	struct queues *queues = calloc(1, sizeof(*queues));

	if (queues)
		queues->shift_ns = kernel_clock_shift_ns();
	return queues;
}

static void looks_clear(struct queues *queues)
{
	for (unsigned int i = 0; i < queues->n_looks; i++)
		free(queues->looks[i].counters);
	queues->n_looks = 0;
	memset(queues->answers, 0, sizeof(queues->answers));
}

void queues_free(struct queues *queues)
{
	if (!queues)
		return;
	looks_clear(queues);
	free(queues);
}

static int counter_add(struct look *look, const struct counter *counter)
{
	if (look->count == COUNTERS_MAX) {
		look->complete = false;
		return 0;
	}
	if (!(look->count & (look->count - 1))) { /* a power of two: full */
		size_t room = look->count ? 2 * look->count : 1;
		struct counter *grown = reallocarray(look->counters, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		look->counters = grown;
	}
	look->counters[look->count++] = *counter;
	return 0;
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

static int counter_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[TCA_STATS2 + 1];
	struct counter counter = {
	    .ifindex = (uint32_t)tcm->tcm_ifindex, .handle = tcm->tcm_handle, .parent = tcm->tcm_parent};

	if (tcm->tcm_parent == TC_H_INGRESS)
		return MNL_CB_OK;
	rtnl_attributes(nlh, sizeof(*tcm), tb, TCA_STATS2);
	counter.drops = stats_drops(tb[TCA_STATS2]);
	if (counter.drops && counter_add(arg, &counter) < 0) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

static int qdisc_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[TCA_STATS2 + 1];
	struct queues *queues = arg;
	struct qdisc *qdisc;

	if ((uint32_t)tcm->tcm_ifindex != queues->ifindex || tcm->tcm_parent == TC_H_INGRESS)
		return MNL_CB_OK;
	if (queues->n_qdiscs == QDISCS_MAX) {
		queues->overflow = true;
		return MNL_CB_OK;
	}
	rtnl_attributes(nlh, sizeof(*tcm), tb, TCA_STATS2);
	if (!tb[TCA_KIND])
		return MNL_CB_OK;
	qdisc = &queues->qdiscs[queues->n_qdiscs++];
	memset(qdisc, 0, sizeof(*qdisc));
	snprintf(qdisc->kind, sizeof(qdisc->kind), "%s", mnl_attr_get_str(tb[TCA_KIND]));
	qdisc->handle = tcm->tcm_handle;
	qdisc->parent = tcm->tcm_parent;
	qdisc_kind_fill(qdisc, tb[TCA_OPTIONS]);
	return MNL_CB_OK;
}

/* Also the queues that the kernel makes below classes: they are what drops where nobody has put another one. */
static int qdiscs_dump(struct rtnl *rt, mnl_cb_t cb, void *arg)
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETQDISC, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct tcmsg));
	mnl_attr_put(nlh, TCA_DUMP_INVISIBLE, 0, NULL);
	return rtnl_ask(rt, nlh, cb, arg);
}

static int look_take(const struct queues *queues, struct rtnl *rt, struct look *look)
{
	int ret;

	*look = (struct look){.from_ns = vt_now_ns() - queues->shift_ns, .complete = true};
	ret = qdiscs_dump(rt, counter_seen, look);
	look->to_ns = vt_now_ns() - queues->shift_ns;
	if (ret < 0)
		free(look->counters);
	return ret;
}

int queues_arm(struct queues *queues, struct rtnl *rt)
{
	int ret;

	looks_clear(queues);
	ret = look_take(queues, rt, &queues->looks[0]);
	if (ret < 0)
		return ret;
	queues->looks[0].first = true;
	queues->n_looks = 1;
	return 0;
}

/* Keeps a new look, in place of the last one where that was taken only just after the one before it. */
static void look_keep(struct queues *queues, const struct look *look)
{
	struct look *looks = queues->looks;
	unsigned int n = queues->n_looks;

	if (n >= 2 && looks[n - 1].to_ns - looks[n - 2].to_ns < LOOK_MARGIN_NS) {
		free(looks[--n].counters);
	} else if (n == LOOKS) {
		free(looks[0].counters);
		memmove(&looks[0], &looks[1], (LOOKS - 1) * sizeof(looks[0]));
		n--;
	}
	looks[n++] = *look;
	queues->n_looks = n;
}

/* The latest look that was surely before the drop; NULL: none, all that was ever counted may be it. */
static const struct look *look_before(const struct queues *queues, uint64_t time_ns)
{
	for (unsigned int i = queues->n_looks; i-- > 0;) {
		const struct look *look = &queues->looks[i];

		if (look->to_ns + (look->first ? 0 : LOOK_MARGIN_NS) <= time_ns)
			return look;
	}
	return NULL;
}

static const struct look *look_after(const struct queues *queues, uint64_t time_ns)
{
	for (unsigned int i = 0; i < queues->n_looks; i++) {
		if (queues->looks[i].from_ns > time_ns)
			return &queues->looks[i];
	}
	return NULL;
}

static uint32_t look_drops(const struct look *look, uint32_t ifindex, const struct qdisc *qdisc)
{
	for (size_t i = 0; look && i < look->count; i++) {
		const struct counter *counter = &look->counters[i];

		if (counter->ifindex == ifindex && counter->handle == qdisc->handle && counter->parent == qdisc->parent)
			return counter->drops;
	}
	return 0;
}

static struct answer_slot *answer_find(struct queues *queues, uint32_t ifindex, uint64_t before_ns, uint64_t after_ns)
{
	struct answer_slot *slot;

	for (unsigned int i = 0; i < ANSWERS; i++) {
		slot = &queues->answers[i];
		if (slot->after_ns == after_ns && slot->before_ns == before_ns && slot->ifindex == ifindex)
			return slot;
	}
	slot = &queues->answers[queues->next_answer++ % ANSWERS];
	*slot = (struct answer_slot){.before_ns = before_ns, .after_ns = after_ns, .ifindex = ifindex};
	return slot;
}

/* The discipline whose class this one is in. One that the kernel made has no handle: then only the root has classes. */
static const struct qdisc *qdisc_above(const struct queues *queues, const struct qdisc *qdisc)
{
	const struct qdisc *root = NULL;

	if (qdisc->parent == TC_H_ROOT)
		return NULL;
	for (unsigned int i = 0; i < queues->n_qdiscs; i++) {
		const struct qdisc *other = &queues->qdiscs[i];

		if (other->handle && other->handle == TC_H_MAJ(qdisc->parent))
			return other;
		if (other->parent == TC_H_ROOT)
			root = other;
	}
	return root;
}

static int tree_read(struct queues *queues, struct rtnl *rt, const struct look *before, const struct look *after)
{
	int ret;

	queues->n_qdiscs = 0;
	queues->overflow = false;
	ret = qdiscs_dump(rt, qdisc_seen, queues);
	for (unsigned int i = 0; i < queues->n_qdiscs; i++) {
		struct qdisc *qdisc = &queues->qdiscs[i];

		qdisc->above = qdisc_above(queues, qdisc);
		qdisc->moved = look_drops(before, queues->ifindex, qdisc) != look_drops(after, queues->ifindex, qdisc);
	}
	return ret;
}

int queues_around(struct queues *queues, struct rtnl *rt, const struct vt_record *rec, struct qdisc_tree *ret)
{
	const struct look *before, *after = look_after(queues, rec->time_ns);
	struct answer_slot *slot;
	struct look look;
	int code = 0;

	if (!after) {
		code = look_take(queues, rt, &look);
		if (code < 0)
			return code;
		look_keep(queues, &look);
		after = look_after(queues, rec->time_ns);
	}
	before = look_before(queues, rec->time_ns);
	if (!after)
		return -ERANGE; /* the record is from the future */
	slot = answer_find(queues, rec->ifindex, before ? before->to_ns : 0, after->to_ns);
	queues->ifindex = rec->ifindex;
	queues->n_qdiscs = 0;
	if (!slot->answer.known)
		code = tree_read(queues, rt, before, after);
	*ret = (struct qdisc_tree){
	    .list = queues->qdiscs,
	    .count = queues->n_qdiscs,
	    .complete = !queues->overflow && after->complete && (!before || before->complete),
	    .answer = &slot->answer,
	};
	return code;
}
