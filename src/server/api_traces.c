// SPDX-License-Identifier: BSD-3-Clause
/*
 * /v1/traces: add, list, read, cancel. A running trace is answered by the controller, a final one by the store.
 */
#include "server/api.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/lifecycle.h"
#include "base/clock.h"

#define LIST_DEFAULT  100
#define LIST_MAX      1000                                  /* some 500 KiB of JSON */
#define ADD_WAIT_NS   (LIFECYCLE_ARM_NS + VT_SECOND_NS / 2) /* nodes that do not answer are given up by then */
#define CANCEL_WAIT_S 5 /* a cancelled trace is final within milliseconds, unless the disk is stuck */

#define TRY_TRACES "GET /v1/traces lists the traces"

/* A failure below the API: what the store or the controller says. */
static void fail(struct http_reply *reply, const struct vt_err *err)
{
	http_problem(reply, MHD_HTTP_SERVICE_UNAVAILABLE, "try again later; the server's log says more", "%s",
	             err->text);
	reply->retry_after_s = 5;
}

/* --- POST /v1/traces ---------------------------------------------------------------------------------------------- */

#define TRY_MEMBERS \
	"{\"filter\": \"udp and dst port 53\", \"packet_count\": 100, \"trace_time\": 10, \"bidirectional\": false}"

static bool refuse(struct http_reply *reply, const char *what_to_try, const char *text)
{
	http_problem(reply, MHD_HTTP_BAD_REQUEST, what_to_try, "%s", text);
	return false;
}

static bool read_filter(const json_t *value, struct vt_task *task, struct http_reply *reply)
{
	struct vt_err err = {0};

	if (!json_is_string(value))
		return refuse(reply, TRY_MEMBERS, "'filter' must be a string");
	if (!vt_filter_parse(json_string_value(value), &task->filter, &err))
		return true;
	http_problem(reply, MHD_HTTP_BAD_REQUEST,
	             "join primitives with `and`: src host A, dst host A, src net P, dst net P, src port N, dst port "
	             "N, tcp, udp, "
	             "icmp, icmp6, sctp, ip, ip6, proto N, vni N",
	             "filter: %s", err.text);
	return false;
}

static bool read_count(const json_t *value, struct vt_task *task, struct http_reply *reply)
{
	json_int_t count = json_integer_value(value);
	char text[80];

	if (json_is_integer(value) && count >= 1 && count <= VT_COUNT_MAX) {
		task->packet_count = (uint32_t)count;
		return true;
	}
	snprintf(text, sizeof(text), "'packet_count' must be an integer from 1 to %d", VT_COUNT_MAX);
	return refuse(reply, TRY_MEMBERS, text);
}

static bool read_time(const json_t *value, struct vt_task *task, struct http_reply *reply)
{
	double seconds = json_number_value(value);
	char text[100];

	if (json_is_number(value) && seconds >= 0.001 && seconds <= VT_TIME_MAX_MS / 1000.0) {
		task->trace_time_ms = (uint32_t)lround(seconds * 1000);
		return true;
	}
	snprintf(text, sizeof(text), "'trace_time' must be a number of seconds from 0.001 to %d",
	         VT_TIME_MAX_MS / 1000);
	return refuse(reply, TRY_MEMBERS, text);
}

static bool read_bidirectional(const json_t *value, struct vt_task *task, struct http_reply *reply)
{
	task->bidirectional = json_is_true(value);
	return json_is_boolean(value) || refuse(reply, TRY_MEMBERS, "'bidirectional' must be true or false");
}

static bool read_member(const char *key, const json_t *value, struct vt_task *task, struct http_reply *reply)
{
	static const struct {
		const char *key;
		bool (*read)(const json_t *value, struct vt_task *task, struct http_reply *reply);
	} members[] = {
	    {"filter", read_filter},
	    {"packet_count", read_count},
	    {"trace_time", read_time},
	    {"bidirectional", read_bidirectional},
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		if (strcmp(key, members[i].key) == 0)
			return members[i].read(value, task, reply);
	}
	http_problem(reply, MHD_HTTP_BAD_REQUEST, TRY_MEMBERS, "unknown member '%.60s'", key);
	return false;
}

