// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a packet costs vtrace-vfd: the device as it is built, its ports rings, one worker, which is this program's main
 * thread, pinned to a CPU; tasks come by an agent over libvdg's socket. bench/evaluate drives it.
 *
 * Usage: bench-vfd CPU [FLOWS], FLOWS the size of the flow cache. It says `ready HZ TASKS`: the clock of all cycles,
 * and the most tasks that libvdg takes; then commands on stdin, one answer line each: flows N                    ->
 * "0": flows that the first VM sends second N                   -> "0": that the second one sends; `random`: each
 * packet is a new flow; 0: nothing tasks N none|match|zero|shapes -> "ns sent lost overtaken": removes all tasks and
 * installs these, 100 packets each, while packets are forwarded; ns from the first one to all colouring run
 * traced|untraced STEPS  -> "packets cycles median passed passed lost lost": cycles in all and of the median turn; what
 * of each VM got through in that time, and did not at all; untraced: by the code that has no VTrace in it pair STEPS ->
 * "median median": cycles of turns traced and untraced, so many steps of each, which take turns records ->
 * "N": that the agent has got so far dump on|off                -> "N": packets are copied as pcapng to /dev/null from
 * now on; N so far
 */
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/agent.h"
#include "bench/dump.h"
#include "bench/traffic.h"
#include "bench/untraced.h"
#include "vfd/flow.h"
#include "vfd/ports.h"
#include "vfd/tables.h"
#include "vfd/trace.h"

#define STEPS_MAX     TRAFFIC_STEPS
#define DISTURBED_MAX 20

static const char config_text[] =
    "{\"flows\": %lu, \"ports\": [{\"name\": \"eth0\", \"kind\": \"underlay\", \"vdev\": \"net_ring0\", \"mtu\": 1600,"
    " \"mac\": \"02:00:00:00:00:0a\"}, {\"name\": \"vm1\", \"kind\": \"vm\", \"vdev\": \"net_ring1\"},"
    " {\"name\": \"vm2\", \"kind\": \"vm\", \"vdev\": \"net_ring2\"}],"
    " \"vtep\": {\"port\": \"eth0\", \"addresses\": [\"172.31.0.1/24\"],"
    " \"neighbours\": [{\"address\": \"172.31.0.2\", \"mac\": \"02:00:00:00:00:0b\"}]},"
    " \"vpcs\": [{\"name\": \"blue\", \"vni\": 100, \"vms\": ["
    "{\"port\": \"vm1\", \"mac\": \"02:00:00:00:01:01\", \"addresses\": [\"10.0.0.1\"]},"
    "{\"port\": \"vm2\", \"mac\": \"02:00:00:00:01:02\", \"addresses\": [\"10.0.0.2\"]}],"
    " \"remotes\": [{\"prefix\": \"10.0.0.0/8\", \"mac\": \"02:00:00:00:02:01\", \"vtep\": \"172.31.0.2\"}]}]}\n";

struct bench {
	struct device dev;
	struct traffic traffic;
	struct timing timings[2];
	struct agent *agent;
	struct dump *dump;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench-vfd: %s: %s\n", what, why);
	exit(1);
}

static struct config *make_config(unsigned long flows)
{
	char path[] = "/tmp/vtrace-bench-vfd-XXXXXX", error[CONFIG_ERROR_MAX];
	int fd = mkstemp(path);
	struct config *c;

	if (fd < 0 || dprintf(fd, config_text, flows) < 0)
		die(path, "cannot be written");
	close(fd);
	c = config_load(path, error);
	unlink(path);
	if (!c)
		die("configuration", error);
	return c;
}

static void device_open(struct device *dev, struct config *c, const char *socket)
{
	char error[512];

	if (ports_init(dev, c, error, sizeof(error)) || tables_open(dev, c, socket, error))
		die("device", error);
	dev->workers[0].dev = dev;
	dev->workers[0].flows = flows_new(0, c->flows);
	if (!dev->workers[0].flows)
		die("flow cache", "no memory");
}

/* This thread on the CPU given; before that, threads that shall be elsewhere are made on all others. */
static void pin(int cpu, bool others)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < (int)sysconf(_SC_NPROCESSORS_ONLN); i++)
		if ((i == cpu) != others || sysconf(_SC_NPROCESSORS_ONLN) == 1)
			CPU_SET(i, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("run", "on the CPU given");
}

static void finish(struct bench *b)
{
	traffic_drain(&b->traffic);
	vdg_idle(b->traffic.worker->vdg);
}

/* Half of the steps that were asked for have to be ones that nothing disturbed; on a machine that is too busy, never.
 */
static bool enough(const struct timing *timing, unsigned long done, unsigned long steps)
{
	return done >= steps && (timing->nsteps >= steps / 2 || done >= DISTURBED_MAX * steps);
}

