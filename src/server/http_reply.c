// SPDX-License-Identifier: BSD-3-Clause
/* Replies and queries: what handlers use of http.h besides the request itself. */
#include "server/http_reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void reply_clear(struct http_reply *reply)
{
	free(reply->body);
	if (reply->response)
		MHD_destroy_response(reply->response);
	*reply = (struct http_reply){0};
}

void http_text(struct http_reply *reply, unsigned int status, const char *type, char *text)
{
	if (!text) {
		http_problem(reply, MHD_HTTP_INTERNAL_SERVER_ERROR, "try again later", "no memory for the answer");
		return;
	}
	reply->status = status;
	reply->type = type;
	reply->body = text;
	reply->size = strlen(text);
}

void http_json(struct http_reply *reply, unsigned int status, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	http_text(reply, status, "application/json", text);
}

/* Words of a request may stand in a detail; what is not UTF-8 in them must not break the document. */
static json_t *make_string(char *text)
{
	json_t *string = json_string(text);

	if (string)
		return string;
	for (char *at = text; *at; at++) {
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	}
	return json_string(text);
}

void http_problem(struct http_reply *reply, unsigned int status, const char *what_to_try, const char *fmt, ...)
{
	char detail[2 * VT_ERR_MAX];
	va_list args;
	json_t *json;
	char *text;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	json = json_pack("{s:s, s:s, s:I, s:o}", "type", "about:blank", "title", MHD_get_reason_phrase_for(status),
	                 "status", (json_int_t)status, "detail", make_string(detail));
	if (json && what_to_try)
		json_object_set_new(json, "try", json_string(what_to_try));
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	reply->status = status;
	reply->type = "application/problem+json";
	reply->body = text; /* without memory the status has to do */
	reply->size = text ? strlen(text) : 0;
}

static void add_number_header(struct MHD_Response *response, const char *name, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	MHD_add_response_header(response, name, text);
}

static void add_headers(struct MHD_Response *response, const struct http_reply *reply)
{
	if (reply->type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (*reply->location)
		MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, reply->location);
	if (*reply->allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, reply->allow);
	if (reply->retry_after_s)
		add_number_header(response, MHD_HTTP_HEADER_RETRY_AFTER, reply->retry_after_s);
	if (reply->status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
}

/* The body becomes libmicrohttpd's. */
static struct MHD_Response *make_response(struct http_reply *reply)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(reply->size, reply->body, MHD_RESPMEM_MUST_FREE);

	if (!response)
		return NULL;
	reply->body = NULL;
	add_headers(response, reply);
	return response;
}

enum MHD_Result reply_queue(struct MHD_Connection *connection, struct http_reply *reply)
{
	enum MHD_Result queued = MHD_NO;

	if (!reply->response)
		reply->response = make_response(reply);
	if (reply->response)
		queued = MHD_queue_response(connection, reply->status, reply->response);
	reply_clear(reply);
	return queued;
}

/* --- queries ------------------------------------------------------------------------------------------------------ */

const char *http_query(const struct http_request *request, const char *key)
{
	const char *value = NULL;

	if (!MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, key, strlen(key), &value, NULL))
		return NULL;
	return value ? value : "";
}

struct query_check {
	const char *const *keys;
	unsigned int seen; /* bit n: keys[n] came */
	const char *bad;   /* the first key that may not be there, NULL: none */
	const char *why;
};

static enum MHD_Result check_pair(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_size,
                                  const char *value, size_t value_size)
{
	struct query_check *check = arg;

	check->bad = key;
	for (unsigned int i = 0; check->keys[i]; i++) {
		if (strcmp(key, check->keys[i]) != 0)
			continue;
		check->why = check->seen & 1u << i ? "stands there twice" : "has a NUL byte in its value";
		if (check->seen & 1u << i || (value && strlen(value) != value_size))
			return MHD_NO;
		check->seen |= 1u << i;
		check->bad = NULL;
		return MHD_YES;
	}
	check->why = "is not known here";
	return MHD_NO;
}

bool http_check_query(const struct http_request *request, const char *const *keys, struct http_reply *reply)
{
	struct query_check check = {.keys = keys};
	char list[128] = "";

	MHD_get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, check_pair, &check);
	if (!check.bad)
		return true;
	for (int i = 0; keys[i]; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
		         i ? ", " : "query parameters: ", keys[i]);
	http_problem(reply, MHD_HTTP_BAD_REQUEST, *list ? list : "leave the query out", "query parameter '%.60s' %s",
	             check.bad, check.why);
	return false;
}
