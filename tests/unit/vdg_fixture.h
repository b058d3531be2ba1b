// SPDX-License-Identifier: BSD-3-Clause
/*
 * A device with libvdg whose control thread runs, and an agent's driver that is connected to it over the real socket.
 * The test itself is the agent; it also plays worker 0, unless it starts threads.
 */
#ifndef VDG_FIXTURE_H
#define VDG_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vtrace/vdg.h>

#include "base/clock.h"
#include "datapath/vfd/vfd.h"

#define LIMIT_NS (20 * VT_SECOND_NS) /* for what takes milliseconds: the machine may be busy */
#define LOGS_MAX 300000

struct device {
	struct vdg *vdg;
	char path[64];
	pthread_t thread;
	pthread_mutex_t
	    lock; /* held while the control thread works: whoever has it may call what is the control thread's */
	pthread_cond_t polled;
	atomic_bool end;
	atomic_uint changed;
	struct vdg_flow asked; /* in changed(): whether this flow is concerned */
	bool concerned;
	/* the agent */
	struct datapath *dp;
	size_t n_logs;
	struct vt_log *logs;
};

static inline void device_changed(void *arg, const struct vdg *vdg)
{
	struct device *d = arg;

	d->concerned = vdg_concerned(vdg, &d->asked);
	d->changed++;
}

static inline void *device_run(void *arg)
{
	struct device *d = arg;
	struct pollfd fd = {.fd = vdg_fd(d->vdg), .events = POLLIN};

	while (!d->end) {
		poll(&fd, 1, 10);
		pthread_mutex_lock(&d->lock);
		vdg_poll(d->vdg);
		pthread_cond_broadcast(&d->polled);
		pthread_mutex_unlock(&d->lock);
	}
	return NULL;
}

static inline struct device *device_new(unsigned int workers, unsigned int ring)
{
	static unsigned int made;
	struct device *d = calloc(1, sizeof(*d));
	struct vdg_config config = {.socket = d->path,
	                            .name = "toy",
	                            .version = "1.2",
	                            .workers = workers,
	                            .ring = ring,
	                            .changed = device_changed,
	                            .arg = d};
	const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1};
	char error[VDG_ERROR_MAX] = "";

	/* another one each time: a test that failed leaves its device running */
	snprintf(d->path, sizeof(d->path), "/tmp/vdg-test-%d-%u.sock", (int)getpid(), made++);
	if (vdg_open(&d->vdg, &config, error) < 0)
		fail_msg("%s", error);
	assert_int_equal(vdg_port(d->vdg, 7, "vm1"), 0);
	assert_int_equal(vdg_port(d->vdg, 8, "eth0"), 0);
	assert_int_equal(vdg_address(d->vdg, address), 0);
	d->logs = malloc(LOGS_MAX * sizeof(*d->logs));
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->polled, NULL);
	assert_int_equal(pthread_create(&d->thread, NULL, device_run, d), 0);
	return d;
}

static inline void device_end(struct device *d)
{
	if (d->end)
		return;
	d->end = true;
	pthread_join(d->thread, NULL);
	vdg_close(d->vdg);
}

static inline void agent_open(struct device *d)
{
	const struct datapath_config config = {.node = "a", .arg = d->path};
	struct vt_err err = {0};

	if (datapath_vfd_driver.open(&d->dp, &config, &err) < 0)
		fail_msg("%s", err.text);
}

static inline void agent_close(struct device *d)
{
	if (d->dp)
		d->dp->ops->close(d->dp);
	d->dp = NULL;
}

static inline void device_free(struct device *d)
{
	agent_close(d);
	device_end(d);
	free(d->logs);
	free(d);
}

static inline void sink(void *arg, const struct vt_log *log)
{
	struct device *d = arg;

	assert_true(d->n_logs < LOGS_MAX);
	d->logs[d->n_logs++] = *log;
}

