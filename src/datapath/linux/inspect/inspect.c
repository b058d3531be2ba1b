// SPDX-License-Identifier: BSD-3-Clause
/*
 * The seam inspect.h: drops wait here in a queue for their answer, and leave it in order. Nearly all are answered by
 * table.c as soon as they are asked; only netfilter drops may have to wait for their nftables trace (policy.c).
 */
#include "datapath/linux/inspect/inspect.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "datapath/linux/inspect/endpoint.h"
#include "datapath/linux/inspect/inspectors.h"
#include "datapath/linux/inspect/nft_rule.h"
#include "datapath/linux/inspect/nft_trace.h"
#include "datapath/linux/inspect/policy.h"
#include "datapath/linux/inspect/reasons.h"
#include "datapath/linux/inspect/suspects.h"
#include "datapath/linux/inspect/symbols.h"
#include "datapath/linux/inspect/table.h"
#include "datapath/linux/inspect/traceless.h"

#define TRACE_WAIT_NS \
	50000000          /* the trace is sent before the drop happens; this is for a loop that was late to read it */
#define WAITING_MAX 4096  /* drops looked into at a time: as many verdicts are kept (VERDICTS_MAX) */
#define QUEUE_MAX   65536 /* drops kept at all, 12 MB: more than the ring of records can hold between two polls */
#define QUEUE_FIRST 256

struct waiting {
	struct vt_record rec;
	struct drop_context context;
	char device[VT_DEVICE_MAX];
	uint64_t deadline_ns;
	bool plain; /* taken when too many waited: reason and site only */
};

struct inspect {
	uint32_t mark_mask;
	int epoll_fd, timer_fd;
	struct reasons *reasons;
	struct symbols *symbols;
	struct table *table;
	struct nft_rules *rules;
	struct nft_trace *trace; /* NULL unless armed */
	struct traceless *traceless;
	uint64_t rules_generation;
	struct waiting *queue; /* ring of `room` (a power of two) */
	uint32_t room, head, count;
	uint64_t lost;
};

static int timer_open(struct inspect *in, struct vt_err *err)
{
	struct epoll_event event = {.events = EPOLLIN};

	in->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	in->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	event.data.fd = in->timer_fd;
	if (in->epoll_fd < 0 || in->timer_fd < 0 || epoll_ctl(in->epoll_fd, EPOLL_CTL_ADD, in->timer_fd, &event) < 0)
		return vt_fail(err, errno, "create a timer for the inspectors: %s", strerror(errno));
	return 0;
}

int inspect_open(struct inspect **ret, uint32_t mark_mask, struct vt_err *err)
{
	struct inspect *in = calloc(1, sizeof(*in));
	int code;

	if (!in)
		return vt_fail(err, ENOMEM, "open the inspectors: out of memory");
	in->mark_mask = mark_mask;
	in->epoll_fd = in->timer_fd = -1;
	code = timer_open(in, err);
	if (code == 0)
		code = reasons_open(&in->reasons, err);
	if (code == 0)
		code = symbols_open(&in->symbols, err);
	if (code == 0)
		code = table_open(&in->table, err);
	if (code == 0)
		code = nft_rules_open(&in->rules, err);
	if (code == 0)
		in->traceless = traceless_new();
	if (code == 0 && !in->traceless)
		code = vt_fail(err, ENOMEM, "open the inspectors: out of memory");
	if (code < 0) {
		inspect_close(in);
		return code;
	}
	*ret = in;
	return 0;
}

void inspect_close(struct inspect *in)
{
	if (!in)
		return;
	inspect_disarm(in);
	traceless_free(in->traceless);
	nft_rules_close(in->rules);
	table_close(in->table);
	symbols_close(in->symbols);
	reasons_close(in->reasons);
	if (in->timer_fd >= 0)
		close(in->timer_fd);
	if (in->epoll_fd >= 0)
		close(in->epoll_fd);
	free(in->queue);
	free(in);
}

