// SPDX-License-Identifier: BSD-3-Clause
/*
 * Packets that a rule of a packet filter handed to user space (NFQUEUE). nf_queue() frees what no queue took. Which
 * queue was meant is not known here: certain is only what holds for all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "datapath/linux/inspect/inspectors.h"
#include "datapath/linux/inspect/legacy.h"

#define QUEUES_TEXT 160 /* bytes of the list of queues; more are cut */

static enum vt_cause nfqueue_cause(const struct drop *drop)
{
	return drop_is_outer(drop) ? VT_CAUSE_UNDERLAY_FILTERED : VT_CAUSE_POLICY_NFQUEUE;
}

/* The queues of this namespace that somebody reads: how many, or -errno; as "0, 5" in `buf`. */
static int queues_read(char *buf, size_t size)
{
	FILE *file = fopen("/proc/thread-self/net/netfilter/nfnetlink_queue", "re");
	unsigned int number;
	char line[160];
	int count = 0;

	buf[0] = '\0';
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		size_t used = strlen(buf);

		if (sscanf(line, "%u", &number) == 1 && size - used > 16)
			snprintf(buf + used, size - used, "%s%u", used ? ", " : "", number);
		count++;
	}
	fclose(file);
	return count;
}

int nfqueue_full_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	char queues[QUEUES_TEXT];
	int count = queues_read(queues, sizeof(queues));

	(void)rt;
	if (count == 0)
		return drop_found(
		    finding, nfqueue_cause(drop),
		    "a rule handed the packet to a program (NFQUEUE), and no program reads any queue here");
	if (count < 0)
		return drop_unsure(finding, "a rule handed it to a program (NFQUEUE), whose queue did not take it");
	return drop_unsure(finding,
	                   "a rule handed it to a program (NFQUEUE): its queue is full, or none of those with a "
	                   "reader (%s)",
	                   queues);
}

/* Hooks behind the rule's get the packet from the same place; those of nftables free what they drop themselves (6.5).
 */
int nfqueue_verdict_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	char queues[QUEUES_TEXT];
	int count = queues_read(queues, sizeof(queues));

	(void)rt;
	if (legacy_in_use(drop_fib_key(drop).family == AF_INET ? 4 : 6))
		return drop_unsure(finding, "a program that it was handed to (NFQUEUE), or a rule of iptables-legacy");
	if (count > 0)
		return drop_found(
		    finding, nfqueue_cause(drop),
		    "a rule handed the packet to a program (NFQUEUE), which dropped it; read here: queue %s", queues);
	return drop_found(finding, nfqueue_cause(drop),
	                  "a rule handed the packet to a program (NFQUEUE), which ended or dropped it");
}
