// SPDX-License-Identifier: BSD-3-Clause
/*
 * The calls of include/vtrace.h on traces: each is one or two requests (client.h) and a conversion of the answer.
 */
#include "client/client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COUNT_DEFAULT 100
#define TIME_DEFAULT  10.0
#define LIMIT_DEFAULT 20
#define LIMIT_MAX     1000
#define QUERY_MAX     2048 /* bytes of a path with its query: a filter has at most 511, three times that when escaped */

const json_t *client_list(const json_t *answer, const char *member)
{
	const json_t *list = json_is_array(answer) ? answer : json_object_get(answer, member);

	return json_is_array(list) ? list : NULL;
}

int client_is_id(const char *text)
{
	static const char *const words[] = {"tcp", "udp", "icmp", "icmp6", "sctp", "ip",
	                                    "ip6", "src", "dst",  "proto", "vni"};

	if (!text[0] || strpbrk(text, " \t\n"))
		return 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(text, words[i]))
			return 0;
	return 1;
}

/* Writes a path with one variable part: fmt has one %s for it and one for what follows. */
static int path_make(char path[QUERY_MAX], const char *before, const char *part, const char *after,
                     struct vtrace_error *error)
{
	char *escaped = client_escape(part);
	int n = escaped ? snprintf(path, QUERY_MAX, "%s%s%s", before, escaped, after) : 0;

	free(escaped);
	if (!n)
		return client_fail(error, VTRACE_NO_MEMORY, "out of memory");
	if (n >= QUERY_MAX)
		return client_fail(error, VTRACE_INVALID, "'%.32s...' is too long for an id or a filter", part);
	return VTRACE_OK;
}

int client_add(struct vtrace_client *client, const char *filter, unsigned int packet_count, double trace_time,
               unsigned int flags, json_t **ret_json, struct vtrace_error *error)
{
	json_t *body, *answer = NULL;
	int code;

	if (!filter || !(trace_time >= 0) || isinf(trace_time))
		return client_fail(error, VTRACE_INVALID,
		                   filter ? "the trace time must be seconds, 0 or more" : "no filter");
	body =
	    json_pack("{s:s, s:i, s:f, s:b}", "filter", filter, "packet_count",
	              packet_count ? packet_count : COUNT_DEFAULT, "trace_time",
	              trace_time > 0 ? trace_time : TIME_DEFAULT, "bidirectional", (flags & VTRACE_BIDIRECTIONAL) != 0);
	if (!body)
		return client_fail(error, VTRACE_INVALID, "the filter is not UTF-8 text");
	code = client_request(client, "POST", "/v1/traces", body, 0, &answer, error);
	json_decref(body);
	if (code)
		return code;
	if (!json_string_length(json_object_get(answer, "id")) ||
	    json_string_length(json_object_get(answer, "id")) >= VTRACE_ID_MAX) {
		json_decref(answer);
		return client_fail(error, VTRACE_SERVER, "the server's answer to a new trace has no id");
	}
	*ret_json = answer;
	return VTRACE_OK;
}

int vtrace_add(struct vtrace_client *client, const char *filter, unsigned int packet_count, double trace_time,
               unsigned int flags, char id[VTRACE_ID_MAX], struct vtrace_error *error)
{
	json_t *answer;
	int code = client_add(client, filter, packet_count, trace_time, flags, &answer, error);

	if (code)
		return code;
	snprintf(id, VTRACE_ID_MAX, "%s", json_string_value(json_object_get(answer, "id")));
	json_decref(answer);
	return VTRACE_OK;
}

int client_traces(struct vtrace_client *client, const char *filter, const char *state, unsigned int limit,
                  json_t **ret_json, struct vtrace_error *error)
{
	char before[128], path[QUERY_MAX];
	const json_t *list;
	json_t *answer = NULL;
	int code;

	snprintf(before, sizeof(before), "/v1/traces?limit=%u%s%.32s%s", limit ? limit : LIMIT_DEFAULT,
	         state ? "&state=" : "", state ? state : "", filter ? "&filter=" : "");
	code = path_make(path, before, filter ? filter : "", "", error);
	if (!code)
		code = client_request(client, "GET", path, NULL, 0, &answer, error);
	if (code)
		return code;
	list = client_list(answer, "traces");
	if (list)
		*ret_json = json_incref((json_t *)list);
	else
		code = client_fail(error, VTRACE_SERVER, "the server's answer has no list of traces");
	json_decref(answer);
	return code;
}

int client_find(struct vtrace_client *client, const char *id_or_filter, char id[VTRACE_ID_MAX],
                struct vtrace_error *error)
{
	const char *found;
	json_t *list;
	int code;