static bool read_members(json_t *json, struct vt_task *task, struct http_reply *reply)
{
	struct vt_err err = {0};
	const char *key;
	json_t *value;

	if (!json_is_object(json))
		return refuse(reply, TRY_MEMBERS, "the body must be a JSON object");
	json_object_foreach (json, key, value) {
		if (!read_member(key, value, task, reply))
			return false;
	}
	if (!json_object_get(json, "filter"))
		return refuse(reply, TRY_MEMBERS, "the member 'filter' is missing");
	return !vt_task_check(task, &err) || refuse(reply, TRY_MEMBERS, err.text);
}

static bool read_task(const struct http_request *request, struct vt_task *task, struct http_reply *reply)
{
	json_error_t error;
	json_t *json;
	bool good;

	*task = (struct vt_task){.packet_count = VT_COUNT_DEFAULT, .trace_time_ms = VT_TIME_DEFAULT_MS};
	json = json_loadb(request->body ? request->body : "", request->size, JSON_REJECT_DUPLICATES, &error);
	if (!json) {
		http_problem(reply, MHD_HTTP_BAD_REQUEST, TRY_MEMBERS, "the body is not JSON: line %d, column %d: %s",
		             error.line, error.column, error.text);
		return false;
	}
	task->id = 1; /* the store gives the real one; the checks want one */
	good = read_members(json, task, reply);
	json_decref(json);
	return good;
}

/* Waits at most once per request; true if the handler must return now. */
static bool wait_for(const struct api *api, struct http_request *request, uint32_t id, uint64_t time_ns,
                     struct http_reply *reply)
{
	if (request->waited || !time_ns)
		return false;
	request->waited = true;
	request->waiter.id = id;
	request->waiter.deadline_ns = vt_now_ns() + time_ns;
	/* Once parked, the request may already be on its way again in another thread: only `reply` is touched. */
	if (controller_wait(api->controller, &request->waiter))
		reply->parked = true;
	return reply->parked;
}

static void reply_added(const struct api *api, uint32_t id, struct http_reply *reply)
{
	enum vt_state state = VT_READY;
	struct vt_err err;
	char text[16];

	if (controller_state(api->controller, id, &state))
		store_state(api->store, id, &state, &err);
	snprintf(text, sizeof(text), "%" PRIu32, id);
	http_json(reply, MHD_HTTP_CREATED, json_pack("{s:s, s:s}", "id", text, "state", vt_state_name(state)));
	snprintf(reply->location, sizeof(reply->location), "/v1/traces/%s", text);
}

/* Answers once traffic is traced, so that a client may send the moment it has the answer; or when the trace is over. */
void traces_add(void *app, struct http_request *request, struct http_reply *reply)
{
	static const char *const keys[] = {NULL};
	const struct api *api = app;
	struct vt_err err = {0};
	struct vt_task task;
	enum vt_state state;
	uint32_t id;
	int rc;

	if (request->waited) {
		reply_added(api, request->waiter.id, reply);
		return;
	}
	if (!http_check_query(request, keys, reply) || !read_task(request, &task, reply))
		return;
	rc = controller_add(api->controller, &task, &id, &state, &err);
	if (!rc) {
		request->waiter.until_start = true;
		if (!wait_for(api, request, id, ADD_WAIT_NS, reply))
			reply_added(api, id, reply);
	} else if (rc == -EBUSY) {
		http_problem(reply, MHD_HTTP_TOO_MANY_REQUESTS, "wait for a trace to end, or cancel one", "%s",
		             err.text);
		reply->retry_after_s = 10;
	} else {
		fail(reply, &err);
	}
}

/* --- GET /v1/traces ----------------------------------------------------------------------------------------------- */

/* A decimal number without sign, blanks or leading zeros, as ids are written. */
static bool read_number(const char *text, uint32_t *ret)
{
	size_t n = strlen(text);
	unsigned long long value;

	if (n < 1 || n > 10 || strspn(text, "0123456789") != n || (n > 1 && *text == '0'))
		return false;
	value = strtoull(text, NULL, 10);
	*ret = (uint32_t)value;
	return value <= UINT32_MAX;
}

