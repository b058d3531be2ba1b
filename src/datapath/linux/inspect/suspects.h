// SPDX-License-Identifier: BSD-3-Clause
/*
 * Who may have dropped a packet at a hook of a device, in words: the programs and filters attached there less those
 * that cannot have done it. One left is named; of several it is said that it was one of them.
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_SUSPECTS_H
#define VT_DATAPATH_LINUX_INSPECT_SUSPECTS_H

#include <stdint.h>

#include "datapath/linux/inspect/drop.h"

#define SUSPECTS_NAMED 4 /* as many as a line of evidence has room for; the rest are counted */
#define SUSPECT_TEXT   96

struct suspects {
	bool of_taking;        /* not who may have dropped the packet is asked for, but who may have kept it */
	unsigned int count;    /* also those that are not named */
	unsigned int policers; /* of them: these drop what exceeds a rate, whatever it is */
	char names[SUSPECTS_NAMED][SUSPECT_TEXT];
};

/* One hook of a device, as the packet met it. */
struct tc_hook {
	uint32_t ifindex;
	bool egress;
	uint16_t protocol; /* ETH_P_* of the packet */
};

void suspects_add(struct suspects *suspects, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * programs.c: says in the finding that the one suspect, or one of several, dropped the packet at `where` ("egress of
 * vm2"); returns 1, or 0 if it may have been a policer or somebody's verdict.
 */
int suspects_found(const struct suspects *suspects, const struct drop *drop, const char *where,
                   struct finding *finding);

/*
 * filters.c: whether the namespace has any place for filters (a qdisc clsact or ingress); true if it cannot be asked
 */
bool filters_possible(struct rtnl *rt);

/*
 * filters.c: adds the tc filters of the hook that may drop (or keep) packets: BPF programs, and filters one of whose
 * actions drops (an action that counts its drops and has none is out, as is a filter for the other IP version).
 */
int filters_suspect(struct rtnl *rt, const struct tc_hook *hook, struct suspects *suspects);

/*
 * The same for the filters of a queueing discipline and of its classes, which sort packets and may drop them. -E2BIG if
 * there are too many classes to ask for the filters of each.
 */
int filters_suspect_qdisc(struct rtnl *rt, uint32_t ifindex, uint32_t handle, struct suspects *suspects);

/* programs.c: a program of an agent, which never drops */
bool program_is_ours(uint32_t id);

/* "NAME (id 12)" of a BPF program into `buf`, "id 12" where the kernel does not tell its name; returns buf. */
const char *program_name(uint32_t id, char *buf, size_t size);

#endif
