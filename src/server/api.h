// SPDX-License-Identifier: BSD-3-Clause
/*
 * The HTTP API of the contract: the table of routes (api.c) and one file for each resource. docs/openapi.yaml describes
 * it, and a test holds the two together. Handlers keep nothing between requests.
 */
#ifndef VT_SERVER_API_H
#define VT_SERVER_API_H

#include <stdint.h>

#include "server/controller.h"
#include "server/http.h"
#include "server/recordlog.h"
#include "server/stats.h"
#include "server/store.h"

#define API_BODY_MAX   (64 * 1024) /* a trace's description has some hundred bytes */
#define API_WAIT_MAX_S 60          /* shorter than what proxies on the way take for dead */

/* What the handlers work on; `app` of the routes. */
struct api {
	struct store *store;
	struct recordlog *log;
	struct controller *controller;
	struct stats *stats;
	int watch_fd;        /* epoll: sockets of agents' streams go there, data.u64 is the stream's number */
	uint64_t started_ns; /* CLOCK_MONOTONIC */
};

extern const struct http_route api_routes[];

void traces_add(void *app, struct http_request *request, struct http_reply *reply);
void traces_list(void *app, struct http_request *request, struct http_reply *reply);
void traces_get(void *app, struct http_request *request, struct http_reply *reply);
void traces_cancel(void *app, struct http_request *request, struct http_reply *reply);

void nodes_list(void *app, struct http_request *request, struct http_reply *reply);
void causes_list(void *app, struct http_request *request, struct http_reply *reply);
void stats_show(void *app, struct http_request *request, struct http_reply *reply);
void metrics_show(void *app, struct http_request *request, struct http_reply *reply);
void health_show(void *app, struct http_request *request, struct http_reply *reply);

void agent_tasks(void *app, struct http_request *request, struct http_reply *reply);
void collector_take(void *app, struct http_request *request, struct http_reply *reply);

#endif
