// SPDX-License-Identifier: BSD-3-Clause
/* See ports.h. Every port has one queue each way; frames lie in one buffer each. */
#include "vfd/ports.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MBUFS      4095
#define MBUF_ROOM  (RTE_PKTMBUF_HEADROOM + 9216)
#define QUEUE_SIZE 512
#define MEMORY_MB  "128"

/* "--vdev=net_af_packet0,iface=vm1" for each port. */
static int eal_start(const struct config *config, struct vt_err *err)
{
	char vdevs[CONFIG_PORTS_MAX][CONFIG_VDEV_MAX + 8];
	char *argv[CONFIG_PORTS_MAX + 16] = {
	    "vtrace-vfd",     "-l", "0",       "--no-huge",   "--no-pci", "--no-shconf",
	    "--no-telemetry", "-m", MEMORY_MB, "--log-level", "4"};
	int argc = 11;

	for (unsigned int i = 0; i < config->n_ports; i++) {
		snprintf(vdevs[i], sizeof(vdevs[i]), "--vdev=%s", config->ports[i].vdev);
		argv[argc++] = vdevs[i];
	}
	if (rte_eal_init(argc, argv) < 0)
		return vt_fail(err, rte_errno ? rte_errno : EIO, "start DPDK: %s (its own words are above)",
		               rte_strerror(rte_errno));
	return 0;
}

static int port_open(struct device *device, const struct port_config *config, struct device_port *port,
                     struct vt_err *err)
{
	struct rte_eth_conf conf = {0};
	char name[CONFIG_VDEV_MAX];
	int ret;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(config->vdev, ","), config->vdev);
	if (rte_eth_dev_get_port_by_name(name, &port->dpdk))
		return vt_fail(err, ENODEV, "port %s: DPDK has made no device of \"%s\"", config->name, config->vdev);
	ret = rte_eth_dev_configure(port->dpdk, 1, 1, &conf);
	if (!ret)
		ret = rte_eth_rx_queue_setup(port->dpdk, 0, QUEUE_SIZE, rte_eth_dev_socket_id(port->dpdk), NULL,
		                             device->pool);
	if (!ret)
		ret = rte_eth_tx_queue_setup(port->dpdk, 0, QUEUE_SIZE, rte_eth_dev_socket_id(port->dpdk), NULL);
	if (!ret)
		ret = rte_eth_dev_start(port->dpdk);
	if (ret)
		return vt_fail(err, -ret, "port %s: start \"%s\": %s", config->name, config->vdev, strerror(-ret));
	rte_eth_promiscuous_enable(port->dpdk); /* not every kind of port has that, nor needs it */
	return 0;
}

int ports_open(struct device *device, const struct config *config, struct vt_err *err)
{
	int ret = eal_start(config, err);

	if (ret)
		return ret;
	device->pool = rte_pktmbuf_pool_create("frames", MBUFS, 128, 0, MBUF_ROOM, SOCKET_ID_ANY);
	if (!device->pool)
		return vt_fail(err, ENOMEM, "take memory for %d frames: %s", MBUFS, rte_strerror(rte_errno));
	for (unsigned int i = 0; !ret && i < config->n_ports; i++) {
		ret = port_open(device, &config->ports[i], &device->ports[i], err);
		device->n_ports += !ret;
	}
	return ret;
}

void ports_close(struct device *device)
{
	for (unsigned int i = 0; i < device->n_ports; i++) {
		rte_eth_dev_stop(device->ports[i].dpdk);
		rte_eth_dev_close(device->ports[i].dpdk);
	}
	rte_eal_cleanup();
}
