/* SPDX-License-Identifier: BSD-3-Clause */
/* See tables.h. */
#include "tables.h"
#include "drop.h"
#include "frag.h"
#include "meter.h"
#include "nat.h"
#include "remote.h"
#include "route.h"
#include "security.h"
#include "trace.h"

#include <errno.h>
#include <stdio.h>

int tables_open(struct device *dev, struct config *config, const char *socket, char *error)
{
	int bad;

	dev->config = config;
	dev->epoch = 1;
	dev->nworkers = config->workers;
	dev->remotes = remotes_new();
	dev->sessions = sessions_new();
	dev->nats = nats_new();
	dev->frags = frags_new();
	snprintf(error, VDG_ERROR_MAX, "tables: no memory");
	if (!dev->remotes || !dev->sessions || !dev->nats || !dev->frags || routes_load(config))
		return -ENOMEM;
	bad = socket ? trace_open(dev, socket, error) : 0;
	if (bad)
		return bad;
	dev->drops = drops_new(dev);
	snprintf(error, VDG_ERROR_MAX, "tables: no memory, or a rate limit that DPDK does not take");
	return dev->drops ? meters_load(dev, config) : -ENOMEM;
}

void tables_close(struct device *dev)
{
	trace_close(dev);
	remotes_free(dev->remotes);
	sessions_free(dev->sessions);
	nats_free(dev->nats);
	frags_free(dev->frags);
	meters_free(dev);
	drops_free(dev->drops);
	routes_free((struct config *)dev->config);
}
