// SPDX-License-Identifier: BSD-3-Clause
/*
 * Generator, sink and empty programs for the forwarding benchmark, in a lab that is up. Frames enter host a at the port
 * of vm1 as if vm1 had sent them (BPF_PROG_TEST_RUN with live frames), go through bridge, VXLAN, underlay and host b,
 * and are counted and taken out at the ingress of vm2's eth0.
 *
 * All of the path is softirq work of the one CPU that this process is pinned to. Its cost is that CPU's time in this
 * process and in its ksoftirqd, so other processes on the machine disturb it less than they disturb a wall clock.
 *
 * Usage: bench-path PREFIX CPU. Commands on stdin, one answer line each:
 *   run N       -> "N received cpu-ns wall-ns": sends N frames, waits until they have arrived or 100 ms nothing came
 *   empty on    -> "HOOKS": attaches empty tc programs in hosts a, b, gw to the hooks that VTrace would use
 *   empty off   -> "0"
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/path.h"
#include "bench/path.skel.h"
#include "datapath/linux/devices.h"
#include "datapath/linux/expedite.h"
#include "datapath/linux/links.h"

#define HOOKS_MAX  64       /* leaf devices of three lab hosts, twice */
#define RUN_MAX    10000000 /* frames of one run: a minute */
#define QUIET_NS   100000000ULL
#define BATCH_SIZE 64

struct path {
	const char *prefix;
	struct path_bpf *skel;
	struct bpf_link *feed;
	struct expedite *expedite; /* attaching takes 5 to 40 ms a hook without */
	int vm1;                   /* ifindex of its port in host a */
	int hooks[HOOKS_MAX];
	int n_hooks;
	char ksoftirqd[64]; /* its schedstat file */
};

static void die(const char *what, const char *on, int error)
{
	fprintf(stderr, "bench-path: %s %s: %s\n", what, on, strerror(error));
	exit(1);
}

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static void enter(const struct path *p, const char *node)
{
	char name[128];
	int fd;

	snprintf(name, sizeof(name), "/run/netns/%s-%s", p->prefix, node);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die("enter", name, errno);
	close(fd);
}

static uint64_t read_schedstat(const char *name)
{
	uint64_t ns = 0;
	FILE *f = fopen(name, "r");

	if (!f || fscanf(f, "%" SCNu64, &ns) != 1)
		die("read", name, errno);
	fclose(f);
	return ns;
}

/* CPU time of the path so far: ours and that of our CPU's softirq thread. */
static uint64_t cpu_ns(const struct path *p)
{
	return read_schedstat("/proc/thread-self/schedstat") + read_schedstat(p->ksoftirqd);
}

static void find_ksoftirqd(struct path *p, int cpu)
{
	char want[32], name[300], comm[32] = "";
	struct dirent *e;
	DIR *dir = opendir("/proc");

	snprintf(want, sizeof(want), "ksoftirqd/%d", cpu);
	while (dir && (e = readdir(dir))) {
		FILE *f;

		snprintf(name, sizeof(name), "/proc/%s/comm", e->d_name);
		f = e->d_name[0] >= '0' && e->d_name[0] <= '9' ? fopen(name, "r") : NULL;
		if (!f)
			continue;
		if (fscanf(f, "%31s", comm) == 1 && !strcmp(comm, want))
			snprintf(p->ksoftirqd, sizeof(p->ksoftirqd), "/proc/%.20s/schedstat", e->d_name);
		fclose(f);
	}
	if (dir)
		closedir(dir);
	if (!p->ksoftirqd[0])
		die("find the thread", want, ENOENT);
}

static void pin(struct path *p, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("run on", "the CPU given", errno);
	find_ksoftirqd(p, cpu);
}

/* Sum of the IPv4 header's words, complemented. */
static uint16_t ip_checksum(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t) ~(sum + (sum >> 16)));
}

static struct path_frame make_frame(void)
{
	static const uint8_t src[] = {2, 0, 0, 0, 0, 1}, dst[] = {2, 0, 0, 0, 0, 2};
	static const uint8_t addrs[] = {10, 0, 1, 1, 10, 0, 1, 2}; /* vm1, vm2 */
	struct path_frame f = {.ethertype = PATH_IPV4, .sport = PATH_PORT(1000), .magic = PATH_MAGIC};
	uint16_t total = sizeof(f) - 14, checksum;

	memcpy(f.dst, dst, 6);
	memcpy(f.src, src, 6);
	f.length = htons(total - 20);
	f.ip[0] = 0x45;
	f.ip[2] = (uint8_t)(total >> 8);
	f.ip[3] = (uint8_t)total;
	f.ip[6] = 0x40; /* do not fragment */
	f.ip[8] = 64;
	f.ip[9] = 17;
	memcpy(f.ip + 12, addrs, 8);
	checksum = ip_checksum(f.ip);
	memcpy(f.ip + 10, &checksum, 2);
	return f;
}

