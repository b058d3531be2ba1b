// SPDX-License-Identifier: BSD-3-Clause
/* The forwarding table of a vxlan device: no entry for a packet, or entries for tunnel end points that cannot be
 * reached. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <string.h>

#include "datapath/linux/inspect/fib.h"
#include "datapath/linux/inspect/inspectors.h"
#include "datapath/linux/inspect/neigh.h"

struct mac_search {
	const uint8_t *address;
	size_t size;
	bool found, ambiguous;
	uint8_t mac[6];
};

static void mac_keep(void *arg, const struct neigh *neigh)
{
	struct mac_search *search = arg;

	if (!neigh->has_mac || neigh->address_size != search->size ||
	    memcmp(neigh->address, search->address, search->size))
		return;
	if (search->found && memcmp(search->mac, neigh->mac, sizeof(search->mac)))
		search->ambiguous = true;
	search->found = true;
	memcpy(search->mac, neigh->mac, sizeof(search->mac));
}

/*
 * The record has no MAC address. This host knows it only if it routed the packet itself: then it is in the neighbour
 * table of the bridge that the vxlan device is a port of.
 */
static void fdb_mac_text(struct rtnl *rt, const struct drop *drop, const struct rtnl_link *vxlan, char *buf,
                         size_t size)
{
	struct fib_key key = drop_fib_key(drop);
	struct mac_search search = {.address = key.dst, .size = key.family == AF_INET ? 4 : 16};
	const uint8_t *mac = search.mac;
	char dst[INET6_ADDRSTRLEN];

	neigh_dump(rt, key.family, vxlan->master ? vxlan->master : vxlan->ifindex, mac_keep, &search);
	drop_address(drop->rec->flow.dst, dst);
	if (search.found && !search.ambiguous)
		snprintf(buf, size, "%02x:%02x:%02x:%02x:%02x:%02x (%s)", mac[0], mac[1], mac[2], mac[3], mac[4],
		         mac[5], dst);
	else
		snprintf(buf, size, "the destination's MAC address (of %s or its gateway)", dst);
}

int fdb_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct rtnl_link link;
	char mac[96];

	if (rtnl_link(rt, drop->rec->ifindex, &link) < 0 || strcmp(link.kind, "vxlan"))
		return drop_found(finding, VT_CAUSE_FDB_MISSING,
		                  "a vxlan device has no forwarding entry and no default remote");
	fdb_mac_text(rt, drop, &link, mac, sizeof(mac));
	memcpy(finding->device, link.name, sizeof(finding->device));
	return drop_found(finding, VT_CAUSE_FDB_MISSING,
	                  "%s (VNI %u) has no forwarding entry for %s and no default remote", link.name, link.vni, mac);
}

#define REMOTES_TEXT 360 /* bytes of the list of unreachable end points */

struct remote_check {
	struct rtnl *rt;
	unsigned int count;
	struct {
		uint8_t size, address[16];
	} remote[16]; /* of a device's end points the first ones; we name those without a route among them */
};

static void remote_keep(void *arg, const struct neigh *neigh)
{
	struct remote_check *check = arg;

	if (!neigh->address_size || check->count == sizeof(check->remote) / sizeof(check->remote[0]))
		return;
	for (unsigned int i = 0; i < check->count; i++) {
		if (check->remote[i].size == neigh->address_size &&
		    !memcmp(check->remote[i].address, neigh->address, neigh->address_size))
			return;
	}
	check->remote[check->count].size = neigh->address_size;
	memcpy(check->remote[check->count++].address, neigh->address, neigh->address_size);
}

/* Why there is no way: the route or rule that denies it, as it is now, or else the kernel's word. */
static void remote_why(struct rtnl *rt, const struct fib_key *key, int error, char *buf, size_t size)
{
	struct fib_decision decision = {0};
	uint8_t type, action;

	if (fib_error_cause(error, &type, &action))
		fib_decide(rt, key, type, action, &decision);
	fib_decision_text(&decision, buf, size);
	if (!buf[0])
		snprintf(buf, size, "%s", strerror(error));
}

static void remotes_unroutable(struct remote_check *check, char *buf, size_t size)
{
	buf[0] = '\0';
	for (unsigned int i = 0; i < check->count; i++) {
		struct fib_key key = {.family = check->remote[i].size == 4 ? AF_INET : AF_INET6,
		                      .dst = check->remote[i].address,
		                      .iif_name = "lo"}; /* as rules call what is sent from here */
		char address[INET6_ADDRSTRLEN], why[FIB_DECISION_TEXT];
		struct fib_answer answer;
		size_t used = strlen(buf);
		int ret = fib_lookup(check->rt, &key, &answer);

		if (ret >= 0)
			continue;
		inet_ntop(key.family, key.dst, address, sizeof(address));
		remote_why(check->rt, &key, -ret, why, sizeof(why));
		if (snprintf(buf + used, size - used, "%s%s (%s)", used ? ", " : "", address, why) >=
		    (int)(size - used))
			buf[used] = '\0'; /* no room for it */
	}
}

int fdb_remote_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct remote_check check = {.rt = rt};
	char remotes[REMOTES_TEXT];
	struct rtnl_link link;

	if (rtnl_link(rt, drop->rec->ifindex, &link) < 0 || strcmp(link.kind, "vxlan"))
		return drop_found(finding, VT_CAUSE_VTEP_UNROUTABLE, "the tunnel's end point has no route");
	memcpy(finding->device, link.name, sizeof(finding->device));
	neigh_dump(rt, AF_BRIDGE, link.ifindex, remote_keep, &check);
	remotes_unroutable(&check, remotes, sizeof(remotes));
	if (!remotes[0])
		return drop_found(finding, VT_CAUSE_VTEP_UNROUTABLE, "%s (VNI %u): the tunnel's end point had no route",
		                  link.name, link.vni);
	return drop_found(finding, VT_CAUSE_VTEP_UNROUTABLE, "%s (VNI %u): no route to tunnel end point %s", link.name,
	                  link.vni, remotes);
}
