// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a packet capture costs a device on DPDK, in place of tcpdump, which sees nothing there: every packet that a VM's
 * port receives is copied as pcapng, as dpdk-dumpcap does it (rte_pcapng_copy() in a callback of the port), into a ring
 * from which another thread writes to /dev/null.
 */
#ifndef BENCH_DUMP_H
#define BENCH_DUMP_H

#include "vfd/device.h"

struct dump *dump_open(struct device *dev); /* its thread runs on this one's CPUs */
void dump_close(struct dump *dump);
uint64_t dump_set(struct dump *dump, bool on); /* packets written since it was opened */

#endif
