// SPDX-License-Identifier: BSD-3-Clause
/*
 * The Linux driver behind datapath.h: puts loader, devices, rules, attachments and inspectors together. One thread; one
 * epoll descriptor watches device changes, the inspectors, and while tasks are armed a timer that drains the ring of
 * records (a wakeup a record would cost more than all the rest).
 */
#include "datapath/linux/linux.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "datapath/linux/attach.h"
#include "datapath/linux/bpf/shared.h"
#include "datapath/linux/expedite.h"
#include "datapath/linux/inspect/inspect.h"
#include "datapath/linux/load.h"
#include "datapath/linux/rules.h"
#include "datapath/linux/translated.h"

#define DRAIN_INTERVAL_NS  2000000  /* while records come: adds at most 2 ms to a verdict */
#define ASLEEP_INTERVAL_NS 50000000 /* else: for a record that came while we fell asleep and so woke nobody */
#define IDLE_POLLS         16       /* polls without a record until we fall asleep */
#define MEMBARRIER_GLOBAL  1        /* MEMBARRIER_CMD_GLOBAL: returns when every running program has ended (RCU) */

struct place {
	bool used, started;
	struct vt_task task;
};

struct linux_datapath {
	struct datapath base;
	struct expedite *expedite;
	struct load *load;
	struct devices *devices;
	struct rules *rules;
	struct attach *attach;
	struct inspect *inspect;
	struct translated *translated;
	struct place places[VT_TASKS_MAX];
	unsigned int n_tasks, n_bidirectional;
	int epoll, timer;
	bool awake; /* the timer runs at its short interval */
	unsigned int idle_polls;
	uint64_t records;
	uint64_t unseen; /* times that a device came and was attached to late */
	/* valid during poll() */
	datapath_sink sink;
	void *sink_arg;
};

