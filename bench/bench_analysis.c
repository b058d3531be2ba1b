// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the analysis costs: N packets over three hops (host, gateway with NAT, host; six records each; some are dropped
 * at the last hop, of some nothing comes there), in batches of three nodes as agents send them. Prints nanoseconds per
 * record and per trajectory, and bytes of memory per record. Targets: 2 us a record, 10 us a 3-hop trajectory.
 *
 * Usage: bench_analysis [PACKETS [TASKS [udp|tcp|limits]]]   (100000 packets over 1 task, udp)
 *
 * tcp: full segments of 16 flows, so that the merge index is in use. limits: the analysis' default limits instead of
 * ones made to fit; what is past them has to be counted as missing, and nothing false may be said of it.
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "analysis/analysis.h"

#define MS         1000000ULL
#define BATCH      256 /* packets in one round of batches: about what an agent sends at 10 kpps and 25 ms */
#define BATCH_TIME (25 * MS)

#define FLOWS   16
#define SEGMENT 1448

enum { H1, GW, H2, NODES };

struct sender {
	struct vt_batch batch;
	uint64_t seq;
	bool tcp;
};

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static void mapped(uint8_t addr[16], uint32_t host)
{
	memset(addr, 0, 16);
	addr[10] = addr[11] = 0xff;
	addr[12] = 192;
	addr[15] = (uint8_t)host;
}

static struct vt_item *add(struct sender *sender, enum vt_item_type type)
{
	struct vt_item *item = &sender->batch.items[sender->batch.n_items++];

	memset(&item->log.rec, 0, sizeof(item->log.rec));
	item->type = type;
	return item;
}

/* One record; `peer` is the other tunnel end, NODES for none. */
static struct vt_item *record(struct sender *sender, enum vt_loc loc, unsigned int hop, uint64_t id, int self, int peer,
                              const char *device)
{
	struct vt_item *item = add(sender, VT_ITEM_RECORD);
	struct vt_record *rec = &item->log.rec;

	rec->version = VT_RECORD_VERSION;
	rec->loc = (__u8)loc;
	rec->hop = (__u8)hop;
	rec->packet_id = id * 0x9e3779b97f4a7c15ULL;
	rec->seq = ++sender->seq;
	rec->time_ns = rec->seq * 1000;
	rec->vni = 100;
	rec->length = 500;
	rec->segments = 1;
	rec->flow.proto = 17;
	rec->flow.family = 4;
	mapped(rec->flow.src, 10);
	mapped(rec->flow.dst, 11);
	rec->flow.sport = (uint16_t)((hop > 2 || (hop == 2 && loc != VT_LOC_IN) ? 50000 : 4000) + id % FLOWS);
	if (sender->tcp) {
		rec->flow.proto = 6;
		rec->payload = SEGMENT;
		rec->tcp_seq = (uint32_t)(id / FLOWS * SEGMENT);
	}
	snprintf(item->log.device, sizeof(item->log.device), "%s", device);
	if (peer != NODES) {
		rec->flags = VT_REC_ENCAP;
		mapped(rec->outer_src, (uint32_t)(loc == VT_LOC_IN ? peer : self) + 1);
		mapped(rec->outer_dst, (uint32_t)(loc == VT_LOC_IN ? self : peer) + 1);
	}
	return item;
}

static void packet(struct sender *senders, uint64_t id, uint32_t task)
{
	struct vt_item *item = record(&senders[H1], VT_LOC_IN, 1, id, H1, NODES, "vm1");

	item->log.rec.flags = VT_REC_COLOURED;
	item->log.rec.task = task;
	record(&senders[H1], VT_LOC_OUT, 1, id, H1, GW, "eth0");
	record(&senders[GW], VT_LOC_IN, 2, id, GW, H1, "eth0");
	record(&senders[GW], VT_LOC_OUT, 2, id, GW, H2, "eth0");
	if (id % 50 == 0)
		return; /* lost in the underlay */
	record(&senders[H2], VT_LOC_IN, 3, id, H2, GW, "eth0");
	if (id % 3) {
		record(&senders[H2], VT_LOC_OUT, 3, id, H2, NODES, "vm2");
		return;
	}
	item = record(&senders[H2], VT_LOC_ERROR, 3, id, H2, NODES, "vm2");
	item->log.cause = VT_CAUSE_POLICY_NFT_RULE;
	strcpy(item->log.reason, "NETFILTER_DROP");
	strcpy(item->log.site, "nft_do_chain+0x3e8");
	strcpy(item->log.evidence, "table inet fw chain fwd handle 7: ip saddr 192.0.0.10 udp dport 53 drop");
}

static uint64_t send_all(struct analysis *a, struct sender *senders, uint64_t now)
{
	uint64_t records = 0;

	for (int n = 0; n < NODES; n++) {
		add(&senders[n], VT_ITEM_PROGRESS)->progress.lost = 0;
		records += senders[n].batch.n_items - 1;
		senders[n].batch.number++;
		analysis_batch(a, &senders[n].batch, now);
		senders[n].batch.n_items = 0;
	}
	analysis_advance(a, now);
	return records;
}

