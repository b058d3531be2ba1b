/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rate limits, see meter.h. A flow's meter stays while a flow entry may point to it (FLOW_MS), and until its bucket is
 * full again: then a new one is the same.
 */
#include "meter.h"
#include "drop.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_meter.h>
#include <stdio.h>
#include <stdlib.h>

#define SWEEP_MS 1000 /* between two searches of a full table for meters that nobody needs */

struct meter {
	rte_spinlock_t lock;
	struct rte_meter_srtcm_profile profile;
	struct rte_meter_srtcm state;
	uint32_t drop;
};

/* What flows of a VM may send. */
struct flow_limit {
	struct rte_meter_srtcm_profile profile;
	unsigned long long bps, burst;
	uint32_t idle_ms, drop; /* drop: without the flow's name */
};

struct flow_meter {
	struct rte_meter_srtcm state;
	uint32_t used_ms, drop; /* drop: 0 until it is needed */
	uint16_t port;
};

struct meters {
	struct meter list[PORTS_MAX + 1]; /* by port + 1 */
	struct flow_limit limits[PORTS_MAX];
	rte_spinlock_t lock; /* of all below */
	struct rte_hash *hash;
	uint32_t swept_ms;
	unsigned int texts;
	struct flow_meter flows[FLOW_METERS_MAX + 64];
};

static int meter_set(struct device *dev, const struct vm *vm)
{
	struct meter *m = &dev->meters->list[meter_of(vm)];
	struct rte_meter_srtcm_params how = {.cir = vm->rate_bps / 8, .cbs = vm->burst, .ebs = 0};
	char line[160];
	int bad;

	snprintf(line, sizeof(line), "the VM at port %s sends more than %llu bits a second, burst %llu bytes",
	         dev->ports[vm->port].conf.name, (unsigned long long)vm->rate_bps, (unsigned long long)vm->burst);
	rte_spinlock_lock(&m->lock);
	m->drop = drop_intern(dev->drops, "limit-port", "RATE_LIMIT", "meter", line);
	bad = rte_meter_srtcm_profile_config(&m->profile, &how) ?: rte_meter_srtcm_config(&m->state, &m->profile);
	rte_spinlock_unlock(&m->lock);
	return bad ? -EINVAL : 0;
}

static int limit_set(struct device *dev, const struct vm *vm)
{
	struct flow_limit *l = &dev->meters->limits[vm->port];
	struct rte_meter_srtcm_params how = {.cir = vm->flow_bps / 8, .cbs = vm->flow_burst, .ebs = 0};
	uint64_t refill_ms = vm->flow_burst * 8000 / vm->flow_bps;
	char line[160];

	snprintf(line, sizeof(line), "a flow of the VM at port %s sends more than %llu bits a second, burst %llu bytes",
	         dev->ports[vm->port].conf.name, (unsigned long long)vm->flow_bps, (unsigned long long)vm->flow_burst);
	l->bps = vm->flow_bps;
	l->burst = vm->flow_burst;
	l->idle_ms = refill_ms < 2 * FLOW_MS ? 2 * FLOW_MS : (uint32_t)refill_ms;
	l->drop = drop_intern(dev->drops, "limit-flow", "FLOW_RATE_LIMIT", "meter", line);
	return rte_meter_srtcm_profile_config(&l->profile, &how) ? -EINVAL : 0;
}

static struct meters *meters_new(void)
{
	struct meters *m = calloc(1, sizeof(*m));
	struct rte_hash_parameters how = {.name = "flow_meters",
	                                  .entries = FLOW_METERS_MAX,
	                                  .key_len = sizeof(struct flow_key),
	                                  .hash_func = rte_hash_crc,
	                                  .extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE};

	if (!m)
		return NULL;
	m->hash = rte_hash_create(&how);
	if (m->hash)
		return m;
	free(m);
	return NULL;
}

int meters_load(struct device *dev, const struct config *config)
{
	int bad = 0;

	if (!dev->meters)
		dev->meters = meters_new();
	if (!dev->meters)
		return -ENOMEM;
	rte_spinlock_lock(&dev->meters->lock);
	rte_hash_reset(dev->meters->hash);
	for (size_t i = 0; i < config->nvpcs; i++)
		for (size_t v = 0; v < config->vpcs[i].nvms && !bad; v++) {
			const struct vm *vm = &config->vpcs[i].vms[v];

			if (meter_of(vm))
				bad = meter_set(dev, vm);
			if (vm->flow_bps && !bad)
				bad = limit_set(dev, vm);
		}
	rte_spinlock_unlock(&dev->meters->lock);
	return bad;
}