static struct linux_datapath *self(struct datapath *dp)
{
	return (struct linux_datapath *)dp;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void set_timer(struct linux_datapath *dp, long interval_ns)
{
	struct itimerspec spec = {{0, interval_ns}, {0, interval_ns}};

	timerfd_settime(dp->timer, 0, &spec, NULL);
}

/* Drains by timer while records come; else waits for the ring to wake us, and looks now and then all the same. */
static void pace(struct linux_datapath *dp, bool got_records)
{
	struct bpf_config *config = load_config(dp->load);
	bool awake;

	dp->idle_polls = got_records ? 0 : dp->idle_polls + 1;
	awake = dp->idle_polls < IDLE_POLLS;
	if (!dp->n_tasks || awake == dp->awake)
		return;
	dp->awake = awake;
	__atomic_store_n(&config->reader_asleep, !awake, __ATOMIC_SEQ_CST);
	set_timer(dp, awake ? DRAIN_INTERVAL_NS : ASLEEP_INTERVAL_NS);
}

static int place_of(const struct linux_datapath *dp, uint32_t task)
{
	for (int i = 0; i < VT_TASKS_MAX; i++)
		if (dp->places[i].used && dp->places[i].task.id == task)
			return i;
	return -ENOENT;
}

static int free_place(const struct linux_datapath *dp)
{
	for (int i = 0; i < VT_TASKS_MAX; i++)
		if (!dp->places[i].used)
			return i;
	return -ENOSPC;
}

static int add_rules(struct linux_datapath *dp, int place, const struct vt_task *task, struct vt_err *err)
{
	struct vt_filter reverse;
	int ret = rules_add(dp->rules, &task->filter, 2 * place, err);

	if (ret || !task->bidirectional)
		return ret;
	vt_filter_reverse(&task->filter, &reverse);
	if (!memcmp(&reverse, &task->filter, sizeof(reverse)))
		return 0; /* the forward direction has it all already */
	ret = rules_add(dp->rules, &reverse, 2 * place + 1, err);
	if (ret)
		rules_remove(dp->rules, 2 * place);
	return ret;
}

static void detach_all(struct linux_datapath *dp)
{
	set_timer(dp, 0);
	attach_clear(dp->attach);
	inspect_disarm(dp->inspect);
}

static int attach_all(struct linux_datapath *dp, struct vt_err *err)
{
	int ret = devices_refresh(dp->devices, err);

	if (ret < 0)
		return ret;
	load_devices(dp->load, dp->devices);
	ret = inspect_arm(dp->inspect, err);
	if (!ret)
		ret = attach_sync(dp->attach, dp->devices, inspect_tc_filters(dp->inspect), err);
	if (ret < 0)
		detach_all(dp);
	dp->awake = true;
	dp->idle_polls = 0;
	set_timer(dp, ret < 0 ? 0 : DRAIN_INTERVAL_NS);
	return ret < 0 ? ret : 0;
}

static int linux_arm(struct datapath *base, const struct vt_task *task, struct vt_err *err)
{
	struct linux_datapath *dp = self(base);
	struct slot *slots = load_slots(dp->load);
	int place, ret;

	if (place_of(dp, task->id) >= 0)
		return vt_fail(err, EEXIST, "task %u is armed already", task->id);
	place = free_place(dp);
	if (place < 0)
		return vt_fail(err, ENOSPC, "this node has %d tasks armed, the limit (wait for traces to end)",
		               VT_TASKS_MAX);
	for (int i = 0; i < 2; i++)
		slots[2 * place + i] = (struct slot){.task = task->id};
	ret = add_rules(dp, place, task, err);
	if (ret)
		return ret;
	if (!dp->n_tasks) {
		ret = attach_all(dp, err);
		if (ret) {
			rules_remove(dp->rules, 2 * place);
			rules_remove(dp->rules, 2 * place + 1);
			return ret;
		}
	}
	dp->places[place] = (struct place){.used = true, .task = *task};
	dp->n_tasks++;
	dp->n_bidirectional += task->bidirectional;
	return 0;
}

static int linux_start(struct datapath *base, uint32_t task, struct vt_err *err)
{
	struct linux_datapath *dp = self(base);
	struct slot *slots = load_slots(dp->load);
	int place = place_of(dp, task);

	if (place < 0)
		return vt_fail(err, ENOENT, "task %u is not armed here", task);
	dp->places[place].started = true;
	for (int i = 0; i < 2; i++)
		__atomic_store_n(&slots[2 * place + i].limit, dp->places[place].task.packet_count, __ATOMIC_RELEASE);
	return 0;
}

static int linux_stop(struct datapath *base, uint32_t task, uint64_t coloured[2], struct vt_err *err)
{
	struct linux_datapath *dp = self(base);
	struct slot *slots = load_slots(dp->load);
	int place = place_of(dp, task);

	if (place < 0)
		return vt_fail(err, ENOENT, "task %u is not armed here", task);
	for (int i = 0; i < 2; i++)
		__atomic_store_n(&slots[2 * place + i].limit, 0, __ATOMIC_RELEASE);
	/* A program that read the old limit may still be at work: wait for it, so that the counts are final. */
	if (dp->places[place].started) {
		expedite_begin(dp->expedite);
		syscall(SYS_membarrier, MEMBARRIER_GLOBAL, 0, 0);
		expedite_end(dp->expedite);
	}
	for (int i = 0; i < 2; i++) {
		uint64_t used = __atomic_load_n(&slots[2 * place + i].used, __ATOMIC_ACQUIRE);
		uint64_t most = dp->places[place].task.packet_count;

		coloured[i] = used < most ? used : most;
	}
	return 0;
}

static void linux_disarm(struct datapath *base, uint32_t task)
{
	struct linux_datapath *dp = self(base);
	int place = place_of(dp, task);

	if (place < 0)
		return;
	rules_remove(dp->rules, 2 * place);
	rules_remove(dp->rules, 2 * place + 1);
	dp->places[place].used = false;
	dp->n_bidirectional -= dp->places[place].task.bidirectional;
	if (!--dp->n_tasks)
		detach_all(dp);
}

static int linux_fd(struct datapath *base)
{
	return self(base)->epoll;
}

/* The slot of a bidirectional task that the packet belongs to, -1 if there is none. */
static int bidirectional_slot(const struct linux_datapath *dp, const struct vt_record *rec)
{
	struct vt_filter reverse;

	for (int i = 0; i < VT_TASKS_MAX; i++) {
		const struct place *place = &dp->places[i];

		if (!place->used || !place->task.bidirectional)
			continue;
		if (vt_filter_match(&place->task.filter, &rec->flow, rec->vni))
			return 2 * i;
		vt_filter_reverse(&place->task.filter, &reverse);
		if (vt_filter_match(&reverse, &rec->flow, rec->vni))
			return 2 * i + 1;
	}
	return -1;
}

/* Learns how flows of bidirectional tasks are translated here, so that their answers are found. */
static void follow_translation(struct linux_datapath *dp, const struct vt_record *rec)
{
	struct vt_filter filter;
	unsigned int slot;
	int in;

	if (rec->loc == VT_LOC_IN) {
		in = bidirectional_slot(dp, rec);
		if (in >= 0)
			translated_in(dp->translated, rec, in);
	} else if (rec->loc == VT_LOC_OUT && translated_out(dp->translated, rec, &filter, &slot)) {
		rules_add(dp->rules, &filter, slot,
		          NULL); /* with the table full, answers are not traced; nothing is wrong */
	}
}

static void on_record(void *arg, const struct vt_record *rec, const struct drop_context *context)
{
	struct linux_datapath *dp = arg;
	const struct device_info *dev = devices_find(dp->devices, rec->ifindex);
	struct vt_log log;

	memset(&log, 0, sizeof(log));
	log.rec = *rec;
	if (dev)
		memcpy(log.device, dev->name, sizeof(log.device));
	if (context) {
		inspect_drop(dp->inspect, &log, context, now_ns());
		return;
	}
	if (dp->n_bidirectional)
		follow_translation(dp, rec);
	dp->records++;
	dp->sink(dp->sink_arg, &log);
}

/* Takes note of what the descriptors said; all of them are looked at in any case. */
static void clear_events(struct linux_datapath *dp)
{
	struct epoll_event events[8];
	uint64_t ticks;
	ssize_t ignored;

	epoll_wait(dp->epoll, events, 8, 0);
	ignored = read(dp->timer, &ticks, sizeof(ticks));
	(void)ignored;
}

/*
 * A device that comes while tasks are armed may have let packets pass before we were attached to it. For each such one
 * a record is counted as lost: what vanished here at that time is not told as a loss.
 */
static int follow_new_devices(struct linux_datapath *dp, int n, struct vt_err *err)
{
	int ret;

	if (n <= 0)
		return n;
	ret = devices_reread(dp->devices, err);
	if (!ret)
		dp->unseen += attach_unseen(dp->attach, dp->devices);
	return ret;
}

static int follow_devices(struct linux_datapath *dp, struct vt_err *err)
{
	int changed = devices_refresh(dp->devices, err), ret;

	if (changed <= 0 || !dp->n_tasks)
		return changed < 0 ? changed : 0;
	load_devices(dp->load, dp->devices);
	ret = attach_sync(dp->attach, dp->devices, inspect_tc_filters(dp->inspect), err);
	return follow_new_devices(dp, ret, err);
}

static int linux_poll(struct datapath *base, datapath_sink sink, void *arg, struct vt_err *err)
{
	struct linux_datapath *dp = self(base);
	uint64_t before = dp->records;
	int ret;

	clear_events(dp);
	ret = follow_devices(dp, err);
	if (ret < 0)
		return ret;
	dp->sink = sink;
	dp->sink_arg = arg;
	load_drain(dp->load, on_record, dp);
	ret = inspect_poll(dp->inspect, sink, arg, now_ns());
	dp->records += ret > 0 ? ret : 0;
	pace(dp, dp->records != before || inspect_busy(dp->inspect));
	return dp->records - before;
}

static int linux_busy(struct datapath *base)
{
	struct linux_datapath *dp = self(base);

	return inspect_busy(dp->inspect);
}

static void linux_node(struct datapath *base, struct vt_node_info *info)
{
	struct linux_datapath *dp = self(base);
	const struct device_info *dev;
	size_t n;

	memset(info, 0, sizeof(*info));
	strcpy(info->datapath, "linux");
	strncpy(info->version, VTRACE_VERSION, sizeof(info->version) - 1);
	dev = devices_all(dp->devices, &n);
	for (size_t i = 0; i < n; i++)
		info->devices += device_role_is_leaf(dev[i].role);
	info->n_addrs = devices_addrs(dp->devices, info->addrs, VT_NODE_ADDRS_MAX);
}

static void linux_stats(struct datapath *base, struct datapath_stats *stats)
{
	struct linux_datapath *dp = self(base);
	const struct device_info *dev;
	size_t n;

	memset(stats, 0, sizeof(*stats));
	dev = devices_all(dp->devices, &n);
	for (size_t i = 0; i < n; i++)
		stats->devices += device_role_is_leaf(dev[i].role);
	stats->attached = attach_count(dp->attach);
	stats->records = dp->records;
	stats->lost = load_lost(dp->load) + inspect_lost(dp->inspect) + dp->unseen;
}

static void linux_close(struct datapath *base)
{
	struct linux_datapath *dp = self(base);

	if (dp->inspect)
		inspect_disarm(dp->inspect);
	attach_free(dp->attach);
	inspect_close(dp->inspect);
	translated_free(dp->translated);
	rules_free(dp->rules);
	devices_close(dp->devices);
	load_close(dp->load);
	expedite_close(dp->expedite);
	if (dp->timer >= 0)
		close(dp->timer);
	if (dp->epoll >= 0)
		close(dp->epoll);
	free(dp);
}

static const struct datapath_ops linux_ops = {
    .name = "linux",
    .arm = linux_arm,
    .start = linux_start,
    .stop = linux_stop,
    .disarm = linux_disarm,
    .fd = linux_fd,
    .poll = linux_poll,
    .busy = linux_busy,
    .node = linux_node,
    .stats = linux_stats,
    .close = linux_close,
};

static int watch(struct linux_datapath *dp, int fd, uint32_t edge, struct vt_err *err)
{
	struct epoll_event event = {.events = EPOLLIN | edge};

	if (epoll_ctl(dp->epoll, EPOLL_CTL_ADD, fd, &event))
		return vt_fail(err, errno, "set up the Linux datapath: epoll: %s", strerror(errno));
	return 0;
}

static int open_parts(struct linux_datapath *dp, const struct datapath_config *config, struct vt_err *err)
{
	uint32_t mask = config->mark_mask ? config->mark_mask : COLOUR_MARK_DEFAULT;
	struct attach_programs programs;
	int ret;

	dp->epoll = epoll_create1(EPOLL_CLOEXEC);
	dp->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (dp->epoll < 0 || dp->timer < 0)
		return vt_fail(err, errno, "set up the Linux datapath: %s", strerror(errno));
	dp->expedite = expedite_open();
	ret = load_open(&dp->load, mask, err);
	if (ret)
		return ret;
	ret = devices_open(&dp->devices, err);
	if (ret)
		return ret;
	ret = inspect_open(&dp->inspect, mask, err);
	if (ret)
		return ret;
	inspect_tell(dp->inspect, load_config(dp->load));
	load_programs(dp->load, &programs);
	dp->rules = rules_new(load_config(dp->load), load_rules_fd(dp->load));
	dp->attach = attach_new(&programs, dp->devices, dp->expedite, config->arg && !strcmp(config->arg, "clsact"));
	dp->translated = translated_new();
	if (!dp->rules || !dp->attach || !dp->translated)
		return vt_fail(err, ENOMEM, "set up the Linux datapath: out of memory");
	ret = watch(dp, dp->timer, 0, err);
	if (!ret)
		ret = watch(dp, load_wake_fd(dp->load), EPOLLET, err);
	if (!ret)
		ret = watch(dp, devices_fd(dp->devices), 0, err);
	return ret ? ret : watch(dp, inspect_fd(dp->inspect), 0, err);
}

static int linux_open(struct datapath **ret_dp, const struct datapath_config *config, struct vt_err *err)
{
	struct linux_datapath *dp = calloc(1, sizeof(*dp));
	int ret;

	if (!dp)
		return vt_fail(err, ENOMEM, "set up the Linux datapath: out of memory");
	dp->base.ops = &linux_ops;
	dp->epoll = dp->timer = -1;
	ret = open_parts(dp, config, err);
	if (ret) {
		linux_close(&dp->base);
		return ret;
	}
	*ret_dp = &dp->base;
	return 0;
}

const struct datapath_driver datapath_linux_driver = {.name = "linux", .open = linux_open};
