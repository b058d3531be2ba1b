// SPDX-License-Identifier: BSD-3-Clause
/*
 * Rules and policies of iptables-legacy and ip6tables-legacy that drop, with their packet counters. The kernel gives
 * these tables to their own tool only, so iptables-legacy-save is asked (some 3 ms), and only where such tables are in
 * use.
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_LEGACY_H
#define VT_DATAPATH_LINUX_INSPECT_LEGACY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEGACY_TEXT_MAX 256
#define LEGACY_MAX      4096 /* rules that drop; hosts with more than that (ipsets do better) get the first ones */

struct legacy_drop {
	uint64_t packets;
	char text[LEGACY_TEXT_MAX]; /* "iptables-legacy table filter: -A FORWARD -p udp -m udp --dport 53 -j DROP" */
};

struct legacy_rules {
	size_t count;
	bool cut; /* there were more */
	struct legacy_drop *drops;
};

/* True if tables of that family (4 or 6) are in use in this network namespace. */
bool legacy_in_use(int family);

/* Reads anew; what was in *rules is freed. 0, or -errno where the tool cannot be run (then *rules is empty). */
int legacy_read(int family, struct legacy_rules *rules);
void legacy_free(struct legacy_rules *rules);

#endif
