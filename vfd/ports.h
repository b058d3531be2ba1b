/* SPDX-License-Identifier: BSD-3-Clause */
/* DPDK: its environment, memory and ports. */
#ifndef VFD_PORTS_H
#define VFD_PORTS_H

#include "vfd/device.h"

/* Starts DPDK without hugepages or PCI devices, with the ports of the configuration. -errno. */
int ports_open(struct device *device, const struct config *config, struct vt_err *err);
void ports_close(struct device *device);

#endif
