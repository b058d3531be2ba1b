// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a bridge did not forward (br_handle_frame_finish() and what it calls). The kernel gives two reasons: none, where
 * the frame had its port to go to and one of the two ports refused it, and NO_TX_TARGET, where the bridge did not know
 * the address and could flood to no port. Which port, and why, is found as the kernel would: from the frame's
 * addresses, the forwarding table and the ports' state.
 */
#include <linux/if_bridge.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "datapath/linux/inspect/inspectors.h"

#define CARRIER    (1u << 16) /* IFF_LOWER_UP, which net/if.h lacks */
#define PORTS_TEXT 160        /* bytes of the list of ports: some six of them, then it is cut */

struct entry {
	bool found, local;
	uint32_t port;
};

static int entry_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	struct entry *entry = arg;

	entry->found = true;
	entry->port = (uint32_t)ndm->ndm_ifindex;
	entry->local = ndm->ndm_state & NUD_PERMANENT;
	return MNL_CB_OK;
}

/* The bridge's entry of one address (kernel 5.0 answers for a single one). */
static struct entry entry_get(struct rtnl *rt, uint32_t bridge, const uint8_t mac[6])
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETNEIGH, 0);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
	struct entry entry = {0};

	ndm->ndm_family = AF_BRIDGE;
	mnl_attr_put(nlh, NDA_LLADDR, 6, mac);
	mnl_attr_put_u32(nlh, NDA_MASTER, bridge);
	rtnl_ask(rt, nlh, entry_seen, &entry);
	return entry;
}

static const char *state_name(uint8_t state)
{
	static const char *const names[] = {"disabled", "listening", "learning", "forwarding", "blocking"};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

/* Why a port takes no frames at all, or none from `in`; VT_CAUSE_NONE if nothing speaks against it. */
static enum vt_cause port_refuses(const struct rtnl_link *port, const struct rtnl_link *in, char *why, size_t size)
{
	if (!(port->flags & IFF_UP)) {
		snprintf(why, size, "%s is down", port->name);
		return VT_CAUSE_PORT_DOWN;
	}
	if (!(port->flags & CARRIER)) {
		snprintf(why, size, "%s has no carrier", port->name);
		return VT_CAUSE_PORT_DOWN;
	}
	if (port->state != BR_STATE_FORWARDING) {
		snprintf(why, size, "the state of %s is %s", port->name, state_name(port->state));
		return VT_CAUSE_PORT_BLOCKED;
	}
	if (port->isolated && in->isolated) {
		snprintf(why, size, "%s and %s are isolated", port->name, in->name);
		return VT_CAUSE_PORT_ISOLATED;
	}
	return VT_CAUSE_NONE;
}

enum flood_kind { FLOOD_UNICAST, FLOOD_MULTICAST, FLOOD_BROADCAST };

static enum flood_kind flood_kind(const uint8_t mac[6])
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (!memcmp(mac, broadcast, 6))
		return FLOOD_BROADCAST;
	return mac[0] & 1 ? FLOOD_MULTICAST : FLOOD_UNICAST;
}

struct flood {
	const struct rtnl_link *in;
	enum flood_kind kind;
	unsigned int ports;    /* other ports of the bridge */
	enum vt_cause cause;   /* why they took nothing; VT_CAUSE_NONE if one had no reason */
	bool mixed;            /* not all for the same cause */
	struct rtnl_link last; /* the only one, if there is one */
	char text[PORTS_TEXT];
};

static void flood_port(void *arg, const struct rtnl_link *port)
{
	static const char *const options[] = {"flood", "mcast_flood", "bcast_flood"};
	struct flood *flood = arg;
	bool takes = flood->kind == FLOOD_UNICAST     ? port->flood
	             : flood->kind == FLOOD_MULTICAST ? port->mcast_flood
	                                              : port->bcast_flood;
	size_t used = strlen(flood->text);
	char why[2 * IFNAMSIZ + 32] = "";
	enum vt_cause cause;

	if (!port->bridge_port || port->master != flood->in->master || port->ifindex == flood->in->ifindex)
		return;
	cause = port_refuses(port, flood->in, why, sizeof(why));
	if (cause == VT_CAUSE_NONE && !takes) {
		snprintf(why, sizeof(why), "%s has %s off", port->name, options[flood->kind]);
		cause = VT_CAUSE_PORT_BLOCKED;
	}
	flood->mixed |= flood->ports && cause != flood->cause;
	flood->cause = cause;
	flood->last = *port;
	flood->ports++;
	snprintf(flood->text + used, sizeof(flood->text) - used, "%s%s", used ? ", " : "",
	         why[0] ? why : "a port that takes them now");
}

