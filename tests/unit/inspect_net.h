// SPDX-License-Identifier: BSD-3-Clause
/*
 * For the tests of the inspectors that need the real kernel: a network namespace of the test's own, commands run in it,
 * packets put on a wire, and drop records as the BPF programs would write them.
 */
#ifndef VT_TESTS_INSPECT_NET_H
#define VT_TESTS_INSPECT_NET_H

#include "core/log.h"
#include "datapath/linux/inspect/inspect.h"

#define NET_MARK 0x2000

/* Enters a new network namespace; false if that is not allowed (not root). It goes when the process ends. */
bool net_enter(void);

/* Runs a shell command (printf format) and asserts that it succeeds. */
void net_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Puts a UDP packet of 60 bytes payload on a device (AF_PACKET), to the given MAC address's device. */
void net_send_udp(const char *device, const char *to_device, const char *src, const char *dst, int sport, int dport);

/* The same packet inside VXLAN, from outer_src to outer_dst. */
void net_send_vxlan(const char *device, const char *to_device, const char *outer_src, const char *outer_dst,
                    const char *src, const char *dst, int sport, int dport);

/* A drop record of such a packet; reason and function by name (BTF and kallsyms of this kernel). */
struct vt_log net_drop(const char *reason, const char *function, const char *device, const char *src, const char *dst,
                       int sport, int dport);

/* Takes one log and gives it back answered; waits for what the kernel still has to report. */
struct vt_log net_answer(struct inspect *in, const struct vt_log *log);

/* Waits until inspect_fd() is readable, at most two seconds; false if it does not become so. */
bool net_wait(struct inspect *in);

uint64_t net_now(void); /* CLOCK_MONOTONIC, ns */

/* Number of lines that a shell command prints. */
int net_count(const char *command);

#endif