static void run(struct bench *b, traffic_turn turn, unsigned long steps)
{
	const struct source *s = b->traffic.sources;
	struct timing *timing = &b->timings[0];
	uint64_t cycles, passed;

	traffic_reset(&b->traffic);
	timing_reset(timing);
	for (unsigned long i = 0; !enough(timing, i, steps); i++)
		traffic_step(&b->traffic, turn, timing);
	finish(b);
	passed = timing_passed(timing, &cycles);
	printf("%u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", timing_median(timing), passed, cycles,
	       s[0].sent - s[0].received, s[1].sent - s[1].received);
}

/* In the order a b b a: what drifts meets both alike. */
static void pair(struct bench *b, unsigned long steps)
{
	static const traffic_turn turns[] = {worker_turn, worker_turn_untraced};

	traffic_reset(&b->traffic);
	for (int i = 0; i < 2; i++)
		timing_reset(&b->timings[i]);
	for (unsigned long i = 0; !enough(&b->timings[0], i / 2, steps) || !enough(&b->timings[1], i / 2, steps); i++) {
		unsigned long which = (i + 1) / 2 % 2;

		traffic_step(&b->traffic, turns[which], &b->timings[which]);
	}
	finish(b);
	printf("%u %u\n", timing_median(&b->timings[0]), timing_median(&b->timings[1]));
}

static void tasks(struct bench *b, unsigned int number, const char *kind)
{
	struct tasks_wanted wanted = {
	    .number = number, .match = !strcmp(kind, "match"), .shapes = !strcmp(kind, "shapes")};
	struct source *s = &b->traffic.sources[0];

	traffic_reset(&b->traffic);
	agent_set(b->agent, &wanted);
	while (!agent_done(b->agent)) {
		timing_reset(&b->timings[0]);
		traffic_step(&b->traffic, worker_turn, &b->timings[0]);
	}
	finish(b);
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", agent_arm_ns(b->agent), s->sent,
	       s->sent - s->received, s->overtaken);
}

static bool obey(struct bench *b, char *line)
{
	unsigned long n = 0;
	char word[16] = "";

	if (sscanf(line, "flows %lu", &n) == 1 && n) {
		b->traffic.sources[0].flows = (uint32_t)n;
		puts("0");
	} else if (!strcmp(line, "second random\n")) {
		b->traffic.sources[1].flows = b->traffic.sources[1].random = 1;
		puts("0");
	} else if (sscanf(line, "second %lu", &n) == 1) {
		b->traffic.sources[1].flows = (uint32_t)n;
		b->traffic.sources[1].random = 0;
		puts("0");
	} else if (sscanf(line, "tasks %lu %15s", &n, word) == 2) {
		tasks(b, (unsigned int)n, word);
	} else if (sscanf(line, "run %15s %lu", word, &n) == 2 && n <= STEPS_MAX) {
		run(b, strcmp(word, "untraced") ? worker_turn : worker_turn_untraced, n);
	} else if (sscanf(line, "pair %lu", &n) == 1 && n <= STEPS_MAX) {
		pair(b, n);
	} else if (!strcmp(line, "records\n")) {
		printf("%" PRIu64 "\n", agent_records(b->agent));
	} else if (sscanf(line, "dump %15s", word) == 1) {
		printf("%" PRIu64 "\n", dump_set(b->dump, !strcmp(word, "on")));
	} else {
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static struct bench b;
	int cpu = argc > 1 ? atoi(argv[1]) : 0;
	char socket[64], line[64];

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: bench-vfd CPU [FLOWS]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(socket, sizeof(socket), "/tmp/vtrace-bench-vfd-%d.sock", (int)getpid());
	device_open(&b.dev, make_config(argc > 2 ? strtoul(argv[2], NULL, 10) : FLOWS_DEFAULT), socket);
	if (traffic_open(&b.traffic, &b.dev.workers[0]))
		die("ports", "DPDK's driver net_ring has not made the rings");
	if (!timing_init(&b.timings[0]) || !timing_init(&b.timings[1]))
		die("timings", "no memory");
	b.traffic.sources[0].flows = 1;
	pin(cpu, true);
	b.agent = agent_open(b.dev.vdg, socket);
	b.dump = dump_open(&b.dev);
	pin(cpu, false);
	printf("ready %" PRIu64 " %d\n", rte_get_tsc_hz(), VDG_TASKS_MAX);
	while (fgets(line, sizeof(line), stdin))
		if (!obey(&b, line))
			die("this is no command", line);
	agent_close(b.agent);
	dump_close(b.dump);
	tables_close(&b.dev);
	ports_done(&b.dev);
	return 0;
}
