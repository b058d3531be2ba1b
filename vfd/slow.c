/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The slow path, see slow.h: where the packet comes from, where it goes to, and who may forbid it, in this order.
 */
#include "slow.h"
#include "drop.h"
#include "flow.h"
#include "icmp.h"
#include "meter.h"
#include "nat.h"
#include "remote.h"
#include "security.h"
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>

#define VPC_HOPS_MAX 4 /* networks that routes lead through: a loop of them ends here */

/* What is known of a flow while its entry is made. */
struct lookup {
	struct worker *w;
	const struct packet *p;
	struct flow_entry *e;
	struct flow_key key;    /* as the receiver sees it: NAT may have changed it */
	const struct vpc *from; /* network that it comes from */
	const struct vm *src;   /* the VM that sends, NULL: it came by the tunnel */
	const struct vpc *to;
	const struct route *route;
};

static void refuse(struct lookup *l, enum icmp_kind icmp, const char *code, const char *reason, const char *site,
                   const char *fmt, ...) __attribute__((format(printf, 6, 7)));

static void refuse(struct lookup *l, enum icmp_kind icmp, const char *code, const char *reason, const char *site,
                   const char *fmt, ...)
{
	char line[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	l->e->action = ACT_DROP;
	l->e->routed &= NAT_OUT | NAT_IN;
	l->e->icmp = icmp;
	l->e->drop = drop_intern(l->w->dev->drops, code, reason, site, line);
}

static const char *port_name(const struct lookup *l, unsigned int port)
{
	return l->w->dev->ports[port].conf.name;
}

static bool find_source(struct lookup *l)
{
	const struct flow_key *k = &l->p->key;
	char text[ADDR_TEXT_MAX], text2[ADDR_TEXT_MAX];

	if (l->p->outer) {
		l->from = config_vpc_of_vni(l->w->config, k->vni);
		if (!l->from)
			refuse(l, ICMP_NONE, "vni-unknown", "VNI_UNKNOWN", "find_source", "no VPC has VNI %u", k->vni);
		return l->from;
	}
	l->src = config_vm_of_port(l->w->config, l->p->in, &l->from);
	if (!l->src)
		refuse(l, ICMP_NONE, "unexplained", "NO_VM_AT_PORT", "find_source", "no VPC has a VM at port %s",
		       port_name(l, l->p->in));
	else if (!mac_equal(&l->src->mac, &k->src_mac))
		refuse(l, ICMP_NONE, "policy-spoof", "SOURCE_MAC", "find_source",
		       "source MAC %s is not the VM's, %s, at port %s", mac_text(&k->src_mac, text),
		       mac_text(&l->src->mac, text2), port_name(l, l->p->in));
	else if (!addr_among(l->src->addrs, l->src->naddrs, &k->src))
		refuse(l, ICMP_NONE, "policy-spoof", "SOURCE_ADDRESS", "find_source",
		       "source address %s is none of the VM's at port %s", addr_text(&k->src, text),
		       port_name(l, l->p->in));
	else
		return true;
	return false;
}

static bool find_route(struct lookup *l)
{
	char text[ADDR_TEXT_MAX];

	for (int hops = 0; hops < VPC_HOPS_MAX; hops++) {
		l->route = config_route(l->to, &l->key.dst);
		if (!l->route || l->route->kind != ROUTE_VPC)
			break;
		l->to = &l->w->config->vpcs[l->route->vpc];
	}
	if (!l->route)
		refuse(l, ICMP_NO_ROUTE, "route-missing", "NO_ROUTE", "find_route", "no route to %s in VPC %s",
		       addr_text(&l->key.dst, text), l->to->name);
	else if (l->route->kind == ROUTE_VPC)
		refuse(l, ICMP_NONE, "unexplained", "ROUTE_LOOP", "find_route",
		       "routes to %s lead through more than %d VPCs", addr_text(&l->key.dst, text), VPC_HOPS_MAX);
	else
		return true;
	return false;
}

/* Routes that throw away. */
static bool route_allows(struct lookup *l)
{
	static const struct {
		const char *code, *reason, *word;
		enum icmp_kind icmp;
	} kinds[] = {
	    [ROUTE_BLACKHOLE] = {"route-blackhole", "ROUTE_BLACKHOLE", "blackhole", ICMP_NONE},
	    [ROUTE_UNREACHABLE] = {"route-unreachable", "ROUTE_UNREACHABLE", "unreachable", ICMP_NO_ROUTE},
	    [ROUTE_PROHIBIT] = {"route-prohibit", "ROUTE_PROHIBIT", "prohibit", ICMP_PROHIBITED},
	};
	enum route_kind kind = l->route->kind;
	char text[ADDR_TEXT_MAX];

	if (kind == ROUTE_VM || kind == ROUTE_REMOTE)
		return true;
	if (kind == ROUTE_SERVICE) {
		refuse(l, ICMP_NONE, "action-unsupported", "UNSUPPORTED_ACTION", "find_route",
		       "route %s of VPC %s leads through service %s, which this device does not have",
		       prefix_text(&l->route->prefix, text), l->to->name, l->route->service);
		return false;
	}
	refuse(l, kinds[kind].icmp, kinds[kind].code, kinds[kind].reason, "find_route", "route %s %s of VPC %s",
	       kinds[kind].word, prefix_text(&l->route->prefix, text), l->to->name);
	return false;
}

/* Whether the frame was sent to where it goes, or to the gateway, which then routes it. */
static bool check_mac(struct lookup *l)
{
	const struct flow_key *k = &l->p->key;
	const struct vm *vm = l->route->kind == ROUTE_VM ? &l->to->vms[l->route->vm] : NULL;
	const struct mac *right = vm ? &vm->mac : l->route->has_mac ? &l->route->mac : NULL;
	char text[ADDR_TEXT_MAX], text2[ADDR_TEXT_MAX], text3[ADDR_TEXT_MAX];

	if (mac_equal(&l->from->gateway_mac, &k->dst_mac))
		l->e->routed |= ROUTED;
	if (l->e->routed & ROUTED ||
	    (l->from == l->to && right && mac_equal(right, &k->dst_mac) && (vm || !l->p->outer)))
		return true;
	if (l->p->outer && !vm) { /* another device took this one for the VM's */
		refuse(l, ICMP_NONE, "wrong-mac", "NOT_HERE", "check_mac",
		       "came by the tunnel for MAC %s, which no VM of VPC %s has here", mac_text(&k->dst_mac, text),
		       l->from->name);
	} else if (l->from != l->to || !right) {
		refuse(l, ICMP_NONE, "wrong-mac", "WRONG_MAC", "check_mac",
		       "sent to MAC %s, but this way leads over the gateway, %s", mac_text(&k->dst_mac, text),
		       mac_text(&l->from->gateway_mac, text2));
	} else {
		refuse(l, ICMP_NONE, "wrong-mac", "WRONG_MAC", "check_mac",
		       "sent to MAC %s, but the destination has %s, the gateway %s", mac_text(&k->dst_mac, text),
		       mac_text(right, text2), mac_text(&l->from->gateway_mac, text3));
		if (vm)
			l->e->port = (uint16_t)vm->port;
	}
	return false;
}

static void to_vm(struct lookup *l)
{
	const struct vm *vm = &l->to->vms[l->route->vm];

	if (!l->p->outer && vm == l->src) {
		refuse(l, ICMP_NONE, "unexplained", "BACK_TO_SENDER", "to_vm", "sent to the VM that it comes from");
		return;
	}
	l->e->action = ACT_PORT;
	l->e->port = (uint16_t)vm->port;
	l->e->dst = vm->mac;
}

static void to_remote(struct lookup *l)
{
	const char *why = "";
	char text[ADDR_TEXT_MAX];

	l->e->port = (uint16_t)l->w->config->vtep.port;
	l->e->remote = remote_get(l->w, &l->route->vtep, &why);
	if (!l->e->remote) {
		refuse(l, ICMP_NONE, "vtep-unroutable", "VTEP_UNROUTABLE", "to_remote", "VTEP %s: %s",
		       addr_text(&l->route->vtep, text), why);
		return;
	}
	l->e->action = ACT_TUNNEL;
	l->e->dst = l->route->has_mac ? l->route->mac : l->to->gateway_mac;
}

static bool refuse_by(struct lookup *l, const struct judgement *j)
{
	refuse(l, ICMP_NONE, j->code, j->reason, j->site, "%s", j->evidence);
	return false;
}

/* What comes from outside for a public address of NAT goes to the network inside. */
static bool nat_in(struct lookup *l)
{
	struct judgement j;
	uint32_t nat;

	switch (nat_inwards(l->w, l->from, &l->key, &nat, &l->to, &j)) {
	case NAT_NONE:
		return true;
	case NAT_REFUSE:
		return refuse_by(l, &j);
	case NAT_DONE:
		break;
	}
	l->e->routed = NAT_IN;
	l->e->nat = nat;
	l->e->vni = l->to->vni;
	l->key = nat_key(l->w->dev, nat, NAT_IN, &l->key);
	if (!l->e->set) /* a task may name the receiver as the network inside knows it */
		l->e->set = trace_match(l->w, &l->key, l->to->vni);
	return true;
}

static bool nat_out(struct lookup *l)
{
	struct judgement j;
	uint32_t nat;

	if (l->from == l->to || l->e->routed & NAT_IN)
		return true;
	switch (nat_outwards(l->w, l->from, l->to, &l->key, &nat, &j)) {
	case NAT_NONE:
		return true;
	case NAT_REFUSE:
		return refuse_by(l, &j);
	case NAT_DONE:
		break;
	}
	l->e->routed |= NAT_OUT;
	l->e->nat = nat;
	l->key = nat_key(l->w->dev, nat, NAT_OUT, &l->key);
	return true;
}

/* Security groups of the VM that sends, then of the one that receives. */
static void ask_groups(struct lookup *l)
{
	struct judgement j;

	if (l->src && !security_allows(l->w, l->src, l->from, false, &l->p->key, &j)) {
		refuse_by(l, &j);
		l->e->port = l->p->in;
		return;
	}
	if (l->e->action == ACT_PORT && !security_allows(l->w, &l->to->vms[l->route->vm], l->to, true, &l->key, &j))
		refuse_by(l, &j);
}

static void meter(struct lookup *l)
{
	if (!l->src)
		return;
	l->e->meter = meter_of(l->src);
	if (!meter_of_flow(l->w, l->src, &l->p->key, &l->e->flow_meter))
		refuse(l, ICMP_NONE, "conntrack-full", "FLOW_METERS_FULL", "meter_of_flow",
		       "all %d meters of flows are in use", FLOW_METERS_MAX);
}

static void compile(struct lookup *l)
{
	bool welcome = find_source(l);

	if (!l->p->outer) /* refused ones too: somebody may look for them */
		l->e->set = trace_match(l->w, &l->p->key, l->src ? l->from->vni : 0);
	if (!welcome)
		return;
	l->e->vni = l->from->vni;
	l->to = l->from;
	l->key = l->p->key;
	if (!nat_in(l))
		return;
	if (l->to == l->from &&
	    addr_among(l->from->gateway, l->from->ngateway, &l->p->key.dst)) { /* its own: the end */
		l->e->action = ACT_LOCAL;
		return;
	}
	if (!find_route(l) || !route_allows(l) || !check_mac(l) || !nat_out(l))
		return;
	l->e->vni = l->to->vni;
	l->e->src = l->to->gateway_mac;
	if (l->route->kind == ROUTE_VM)
		to_vm(l);
	else
		to_remote(l);
	if (l->e->action != ACT_DROP)
		ask_groups(l);
	meter(l);
}

void slow_path(struct worker *w, struct packet *p)
{
	struct lookup l = {.w = w, .p = p, .e = flows_place(w->flows, p)};

	l.e->epoch = w->epoch;
	l.e->made_ms = w->now_ms;
	l.e->port = p->in;
	l.e->tasks = (uint16_t)w->tasks;
	compile(&l);
	p->entry = l.e;
}
