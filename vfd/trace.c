/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VTrace in this device, see trace.h.
 */
#include "trace.h"
#include "nat.h"
#include "remote.h"

#include <stdio.h>

/* Flows change their set: each is matched once more. */
static void on_changed(void *arg, const struct vdg *vdg)
{
	struct device *dev = arg;

	atomic_fetch_add(&dev->tasks, 1);
}

int trace_open(struct device *dev, const char *socket, char *error)
{
	struct vdg_config how = {.socket = socket,
	                         .name = "vtrace-vfd",
	                         .version = VTRACE_VERSION,
	                         .workers = dev->nworkers,
	                         .changed = on_changed,
	                         .arg = dev};
	const struct vtep_config *v = &dev->config->vtep;
	int bad = vdg_open(&dev->vdg, &how, error);

	if (bad)
		return bad;
	for (unsigned int i = 0; i < dev->nports && !bad; i++)
		bad = vdg_port(dev->vdg, i, dev->ports[i].conf.name);
	for (int six = 0; six < 2 && !bad; six++)
		if (v->has[six])
			bad = vdg_address(dev->vdg, v->addr[six].b);
	for (unsigned int i = 0; i < dev->nworkers && !bad; i++)
		dev->workers[i].vdg = vdg_worker(dev->vdg, i);
	if (bad)
		snprintf(error, VDG_ERROR_MAX, "%s: tell VTrace of ports and addresses: %s", socket, strerror(-bad));
	return bad;
}

void trace_close(struct device *dev)
{
	if (dev->vdg)
		vdg_close(dev->vdg);
	dev->vdg = NULL;
}

static struct vdg_flow flow_of(const struct flow_key *k, uint32_t vni)
{
	struct vdg_flow flow = {
	    .sport = k->sport, .dport = k->dport, .proto = k->proto, .family = k->family, .vni = vni};

	memcpy(flow.src, k->src.b, 16);
	memcpy(flow.dst, k->dst.b, 16);
	return flow;
}

uint16_t trace_match(struct worker *w, const struct flow_key *k, uint32_t vni)
{
	struct vdg_flow flow = flow_of(k, vni);

	return w->vdg ? vdg_match(w->vdg, &flow) : 0;
}

uint16_t trace_match_packet(struct worker *w, const struct packet *p)
{
	const struct vpc *vpc;

	if (p->outer)
		return 0;
	return trace_match(w, &p->key, config_vm_of_port(w->config, p->in, &vpc) ? vpc->vni : 0);
}

/* The packet where it came in; a tenant's network is that of the VM at its port. */
static struct vdg_packet seen_in(const struct worker *w, const struct packet *p)
{
	struct vdg_packet v = {
	    .ip = packet_ip(p), .port = p->in, .vni = p->key.vni, .segments = 1, .encapsulated = p->outer};
	uint32_t len = rte_pktmbuf_data_len(p->m);
	const struct vpc *vpc;

	v.captured = len > 14 ? len - 14 : 0;
	if (!p->outer && config_vm_of_port(w->config, p->in, &vpc))
		v.vni = vpc->vni;
	memcpy(v.outer_src, p->outer_src.b, 16);
	memcpy(v.outer_dst, p->outer_dst.b, 16);
	return v;
}

static struct vdg_packet seen_out(const struct worker *w, const struct packet *p)
{
	const struct flow_entry *e = p->entry;
	struct vdg_packet v = {.ip = packet_ip(p), .captured = rte_pktmbuf_data_len(p->m) - 14u, .segments = 1};

	v.port = e->port;
	v.vni = e->vni;
	if (!e->remote)
		return v;
	v.encapsulated = true;
	memcpy(v.outer_src, w->config->vtep.addr[!addr_is4(&e->remote->vtep)].b, 16);
	memcpy(v.outer_dst, e->remote->vtep.b, 16);
	return v;
}

void trace_in(struct worker *w, struct packet *p)
{
	uint16_t set = p->entry ? p->entry->set : 0;
	struct vdg_packet v;
	struct vdg_flow inside;
	struct flow_key key;

	if (!w->vdg || (!set && !p->hop)) {
		p->hop = 0;
		return;
	}
	v = seen_in(w, p);
	if (set && p->entry->routed & NAT_IN) {
		key = nat_key(w->dev, p->entry->nat, NAT_IN, &p->key);
		inside = flow_of(&key, p->entry->vni);
		v.flow = &inside;
	}
	p->hop = (uint8_t)vdg_in(w->vdg, set, p->hop, &v);
	if (set && !p->hop && vdg_spent(w->vdg, set))
		p->entry->set = 0; /* until tasks change: the flow is like any other again */
}

uint8_t trace_out(struct worker *w, const struct packet *p)
{
	struct vdg_packet v = seen_out(w, p);

	return vdg_out(w->vdg, p->hop, &v);
}

void trace_out_failed(struct worker *w, const struct packet *p, uint32_t why)
{
	struct vdg_packet v = seen_out(w, p);

	vdg_drop_after_out(w->vdg, p->hop, &v, why);
}

void trace_local(struct worker *w, const struct packet *p)
{
	struct vdg_packet v = seen_in(w, p);

	vdg_local(w->vdg, p->hop, &v);
}

void trace_drop(struct worker *w, const struct packet *p, uint32_t why)
{
	struct vdg_packet v = seen_in(w, p);

	v.port = p->at;
	if (w->vdg)
		vdg_drop(w->vdg, p->hop, &v, why);
}
