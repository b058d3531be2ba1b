// SPDX-License-Identifier: BSD-3-Clause
/* See agent.h. */
#include "bench/agent.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <vtrace/vdg.h>

#include "base/clock.h"
#include "datapath/vfd/vfd.h"

#define PACKETS 100
#define TIME_MS 3600000
#define POLL_MS 5
#define TRIES   5

struct agent {
	struct vdg *vdg;
	const char *socket;
	struct datapath *dp;
	pthread_t control, thread;
	atomic_bool end, busy;
	struct tasks_wanted wanted;
	unsigned int installed;
	uint32_t first, next; /* ids: of the first one installed, and one that was never used */
	uint64_t arm_ns;
	atomic_ullong records;
};

static void die(const char *text)
{
	fprintf(stderr, "bench-vfd: agent: %s\n", text);
	exit(1);
}

static void *run_control(void *arg)
{
	struct agent *a = arg;
	struct pollfd fd = {.fd = vdg_fd(a->vdg), .events = POLLIN};

	while (!a->end) {
		poll(&fd, 1, 10);
		vdg_poll(a->vdg);
	}
	return NULL;
}

static void filter_of(const struct tasks_wanted *w, unsigned int i, char *text, size_t size)
{
	if (w->match)
		snprintf(text, size, "udp and src host 10.0.0.1 and dst port %u", 5000 + i % 10);
	else if (w->shapes)
		snprintf(text, size, "udp and src net 10.0.0.0/%u and dst port %u", 16 + i % 10, 20000 + i);
	else
		snprintf(text, size, "udp and src host 10.0.0.1 and dst host 10.1.0.1 and dst port %u", 20000 + i);
}

static void open_driver(struct agent *a)
{
	const struct datapath_config config = {.node = "bench", .arg = a->socket};
	struct vt_err err = {0};

	if (datapath_vfd_driver.open(&a->dp, &config, &err) < 0)
		die(err.text);
	a->installed = 0;
}

static bool install(struct agent *a, struct vt_err *err)
{
	char text[128];

	for (unsigned int i = 0; i < a->wanted.number; i++) {
		struct vt_task task = {.id = a->first + i, .packet_count = PACKETS, .trace_time_ms = TIME_MS};

		filter_of(&a->wanted, i, text, sizeof(text));
		if (vt_filter_parse(text, &task.filter, err) || a->dp->ops->arm(a->dp, &task, err) < 0 ||
		    a->dp->ops->start(a->dp, task.id, err) < 0)
			return false;
	}
	return true;
}

/* As the real agent: a device that has not answered for a second, on a busy machine, is left and met anew. */
static void set(struct agent *a)
{
	struct vt_err err = {0};
	uint64_t begin;

	for (int tries = 0; tries < TRIES; tries++) {
		for (unsigned int i = 0; i < a->installed; i++)
			a->dp->ops->disarm(a->dp, a->first + i);
		a->first = a->next;
		a->next += a->wanted.number;
		begin = vt_now_ns();
		if (install(a, &err)) {
			a->arm_ns = vt_now_ns() - begin;
			a->installed = a->wanted.number;
			return;
		}
		fprintf(stderr, "bench-vfd: agent: %s\n", err.text);
		a->dp->ops->close(a->dp);
		open_driver(a);
	}
	exit(1);
}

static void sink(void *arg, const struct vt_log *log)
{
	struct agent *a = arg;

	(void)log;
	a->records++;
}

static void *run_agent(void *arg)
{
	struct agent *a = arg;
	struct pollfd fd = {.events = POLLIN};
	struct vt_err err = {0};

	while (!a->end) {
		if (a->busy) {
			set(a);
			a->busy = false;
		}
		fd.fd = a->dp->ops->fd(a->dp);
		poll(&fd, 1, POLL_MS);
		if (a->dp->ops->poll(a->dp, sink, a, &err) < 0)
			die(err.text);
	}
	return NULL;
}

struct agent *agent_open(struct vdg *vdg, const char *socket)
{
	struct agent *a = calloc(1, sizeof(*a));

	if (!a)
		die("no memory");
	a->vdg = vdg;
	a->socket = socket;
	a->next = 1;
	if (pthread_create(&a->control, NULL, run_control, a))
		die("no thread");
	open_driver(a);
	if (pthread_create(&a->thread, NULL, run_agent, a))
		die("no thread");
	return a;
}

void agent_close(struct agent *agent)
{
	agent->end = true;
	pthread_join(agent->thread, NULL);
	agent->dp->ops->close(agent->dp);
	pthread_join(agent->control, NULL);
	free(agent);
}

void agent_set(struct agent *agent, const struct tasks_wanted *wanted)
{
	agent->wanted = *wanted;
	agent->busy = true;
}

bool agent_done(const struct agent *agent)
{
	return !agent->busy;
}

uint64_t agent_arm_ns(const struct agent *agent)
{
	return agent->arm_ns;
}

uint64_t agent_records(const struct agent *agent)
{
	return agent->records;
}
