// SPDX-License-Identifier: BSD-3-Clause
/*
 * What single BPF programs cost, by BPF_PROG_TEST_RUN: the programs as the driver loads them, with rules as the driver
 * makes them, and nothing attached. Rounds over all rows in turn, so that a disturbance of the machine does not hit one
 * row only.
 *
 * Usage: bench-programs ROUNDS. One line a row: name, TAB, then nanoseconds per run in each round, by blanks.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/path.skel.h"
#include "datapath/linux/load.h"
#include "datapath/linux/rules.h"

#define ROUNDS_MAX 101
#define REPEAT     50000 /* packets in one measurement; records of as many fit into the ring */
#define FRAME      142   /* 100 bytes of IPv4 from the VM */
#define TUNNEL     (FRAME + 50)
#define DSCP_AT    15
#define MARK       COLOUR_MARK_DEFAULT

enum side { INGRESS, EGRESS };
enum tasks {
	TASKS_NONE,
	TASKS_OTHER, /* match nothing here */
	TASKS_TCP,   /* want another protocol */
	TASKS_WANT,  /* one that wants the packet, with a budget for all */
	TASKS_SPENT, /* one that wants the packet, budget used up */
};

struct row {
	const char *name;
	enum side side;
	enum device_role role; /* DEVICE_INNER: the empty program */
	bool tunnel;           /* the packet is a VXLAN one */
	__u8 dscp;             /* of the outermost header */
	__u32 mark;
	enum tasks tasks;
	unsigned int n, shapes; /* tasks, and different shapes of filter among them */
};

static const struct row rows[] = {
    {"empty program", INGRESS, DEVICE_INNER},
    {"ingress, VM port: no task", INGRESS, DEVICE_TENANT},
    {"ingress, VM port: 10 tasks for another protocol", INGRESS, DEVICE_TENANT, .tasks = TASKS_TCP, .n = 10,
     .shapes = 1},
    {"ingress, VM port: 1 task, no match", INGRESS, DEVICE_TENANT, .tasks = TASKS_OTHER, .n = 1, .shapes = 1},
    {"ingress, VM port: 10 tasks, no match", INGRESS, DEVICE_TENANT, .tasks = TASKS_OTHER, .n = 10, .shapes = 1},
    {"ingress, VM port: 256 tasks, no match", INGRESS, DEVICE_TENANT, .tasks = TASKS_OTHER, .n = 256, .shapes = 1},
    {"ingress, VM port: 10 tasks of 10 shapes, no match", INGRESS, DEVICE_TENANT, .tasks = TASKS_OTHER, .n = 10,
     .shapes = 10},
    {"ingress, VM port: 256 tasks of 64 shapes, no match", INGRESS, DEVICE_TENANT, .tasks = TASKS_OTHER, .n = 256,
     .shapes = 64},
    {"ingress, underlay: VXLAN, uncoloured, 10 tasks", INGRESS, DEVICE_OUTSIDE, .tunnel = true, .tasks = TASKS_OTHER,
     .n = 10, .shapes = 1},
    {"egress, VM port: uncoloured", EGRESS, DEVICE_TENANT},
    {"egress, underlay: VXLAN, uncoloured", EGRESS, DEVICE_OUTSIDE, .tunnel = true},
    {"ingress, VM port: match, budget used up", INGRESS, DEVICE_TENANT, .tasks = TASKS_SPENT, .n = 1, .shapes = 1},
    {"ingress, VM port: match, coloured, record", INGRESS, DEVICE_TENANT, .tasks = TASKS_WANT, .n = 1, .shapes = 1},
    {"egress, underlay: VXLAN, coloured, record", EGRESS, DEVICE_OUTSIDE, .tunnel = true, .mark = MARK},
    {"ingress, underlay: VXLAN, coloured, record", INGRESS, DEVICE_OUTSIDE, .tunnel = true, .dscp = VT_COLOUR_DSCP(2)},
    {"egress, VM port: coloured, record", EGRESS, DEVICE_TENANT, .mark = MARK},
};
#define N_ROWS (sizeof(rows) / sizeof(*rows))

struct bench {
	struct load *load;
	struct attach_programs programs;
	struct rules *rules;
	struct path_bpf *other;
	uint64_t records;
	double ns[N_ROWS][ROUNDS_MAX];
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench-programs: %s: %s\n", what, why);
	exit(1);
}

/* Ethernet, IPv4 and UDP headers for `length` bytes of frame at `at`. */
static void headers(__u8 *at, size_t length, __u8 host, __u16 dport)
{
	const __u8 addrs[] = {10, 0, 1, host, 10, 0, 1, (__u8)(host + 1)};
	__u16 words[] = {htons(4000), htons(dport), htons((__u16)(length - 34)), 0};

	at[12] = 8;
	at[14] = 0x45;
	at[16] = (__u8)((length - 14) >> 8);
	at[17] = (__u8)(length - 14);
	at[22] = 64;
	at[23] = 17;
	memcpy(at + 26, addrs, 8);
	memcpy(at + 34, words, 8);
}

static size_t make_packet(const struct row *row, __u8 packet[TUNNEL])
{
	memset(packet, 0, TUNNEL);
	if (!row->tunnel) {
		headers(packet, FRAME, 1, 5000);
		return FRAME;
	}
	headers(packet, TUNNEL, 101, 4789);
	packet[DSCP_AT] = (__u8)(row->dscp << 2);
	packet[42] = 8;   /* VXLAN: the VNI is valid */
	packet[48] = 100; /* and this is it */
	headers(packet + 50, FRAME, 1, 5000);
	return TUNNEL;
}