void meters_free(struct device *dev)
{
	if (dev->meters)
		rte_hash_free(dev->meters->hash);
	free(dev->meters);
}

uint16_t meter_of(const struct vm *vm)
{
	return vm->rate_bps ? (uint16_t)(vm->port + 1) : 0;
}

static void sweep(struct meters *m, uint32_t now_ms)
{
	const void *key;
	void *data;
	uint32_t next = 0;
	int32_t at;

	if (now_ms - m->swept_ms < SWEEP_MS)
		return;
	m->swept_ms = now_ms;
	while ((at = rte_hash_iterate(m->hash, &key, &data, &next)) >= 0)
		if (now_ms - m->flows[at].used_ms >= m->limits[m->flows[at].port].idle_ms)
			rte_hash_del_key(m->hash, key);
}

static int32_t flow_add(struct meters *m, const struct vm *vm, const struct flow_key *key, uint32_t now_ms)
{
	int32_t at = -1;

	if (rte_hash_count(m->hash) >= FLOW_METERS_MAX)
		sweep(m, now_ms);
	if (rte_hash_count(m->hash) < FLOW_METERS_MAX)
		at = rte_hash_add_key(m->hash, key);
	if (at < 0)
		return at;
	m->flows[at] = (struct flow_meter){.port = (uint16_t)vm->port};
	rte_meter_srtcm_config(&m->flows[at].state, &m->limits[vm->port].profile);
	return at;
}

bool meter_of_flow(struct worker *w, const struct vm *vm, const struct flow_key *key, uint16_t *ret_meter)
{
	struct meters *m = w->dev->meters;
	int32_t at;

	*ret_meter = 0;
	if (!vm->flow_bps)
		return true;
	rte_spinlock_lock(&m->lock);
	at = rte_hash_lookup(m->hash, key);
	if (at < 0)
		at = flow_add(m, vm, key, w->now_ms);
	if (at >= 0)
		m->flows[at].used_ms = w->now_ms;
	rte_spinlock_unlock(&m->lock);
	*ret_meter = (uint16_t)(at + 1);
	return at >= 0;
}

/* The number of the drop that names the flow, as long as there is room for such. */
static uint32_t flow_drop(struct worker *w, struct flow_meter *f, const struct flow_key *k)
{
	struct meters *m = w->dev->meters;
	const struct flow_limit *l = &m->limits[f->port];
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX], line[200];

	if (!f->drop && m->texts < FLOW_TEXTS_MAX) {
		snprintf(line, sizeof(line),
		         "flow %s:%u > %s:%u of protocol %u at port %s: more than %llu bits a second, burst %llu bytes",
		         addr_text(&k->src, src), k->sport, addr_text(&k->dst, dst), k->dport, k->proto,
		         w->dev->ports[f->port].conf.name, l->bps, l->burst);
		f->drop = drop_intern(w->dev->drops, "limit-flow", "FLOW_RATE_LIMIT", "meter", line);
		m->texts++;
	}
	return f->drop ? f->drop : l->drop;
}

static bool flow_passes(struct worker *w, struct packet *p)
{
	struct meters *m = w->dev->meters;
	struct flow_meter *f = &m->flows[p->entry->flow_meter - 1];
	enum rte_color colour;
	uint32_t drop = 0;

	rte_spinlock_lock(&m->lock);
	f->used_ms = w->now_ms;
	colour =
	    rte_meter_srtcm_color_blind_check(&f->state, &m->limits[f->port].profile, rte_rdtsc(), p->l3_len + 14u);
	if (colour == RTE_COLOR_RED)
		drop = flow_drop(w, f, &p->key);
	rte_spinlock_unlock(&m->lock);
	if (colour == RTE_COLOR_RED)
		drop_packet(w, p, drop);
	return colour != RTE_COLOR_RED;
}

static bool vm_passes(struct worker *w, struct packet *p)
{
	struct meter *m = &w->dev->meters->list[p->entry->meter];
	enum rte_color colour;

	rte_spinlock_lock(&m->lock);
	colour = rte_meter_srtcm_color_blind_check(&m->state, &m->profile, rte_rdtsc(), p->l3_len + 14u);
	rte_spinlock_unlock(&m->lock);
	if (colour != RTE_COLOR_RED)
		return true;
	drop_packet(w, p, m->drop);
	return false;
}

/* The flow's first: what that takes does not count for the VM. */
bool meter_passes(struct worker *w, struct packet *p)
{
	if (p->entry->flow_meter && !flow_passes(w, p))
		return false;
	return !p->entry->meter || vm_passes(w, p);
}
