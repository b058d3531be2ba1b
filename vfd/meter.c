/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rate limits of VMs, see meter.h.
 */
#include "meter.h"
#include "drop.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_meter.h>
#include <stdio.h>
#include <stdlib.h>

struct meter {
	rte_spinlock_t lock;
	struct rte_meter_srtcm_profile profile;
	struct rte_meter_srtcm state;
	uint32_t drop;
};

struct meters {
	struct meter list[PORTS_MAX + 1]; /* by port + 1 */
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

int meters_load(struct device *dev, const struct config *config)
{
	int bad = 0;

	if (!dev->meters)
		dev->meters = calloc(1, sizeof(*dev->meters));
	if (!dev->meters)
		return -ENOMEM;
	for (size_t i = 0; i < config->nvpcs; i++)
		for (size_t v = 0; v < config->vpcs[i].nvms && !bad; v++)
			if (meter_of(&config->vpcs[i].vms[v]))
				bad = meter_set(dev, &config->vpcs[i].vms[v]);
	return bad;
}

void meters_free(struct device *dev)
{
	free(dev->meters);
}

uint16_t meter_of(const struct vm *vm)
{
	return vm->rate_bps ? (uint16_t)(vm->port + 1) : 0;
}

bool meter_passes(struct worker *w, struct packet *p)
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
