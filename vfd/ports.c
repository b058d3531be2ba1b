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
#include <rte_kvargs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MBUFS       16383 /* 36 MB: rings of most ports, bursts, and what waits for neighbours */
#define MEMORY      128   /* MB of DPDK's memory: mbufs, sessions, ports; and to each worker: */
#define MEMORY_FLOW 172   /* bytes a flow: a third more keys of 72 bytes, as much again for half-empty buckets */
#define RING        512
#define RING_XDP    2048 /* what comes while the worker does not get a CPU: the kernel has no other queue there */
#define MBUFS_XDP   4096 /* of each af_xdp port: both its rings hold mbufs of the pool */
#define MEMORY_XDP  12   /* MB for these */

static bool has_driver(const struct port_config *p, const char *driver)
{
	return !strncmp(p->vdev, driver, strlen(driver));
}

static bool is_xdp(const struct port_config *p)
{
	return has_driver(p, "net_af_xdp");
}

static unsigned int count_xdp(const struct config *config)
{
	unsigned int count = 0;

	for (size_t i = 0; i < config->nports; i++)
		count += is_xdp(&config->ports[i]);
	return count;
}

/* EAL pins its main thread to one core; threads made later shall run on all that the process may use. */
static int eal_init(const struct config *config, unsigned int nxdp)
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
	snprintf(memory, sizeof(memory), "%" PRIu64, MEMORY + nxdp * MEMORY_XDP + (flows * MEMORY_FLOW >> 20));
	got = rte_eal_init(10, argv);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	return got < 0 ? -rte_errno : 0;
}

static int port_make(struct device *dev, struct port *p)
{
	char name[256];
	char *args;
	int bad;

	snprintf(name, sizeof(name), "%s", p->conf.vdev);
	args = strchr(name, ',');
	if (args)
		*args++ = 0;
	bad = rte_eal_hotplug_add("vdev", name, args ? args : "");
	if (!bad)
		bad = rte_eth_dev_get_port_by_name(name, &p->dpdk);
	if (!bad)
		dev->nports++;
	return bad;
}

static int port_start(struct device *dev, struct port *p)
{
	struct rte_eth_conf conf = {.txmode.mq_mode = RTE_ETH_MQ_TX_NONE};
	struct rte_ether_addr mac;
	uint16_t ring = is_xdp(&p->conf) ? RING_XDP : RING;
	int bad = rte_eth_dev_configure(p->dpdk, 1, 1, &conf);

	if (!bad)
		bad = rte_eth_rx_queue_setup(p->dpdk, 0, ring, SOCKET_ID_ANY, NULL, dev->pool);
	if (!bad)
		bad = rte_eth_tx_queue_setup(p->dpdk, 0, ring, SOCKET_ID_ANY, NULL);
	if (!bad)
		bad = rte_eth_dev_start(p->dpdk);
	if (bad)
		return bad;
	rte_eth_promiscuous_enable(p->dpdk); /* VMs' frames are for other MACs; not every driver has the word */
	rte_eth_macaddr_get(p->dpdk, &mac);
	memcpy(p->mac.b, p->conf.has_mac ? p->conf.mac.b : mac.addr_bytes, 6);
	return 0;
}

/* What to try where a driver does not start; its own words seldom say it. */
static const char *hint(const struct port_config *p)
{
	static const struct {
		const char *driver, *hint;
		bool user; /* root does not need it */
	} hints[] = {
	    {"net_af_packet", "; as this user it needs CAP_NET_RAW", true},
	    {"net_af_xdp", "; as this user it needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF", true},
	    {"net_tap", "; as this user it needs CAP_NET_ADMIN", true},
	    {"net_memif", "; a client starts after the server that makes the socket, and its user must reach it",
	     false},
	};

	for (size_t i = 0; i < RTE_DIM(hints); i++)
		if (has_driver(p, hints[i].driver) && (!hints[i].user || geteuid()))
			return hints[i].hint;
	return "";
}

/* DPDK's numbers say little (it is "Operation not permitted" for an interface that is not there), its log does. */
static void tell(const struct port *p, int bad, char *log, char *error, size_t size)
{
	log[strcspn(log, "\n")] = 0; /* what follows is about what did not come of it */
	snprintf(error, size, "port %s: cannot start %s: %s%s", p->conf.name, p->conf.vdev,
	         log[0] ? log : strerror(-bad), hint(&p->conf));
}

/* One port, with DPDK's log held back: it is told where the start fails. */
static int port_init(struct device *dev, struct port *p, char *error, size_t size)
{
	char *log = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&log, &length);
	int bad;

	rte_openlog_stream(stream); /* NULL: the usual one */
	bad = port_make(dev, p);
	if (!bad)
		bad = port_start(dev, p);
	rte_openlog_stream(stderr); /* not syslog, too: the end of the process may wait for it for ever */
	if (stream)
		fclose(stream);
	if (bad) {
		tell(p, bad, log ? log : (char[]){""}, error, size);
		rte_log_set_global_level(RTE_LOG_EMERG); /* the driver's words on the way out add nothing */
	}
	free(log);
	return bad;
}

int ports_init(struct device *dev, const struct config *config, char *error, size_t size)
{
	unsigned int nxdp = count_xdp(config), mbufs = MBUFS + nxdp * MBUFS_XDP;
	int bad = eal_init(config, nxdp);

	snprintf(error, size, "DPDK's environment: %s", strerror(-bad));
	if (bad)
		return bad;
	dev->pool = rte_pktmbuf_pool_create("mbufs", mbufs, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	snprintf(error, size, "memory for %u packets: %s", mbufs, strerror(rte_errno));
	if (!dev->pool)
		return -ENOMEM;
	for (size_t i = 0; i < config->nports && !bad; i++) {
		struct port *p = &dev->ports[i];

		p->conf = config->ports[i];
		rte_spinlock_init(&p->tx_lock);
		bad = port_init(dev, p, error, size);
	}
	return bad;
}

/* The socket that a memif server made goes with it. */
static void memif_unlink(const struct port_config *p)
{
	const char *args = strchr(p->vdev, ',');
	struct rte_kvargs *words = args ? rte_kvargs_parse(args + 1, NULL) : NULL;
	const char *role = words ? rte_kvargs_get(words, "role") : NULL;
	const char *abstract = words ? rte_kvargs_get(words, "socket-abstract") : NULL;
	const char *socket = words ? rte_kvargs_get(words, "socket") : NULL;

	if (role && abstract && socket && !strcmp(role, "server") && !strcmp(abstract, "no"))
		unlink(socket);
	rte_kvargs_free(words);
}

/*
 * No rte_eal_cleanup(), which unmaps memory under DPDK's interrupt thread; and memif's ports are left to the end of the
 * process: their other ends go as well, and then that thread takes them down at the same time (22.11).
 */
void ports_done(struct device *dev)
{
	for (unsigned int i = 0; i < dev->nports; i++) {
		if (has_driver(&dev->ports[i].conf, "net_memif")) {
			memif_unlink(&dev->ports[i].conf);
			continue;
		}
		rte_eth_dev_stop(dev->ports[i].dpdk);
		rte_eth_dev_close(dev->ports[i].dpdk);
	}
}
