// SPDX-License-Identifier: BSD-3-Clause
/* Packets around a worker, see traffic.h. */
#include "bench/traffic.h"

#include <assert.h>
#include <errno.h>
#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_ring.h>
#include <stdlib.h>
#include <sys/resource.h>

#define FRAME         60
#define TUNNEL        50     /* bytes of VXLAN over IPv4 in front of a frame */
#define STRIDE        611953 /* a prime above half of the flows: neighbours in time are none in memory */
#define TRAFFIC_TURNS (TRAFFIC_STEPS * (TRAFFIC_STEP / BURST))
#define SEQ_AT        42 /* behind Ethernet, IPv4 and UDP */
#define VM_AT         29 /* last byte of the source address */

int traffic_open(struct traffic *t, struct worker *worker)
{
	t->worker = worker;
	t->out = rte_ring_lookup("ETH_RXTX0_net_ring0");
	t->in[0] = rte_ring_lookup("ETH_RXTX0_net_ring1");
	t->in[1] = rte_ring_lookup("ETH_RXTX0_net_ring2");
	for (uint8_t i = 0; i < TRAFFIC_PORTS; i++)
		t->sources[i].vm = i;
	return t->out && t->in[0] && t->in[1] ? 0 : -ENOENT;
}

void traffic_reset(struct traffic *t)
{
	for (int i = 0; i < TRAFFIC_PORTS; i++)
		t->sources[i] = (struct source){
		    .flows = t->sources[i].flows, .random = t->sources[i].random, .vm = t->sources[i].vm};
}