/* Filter number i: a five-tuple's worth of fields, of as many shapes as asked for, none of which meets the packet. */
static struct vt_filter filter_of(const struct row *row, unsigned int i)
{
	unsigned int shape = i % row->shapes;
	struct vt_filter f = {.fields = VT_FILTER_PROTO | VT_FILTER_SRC | VT_FILTER_DST | VT_FILTER_DPORT,
	                      .family = 4,
	                      .proto = row->tasks == TASKS_TCP ? 6 : 17,
	                      .src_len = 128,
	                      .dst_len = (__u8)(128 - shape % 16),
	                      .dport = (__u16)(row->tasks == TASKS_OTHER ? 7000 + i : 5000)};

	memset(f.src + 10, 0xff, 2);
	memset(f.dst + 10, 0xff, 2);
	memcpy(f.src + 12, (__u8[]){10, 0, 1, 1}, 4);
	memcpy(f.dst + 12, (__u8[]){10, 0, 1, 2}, 4);
	if (shape & 16)
		f.fields &= ~(unsigned int)VT_FILTER_SRC;
	if (shape & 32) {
		f.fields |= VT_FILTER_SPORT;
		f.sport = 4000;
	}
	if (!(f.fields & VT_FILTER_SRC)) {
		memset(f.src, 0, 16);
		f.src_len = 0;
	}
	for (unsigned int bit = f.dst_len; bit < 128; bit++)
		f.dst[bit / 8] &= (__u8) ~(0x80 >> bit % 8);
	return f;
}

static void install(struct bench *b, const struct row *row)
{
	struct slot *slots = load_slots(b->load);
	struct vt_err err = {0};

	for (unsigned int i = 0; i < row->n; i++) {
		struct vt_filter f = filter_of(row, i);

		slots[2 * i] = (struct slot){.task = i + 1, .limit = row->tasks == TASKS_SPENT ? 0 : VT_COUNT_MAX};
		if (rules_add(b->rules, &f, 2 * i, &err))
			die(row->name, err.text);
	}
}

static const struct bpf_program *program_of(const struct bench *b, const struct row *row)
{
	if (row->role == DEVICE_INNER)
		return b->other->progs.empty;
	return (row->side == INGRESS ? b->programs.ingress : b->programs.egress)[row->role];
}

static void count_record(void *arg, const struct vt_record *rec, const struct drop_context *context)
{
	struct bench *b = arg;

	b->records++;
}

/* A row that should write a record a packet must have done so, the others none: else it measures something else. */
static void check_records(struct bench *b, const struct row *row)
{
	bool wanted = strstr(row->name, "record") != NULL;

	b->records = 0;
	load_drain(b->load, count_record, b);
	if (b->records != (wanted ? REPEAT : 0)) {
		fprintf(stderr, "bench-programs: %s: %llu records of %d packets\n", row->name,
		        (unsigned long long)b->records, wanted ? REPEAT : 0);
		exit(1);
	}
}

/* The colour of a marked packet is believed only where this host has seen it: so it enters first. */
static void enter_first(struct bench *b, const struct row *row)
{
	struct row first = {.side = INGRESS, .role = DEVICE_OUTSIDE, .tunnel = true, .dscp = VT_COLOUR_DSCP(1)};
	__u8 packet[TUNNEL];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = (__u32)make_packet(&first, packet),
	            .repeat = 1);

	if (row->mark && bpf_prog_test_run_opts(bpf_program__fd(program_of(b, &first)), &opts))
		die(row->name, strerror(errno));
	load_drain(b->load, count_record, b);
}

static double measure(struct bench *b, const struct row *row)
{
	struct __sk_buff skb = {.mark = row->mark};
	__u8 packet[TUNNEL];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = (__u32)make_packet(row, packet),
	            .ctx_in = &skb, .ctx_size_in = sizeof(skb), .repeat = REPEAT);

	install(b, row);
	enter_first(b, row);
	if (bpf_prog_test_run_opts(bpf_program__fd(program_of(b, row)), &opts))
		die(row->name, strerror(errno));
	check_records(b, row);
	for (unsigned int i = 0; i < row->n; i++)
		rules_remove(b->rules, 2 * i);
	return opts.duration;
}

static void open_bench(struct bench *b)
{
	struct vt_err err = {0};

	if (load_open(&b->load, MARK, &err))
		die("load", err.text);
	load_programs(b->load, &b->programs);
	load_config(b->load)->vxlan_ports[4789 / 8] |= 1 << 4789 % 8;
	b->rules = rules_new(load_config(b->load), load_rules_fd(b->load));
	b->other = path_bpf__open_and_load();
	if (!b->rules || !b->other)
		die("load", strerror(errno));
}

int main(int argc, char **argv)
{
	static struct bench b;
	int rounds = argc == 2 ? atoi(argv[1]) : 0;

	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench-programs ROUNDS, up to %d\n", ROUNDS_MAX);
		return 2;
	}
	open_bench(&b);
	for (int round = 0; round < rounds; round++)
		for (size_t i = 0; i < N_ROWS; i++)
			b.ns[i][round] = measure(&b, &rows[i]);
	for (size_t i = 0; i < N_ROWS; i++) {
		printf("%s\t", rows[i].name);
		for (int round = 0; round < rounds; round++)
			printf("%.0f ", b.ns[i][round]);
		putchar('\n');
	}
	path_bpf__destroy(b.other);
	rules_free(b.rules);
	load_close(b.load);
	return 0;
}
