// SPDX-License-Identifier: BSD-3-Clause
/*
 * An agent of vtrace-vfd in a thread of its own, over libvdg's socket as the real one: it does what it is told, one
 * thing at a time, while the caller's thread goes on forwarding, and takes the records.
 */
#ifndef BENCH_AGENT_H
#define BENCH_AGENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vdg;

struct tasks_wanted {
	unsigned int number;
	bool match;  /* task i wants UDP to port 5000 + i % 10; else to ports that nobody sends to */
	bool shapes; /* not of one shape each: their source prefixes differ in length */
};

struct agent;

/* Both threads run on the CPUs of this one's mask at the time. */
struct agent *agent_open(struct vdg *vdg, const char *socket);
void agent_close(struct agent *agent);

/* Begins to remove all tasks and install these, 100 packets each. */
void agent_set(struct agent *agent, const struct tasks_wanted *wanted);
bool agent_done(const struct agent *agent);

uint64_t agent_arm_ns(const struct agent *agent); /* of the last agent_set(): installing and starting its tasks */
uint64_t agent_records(const struct agent *agent);

#endif
