/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A burst of packets from one port, through the device.
 */
#ifndef VFD_FORWARD_H
#define VFD_FORWARD_H

#include "device.h"

void forward_burst(struct worker *w, unsigned int port, struct rte_mbuf **mbufs, unsigned int n); /* takes them */

#endif
