// SPDX-License-Identifier: BSD-3-Clause
/*
 * What libvdg costs a forwarding device: nanoseconds for the test of a burst when nobody traces, for a turn, for a
 * traced packet (in and out, two records), for a packet of a task whose budget is used up, and for the match of a new
 * flow against 1 to 10 000 tasks.
 *
 * Usage: bench_vdg
 */
#include <errno.h>
#include <inttypes.h>
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

#define BURST 32

struct bench {
	struct vdg *vdg;
	struct vdg_worker *worker;
	struct datapath *dp;
	atomic_bool end;
	uint64_t records;
};

static void *run_control(void *arg)
{
	struct bench *b = arg;
	struct pollfd fd = {.fd = vdg_fd(b->vdg), .events = POLLIN};

	while (!b->end) {
		poll(&fd, 1, 10);
		vdg_poll(b->vdg);
	}
	return NULL;
}

static void die(const char *text)
{
	fprintf(stderr, "bench-vdg: %s\n", text);
	exit(1);
}

static void arm(struct bench *b, uint32_t id, const char *filter)
{
	struct vt_task task = {.id = id, .packet_count = VT_COUNT_MAX, .trace_time_ms = 10000};
	struct vt_err err = {0};

	if (vt_filter_parse(filter, &task.filter, &err) || b->dp->ops->arm(b->dp, &task, &err) < 0)
		die(err.text);
}

static void start(struct bench *b, uint32_t id)
{
	struct vt_err err = {0};

	if (b->dp->ops->start(b->dp, id, &err) < 0)
		die(err.text);
}

static void sink(void *arg, const struct vt_log *log)
{
	struct bench *b = arg;

	(void)log;
	b->records++;
}

/* Takes the records that were made, so that the ring has room. */
static void settle(struct bench *b)
{
	struct pollfd fd = {.fd = b->dp->ops->fd(b->dp), .events = POLLIN};
	struct vt_err err = {0};

	for (;;) {
		if (b->dp->ops->poll(b->dp, sink, b, &err) < 0)
			die(err.text);
		if (!b->dp->ops->busy(b->dp))
			return;
		poll(&fd, 1, 10);
	}
}

static void print(const char *what, uint64_t ns, uint64_t times)
{
	printf("%-52s %8.1f ns\n", what, (double)ns / (double)times);
}

/* The numbers of a burst OR-ed, as a device keeps them in its flow entries; none is other than 0. */
static void bench_nobody(void)
{
	enum { ROUNDS = 20000000, ENTRIES = 1024 };
	static uint16_t sets[ENTRIES];
	uint64_t begin = vt_now_ns();
	unsigned int traced = 0;

	for (unsigned int i = 0; i < ROUNDS; i += BURST) {
		const uint16_t *burst = &sets[i % ENTRIES];
		unsigned int any = 0;

		for (int k = 0; k < BURST; k++)
			any |= burst[k];
		asm volatile("" : "+r"(any) : : "memory");
		traced += any != 0;
	}
	print("burst of 32 with no task, test of its numbers", vt_now_ns() - begin + traced, ROUNDS / BURST);
}

static void bench_turn(struct bench *b)
{
	enum { ROUNDS = 50000000 };
	uint64_t begin = vt_now_ns();

	for (unsigned int i = 0; i < ROUNDS; i++)
		vdg_turn(b->worker);
	print("vdg_turn(), one a burst", vt_now_ns() - begin, ROUNDS);
	vdg_idle(b->worker);
}

static struct vdg_packet packet_of(uint8_t bytes[100], uint16_t dport)
{
	const uint8_t head[28] = {0x45, 0, 0, 100, 0, 0, 0, 0, 64, 17,         0,           0, 10,
	                          0,    0, 1, 10,  0, 0, 2, 1, 0,  dport >> 8, dport & 255, 0, 80};

	memcpy(bytes, head, sizeof(head));
	return (struct vdg_packet){.ip = bytes, .captured = 100, .port = 1, .segments = 1};
}

