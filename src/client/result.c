// SPDX-License-Identifier: BSD-3-Clause
/*
 * A trace's JSON as struct vtrace_result, and errors as values. The strings of a result point into the JSON values,
 * which live as long as the result.
 */
#include "client/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct result_holder {
	struct vtrace_result result; /* first: what the user sees */
	json_t *json;
};

int client_fail(struct vtrace_error *error, enum vtrace_code code, const char *fmt, ...)
{
	va_list args;

	if (!error)
		return code;
	error->code = code;
	va_start(args, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, args);
	va_end(args);
	return code;
}

const char *vtrace_code_name(enum vtrace_code code)
{
	switch (code) {
	case VTRACE_OK:
		return "ok";
	case VTRACE_INVALID:
		return "invalid";
	case VTRACE_NO_MEMORY:
		return "no-memory";
	case VTRACE_FILE:
		return "file";
	case VTRACE_UNREACHABLE:
		return "unreachable";
	case VTRACE_UNTRUSTED:
		return "untrusted";
	case VTRACE_DENIED:
		return "denied";
	case VTRACE_NOT_FOUND:
		return "not-found";
	case VTRACE_LIMIT:
		return "limit";
	case VTRACE_TIMEOUT:
		return "timeout";
	case VTRACE_SERVER:
		return "server";
	case VTRACE_ENDED:
		return "ended";
	}
	return "unknown";
}

const char *vtrace_version(void)
{
	return VTRACE_VERSION;
}

int client_state_final(const char *state)
{
	return !strcmp(state, "done") || !strcmp(state, "cancelled") || !strcmp(state, "failed");
}

static const char *member_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static uint64_t member_count(const json_t *object, const char *name)
{
	json_int_t number = json_integer_value(json_object_get(object, name));

	return number > 0 ? (uint64_t)number : 0;
}

static void verdict_fill(struct vtrace_result *result, const json_t *verdict)
{
	result->verdict.cause_class = member_text(verdict, "class");
	result->verdict.code = member_text(verdict, "code");
	result->verdict.certainty = member_text(verdict, "certainty");
	result->verdict.node = member_text(verdict, "node");
	result->verdict.kind = member_text(verdict, "kind");
	result->verdict.device = member_text(verdict, "device");
	result->verdict.direction = member_text(verdict, "direction");
	result->verdict.reason = member_text(verdict, "reason");
	result->verdict.site = member_text(verdict, "site");
	result->verdict.evidence = member_text(verdict, "evidence");
	result->verdict.next_step = member_text(verdict, "next_step");
	result->verdict.packets = member_count(verdict, "packets");
}

static void result_fill(struct vtrace_result *result, const json_t *json)
{
	const json_t *packets = json_object_get(json, "packets"), *nodes = json_object_get(json, "nodes");

	result->id = member_text(json, "id");
	result->filter = member_text(json, "filter");
	result->state = member_text(json, "state");
	result->error = member_text(json, "error");
	result->final = client_state_final(result->state);
	result->coloured = member_count(packets, "coloured");
	result->delivered = member_count(packets, "delivered");
	result->dropped = member_count(packets, "dropped");
	result->lost = member_count(packets, "lost");
	result->unfinished = member_count(packets, "unfinished");
	result->ambiguous = member_count(packets, "ambiguous");
	result->records_missing = member_count(json_object_get(json, "records"), "missing");
	result->nodes_armed = member_count(nodes, "armed");
	result->nodes_failed = json_array_size(json_object_get(nodes, "failed"));
	result->causes = json_array_size(json_object_get(json, "causes"));
	verdict_fill(result, json_object_get(json, "verdict"));
}

int client_result(json_t *json, struct vtrace_result **result, struct vtrace_error *error)
{
	struct result_holder *holder = calloc(1, sizeof(*holder));
	char *text = json_dumps(json, JSON_COMPACT);

	if (!holder || !text) {
		free(holder);
		free(text);
		return client_fail(error, VTRACE_NO_MEMORY, "out of memory");
	}
	holder->json = json_incref(json);
	holder->result.json = text;
	result_fill(&holder->result, json);
	*result = &holder->result;
	return VTRACE_OK;
}

void vtrace_result_free(struct vtrace_result *result)
{
	struct result_holder *holder = (struct result_holder *)result;

	if (!holder)
		return;
	free((char *)holder->result.json);
	json_decref(holder->json);
	free(holder);
}