void inspect_tell(const struct inspect *in, struct bpf_config *config)
{
	static const char *const functions[XDP_CODE_MAX] = {
	    "do_xdp_generic",
	    "netif_receive_generic_xdp",
	    "bpf_prog_run_generic_xdp",
	    "veth_xdp_rcv_skb",
	    "veth_xdp_rcv_one",
	    "veth_xdp_rcv",
	    "veth_poll",
	    "tun_get_user",
	};
	static const char *const tc_functions[TC_CODE_MAX] = {"__netif_receive_skb_core", "__dev_queue_xmit"};
	int xdp = reasons_number(in->reasons, "XDP"), tc = reasons_number(in->reasons, "TC_INGRESS");
	int none = reasons_number(in->reasons, "NOT_SPECIFIED");

	config->reason_xdp = xdp > 0 ? (uint32_t)xdp : 0;
	config->reason_tc_ingress = tc > 0 ? (uint32_t)tc : 0;
	config->reason_none = none > 0 ? (uint32_t)none : 0;
	for (int i = 0; i < XDP_CODE_MAX; i++) {
		uint64_t start = 0, size = 0;

		symbols_range(in->symbols, functions[i], &start, &size);
		config->xdp_code[i] = (struct code_range){.start = start, .size = size};
	}
	for (int i = 0; i < TC_CODE_MAX; i++) {
		uint64_t start = 0, size = 0;

		symbols_range(in->symbols, tc_functions[i], &start, &size);
		config->tc_code[i] = (struct code_range){.start = start, .size = size};
	}
}

bool inspect_tc_filters(struct inspect *in)
{
	return filters_possible(table_rtnl(in->table));
}

int inspect_arm(struct inspect *in, struct vt_err *err)
{
	int code = 0;

	if (!in->trace)
		code = nft_trace_open(&in->trace, in->mark_mask, in->epoll_fd, err);
	nft_rules_forget(in->rules);
	in->rules_generation = 0;
	table_arm(in->table);
	traceless_arm(in->traceless);
	return code;
}

void inspect_disarm(struct inspect *in)
{
	nft_trace_close(in->trace);
	in->trace = NULL;
}

static struct waiting *queue_at(struct inspect *in, uint32_t i)
{
	return &in->queue[(in->head + i) & (in->room - 1)];
}

/* Makes room for one more; false if there is no memory or the limit is reached. */
static bool queue_grow(struct inspect *in)
{
	uint32_t room = in->room ? in->room * 2 : QUEUE_FIRST;
	struct waiting *queue;

	if (in->count < in->room)
		return true;
	if (room > QUEUE_MAX)
		return false;
	queue = malloc(room * sizeof(*queue));
	if (!queue)
		return false;
	for (uint32_t i = 0; i < in->count; i++)
		queue[i] = *queue_at(in, i);
	free(in->queue);
	in->queue = queue;
	in->room = room;
	in->head = 0;
	return true;
}

