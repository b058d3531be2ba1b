/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The budget of new flows of a port, see admit.h: a token bucket. Only the worker that polls the port uses it.
 */
#include "admit.h"
#include "drop.h"
#include "trace.h"

#include <stdio.h>

static bool take_token(struct worker *w, struct port *port)
{
	uint32_t rate = w->config->new_flows, ms = w->now_ms - port->begun_ms;
	uint64_t tokens = port->tokens + (uint64_t)ms * rate / 1000;

	port->begun_ms = w->now_ms;
	port->tokens = (uint32_t)RTE_MIN(tokens, rate / NEW_FLOWS_BURST);
	if (!port->tokens)
		return false;
	port->tokens--;
	return true;
}

static uint32_t reason(struct worker *w, struct port *port)
{
	char line[160];

	if (port->busy_rate != w->config->new_flows) {
		port->busy_rate = w->config->new_flows;
		snprintf(line, sizeof(line), "more than %u new flows a second at port %s, the limit (new_flows)",
		         port->busy_rate, port->conf.name);
		port->busy = drop_intern(w->dev->drops, "queue-full", "SLOW_PATH_BUSY", "admit_flow", line);
	}
	return port->busy;
}

bool admit_flow(struct worker *w, struct packet *p)
{
	struct port *port = &w->dev->ports[p->in];
	struct flow_entry entry = {0};

	if (take_token(w, port))
		return true;
	port->refused = true;
	port->refused_ms = w->now_ms;
	entry.set = trace_match_packet(w, p); /* whoever looks for the packet shall find it */
	p->entry = &entry;
	trace_in(w, p);
	drop_packet(w, p, reason(w, port));
	p->entry = NULL;
	return false;
}