/* As the agent does before it says PROGRESS: polls until nothing is missing. */
static inline void settle(struct device *d)
{
	uint64_t end = vt_now_ns() + LIMIT_NS;
	struct pollfd fd = {.fd = d->dp->ops->fd(d->dp), .events = POLLIN};
	struct vt_err err = {0};

	for (;;) {
		if (d->dp->ops->poll(d->dp, sink, d, &err) < 0)
			fail_msg("%s", err.text);
		if (!d->dp->ops->busy(d->dp))
			return;
		assert_true(vt_now_ns() < end);
		poll(&fd, 1, 100);
	}
}

static inline void arm(struct device *d, uint32_t id, const char *filter, bool bidirectional, uint32_t count)
{
	struct vt_task task = {.id = id, .bidirectional = bidirectional, .packet_count = count, .trace_time_ms = 10000};
	struct vt_err err = {0};

	assert_int_equal(vt_filter_parse(filter, &task.filter, &err), 0);
	if (d->dp->ops->arm(d->dp, &task, &err) < 0)
		fail_msg("%s", err.text);
}

static inline void start(struct device *d, uint32_t id)
{
	struct vt_err err = {0};

	if (d->dp->ops->start(d->dp, id, &err) < 0)
		fail_msg("%s", err.text);
}

static inline void stop(struct device *d, uint32_t id, uint64_t coloured[2])
{
	struct vt_err err = {0};

	if (d->dp->ops->stop(d->dp, id, coloured, &err) < 0)
		fail_msg("%s", err.text);
}

/* Waits until the control thread has come to `tasks` tasks that flows are matched with, and none that leaves. */
static inline void device_settled(struct device *d, unsigned int tasks)
{
	uint64_t end = vt_now_ns() + LIMIT_NS;
	struct vdg_stats stats;

	pthread_mutex_lock(&d->lock);
	for (;;) {
		vdg_stats(d->vdg, &stats);
		if (stats.tasks == tasks && (tasks || !vdg_busy(d->vdg)))
			break;
		assert_true(vt_now_ns() < end);
		pthread_cond_wait(&d->polled, &d->lock);
	}
	pthread_mutex_unlock(&d->lock);
}

/* An IPv4 UDP packet with 32 bytes of payload from 10.0.0.1 to 10.0.0.2. */
struct datagram {
	uint8_t bytes[60];
};

static inline struct vdg_packet packet_udp(struct datagram *out, uint16_t sport, uint16_t dport, uint16_t number)
{
	const uint8_t head[20] = {0x45, 0,  0, 60, number >> 8, number & 255, 0, 0, 64, 17, 0,
	                          0,    10, 0, 0,  1,           10,           0, 0, 2};
	const uint8_t udp[8] = {sport >> 8, sport & 255, dport >> 8, dport & 255, 0, 40};

	memset(out->bytes, 0x11, sizeof(out->bytes));
	memcpy(out->bytes, head, 20);
	memcpy(out->bytes + 20, udp, 8);
	return (struct vdg_packet){.ip = out->bytes, .captured = 60, .port = 7, .vni = 100, .segments = 1};
}

static inline struct vdg_packet tunnelled(struct vdg_packet packet)
{
	const uint8_t from[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1};
	const uint8_t to[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 2};

	packet.port = 8;
	packet.encapsulated = true;
	memcpy(packet.outer_src, from, 16);
	memcpy(packet.outer_dst, to, 16);
	return packet;
}

static inline struct vdg_flow flow_udp(uint16_t sport, uint16_t dport)
{
	return (struct vdg_flow){.src = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1},
	                         .dst = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2},
	                         .sport = sport,
	                         .dport = dport,
	                         .proto = 17,
	                         .family = 4,
	                         .vni = 100};
}

static inline uint16_t match(struct device *d, unsigned int worker, uint16_t sport, uint16_t dport)
{
	struct vdg_flow flow = flow_udp(sport, dport);

	return vdg_match(vdg_worker(d->vdg, worker), &flow);
}

#endif
