// SPDX-License-Identifier: BSD-3-Clause
/*
 * The uplink to a server over HTTP: one long-lived GET brings the tasks (task_stream.h), POSTs carry the batches
 * (records_post.h), both from one loop. It never gives up on a server: an agent that starts before it is normal.
 */
#ifndef VT_AGENT_UPLINK_HTTP_H
#define VT_AGENT_UPLINK_HTTP_H

#include "agent/http.h"
#include "agent/uplink.h"

#define UPLINK_HTTP_SILENCE_NS 12000000000ULL /* the server's heart beats every 5 s; two beats may be late */

struct uplink_http_config {
	struct http_config http;
	const char *node; /* who we are; all of it is copied */
	enum vt_kind kind;
	const char *datapath;
	const char *version;
	uint64_t boot;
	uint64_t silence_ns; /* 0: UPLINK_HTTP_SILENCE_NS */
};

/* Begins to connect with the first wait(). -EINVAL for a URL that is none, -ENOMEM. Closed with its ops. */
int uplink_http_new(const struct uplink_http_config *config, struct uplink **ret, struct vt_err *err);

#endif