/* The bridge knew no port for the address and flooded to none. */
static int flood_inspect(struct rtnl *rt, const struct drop *drop, const struct rtnl_link *in, struct finding *finding)
{
	const uint8_t *mac = drop->context->dst_mac;
	struct flood flood = {.in = in, .kind = flood_kind(mac)};
	struct rtnl_link bridge = {0};

	rtnl_links(rt, flood_port, &flood);
	rtnl_link(rt, in->master, &bridge);
	if (!flood.ports) {
		memcpy(finding->device, bridge.name, sizeof(bridge.name));
		return drop_found(finding, VT_CAUSE_PORT_MISSING,
		                  "%s has no other port than %s, where frames for MAC " MAC_FORMAT " came in",
		                  bridge.name, in->name, MAC_ARGS(mac));
	}
	if (flood.mixed || flood.cause == VT_CAUSE_NONE)
		return drop_unsure(finding, "%s has no port for MAC " MAC_FORMAT ": %s", bridge.name, MAC_ARGS(mac),
		                   flood.text);
	if (flood.ports == 1)
		memcpy(finding->device, flood.last.name, sizeof(flood.last.name));
	return drop_found(finding, flood.cause, "%s has no port for MAC " MAC_FORMAT " to go to: %s", bridge.name,
	                  MAC_ARGS(mac), flood.text);
}

/* The bridge knew the port, and did not send there. */
static int egress_inspect(struct rtnl *rt, const struct drop *drop, const struct rtnl_link *in, struct finding *finding)
{
	const uint8_t *mac = drop->context->dst_mac;
	struct entry entry = entry_get(rt, in->master, mac);
	char why[2 * IFNAMSIZ + 32];
	struct rtnl_link out;
	enum vt_cause cause;

	if (!entry.found || entry.local || rtnl_link(rt, entry.port, &out) < 0)
		return drop_unsure(finding, "the bridge did not forward what came in through port %s", in->name);
	memcpy(finding->device, out.name, sizeof(out.name));
	if (out.ifindex == in->ifindex && !in->hairpin)
		return drop_found(finding, VT_CAUSE_PORT_BLOCKED,
		                  "MAC " MAC_FORMAT
		                  " lives behind %s itself, where the frame came in, and hairpin is off",
		                  MAC_ARGS(mac), in->name);
	cause = port_refuses(&out, in, why, sizeof(why));
	if (cause == VT_CAUSE_NONE)
		return drop_unsure(finding, "the bridge did not forward from port %s to port %s", in->name, out.name);
	return drop_found(finding, cause, "MAC " MAC_FORMAT " lives behind bridge port %s: %s", MAC_ARGS(mac), out.name,
	                  why);
}

/* A locked port takes frames only from addresses that the table has at this port (kernel 5.18). */
static bool locked_out(struct rtnl *rt, const struct drop *drop, const struct rtnl_link *in)
{
	struct entry entry;

	if (!in->locked)
		return false;
	entry = entry_get(rt, in->master, drop->context->src_mac);
	return !entry.found || entry.port != in->ifindex || entry.local;
}

int port_blocked_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct rtnl_link link = {0}, bridge;

	if (rtnl_link(rt, drop->rec->ifindex, &link) == 0 && rtnl_link(rt, link.master, &bridge) == 0 &&
	    !(bridge.flags & IFF_UP))
		return drop_found(finding, VT_CAUSE_PORT_BLOCKED,
		                  "bridge port %s takes no packets: the bridge %s is down", link.name, bridge.name);
	if (link.bridge_port && link.state != BR_STATE_FORWARDING)
		return drop_found(finding, VT_CAUSE_PORT_BLOCKED, "bridge port %s takes no packets: its state is %s",
		                  link.name, state_name(link.state));
	return drop_found(finding, VT_CAUSE_PORT_BLOCKED,
	                  "bridge port %s took no packets: its state was not forwarding", drop->device);
}

int bridge_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	static const uint8_t none[6];
	struct rtnl_link in;

	if (rtnl_link(rt, drop->rec->ifindex, &in) < 0 || !in.bridge_port || !memcmp(drop->context->dst_mac, none, 6))
		return 0;
	if (in.state != BR_STATE_FORWARDING)
		return drop_found(finding, VT_CAUSE_PORT_BLOCKED, "bridge port %s forwards nothing: its state is %s",
		                  in.name, state_name(in.state));
	if (locked_out(rt, drop, &in))
		return drop_found(finding, VT_CAUSE_POLICY_PORT_LOCKED,
		                  "bridge port %s is locked, and the table does not have MAC " MAC_FORMAT " there",
		                  in.name, MAC_ARGS(drop->context->src_mac));
	if (!strcmp(drop->reason, "NO_TX_TARGET"))
		return flood_inspect(rt, drop, &in, finding);
	return egress_inspect(rt, drop, &in, finding);
}