static bool read_query_number(const struct http_request *request, const char *key, uint32_t max, uint32_t *ret,
                              struct http_reply *reply)
{
	const char *text = http_query(request, key);

	if (!text || (read_number(text, ret) && *ret <= max))
		return true;
	http_problem(reply, MHD_HTTP_BAD_REQUEST, NULL, "query parameter '%s' must be a number from 0 to %" PRIu32, key,
	             max);
	return false;
}

/* The filter is compared in its normal form, which goes into `normal`. */
static bool read_query_filter(const struct http_request *request, char normal[VT_FILTER_MAX], struct store_query *query,
                              struct http_reply *reply)
{
	const char *text = http_query(request, "filter");
	struct vt_filter filter;
	struct vt_err err = {0};

	if (!text)
		return true;
	if (vt_filter_parse(text, &filter, &err)) {
		http_problem(reply, MHD_HTTP_BAD_REQUEST, "give the filter as for a new trace", "filter: %s", err.text);
		return false;
	}
	vt_filter_format(&filter, normal);
	query->filter = normal;
	return true;
}

static bool read_query(const struct http_request *request, char normal[VT_FILTER_MAX], struct store_query *query,
                       struct http_reply *reply)
{
	static const char *const keys[] = {"filter", "state", "limit", "cursor", NULL};
	const char *state;
	uint32_t limit = LIST_DEFAULT;

	if (!http_check_query(request, keys, reply) || !read_query_filter(request, normal, query, reply) ||
	    !read_query_number(request, "limit", LIST_MAX, &limit, reply) ||
	    !read_query_number(request, "cursor", UINT32_MAX, &query->before, reply))
		return false;
	query->limit = limit;
	state = http_query(request, "state");
	if (!limit)
		return refuse(reply, NULL, "query parameter 'limit' must be at least 1");
	if (http_query(request, "cursor") && !query->before)
		return refuse(reply, "give back the next_cursor of the answer before",
		              "query parameter 'cursor' is not a cursor");
	if (state && vt_state_parse(state, &query->state))
		return refuse(reply, "new, ready, tracing, analyzing, done, cancelled, failed",
		              "query parameter 'state' is not a state");
	return true;
}

struct listing {
	json_t *traces;
	unsigned int limit;
	uint32_t last; /* id of the last row that is shown */
	bool more;
};

static json_t *time_or_null(int64_t wall_us)
{
	char text[VT_TIME_TEXT];

	if (!wall_us)
		return json_null();
	vt_time_format(wall_us, text);
	return json_string(text);
}

static json_t *load_or_null(const char *text)
{
	json_t *json = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

	return json ? json : json_null();
}

static json_t *row_to_json(const struct store_row *row)
{
	char id[16];

	snprintf(id, sizeof(id), "%" PRIu32, row->id);
	return json_pack("{s:s, s:s, s:b, s:I, s:f, s:s, s:s?, s:o, s:o, s:o, s:o}", "id", id, "filter", row->filter,
	                 "bidirectional", row->bidirectional, "packet_count", (json_int_t)row->packet_count,
	                 "trace_time", row->trace_time_ms / 1000.0, "state", vt_state_name(row->state), "error",
	                 row->error, "created", time_or_null(row->created_us), "finished",
	                 time_or_null(row->finished_us), "packets", load_or_null(row->packets), "verdict",
	                 load_or_null(row->verdict));
}

/* One row more than asked for is read, to know whether there is a next page. */
static void add_row(void *arg, const struct store_row *row)
{
	struct listing *listing = arg;

	if (json_array_size(listing->traces) == listing->limit) {
		listing->more = true;
		return;
	}
	json_array_append_new(listing->traces, row_to_json(row));
	listing->last = row->id;
}