static struct vdg_flow flow_of(uint16_t sport, uint16_t dport)
{
	return (struct vdg_flow){.src = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1},
	                         .dst = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2},
	                         .sport = sport,
	                         .dport = dport,
	                         .proto = 17,
	                         .family = 4};
}

/* Rounds of less than a ring, so that nothing is lost and the control thread's work is not in the time. */
static void bench_traced(struct bench *b)
{
	enum { ROUND = 20000, ROUNDS = 5 };
	static uint8_t bytes[100];
	struct vdg_packet packet = packet_of(bytes, 53);
	struct vdg_flow flow = flow_of(256, 53);
	uint16_t set = vdg_match(b->worker, &flow);
	uint64_t ns = 0, begin;

	for (int round = 0; round < ROUNDS; round++) {
		begin = vt_now_ns();
		for (int i = 0; i < ROUND; i++) {
			unsigned int hop = vdg_in(b->worker, set, 0, &packet);

			if (hop)
				vdg_out(b->worker, hop, &packet);
		}
		ns += vt_now_ns() - begin;
		settle(b);
	}
	print("vdg_in() and vdg_out(), two records", ns, ROUND * ROUNDS);
	if (b->records != 2 * ROUND * ROUNDS)
		die("records were lost, the figures are not true");
	begin = vt_now_ns();
	for (int i = 0; i < 50 * ROUND; i++)
		vdg_in(b->worker, set, 0, &packet);
	print("vdg_in() of a task whose budget is used up", vt_now_ns() - begin, 50 * ROUND);
}

static void bench_match(struct bench *b, unsigned int tasks)
{
	enum { ROUNDS = 200000 };
	uint64_t begin = vt_now_ns(), wanted = 0;
	char what[64];

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct vdg_flow flow = flow_of((uint16_t)i, (uint16_t)(1000 + i % 512));

		wanted += vdg_match(b->worker, &flow) != 0;
	}
	snprintf(what, sizeof(what), "vdg_match() of a new flow, %u tasks (%" PRIu64 "%% wanted)", tasks,
	         100 * wanted / ROUNDS);
	print(what, vt_now_ns() - begin, ROUNDS);
}

static void bench_all(struct bench *b)
{
	unsigned int tasks = 0;
	char filter[64];

	bench_nobody();
	bench_turn(b);
	arm(b, 1000, "udp and dst port 53");
	start(b, 1000);
	bench_traced(b);
	b->dp->ops->disarm(b->dp, 1000);
	while (tasks < VDG_TASKS_MAX) {
		tasks++;
		snprintf(filter, sizeof(filter), "udp and dst host 10.0.0.2 and dst port %u", 1000 + tasks);
		arm(b, tasks, filter);
		if (tasks == 1 || tasks == 10 || tasks == 100 || tasks == 1000 || tasks == VDG_TASKS_MAX)
			bench_match(b, tasks);
	}
}

int main(void)
{
	char path[64], error[VDG_ERROR_MAX];
	struct vdg_config config = {.socket = path, .name = "bench", .version = "1", .workers = 1};
	const struct datapath_config dp_config = {.node = "bench", .arg = path};
	struct vt_err err = {0};
	struct bench b = {0};
	pthread_t control;

	snprintf(path, sizeof(path), "/tmp/vtrace-bench-vdg-%d.sock", (int)getpid());
	if (vdg_open(&b.vdg, &config, error))
		die(error);
	b.worker = vdg_worker(b.vdg, 0);
	if (pthread_create(&control, NULL, run_control, &b))
		die("no thread");
	if (datapath_vfd_driver.open(&b.dp, &dp_config, &err) < 0)
		fprintf(stderr, "bench-vdg: %s\n", err.text);
	else
		bench_all(&b);
	if (b.dp)
		b.dp->ops->close(b.dp);
	b.end = true;
	pthread_join(control, NULL);
	vdg_close(b.vdg);
	return b.dp ? 0 : 1;
}