static int turn_order(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

bool timing_init(struct timing *timing)
{
	*timing = (struct timing){.turns = calloc(TRAFFIC_TURNS, sizeof(*timing->turns)),
	                          .steps = calloc(TRAFFIC_STEPS, sizeof(*timing->steps))};
	return timing->turns && timing->steps;
}

void timing_reset(struct timing *timing)
{
	timing->cycles = timing->packets = timing->nturns = timing->nsteps = 0;
}

uint32_t timing_median(struct timing *timing)
{
	qsort(timing->turns, timing->nturns, sizeof(*timing->turns), turn_order);
	return timing->nturns ? timing->turns[timing->nturns / 2] : 0;
}

static int step_order(const void *a, const void *b)
{
	const struct step *x = a, *y = b;

	return (x->cycles > y->cycles) - (x->cycles < y->cycles);
}

uint64_t timing_passed(struct timing *timing, uint64_t *ret_cycles)
{
	struct step *steps = timing->steps;
	uint64_t passed = 0;

	qsort(steps, timing->nsteps, sizeof(*steps), step_order);
	*ret_cycles = 0;
	for (uint32_t i = 0; i < timing->nsteps && steps[i].cycles <= 3 * steps[timing->nsteps / 2].cycles; i++) {
		*ret_cycles += steps[i].cycles;
		passed += steps[i].passed[0];
	}
	return passed;
}

static uint32_t flow_next(struct source *s)
{
	if (s->random) {
		s->random = s->random * 1664525 + 1013904223;
		return s->random ^ s->random >> 16;
	}
	s->at = (uint32_t)((s->at + (uint64_t)STRIDE) % s->flows);
	return s->at;
}

/* Flow f: to 10.(1 + f / 16 Mi).(…).(…), from UDP port f % 64 Ki to 5000 + f % 10. */
static void write_frame(uint8_t *at, const struct source *s, uint32_t f)
{
	static const uint8_t head[34] = {2,          0, 0, 0, 2, 1,  2,  0, 0, 0,  1, 0, 8, 0,  0x45, 0, 0,
	                                 FRAME - 14, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 1,    0, 0};
	uint16_t sport = (uint16_t)f, dport = (uint16_t)(5000 + f % 10), sum;

	memcpy(at, head, sizeof(head));
	at[11] = at[VM_AT] = (uint8_t)(s->vm + 1);
	at[31] = (uint8_t)(1 + (f >> 24 & 15));
	at[32] = (uint8_t)(f >> 16);
	at[33] = (uint8_t)(f >> 8);
	sum = rte_ipv4_cksum((struct rte_ipv4_hdr *)(at + 14));
	memcpy(at + 24, &sum, 2);
	at[34] = (uint8_t)(sport >> 8);
	at[35] = (uint8_t)sport;
	at[36] = (uint8_t)(dport >> 8);
	at[37] = (uint8_t)dport;
	at[38] = 0;
	at[39] = FRAME - 34;
	memset(at + 40, 0, FRAME - 40);
	memcpy(at + SEQ_AT, &s->sent, 8);
}

static void generate(struct traffic *t, int port)
{
	struct rte_mbuf *mbufs[TRAFFIC_STEP];
	struct source *s = &t->sources[port];
	unsigned int put;

	if (t->quiet || !s->flows || rte_ring_free_count(t->in[port]) < TRAFFIC_STEP ||
	    rte_pktmbuf_alloc_bulk(t->worker->dev->pool, mbufs, TRAFFIC_STEP))
		return;
	for (int i = 0; i < TRAFFIC_STEP; i++) {
		write_frame((uint8_t *)rte_pktmbuf_append(mbufs[i], FRAME), s, flow_next(s));
		s->sent++;
	}
	put = rte_ring_enqueue_bulk(t->in[port], (void **)mbufs, TRAFFIC_STEP, NULL);
	assert(put == TRAFFIC_STEP);
}

static void receive(struct traffic *t, const struct rte_mbuf *m)
{
	const uint8_t *at = rte_pktmbuf_mtod_offset(m, const uint8_t *, TUNNEL);
	struct source *s;
	uint64_t seq;

	if (rte_pktmbuf_data_len(m) != TUNNEL + FRAME || !at[VM_AT] || at[VM_AT] > TRAFFIC_PORTS)
		return;
	s = &t->sources[at[VM_AT] - 1];
	memcpy(&seq, at + SEQ_AT, 8);
	s->overtaken += seq < s->expected;
	s->expected = seq + 1;
	s->received++;
}

static long preempted(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

/*
 * The turns of a step; false: disturbed. What each sent is taken out at once: net_ring gives a port what it sends, it
 * must not come back.
 */
static bool take_turns(struct traffic *t, traffic_turn turn, struct timing *timing, struct rte_mbuf **sent,
                       unsigned int *ret_n)
{
	uint64_t begin, all = 0, packets = 0, cycles;
	uint32_t before = timing->nturns;
	long switches = preempted();

	*ret_n = 0;
	for (int i = 0; i < TRAFFIC_STEP / BURST; i++) {
		begin = rte_rdtsc_precise();
		packets += turn(t->worker);
		cycles = rte_rdtsc_precise() - begin;
		all += cycles;
		if (timing->nturns < TRAFFIC_TURNS)
			timing->turns[timing->nturns++] = (uint32_t)cycles;
		*ret_n += rte_ring_dequeue_burst(t->out, (void **)sent + *ret_n, BURST * TRAFFIC_PORTS, NULL);
	}
	if (preempted() != switches) {
		timing->nturns = before;
		return false;
	}
	timing->cycles += all;
	timing->packets += packets;
	return true;
}

void traffic_step(struct traffic *t, traffic_turn turn, struct timing *timing)
{
	struct rte_mbuf *sent[TRAFFIC_STEP * TRAFFIC_PORTS];
	uint64_t received[TRAFFIC_PORTS], cycles = timing->cycles;
	struct step *step;
	unsigned int n;
	bool timed;

	for (int i = 0; i < TRAFFIC_PORTS; i++) {
		generate(t, i);
		received[i] = t->sources[i].received;
	}
	timed = take_turns(t, turn, timing, sent, &n);
	for (unsigned int i = 0; i < n; i++)
		receive(t, sent[i]);
	if (n)
		rte_pktmbuf_free_bulk(sent, n);
	if (!timed || timing->nsteps == TRAFFIC_STEPS)
		return;
	step = &timing->steps[timing->nsteps++];
	step->cycles = timing->cycles - cycles;
	for (int i = 0; i < TRAFFIC_PORTS; i++)
		step->passed[i] = (uint32_t)(t->sources[i].received - received[i]);
}

void traffic_drain(struct traffic *t)
{
	struct timing nothing = {.nturns = TRAFFIC_TURNS, .nsteps = TRAFFIC_STEPS};

	t->quiet = true;
	while (rte_ring_count(t->in[0]) || rte_ring_count(t->in[1]))
		traffic_step(t, worker_turn, &nothing);
	t->quiet = false;
}
