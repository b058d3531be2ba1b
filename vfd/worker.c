/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers: each polls its share of the ports, and sleeps when nothing comes. What a burst sends is collected by port
 * and goes out at its end.
 */
#include "drop.h"
#include "flow.h"
#include "forward.h"
#include "frag.h"
#include "remote.h"
#include "trace.h"

#include <errno.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <sys/prctl.h>
#include <time.h>

#define IDLE_NS    50000  /* busy polling of several devices on few cores costs round trips of milliseconds */
#define REST_NS    500000 /* after REST_MS without a packet: costs a tenth of that */
#define REST_MS    100
#define TICK_MS    100 /* of neighbours */
#define SHARE_US   20  /* some bursts */
#define PENALTY    4
#define PENALTY_MS 100

static unsigned int transmit(struct worker *w, unsigned int port, struct rte_mbuf **mbufs, unsigned int n)
{
	struct port *p = &w->dev->ports[port];
	unsigned int sent;

	rte_spinlock_lock(&p->tx_lock);
	sent = rte_eth_tx_burst(p->dpdk, 0, mbufs, (uint16_t)n);
	rte_spinlock_unlock(&p->tx_lock);
	atomic_fetch_add_explicit(&p->tx, sent, memory_order_relaxed);
	if (sent < n) {
		atomic_fetch_add_explicit(&p->tx_full, n - sent, memory_order_relaxed);
		drop_count(w->dev, DROP_TX_FULL, n - sent);
	}
	return sent;
}

static void flush_port(struct worker *w, unsigned int port)
{
	unsigned int n = w->nout[port], sent = n ? transmit(w, port, w->out[port], n) : 0;

	if (sent < n)
		rte_pktmbuf_free_bulk(w->out[port] + sent, n - sent);
	w->nout[port] = 0;
}

void worker_send(struct worker *w, unsigned int port, struct rte_mbuf *m)
{
	w->out[port][w->nout[port]++] = m;
	if (w->nout[port] == BURST)
		flush_port(w, port);
}

void worker_send_traced(struct worker *w, struct packet *p, uint16_t head)
{
	unsigned int port = p->entry->port;

	flush_port(w, port); /* packets keep their order */
	if (transmit(w, port, &p->m, 1))
		return;
	rte_pktmbuf_adj(p->m, head);
	trace_out_failed(w, p, drop_why(w->dev, DROP_TX_FULL));
	rte_pktmbuf_free(p->m);
}

void worker_flush(struct worker *w)
{
	for (unsigned int i = 0; i < w->dev->nports; i++)
		flush_port(w, i);
}

static void begin(struct worker *w)
{
	trace_turn(w);
	atomic_fetch_add(&w->turns, 1);
	w->epoch = w->dev->epoch; /* before the configuration: an entry of this epoch is never made from an older one */
	w->tasks = w->dev->tasks;
	w->config = w->dev->config;
	w->now_tsc = rte_rdtsc();
	w->now_ms = (uint32_t)(w->now_tsc / (rte_get_tsc_hz() / 1000));
}

static unsigned int serve(struct worker *w, unsigned int number)
{
	struct port *port = &w->dev->ports[number];
	struct rte_mbuf *mbufs[BURST];
	unsigned int n;
	bool beyond;

	n = rte_eth_rx_burst(port->dpdk, 0, mbufs, BURST);
	if (!n)
		return 0;
	w->now_tsc = rte_rdtsc();
	atomic_fetch_add_explicit(&port->rx, n, memory_order_relaxed);
	forward_burst(w, number, mbufs, n);
	worker_flush(w);
	beyond = port->refused && w->now_ms - port->refused_ms < PENALTY_MS;
	port->used = RTE_MAX(port->used, w->served) + (rte_rdtsc() - w->now_tsc) * (beyond ? PENALTY : 1);
	return n;
}

/*
 * A burst from each port, but for those whose packets have cost the worker more time by SHARE than those of another
 * port that has some: what is dear is taken from the time of the port that it comes from. That of a port which went
 * beyond its budget of new flows a moment ago counts PENALTY times: its neighbours keep more than half of the time.
 */
static unsigned int serve_all(struct worker *w, bool *ret_waiting)
{
	uint64_t most = w->served + rte_get_tsc_hz() / 1000000 * SHARE_US, least = UINT64_MAX;
	unsigned int n, all = 0;

	*ret_waiting = false;
	for (unsigned int i = w->number; i < w->dev->nports; i += w->dev->nworkers) {
		bool waits = w->dev->ports[i].used > most;

		n = waits ? 0 : serve(w, i);
		*ret_waiting |= waits;
		all += n;
		if (waits || n)
			least = RTE_MIN(least, w->dev->ports[i].used);
	}
	if (least != UINT64_MAX)
		w->served = least;
	return all;
}

unsigned int worker_turn(struct worker *w)
{
	bool waiting;
	unsigned int n;

	begin(w);
	n = serve_all(w, &waiting);
	return n || !waiting ? n : serve_all(w, &waiting);
}

static void *run(void *arg)
{
	struct worker *w = arg;
	const struct timespec idle = {.tv_nsec = IDLE_NS}, rest = {.tv_nsec = REST_NS};
	uint32_t ticked_ms = 0, busy_ms = 0;

	prctl(PR_SET_TIMERSLACK, 1000ul);
	rte_thread_register();
	begin(w);
	while (!w->dev->stop) {
		unsigned int n = worker_turn(w);

		if (!w->number && w->now_ms - ticked_ms >= TICK_MS) {
			ticked_ms = w->now_ms;
			remotes_tick(w);
			frags_tick(w);
			worker_flush(w);
		}
		if (n) {
			busy_ms = w->now_ms;
			continue;
		}
		trace_idle(w);
		nanosleep(w->now_ms - busy_ms < REST_MS ? &idle : &rest, NULL);
	}
	trace_idle(w);
	rte_thread_unregister();
	return NULL;
}

int worker_start(struct worker *w)
{
	return -pthread_create(&w->thread, NULL, run, w);
}