static void open_path(struct path *p)
{
	int ret;

	p->skel = path_bpf__open_and_load();
	if (!p->skel)
		die("load", "the BPF programs", errno);
	enter(p, "vm2");
	/* clsact: tcx does not know TC_ACT_STOLEN, it would let the packets pass. */
	ret = link_clsact(bpf_program__fd(p->skel->progs.sink), (int)if_nametoindex("eth0"), LINK_INGRESS);
	if (ret)
		die("attach the sink to", "eth0 of vm2", -ret);
	enter(p, "a");
	p->vm1 = (int)if_nametoindex("vm1");
	p->feed = bpf_program__attach_xdp(p->skel->progs.feed, p->vm1);
	if (!p->feed)
		die("attach XDP to", "vm1 of host a", errno);
}

static void empty_off(struct path *p)
{
	while (p->n_hooks)
		close(p->hooks[--p->n_hooks]);
}

static void empty_in(struct path *p, const char *node)
{
	const struct device_info *dev;
	struct vt_err err = {0};
	struct devices *d;
	size_t n;

	enter(p, node);
	if (devices_open(&d, &err))
		die(err.text, node, EIO);
	dev = devices_all(d, &n);
	for (size_t i = 0; i < n; i++) {
		for (int direction = 0; direction < 2 && device_role_is_leaf(dev[i].role) && p->n_hooks < HOOKS_MAX;
		     direction++) {
			int fd = link_tcx(bpf_program__fd(p->skel->progs.empty), dev[i].ifindex, direction);

			if (fd < 0)
				die("attach an empty program to", dev[i].name, -fd);
			p->hooks[p->n_hooks++] = fd;
		}
	}
	devices_close(d);
}

static void empty(struct path *p, bool on)
{
	expedite_begin(p->expedite);
	empty_off(p);
	if (on) {
		empty_in(p, "a");
		empty_in(p, "b");
		empty_in(p, "gw");
		enter(p, "a");
	}
	expedite_end(p->expedite);
	printf("%d\n", p->n_hooks);
}

static uint64_t received(const struct path *p)
{
	return __atomic_load_n(&p->skel->bss->received, __ATOMIC_RELAXED);
}

/* Until all have arrived, or none for a while: then they are lost. Returns the time of the last one. */
static uint64_t await(const struct path *p, uint64_t target)
{
	uint64_t seen = received(p), since = wall_ns();

	while (seen < target && wall_ns() - since < QUIET_NS) {
		sched_yield();
		if (received(p) == seen)
			continue;
		seen = received(p);
		since = wall_ns();
	}
	return since;
}

static void run(struct path *p, unsigned long n)
{
	struct path_frame frame = make_frame();
	struct xdp_md md = {.data_end = sizeof(frame), .ingress_ifindex = (__u32)p->vm1};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &frame, .data_size_in = sizeof(frame), .ctx_in = &md,
	            .ctx_size_in = sizeof(md), .repeat = (int)n, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
	            .batch_size = BATCH_SIZE);
	uint64_t before = received(p), wall = wall_ns(), cpu = cpu_ns(p);
	int ret = bpf_prog_test_run_opts(bpf_program__fd(p->skel->progs.feed), &opts);

	if (ret)
		die("send frames into", "vm1 of host a", errno);
	wall = await(p, before + n) - wall;
	cpu = cpu_ns(p) - cpu;
	printf("%lu %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", n, received(p) - before, cpu, wall);
}

int main(int argc, char **argv)
{
	struct path p = {.prefix = argc > 1 ? argv[1] : ""};
	char line[64];

	if (argc != 3) {
		fprintf(stderr, "usage: bench-path PREFIX CPU\n");
		return 2;
	}
	p.expedite = expedite_open();
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_path(&p);
	pin(&p, atoi(argv[2]));
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		unsigned long n = strtoul(line + 4 * !strncmp(line, "run ", 4), NULL, 10);

		if (n >= 1 && n <= RUN_MAX)
			run(&p, n);
		else if (!strcmp(line, "empty on\n"))
			empty(&p, true);
		else if (!strcmp(line, "empty off\n"))
			empty(&p, false);
		else
			die("understand", "the command", EINVAL);
	}
	empty_off(&p);
	bpf_link__destroy(p.feed);
	enter(&p, "vm2");
	unlink_clsact((int)if_nametoindex("eth0"), LINK_INGRESS);
	path_bpf__destroy(p.skel);
	expedite_close(p.expedite);
	return 0;
}
