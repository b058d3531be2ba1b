// SPDX-License-Identifier: BSD-3-Clause
/* The routes, and the handlers that are too small for a file of their own. */
#include "server/api.h"

#include <microhttpd.h>

#include "core/cause.h"
#include "core/wire.h"

const struct http_route api_routes[] = {
    {"POST", "/v1/traces", traces_add, .body_type = "application/json", .body_max = API_BODY_MAX},
    {"GET", "/v1/traces", traces_list},
    {"GET", "/v1/traces/{id}", traces_get},
    {"DELETE", "/v1/traces/{id}", traces_cancel},
    {"GET", "/v1/nodes", nodes_list},
    {"GET", "/v1/stats", stats_show},
    {"GET", "/v1/causes", causes_list},
    {"GET", "/metrics", metrics_show},
    {"GET", "/healthz", health_show, .open = true},
    {"GET", "/v1/agent/tasks", agent_tasks, .streams = true},
    {"POST", "/v1/agent/records", collector_take, .body_type = "application/octet-stream", .body_max = VT_WIRE_MAX},
    {0},
};

static const char *const no_keys[] = {NULL};

void nodes_list(void *app, struct http_request *request, struct http_reply *reply)
{
	const struct api *api = app;

	if (http_check_query(request, no_keys, reply))
		http_json(reply, MHD_HTTP_OK, controller_nodes(api->controller));
}

/* Where a cause's next step names the place, the table has NODE and DEVICE. */
static json_t *cause_to_json(enum vt_cause cause)
{
	const struct vt_cause_info *info = vt_cause_info(cause);
	char next_step[VT_ERR_MAX];

	vt_cause_next_step(cause, "NODE", "DEVICE", next_step, sizeof(next_step));
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "class", vt_cause_class_name(info->class), "code", info->code,
	                 "meaning", info->meaning, "evidence", info->evidence, "next_step", next_step);
}

void causes_list(void *app, struct http_request *request, struct http_reply *reply)
{
	json_t *list;

	if (!http_check_query(request, no_keys, reply))
		return;
	list = json_array();
	for (int cause = VT_CAUSE_NONE + 1; cause < VT_CAUSE_COUNT; cause++)
		json_array_append_new(list, cause_to_json((enum vt_cause)cause));
	http_json(reply, MHD_HTTP_OK, list);
}

void health_show(void *app, struct http_request *request, struct http_reply *reply)
{
	http_json(reply, MHD_HTTP_OK, json_pack("{s:s, s:s}", "status", "ok", "version", VTRACE_VERSION));
}