/* Lets inspect_fd() become readable at this time; 0: not at all. */
static void timer_set(struct inspect *in, uint64_t at_ns)
{
	struct itimerspec spec = {
	    .it_value = {.tv_sec = (time_t)(at_ns / 1000000000), .tv_nsec = (long)(at_ns % 1000000000)}};

	timerfd_settime(in->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* Fills what is known before anybody looks further: reason and site in the log, the bare function's name. */
static void drop_begin(struct inspect *in, const struct waiting *waiting, struct vt_log *log,
                       char function[DROP_FUNCTION_MAX], struct drop *drop)
{
	memset(log, 0, sizeof(*log));
	log->rec = waiting->rec;
	function[0] = '\0';
	if (waiting->context.place == DROP_TOLD) {
		snprintf(log->reason, sizeof(log->reason), "ICMP type %u code %u", waiting->context.icmp_type,
		         waiting->context.icmp_code);
	} else {
		if (waiting->context.place == DROP_TAKEN)
			snprintf(log->reason, sizeof(log->reason), "consume_skb");
		else
			reasons_name(in->reasons, waiting->rec.reason, log->reason, sizeof(log->reason));
		symbols_name(in->symbols, waiting->rec.site, log->site, sizeof(log->site), function, DROP_FUNCTION_MAX);
	}
	*drop = (struct drop){.rec = &waiting->rec,
	                      .context = &waiting->context,
	                      .device = waiting->device,
	                      .reason = log->reason,
	                      .function = function};
}

static bool is_behind_us(const struct drop_context *context)
{
	return context->place == DROP_IN_VM || context->place == DROP_TOLD;
}

/* A packet that was merged into another one is freed with it, as part of its data: the other one's drop is its own. */
static bool is_part_of_another(const struct drop *drop)
{
	return !strcmp(drop->function, "skb_release_data");
}

static bool is_loss(struct inspect *in, const struct waiting *waiting)
{
	char function[DROP_FUNCTION_MAX];
	struct vt_log log;
	struct drop drop;

	drop_begin(in, waiting, &log, function, &drop);
	return is_behind_us(&waiting->context) ? endpoint_is_loss(&drop) : !is_part_of_another(&drop);
}

void inspect_drop(struct inspect *in, const struct vt_log *log, const struct drop_context *context, uint64_t now_ns)
{
	struct waiting *waiting;
	bool plain = in->count >= WAITING_MAX;

	if (!queue_grow(in)) {
		in->lost++;
		return;
	}
	waiting = queue_at(in, in->count);
	waiting->rec = log->rec;
	waiting->context = context ? *context : (struct drop_context){0};
	memcpy(waiting->device, log->device, sizeof(waiting->device));
	waiting->deadline_ns = now_ns + TRACE_WAIT_NS;
	waiting->plain = plain;
	if (!is_loss(in, waiting))
		return;
	if (in->count++ == 0)
		timer_set(in, 1); /* long past: at once */
}

static void rules_keep_up(struct inspect *in)
{
	uint64_t generation = in->trace ? nft_trace_generation(in->trace) : 0;

	if (generation == in->rules_generation)
		return;
	in->rules_generation = generation;
	nft_rules_forget(in->rules);
}

/* A netfilter drop for which no rule of nftables was reported, and none can be any more. */
static void netfilter_untraced(struct inspect *in, const struct drop *drop, uint64_t now_ns, struct finding *finding)
{
	const char *problem = in->trace ? nft_trace_problem(in->trace) : "";

	/* a rule of nftables it may well have been; kernels since 6.5 name its function as the drop's site */
	if (problem[0])
		table_unexplained(drop, problem, finding);
	else if (in->trace && nft_trace_overruns(in->trace))
		table_unexplained(drop, "the kernel had to throw nftables trace messages away", finding);
	else if (!strcmp(drop->function, "nft_do_chain"))
		table_unexplained(drop, "a rule of nftables, whose trace did not come", finding);
	else if (!traceless_inspect(in->traceless, table_rtnl(in->table), drop, now_ns, finding))
		table_unexplained(drop, finding->evidence, finding);
}

/* Fills the finding; false if the answer may still come and there is time to wait for it. */
static bool drop_answer(struct inspect *in, const struct drop *drop, const struct waiting *waiting, uint64_t now_ns,
                        struct finding *finding)
{
	if (waiting->plain) {
		table_unexplained(drop, "too many drops at a time to look into this one", finding);
		return true;
	}
	if (is_behind_us(drop->context)) {
		endpoint_inspect(table_rtnl(in->table), drop, finding);
		return true;
	}
	if (drop->context->place == DROP_TAKEN) {
		programs_taken_inspect(table_rtnl(in->table), drop, finding);
		return true;
	}
	if (strcmp(drop->reason, "NETFILTER_DROP")) {
		table_inspect(in->table, drop, now_ns, finding);
		return true;
	}
	if (in->trace && policy_inspect(table_rtnl(in->table), in->trace, in->rules, drop, finding))
		return true;
	if (in->trace && nft_trace_active(in->trace) && now_ns < waiting->deadline_ns)
		return false;
	netfilter_untraced(in, drop, now_ns, finding);
	return true;
}

enum finish { FINISH_LATER, FINISH_LOSS, FINISH_NO_LOSS };

static enum finish waiting_finish(struct inspect *in, const struct waiting *waiting, uint64_t now_ns,
                                  struct vt_log *log)
{
	char function[DROP_FUNCTION_MAX];
	struct finding finding = {0};
	struct drop drop;

	drop_begin(in, waiting, log, function, &drop);
	if (!drop_answer(in, &drop, waiting, now_ns, &finding))
		return FINISH_LATER;
	if (finding.no_loss)
		return FINISH_NO_LOSS;
	if (function[0])
		log->rec.site = 0; /* it has a name now */
	memcpy(log->device, finding.device[0] ? finding.device : waiting->device, sizeof(log->device));
	log->cause = finding.cause;
	memcpy(log->evidence, finding.evidence, sizeof(log->evidence));
	return FINISH_LOSS;
}

int inspect_fd(struct inspect *in)
{
	return in->epoll_fd;
}

int inspect_poll(struct inspect *in, datapath_sink sink, void *arg, uint64_t now_ns)
{
	enum finish finish = FINISH_LATER;
	uint64_t expirations;
	struct vt_log log;
	int done = 0;

	if (read(in->timer_fd, &expirations, sizeof(expirations)) < 0)
		expirations = 0; /* not due: we were woken by something else */
	if (in->trace)
		nft_trace_read(in->trace, now_ns);
	rules_keep_up(in);
	while (in->count && (finish = waiting_finish(in, queue_at(in, 0), now_ns, &log)) != FINISH_LATER) {
		in->head = (in->head + 1) & (in->room - 1);
		in->count--;
		if (finish == FINISH_NO_LOSS)
			continue;
		done++;
		sink(arg, &log);
	}
	timer_set(in, in->count ? queue_at(in, 0)->deadline_ns : 0);
	return done;
}

int inspect_busy(const struct inspect *in)
{
	return (int)in->count;
}

uint64_t inspect_lost(const struct inspect *in)
{
	return in->lost;
}
