// SPDX-License-Identifier: BSD-3-Clause
/*
 * Kinds of queueing disciplines: which of them set a limit to what may be sent, which only put in order what the device
 * takes, and the options that say how much. A kind that is in neither list proves nothing.
 */
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "datapath/linux/inspect/queues.h"

static const char *const limiting[] = {"tbf", "htb", "hfsc", "cbq", "cbs"};

static const char *const ordering[] = {
    "pfifo",   "bfifo", "pfifo_fast", "pfifo_head_drop", "mq",  "mqprio", "fq_codel", "codel", "sfq",
    "prio",    "pie",   "fq_pie",     "multiq",          "red", "sfb",    "choke",    "gred",  "hhf",
    "dualpi2", "ets",   "drr",        "skbprio",         "qfq",
};

const char *qdisc_rate_text(uint64_t bytes_per_second, char *buf, size_t size)
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
	return buf;
}

static void options_tbf(const struct nlattr *options, struct qdisc *qdisc)
{
	const struct nlattr *tb[TCA_TBF_RATE64 + 1];
	const struct tc_tbf_qopt *tbf;
	char rate[32];

	rtnl_nested(options, tb, TCA_TBF_RATE64);
	if (!tb[TCA_TBF_PARMS] || mnl_attr_get_payload_len(tb[TCA_TBF_PARMS]) < sizeof(*tbf))
		return;
	tbf = mnl_attr_get_payload(tb[TCA_TBF_PARMS]);
	qdisc_rate_text(tb[TCA_TBF_RATE64] ? mnl_attr_get_u64(tb[TCA_TBF_RATE64]) : tbf->rate.rate, rate, sizeof(rate));
	snprintf(qdisc->options, sizeof(qdisc->options), " rate %s limit %ub", rate, tbf->limit);
}

/* Nothing to tell of it: its classes have the limits. Whether its own queue was ever used tells what it drops itself.
 */
static void options_htb(const struct nlattr *options, struct qdisc *qdisc)
{
	const struct nlattr *tb[TCA_HTB_INIT + 1];
	const struct tc_htb_glob *htb;

	rtnl_nested(options, tb, TCA_HTB_INIT);
	qdisc->direct = true;
	if (!tb[TCA_HTB_INIT] || mnl_attr_get_payload_len(tb[TCA_HTB_INIT]) < sizeof(*htb))
		return;
	htb = mnl_attr_get_payload(tb[TCA_HTB_INIT]);
	qdisc->direct = htb->direct_pkts != 0;
}

static void options_fifo(const struct nlattr *options, struct qdisc *qdisc)
{
	const struct tc_fifo_qopt *fifo = mnl_attr_get_payload(options);

	if (mnl_attr_get_payload_len(options) >= sizeof(*fifo))
		snprintf(qdisc->options, sizeof(qdisc->options), " limit %u%s", fifo->limit,
		         qdisc->kind[0] == 'b' ? "b" : "p");
}

static void options_fq_codel(const struct nlattr *options, struct qdisc *qdisc)
{
	const struct nlattr *tb[TCA_FQ_CODEL_LIMIT + 1];

	rtnl_nested(options, tb, TCA_FQ_CODEL_LIMIT);
	if (tb[TCA_FQ_CODEL_LIMIT])
		snprintf(qdisc->options, sizeof(qdisc->options), " limit %up",
		         mnl_attr_get_u32(tb[TCA_FQ_CODEL_LIMIT]));
}

/* fq limits each flow if it was told a rate; the flow's own pacing is the sender's. */
static void options_fq(const struct nlattr *options, struct qdisc *qdisc)
{
	const struct nlattr *tb[TCA_FQ_FLOW_MAX_RATE + 1];
	char rate[48] = "", text[32];

	rtnl_nested(options, tb, TCA_FQ_FLOW_MAX_RATE);
	if (!tb[TCA_FQ_PLIMIT] || !tb[TCA_FQ_FLOW_PLIMIT] || !tb[TCA_FQ_FLOW_MAX_RATE])
		return;
	qdisc->limits = mnl_attr_get_u32(tb[TCA_FQ_FLOW_MAX_RATE]) != ~0u;
	qdisc->orders = !qdisc->limits;
	if (qdisc->limits)
		snprintf(rate, sizeof(rate), " maxrate %s",
		         qdisc_rate_text(mnl_attr_get_u32(tb[TCA_FQ_FLOW_MAX_RATE]), text, sizeof(text)));
	snprintf(qdisc->options, sizeof(qdisc->options), " limit %up flow_limit %up%s",
	         mnl_attr_get_u32(tb[TCA_FQ_PLIMIT]), mnl_attr_get_u32(tb[TCA_FQ_FLOW_PLIMIT]), rate);
}

static void options_cake(const struct nlattr *options, struct qdisc *qdisc)
{
	const struct nlattr *tb[TCA_CAKE_BASE_RATE64 + 1];
	char rate[32];

	rtnl_nested(options, tb, TCA_CAKE_BASE_RATE64);
	if (!tb[TCA_CAKE_BASE_RATE64])
		return;
	qdisc->limits = mnl_attr_get_u64(tb[TCA_CAKE_BASE_RATE64]) != 0;
	qdisc->orders = !qdisc->limits;
	if (qdisc->limits)
		snprintf(qdisc->options, sizeof(qdisc->options), " bandwidth %s",
		         qdisc_rate_text(mnl_attr_get_u64(tb[TCA_CAKE_BASE_RATE64]), rate, sizeof(rate)));
}

static bool kind_is_in(const char *kind, const char *const *kinds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(kind, kinds[i]))
			return true;
	}
	return false;
}

void qdisc_kind_fill(struct qdisc *qdisc, const struct nlattr *options)
{
	const char *kind = qdisc->kind;

	qdisc->limits = kind_is_in(kind, limiting, sizeof(limiting) / sizeof(limiting[0]));
	qdisc->orders = kind_is_in(kind, ordering, sizeof(ordering) / sizeof(ordering[0]));
	if (!options)
		return;
	if (!strcmp(kind, "tbf"))
		options_tbf(options, qdisc);
	else if (!strcmp(kind, "htb"))
		options_htb(options, qdisc);
	else if (!strcmp(kind, "pfifo") || !strcmp(kind, "bfifo") || !strcmp(kind, "pfifo_head_drop"))
		options_fifo(options, qdisc);
	else if (!strcmp(kind, "fq_codel"))
		options_fq_codel(options, qdisc);
	else if (!strcmp(kind, "fq"))
		options_fq(options, qdisc);
	else if (!strcmp(kind, "cake"))
		options_cake(options, qdisc);
}
