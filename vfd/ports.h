/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's side: the environment without hugepages, and the ports.
 */
#ifndef VFD_PORTS_H
#define VFD_PORTS_H

#include "device.h"

/* 0, or -errno and error (size bytes) says what failed, on which port. */
int ports_init(struct device *dev, const struct config *config, char *error, size_t size);
void ports_done(struct device *dev);

#endif
