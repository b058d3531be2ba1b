/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device's tables, made and freed; see device.h.
 */
#include "drop.h"
#include "flow.h"
#include "frag.h"
#include "meter.h"
#include "nat.h"
#include "remote.h"
#include "security.h"
#include "trace.h"

#include <errno.h>
#include <stdio.h>

_Static_assert(DEVICE_ERROR_MAX >= VDG_ERROR_MAX, "an error of libvdg has room");

static bool workers_open(struct device *dev)
{
	for (unsigned int i = 0; i < dev->nworkers; i++) {
		struct worker *w = &dev->workers[i];

		w->dev = dev;
		w->number = i;
		w->flows = flows_new(i, dev->config->flows);
		if (!w->flows)
			return false;
	}
	return true;
}

int device_open(struct device *dev, const char *socket, char *error)
{
	int bad;

	dev->epoch = 1;
	dev->nworkers = dev->config->workers;
	dev->remotes = remotes_new();
	dev->sessions = sessions_new();
	dev->nats = nats_new();
	dev->frags = frags_new();
	snprintf(error, DEVICE_ERROR_MAX, "tables: no memory");
	if (!dev->remotes || !dev->sessions || !dev->nats || !dev->frags || !workers_open(dev))
		return -ENOMEM;
	bad = socket ? trace_open(dev, socket, error) : 0;
	if (bad)
		return bad;
	dev->drops = drops_new(dev); /* which tells libvdg of its reasons */
	if (!dev->drops)
		return -ENOMEM;
	bad = meters_load(dev, dev->config);
	if (bad)
		snprintf(error, DEVICE_ERROR_MAX, "tables: no memory, or a rate limit that DPDK does not take");
	return bad;
}

void device_close(struct device *dev)
{
	for (unsigned int i = 0; i < dev->nworkers; i++)
		flows_free(dev->workers[i].flows);
	trace_close(dev);
	remotes_free(dev->remotes);
	sessions_free(dev->sessions);
	nats_free(dev->nats);
	frags_free(dev->frags);
	meters_free(dev);
	drops_free(dev->drops);
}