static void begin(struct analysis *a, struct sender *senders, uint32_t tasks, uint64_t now)
{
	static const char *const names[] = {"h1", "gw", "h2"};

	for (uint32_t t = 1; t <= tasks; t++) {
		struct vt_task task = {.id = t, .packet_count = VT_COUNT_MAX, .trace_time_ms = VT_TIME_MAX_MS};

		analysis_begin(a, &task, now);
	}
	for (int n = 0; n < NODES; n++) {
		struct vt_item *item;

		snprintf(senders[n].batch.node, VT_NODE_MAX, "%s", names[n]);
		senders[n].batch.kind = VT_KIND_VSWITCH;
		senders[n].batch.boot = 1;
		senders[n].batch.items = calloc(BATCH * 4 + tasks + 4, sizeof(struct vt_item));
		item = add(&senders[n], VT_ITEM_NODE);
		item->node.n_addrs = 1;
		mapped(item->node.addrs[0], (uint32_t)n + 1);
		for (uint32_t t = 1; t <= tasks; t++)
			add(&senders[n], VT_ITEM_ARMED)->task = t;
	}
	send_all(a, senders, now);
	for (uint32_t t = 1; t <= tasks; t++)
		analysis_start(a, t, now);
}

/* Sums over the tasks; returns how many are not settled. */
static uint64_t totals(const struct analysis *a, uint32_t tasks, struct vt_result *sum)
{
	uint64_t unsettled = 0;

	memset(sum, 0, sizeof(*sum));
	for (uint32_t t = 1; t <= tasks; t++) {
		struct analysis_progress progress;
		struct vt_result result;

		if (analysis_progress(a, t, &progress) < 0 || analysis_result(a, t, false, &result) < 0)
			exit(1);
		unsettled += progress.unsettled;
		sum->coloured += result.coloured;
		sum->delivered += result.delivered;
		sum->dropped += result.dropped;
		sum->lost += result.lost;
		sum->unfinished += result.unfinished;
		sum->missing += result.missing;
		vt_result_done(&result);
	}
	return unsettled;
}

/* Everything fits: every packet's end is known. Past the limits: nothing is said too often, and what is missing shows.
 */
static bool is_right(const struct vt_result *sum, uint64_t packets, uint64_t unsettled, bool limits)
{
	uint64_t lost = packets / 50, arrived = packets - lost;
	uint64_t dropped = packets / 3 - packets / 150;

	if (unsettled || sum->coloured != packets ||
	    sum->coloured != sum->delivered + sum->dropped + sum->lost + sum->unfinished)
		return false;
	if (limits)
		return sum->delivered <= arrived - dropped && sum->dropped <= dropped && sum->lost <= lost &&
		       (!sum->unfinished || sum->missing);
	return sum->lost == lost && sum->dropped == dropped && !sum->unfinished;
}

static uint64_t feed(struct analysis *a, struct sender *senders, uint64_t packets, uint32_t tasks, uint64_t *spent)
{
	uint64_t now = 60000 * MS, records = 0, start;

	for (uint64_t id = 1; id <= packets;) {
		for (unsigned int i = 0; i < BATCH && id <= packets; i++, id++)
			packet(senders, id, (uint32_t)(id % tasks) + 1);
		now += BATCH_TIME;
		start = clock_ns(CLOCK_PROCESS_CPUTIME_ID); /* making the records is not what is measured */
		records += send_all(a, senders, now);
		*spent += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
	}
	for (int tail = 0; tail < 400; tail++) { /* 10 s: waits, proofs, ends */
		now += BATCH_TIME;
		start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		send_all(a, senders, now);
		*spent += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
	}
	return records;
}

int main(int argc, char **argv)
{
	uint64_t packets = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000, spent = 0, records, heap, start, unsettled;
	uint32_t tasks = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1;
	const char *mode = argc > 3 ? argv[3] : "udp";
	bool tcp = !strcmp(mode, "tcp"), limits = !strcmp(mode, "limits");
	struct analysis_config config = {.max_packets = (uint32_t)packets + 1,
	                                 .max_records = (uint32_t)packets * 6 + 1};
	struct sender senders[NODES] = {{.tcp = tcp}, {.tcp = tcp}, {.tcp = tcp}};
	struct analysis *a;
	struct vt_result sum;
	struct rusage usage;

	if (packets < 1 || packets > 100000000 || tasks < 1 || tasks > 1000 ||
	    (!tcp && !limits && strcmp(mode, "udp"))) {
		fprintf(stderr, "usage: %s [PACKETS [TASKS [udp|tcp|limits]]], up to 100000000 and 1000\n", argv[0]);
		return 2;
	}
	a = analysis_new(limits ? NULL : &config);
	begin(a, senders, tasks, 60000 * MS);
	heap = mallinfo2().uordblks + mallinfo2().hblkhd;
	records = feed(a, senders, packets, tasks, &spent);
	heap = mallinfo2().uordblks + mallinfo2().hblkhd - heap;
	start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	unsettled = totals(a, tasks, &sum);
	start = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
	if (!is_right(&sum, packets, unsettled, limits)) {
		fprintf(stderr,
		        "bench_analysis: wrong result: coloured %" PRIu64 ", delivered %" PRIu64 ", dropped %" PRIu64
		        ", lost %" PRIu64 ", unfinished %" PRIu64 ", missing %" PRIu64 "\n",
		        sum.coloured, sum.delivered, sum.dropped, sum.lost, sum.unfinished, sum.missing);
		return 1;
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("analysis: %" PRIu64 " packets, %" PRIu64 " records, %u tasks: %.0f ns a record, %.0f ns a trajectory, "
	       "%.0f bytes a record, results in %.1f ms, peak %ld MiB, %" PRIu64 " unfinished, %.1f s\n",
	       packets, records, tasks, (double)spent / (double)records, (double)spent / (double)packets,
	       (double)heap / (double)records, (double)start / MS, usage.ru_maxrss / 1024, sum.unfinished,
	       (double)spent / 1e9);
	for (int n = 0; n < NODES; n++)
		free(senders[n].batch.items);
	analysis_free(a);
	return 0;
}