	if (client_is_id(id_or_filter)) {
		if (strlen(id_or_filter) >= VTRACE_ID_MAX)
			return client_fail(error, VTRACE_NOT_FOUND, "no trace %.64s...: ids are shorter", id_or_filter);
		strcpy(id, id_or_filter);
		return VTRACE_OK;
	}
	code = client_traces(client, id_or_filter, NULL, 1, &list, error);
	if (code)
		return code;
	found = json_string_value(json_object_get(json_array_get(list, 0), "id"));
	if (found)
		snprintf(id, VTRACE_ID_MAX, "%s", found);
	else
		code = client_fail(error, VTRACE_NOT_FOUND, "no trace of '%s'", id_or_filter);
	json_decref(list);
	return code;
}

int client_trace(struct vtrace_client *client, const char *id, unsigned int flags, unsigned int wait_s,
                 json_t **ret_json, struct vtrace_error *error)
{
	char path[QUERY_MAX], query[64] = "";
	json_t *answer = NULL;
	int code;

	if (wait_s > CLIENT_WAIT_MAX_S)
		wait_s = CLIENT_WAIT_MAX_S;
	if (wait_s)
		snprintf(query, sizeof(query), "?wait=%u%s", wait_s, flags & VTRACE_PACKETS ? "&packets=1" : "");
	else if (flags & VTRACE_PACKETS)
		strcpy(query, "?packets=1");
	code = path_make(path, "/v1/traces/", id, query, error);
	if (!code)
		code = client_request(client, "GET", path, NULL, wait_s, &answer, error);
	if (code)
		return code;
	if (!json_is_string(json_object_get(answer, "state"))) {
		json_decref(answer);
		return client_fail(error, VTRACE_SERVER, "the server's answer is not a trace");
	}
	*ret_json = answer;
	return VTRACE_OK;
}

static int trace_result(struct vtrace_client *client, const char *id, unsigned int flags, unsigned int wait_s,
                        struct vtrace_result **result, struct vtrace_error *error)
{
	json_t *json;
	int code = client_trace(client, id, flags, wait_s, &json, error);

	if (code)
		return code;
	code = client_result(json, result, error);
	json_decref(json);
	return code;
}

int vtrace_result(struct vtrace_client *client, const char *id_or_filter, unsigned int flags,
                  struct vtrace_result **result, struct vtrace_error *error)
{
	char id[VTRACE_ID_MAX];
	int code = client_find(client, id_or_filter, id, error);

	return code ? code : trace_result(client, id, flags, 0, result, error);
}

static double clock_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int vtrace_wait(struct vtrace_client *client, const char *id_or_filter, double seconds, unsigned int flags,
                struct vtrace_result **result, struct vtrace_error *error)
{
	double end = clock_seconds() + seconds;
	char id[VTRACE_ID_MAX];
	int code = client_find(client, id_or_filter, id, error);

	while (!code) {
		double left = seconds < 0 ? CLIENT_WAIT_MAX_S : end - clock_seconds();
		unsigned int wait_s = left >= CLIENT_WAIT_MAX_S ? CLIENT_WAIT_MAX_S
		                      : left > 0                ? (unsigned int)ceil(left)
		                                                : 0;
		struct vtrace_result *now;

		code = trace_result(client, id, flags, wait_s, &now, error);
		if (code)
			break;
		if (now->final || !wait_s) {
			*result = now;
			break;
		}
		vtrace_result_free(now);
	}
	return code;
}

int vtrace_cancel(struct vtrace_client *client, const char *id, struct vtrace_error *error)
{
	char path[QUERY_MAX];
	int code = path_make(path, "/v1/traces/", id, "", error);

	return code ? code : client_request(client, "DELETE", path, NULL, 0, NULL, error);
}

void vtrace_list_free(struct vtrace_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->n; i++)
		vtrace_result_free(list->traces[i]);
	free(list->traces);
	free((char *)list->json);
	free(list);
}

static int list_make(const json_t *array, struct vtrace_list **ret_list, struct vtrace_error *error)
{
	struct vtrace_list *list = calloc(1, sizeof(*list));
	json_t *trace;
	size_t i;

	if (!list)
		return client_fail(error, VTRACE_NO_MEMORY, "out of memory");
	list->json = json_dumps(array, JSON_COMPACT);
	list->traces = calloc(json_array_size(array) + 1, sizeof(struct vtrace_result *));
	if (!list->json || !list->traces) {
		vtrace_list_free(list);
		return client_fail(error, VTRACE_NO_MEMORY, "out of memory");
	}
	json_array_foreach (array, i, trace) {
		int code = client_result(trace, &list->traces[i], error);

		if (code) {
			vtrace_list_free(list);
			return code;
		}
		list->n++;
	}
	*ret_list = list;
	return VTRACE_OK;
}

int vtrace_list(struct vtrace_client *client, const char *filter, unsigned int limit, struct vtrace_list **list,
                struct vtrace_error *error)
{
	json_t *array;
	int code;

	if (limit > LIMIT_MAX)
		return client_fail(error, VTRACE_INVALID, "a list has at most %d traces, not %u", LIMIT_MAX, limit);
	code = client_traces(client, filter, NULL, limit, &array, error);
	if (code)
		return code;
	code = list_make(array, list, error);
	json_decref(array);
	return code;
}