void traces_list(void *app, struct http_request *request, struct http_reply *reply)
{
	const struct api *api = app;
	char normal[VT_FILTER_MAX], cursor[16];
	struct store_query query = {0};
	struct listing listing = {0};
	struct vt_err err = {0};

	if (!read_query(request, normal, &query, reply))
		return;
	listing.traces = json_array();
	listing.limit = query.limit++;
	if (store_list(api->store, &query, add_row, &listing, &err) < 0) {
		json_decref(listing.traces);
		fail(reply, &err);
		return;
	}
	snprintf(cursor, sizeof(cursor), "%" PRIu32, listing.last);
	http_json(reply, MHD_HTTP_OK,
	          json_pack("{s:o, s:s?}", "traces", listing.traces, "next_cursor", listing.more ? cursor : NULL));
}

/* --- GET, DELETE /v1/traces/{id} ---------------------------------------------------------------------------------- */

static void reply_unknown(const struct http_request *request, struct http_reply *reply)
{
	http_problem(reply, MHD_HTTP_NOT_FOUND, TRY_TRACES, "there is no trace %s", request->parameter);
}

static bool read_id(const struct http_request *request, uint32_t *ret_id, struct http_reply *reply)
{
	if (read_number(request->parameter, ret_id) && *ret_id)
		return true;
	reply_unknown(request, reply);
	return false;
}

static void get_final(const struct api *api, const struct http_request *request, uint32_t id, bool with_list,
                      struct http_reply *reply)
{
	struct vt_err err = {0};
	char *text = NULL;
	int rc = store_result(api->store, id, with_list, &text, &err);

	if (!rc)
		http_text(reply, MHD_HTTP_OK, "application/json", text);
	else if (rc == -ENOENT)
		reply_unknown(request, reply);
	else
		fail(reply, &err);
}

void traces_get(void *app, struct http_request *request, struct http_reply *reply)
{
	static const char *const keys[] = {"packets", "wait", NULL};
	const struct api *api = app;
	uint32_t id, packets = 0, seconds = 0;
	struct vt_result result;

	if (!http_check_query(request, keys, reply) || !read_query_number(request, "packets", 1, &packets, reply) ||
	    !read_query_number(request, "wait", API_WAIT_MAX_S, &seconds, reply) || !read_id(request, &id, reply))
		return;
	if (wait_for(api, request, id, seconds * VT_SECOND_NS, reply))
		return;
	/* In this order: a trace leaves the controller only once it is in the store. */
	if (controller_result(api->controller, id, packets, &result)) {
		get_final(api, request, id, packets, reply);
		return;
	}
	http_json(reply, MHD_HTTP_OK, vt_result_to_json(&result, packets));
	vt_result_done(&result);
}

static void reply_cancelled(const struct api *api, const struct http_request *request, uint32_t id,
                            struct http_reply *reply)
{
	struct vt_err err = {0};
	enum vt_state state;
	int rc = store_state(api->store, id, &state, &err);

	if (rc == -ENOENT)
		reply_unknown(request, reply);
	else if (rc)
		fail(reply, &err);
	else if (state == VT_CANCELLED && request->waited)
		http_json(reply, MHD_HTTP_OK,
		          json_pack("{s:s, s:s}", "id", request->parameter, "state", vt_state_name(state)));
	else if (vt_state_final(state))
		http_problem(reply, MHD_HTTP_CONFLICT, "GET /v1/traces/ID has its result", "trace %s is %s already",
		             request->parameter, vt_state_name(state));
	else
		http_json(reply, MHD_HTTP_ACCEPTED,
		          json_pack("{s:s, s:s}", "id", request->parameter, "state", vt_state_name(state)));
}

void traces_cancel(void *app, struct http_request *request, struct http_reply *reply)
{
	static const char *const keys[] = {NULL};
	const struct api *api = app;
	uint32_t id;

	if (!http_check_query(request, keys, reply) || !read_id(request, &id, reply))
		return;
	if (!request->waited && !controller_cancel(api->controller, id) &&
	    wait_for(api, request, id, CANCEL_WAIT_S * VT_SECOND_NS, reply))
		return;
	reply_cancelled(api, request, id, reply);
}
