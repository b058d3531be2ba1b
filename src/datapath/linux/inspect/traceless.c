// SPDX-License-Identifier: BSD-3-Clause
/* See traceless.h. */
#include "datapath/linux/inspect/traceless.h"

#include <stdlib.h>
#include <string.h>

#include "datapath/linux/inspect/conntrack.h"
#include "datapath/linux/inspect/inspectors.h"
#include "datapath/linux/inspect/legacy.h"

#define LOOK_AGE_NS 200000000 /* a burst of drops of one flow costs one look; short against a change by a person */
#define MOVED_NAMED 3         /* rules that a line of evidence has room for */

struct traceless {
	struct conntrack_state armed, conntrack;
	struct legacy_rules legacy[2]; /* IPv4, IPv6 */
	/* the last look */
	uint64_t looked_at_ns; /* 0: none yet */
	struct vt_flow flow;
	bool outer, conntrack_moved;
	unsigned int n_moved;
	char moved[MOVED_NAMED][LEGACY_TEXT_MAX];
	uint32_t programs_ifindex; /* where programs were asked for since, 0: nowhere */
	struct finding programs;   /* what they said */
};

struct traceless *traceless_new(void)
{
	return calloc(1, sizeof(struct traceless));
}

void traceless_free(struct traceless *t)
{
	if (!t)
		return;
	legacy_free(&t->legacy[0]);
	legacy_free(&t->legacy[1]);
	free(t);
}

static void legacy_look(struct traceless *t, int family, struct legacy_rules *rules)
{
	if (legacy_in_use(family))
		legacy_read(family, rules);
	else
		legacy_free(rules);
}

void traceless_arm(struct traceless *t)
{
	t->looked_at_ns = 0;
	conntrack_read(&t->conntrack);
	t->armed = t->conntrack;
	legacy_look(t, 4, &t->legacy[0]);
	legacy_look(t, 6, &t->legacy[1]);
}

/* The counter of the same rule before, where it is unchanged; 0 for a rule that is new. */
static uint64_t packets_before(const struct legacy_rules *before, size_t i, const struct legacy_drop *drop)
{
	return i < before->count && !strcmp(before->drops[i].text, drop->text) ? before->drops[i].packets : 0;
}

static void legacy_moved(struct traceless *t, int family)
{
	struct legacy_rules now = {0}, *before = &t->legacy[family == 6];

	t->n_moved = 0;
	legacy_look(t, family, &now);
	for (size_t i = 0; i < now.count; i++) {
		if (now.drops[i].packets == packets_before(before, i, &now.drops[i]))
			continue;
		if (t->n_moved < MOVED_NAMED)
			memcpy(t->moved[t->n_moved], now.drops[i].text, LEGACY_TEXT_MAX);
		t->n_moved++;
	}
	legacy_free(before);
	*before = now;
}

/* Looks at all counters and takes note of those that moved since the last look. */
static void look(struct traceless *t, const struct drop *drop, uint64_t now_ns)
{
	struct conntrack_state before = t->conntrack;

	if (t->looked_at_ns && now_ns - t->looked_at_ns < LOOK_AGE_NS && t->outer == drop_is_outer(drop) &&
	    !memcmp(&t->flow, &drop->rec->flow, sizeof(t->flow)))
		return;
	t->looked_at_ns = now_ns;
	t->programs_ifindex = 0;
	t->flow = drop->rec->flow;
	t->outer = drop_is_outer(drop);
	t->conntrack_moved = conntrack_read(&t->conntrack) == 0 && t->conntrack.drops > before.drops;
	legacy_moved(t, drop_fib_key(drop).family == AF_INET ? 4 : 6);
}

static int legacy_found(const struct traceless *t, const struct drop *drop, struct finding *finding)
{
	enum vt_cause cause = drop_is_outer(drop) ? VT_CAUSE_UNDERLAY_FILTERED : VT_CAUSE_POLICY_IPTABLES;

	if (t->n_moved == 1)
		return drop_found(finding, cause, "%s", t->moved[0]);
	return drop_found(finding, cause, "one of %u rules whose counters moved, among them %.200s and %.200s",
	                  t->n_moved, t->moved[0], t->moved[1]);
}

/*
 * A program at a hook dropped it if nobody else can have done so. Counters do not tell that: one that stands still may
 * have counted this packet before the last look. So there must be none: no table of iptables-legacy, and nothing that
 * connection tracking dropped since we watch. False: others may have.
 */
static bool programs_ask(struct traceless *t, struct rtnl *rt, const struct drop *drop)
{
	if (t->programs_ifindex && t->programs_ifindex == drop->rec->ifindex)
		return true;
	if (legacy_in_use(drop_fib_key(drop).family == AF_INET ? 4 : 6) || t->conntrack.drops != t->armed.drops ||
	    t->conntrack.failures != t->armed.failures)
		return false;
	memset(&t->programs, 0, sizeof(t->programs));
	nf_programs_inspect(rt, drop, &t->programs);
	t->programs_ifindex = drop->rec->ifindex;
	return true;
}

int traceless_inspect(struct traceless *t, struct rtnl *rt, const struct drop *drop, uint64_t now_ns,
                      struct finding *finding)
{
	look(t, drop, now_ns);
	if (t->conntrack_moved && t->n_moved)
		return drop_unsure(finding, "a full connection tracking table (%u of %u), or %.200s",
		                   t->conntrack.count, t->conntrack.max, t->moved[0]);
	if (t->conntrack_moved)
		return drop_found(finding, VT_CAUSE_CONNTRACK_FULL,
		                  "the connection tracking table of this host is full: its limit is %u connections",
		                  t->conntrack.max);
	if (t->n_moved)
		return legacy_found(t, drop, finding);
	if (programs_ask(t, rt, drop))
		*finding = t->programs;
	if (finding->cause != VT_CAUSE_NONE || finding->evidence[0])
		return finding->cause != VT_CAUSE_NONE;
	return drop_unsure(
	    finding,
	    "no rule of nftables or iptables-legacy reported it, and the connection tracking table is not full");
}
