// SPDX-License-Identifier: BSD-3-Clause
/* Unanswered neighbours. The drop's reason says that resolution failed; here it is found whose. */
#include "datapath/linux/inspect/neigh.h"

#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "datapath/linux/inspect/inspectors.h"

#define PROBES_UNANSWERED 2 /* the second probe is sent a second (retrans_time) after the first got no answer */
#define PROBES_UNICAST    3 /* the kernel's default of ucast_solicit */

struct neigh_walk {
	uint8_t family;
	uint32_t ifindex;
	void (*fn)(void *arg, const struct neigh *neigh);
	void *arg;
};

static int neigh_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[NDA_PROBES + 1];
	struct neigh_walk *walk = arg;
	struct neigh neigh = {.family = ndm->ndm_family,
	                      .ifindex = (uint32_t)ndm->ndm_ifindex,
	                      .state = ndm->ndm_state,
	                      .flags = ndm->ndm_flags};

	if (ndm->ndm_family != walk->family || (walk->ifindex && neigh.ifindex != walk->ifindex))
		return MNL_CB_OK;
	rtnl_attributes(nlh, sizeof(*ndm), tb, NDA_PROBES);
	if (tb[NDA_DST] && mnl_attr_get_payload_len(tb[NDA_DST]) <= sizeof(neigh.address)) {
		neigh.address_size = (uint8_t)mnl_attr_get_payload_len(tb[NDA_DST]);
		memcpy(neigh.address, mnl_attr_get_payload(tb[NDA_DST]), neigh.address_size);
	}
	if (tb[NDA_LLADDR] && mnl_attr_get_payload_len(tb[NDA_LLADDR]) == sizeof(neigh.mac)) {
		neigh.has_mac = true;
		memcpy(neigh.mac, mnl_attr_get_payload(tb[NDA_LLADDR]), sizeof(neigh.mac));
	}
	if (tb[NDA_PROBES])
		neigh.probes = mnl_attr_get_u32(tb[NDA_PROBES]);
	walk->fn(walk->arg, &neigh);
	return MNL_CB_OK;
}

int neigh_dump(struct rtnl *rt, uint8_t family, uint32_t ifindex, void (*fn)(void *arg, const struct neigh *neigh),
               void *arg)
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETNEIGH, NLM_F_DUMP);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
	struct neigh_walk walk = {.family = family, .ifindex = ifindex, .fn = fn, .arg = arg};

	ndm->ndm_family = family;
	if (ifindex)
		mnl_attr_put_u32(nlh, NDA_IFINDEX, ifindex); /* the kernel filters, and so do we */
	return rtnl_ask(rt, nlh, neigh_seen, &walk);
}

struct neigh_search {
	const uint8_t *address;
	size_t size;
	bool found;
	struct neigh neigh;
};

static void neigh_keep(void *arg, const struct neigh *neigh)
{
	struct neigh_search *search = arg;

	if (neigh->address_size == search->size && !memcmp(neigh->address, search->address, search->size)) {
		search->found = true;
		search->neigh = *neigh;
	}
}

/* The neighbour that the packet was to go to: the gateway of its route, or its destination. Its text goes to `next`. */
static bool neigh_next_hop(struct rtnl *rt, const struct drop *drop, char *next, struct neigh *ret_neigh)
{
	struct fib_key key = drop_fib_key(drop);
	struct neigh_search search = {.address = key.dst, .size = key.family == AF_INET ? 4 : 16};
	struct fib_answer answer = {0};
	uint8_t family = key.family;

	key.iif = 0; /* the device of the drop is the outgoing one here */
	key.src = NULL;
	key.oif = drop->rec->ifindex;
	if (fib_lookup(rt, &key, &answer) == 0 && answer.has_gateway) {
		family = answer.gateway_family;
		search.address = answer.gateway;
		search.size = family == AF_INET ? 4 : 16;
	}
	inet_ntop(family, search.address, next, INET6_ADDRSTRLEN);
	neigh_dump(rt, family, drop->rec->ifindex, neigh_keep, &search);
	*ret_neigh = search.neigh;
	return search.found;
}

static enum vt_cause neigh_cause(const struct drop *drop)
{
	return drop_is_outer(drop) ? VT_CAUSE_VTEP_NEIGHBOUR_FAILED : VT_CAUSE_NEIGHBOUR_FAILED;
}

#define NUD_ANSWERED (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

struct neigh_failing {
	unsigned int count;
	struct neigh last;
};

static void neigh_failing_keep(void *arg, const struct neigh *neigh)
{
	struct neigh_failing *failing = arg;

	if (!neigh->address_size || !(neigh->state & (NUD_FAILED | NUD_INCOMPLETE)))
		return;
	failing->count++;
	failing->last = *neigh;
}

/*
 * A look-up without the packet's ports may take another of several next hops than the packet took. One that has
 * answered is not the one: then it is the only one of the device that has not, or it is not known which.
 */
int neigh_failed_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	const char *how = drop_fib_key(drop).family == AF_INET ? "ARP" : "neighbour discovery";
	struct neigh_failing failing = {0};
	char next[INET6_ADDRSTRLEN];
	struct neigh neigh;

	if (neigh_next_hop(rt, drop, next, &neigh) && (neigh.state & NUD_ANSWERED)) {
		neigh_dump(rt, drop_fib_key(drop).family, drop->rec->ifindex, neigh_failing_keep, &failing);
		if (failing.count != 1)
			return drop_found(finding, neigh_cause(drop),
			                  "a next hop on %s does not answer (%s): not %s, which does", drop->device,
			                  how, next);
		inet_ntop(drop_fib_key(drop).family, failing.last.address, next, sizeof(next));
	}
	return drop_found(finding, neigh_cause(drop), "neighbour %s on %s does not answer (%s)", next, drop->device,
	                  how);
}

/* An entry without an address counts from as many probes as it would have sent to a known one. */
static unsigned int probes_before(uint8_t family, const char *device)
{
	unsigned int probes = PROBES_UNICAST;
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/neigh/%.16s/ucast_solicit", family == AF_INET ? "ipv4" : "ipv6",
	         device);
	file = fopen(path, "re");
	if (!file)
		return probes;
	if (fscanf(file, "%u", &probes) != 1)
		probes = PROBES_UNICAST;
	fclose(file);
	return probes;
}

int neigh_queue_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	char next[INET6_ADDRSTRLEN];
	struct neigh neigh;
	bool found = neigh_next_hop(rt, drop, next, &neigh);

	if (found && ((neigh.state & NUD_FAILED) ||
	              ((neigh.state & NUD_INCOMPLETE) &&
	               neigh.probes >= probes_before(neigh.family, drop->device) + PROBES_UNANSWERED)))
		return neigh_failed_inspect(rt, drop, finding);
	return drop_found(finding, VT_CAUSE_QUEUE_FULL,
	                  "queue of packets waiting for the address of neighbour %s on %s is full", next, drop->device);
}
