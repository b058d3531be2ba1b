// SPDX-License-Identifier: BSD-3-Clause
/* See dump.h. */
#define ALLOW_EXPERIMENTAL_API /* rte_pcapng, in DPDK 22.11 */
#include "bench/dump.h"

#include <fcntl.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pcapng.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define RING   4096 /* as dpdk-dumpcap */
#define COPIES 8191
#define SNAP   262144 /* as dpdk-dumpcap: the whole packet */
#define VM     1      /* number of the port */

struct dump {
	uint16_t port;
	struct rte_mempool *pool;
	struct rte_ring *ring;
	rte_pcapng_t *file;
	const struct rte_eth_rxtx_callback *callback;
	pthread_t thread;
	atomic_bool end;
	atomic_ullong written;
};

static uint16_t on_receive(uint16_t port, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t n, uint16_t max, void *arg)
{
	struct dump *d = arg;
	struct rte_mbuf *copies[BURST];
	uint64_t now = rte_get_tsc_cycles();
	unsigned int made = 0, put;

	for (uint16_t i = 0; i < n && i < BURST; i++) {
		copies[made] = rte_pcapng_copy(port, queue, mbufs[i], d->pool, SNAP, now, RTE_PCAPNG_DIRECTION_IN);
		made += copies[made] != NULL;
	}
	put = rte_ring_enqueue_burst(d->ring, (void **)copies, made, NULL);
	rte_pktmbuf_free_bulk(copies + put, made - put); /* lost, as with tcpdump */
	return n;
}

static void *run(void *arg)
{
	struct dump *d = arg;
	const struct timespec nap = {.tv_nsec = 100000};
	struct rte_mbuf *copies[BURST];
	unsigned int n;

	while (!d->end) {
		n = rte_ring_dequeue_burst(d->ring, (void **)copies, BURST, NULL);
		if (!n) {
			nanosleep(&nap, NULL);
			continue;
		}
		rte_pcapng_write_packets(d->file, copies, (uint16_t)n);
		rte_pktmbuf_free_bulk(copies, n);
		d->written += n;
	}
	return NULL;
}

struct dump *dump_open(struct device *dev)
{
	struct dump *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->port = dev->ports[VM].dpdk;
	d->pool = rte_pktmbuf_pool_create("dump", COPIES, 256, 0, rte_pcapng_mbuf_size(128), SOCKET_ID_ANY);
	d->ring = rte_ring_create("dump", RING, SOCKET_ID_ANY, 0);
	d->file = rte_pcapng_fdopen(open("/dev/null", O_WRONLY | O_CLOEXEC), NULL, NULL, "bench-vfd", NULL);
	if (d->pool && d->ring && d->file && !pthread_create(&d->thread, NULL, run, d))
		return d;
	free(d);
	return NULL;
}

void dump_close(struct dump *dump)
{
	if (!dump)
		return;
	dump_set(dump, false);
	dump->end = true;
	pthread_join(dump->thread, NULL);
	rte_pcapng_close(dump->file);
	free(dump);
}

uint64_t dump_set(struct dump *dump, bool on)
{
	if (on && !dump->callback)
		dump->callback = rte_eth_add_rx_callback(dump->port, 0, on_receive, dump);
	else if (!on && dump->callback && !rte_eth_remove_rx_callback(dump->port, 0, dump->callback))
		dump->callback = NULL;
	return dump->written;
}
