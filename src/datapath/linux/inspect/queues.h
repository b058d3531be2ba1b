// SPDX-License-Identifier: BSD-3-Clause
/*
 * The queueing disciplines of devices and what they dropped between two looks at them. A discipline counts a drop
 * before the packet is freed, so the drop that a record witnesses is in the counters of a look after the record and not
 * in those of a look well before it. The disciplines whose counters differ between the two are those it may have been.
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_QUEUES_H
#define VT_DATAPATH_LINUX_INSPECT_QUEUES_H

#include <stdint.h>

#include "datapath/linux/inspect/drop.h"

#define QDISC_KIND    16
#define QDISC_OPTIONS 96

struct qdisc {
	char kind[QDISC_KIND];
	uint32_t handle;             /* 0: made by the kernel below a class, not by a person */
	uint32_t parent;             /* a class, or TC_H_ROOT */
	const struct qdisc *above;   /* the one that has it in a class, NULL for the root */
	bool moved;                  /* it counted drops between the two looks */
	bool limits, orders;         /* what its kind does; neither: the kind is not known */
	bool direct;                 /* htb: packets of no class have gone to its own queue */
	char options[QDISC_OPTIONS]; /* " limit 7p", or empty */
};

/* What was found out for drops that the same two looks enclose: the next one has the same answer. */
struct qdisc_answer {
	bool known;
	struct finding finding; /* VT_CAUSE_NONE: not sure */
};

/* The disciplines of one device around the time of a drop. */
struct qdisc_tree {
	const struct qdisc *list;
	unsigned int count;
	bool complete; /* all were seen, and their counters before and after; else `moved` proves nothing */
	struct qdisc_answer *answer; /* if it is known the tree is empty; if not, the inspector fills it */
};

struct queues *queues_new(void);
void queues_free(struct queues *queues);

/* Forgets all and takes the first look. To be called while no drop can be witnessed yet. 0 or -errno. */
int queues_arm(struct queues *queues, struct rtnl *rt);

/* The tree of the drop's device at the drop's time; valid until the next call. 0 or -errno. */
int queues_around(struct queues *queues, struct rtnl *rt, const struct vt_record *rec, struct qdisc_tree *ret);

/* qdisc_kind.c: fills limits, orders and options by kind and TCA_OPTIONS (NULL allowed). */
void qdisc_kind_fill(struct qdisc *qdisc, const struct nlattr *options);

/* "8Kbit" for bytes per second, into buf; returns buf. */
const char *qdisc_rate_text(uint64_t bytes_per_second, char *buf, size_t size);

#endif
