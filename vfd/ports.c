/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's environment and ports, see ports.h.
 */
#include "ports.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <sched.h>
#include <stdio.h>

#define MBUFS       16383 /* 36 MB: rings of all ports, bursts, and what waits for neighbours */
#define MEMORY      128   /* MB of DPDK's memory: mbufs, sessions, ports; and to each worker: */
#define MEMORY_FLOW 172   /* bytes a flow: a third more keys of 72 bytes, as much again for half-empty buckets */
#define RING_RX     512
#define RING_TX     512

/* EAL pins its main thread to one core; threads made later shall run on all that the process may use. */
static int eal_init(const struct config *config)
{
	uint64_t flows = (uint64_t)config->workers * config->flows;
	char core[16], memory[16];
	char *argv[] = {"vtrace-vfd", "--no-huge", "--no-pci",          "--no-shconf", "--no-telemetry", "-m", memory,
	                "-l",         NULL,        "--log-level=error", NULL};
	cpu_set_t cpus;
	int first = 0, got;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return -errno;
	while (first < CPU_SETSIZE - 1 && !CPU_ISSET(first, &cpus))
		first++;
	snprintf(core, sizeof(core), "%d", first);
	argv[8] = core;
	snprintf(memory, sizeof(memory), "%" PRIu64, MEMORY + (flows * MEMORY_FLOW >> 20));
	got = rte_eal_init(10, argv);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	return got < 0 ? -rte_errno : 0;
}

static int port_make(struct port *p)
{
	char name[256];
	char *args;
	int bad;

	snprintf(name, sizeof(name), "%s", p->conf.vdev);
	args = strchr(name, ',');
	if (args)
		*args++ = 0;
	bad = rte_eal_hotplug_add("vdev", name, args ? args : "");
	return bad ? bad : rte_eth_dev_get_port_by_name(name, &p->dpdk);
}

static int port_start(struct device *dev, struct port *p)
{
	struct rte_eth_conf conf = {.txmode.mq_mode = RTE_ETH_MQ_TX_NONE};
	struct rte_ether_addr mac;
	int bad = rte_eth_dev_configure(p->dpdk, 1, 1, &conf);

	if (!bad)
		bad = rte_eth_rx_queue_setup(p->dpdk, 0, RING_RX, SOCKET_ID_ANY, NULL, dev->pool);
	if (!bad)
		bad = rte_eth_tx_queue_setup(p->dpdk, 0, RING_TX, SOCKET_ID_ANY, NULL);
	if (!bad)
		bad = rte_eth_dev_start(p->dpdk);
	if (bad)
		return bad;
	rte_eth_promiscuous_enable(p->dpdk); /* VMs' frames are for other MACs; not every driver has the word */
	rte_eth_macaddr_get(p->dpdk, &mac);
	memcpy(p->mac.b, p->conf.has_mac ? p->conf.mac.b : mac.addr_bytes, 6);
	return 0;
}

int ports_init(struct device *dev, const struct config *config, char *error, size_t size)
{
	int bad = eal_init(config);

	snprintf(error, size, "DPDK's environment: %s", strerror(-bad));
	if (bad)
		return bad;
	dev->pool = rte_pktmbuf_pool_create("mbufs", MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	snprintf(error, size, "memory for %d packets: %s", MBUFS, strerror(rte_errno));
	if (!dev->pool)
		return -ENOMEM;
	for (size_t i = 0; i < config->nports && !bad; i++) {
		struct port *p = &dev->ports[i];

		p->conf = config->ports[i];
		rte_spinlock_init(&p->tx_lock);
		bad = port_make(p);
		if (!bad)
			bad = port_start(dev, p);
		snprintf(error, size, "port %s: cannot start %s: %s", p->conf.name, p->conf.vdev, strerror(-bad));
		dev->nports++;
	}
	return bad;
}

void ports_done(struct device *dev)
{
	for (unsigned int i = 0; i < dev->nports; i++)
		rte_eth_dev_stop(dev->ports[i].dpdk);
	rte_eal_cleanup();
}
