// SPDX-License-Identifier: BSD-3-Clause
/*
 * A result as the contract's JSON object. jansson's "new" setters take NULL and fail then; what could be NULL here is
 * memory only, so each object is made by one function that gives up as a whole: obj() below.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/json.h"
#include "core/result.h"

struct pair {
	const char *name;
	json_t *value;
};

/* An object of `n` members; takes over the values. NULL, and nothing leaks, if one of them is NULL. */
static json_t *obj_make(const struct pair *pairs, size_t n)
{
	json_t *object = json_object();
	bool failed = !object;

	for (size_t i = 0; i < n; i++)
		if (json_object_set_new_nocheck(object, pairs[i].name, pairs[i].value))
			failed = true;
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

#define obj(...) \
	obj_make((const struct pair[]){__VA_ARGS__}, sizeof((const struct pair[]){__VA_ARGS__}) / sizeof(struct pair))

/* Appends; *array becomes NULL when memory has run out. */
static void append(json_t **array, json_t *value)
{
	if (!*array) {
		json_decref(value);
	} else if (json_array_append_new(*array, value)) {
		json_decref(*array);
		*array = NULL;
	}
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_text(text) : json_null();
}

static json_t *time_or_null(int64_t real_us)
{
	char text[VT_TIME_TEXT];

	if (!real_us)
		return json_null();
	vt_time_format(real_us, text);
	return json_string(text);
}

static json_t *index_or_null(int index)
{
	return index < 0 ? json_null() : json_integer(index);
}

static json_t *direction(bool reverse)
{
	return json_string(reverse ? "reverse" : "forward");
}

static json_t *cause_json(const struct vt_result_cause *cause)
{
	const struct vt_cause_info *info = vt_cause_info(cause->code);
	char next_step[VT_ERR_MAX];

	if (!info)
		info = vt_cause_info(VT_CAUSE_UNEXPLAINED);
	vt_cause_next_step(vt_cause_by_code(info->code), cause->node, cause->device, next_step, sizeof(next_step));
	return obj({"class", json_string(vt_cause_class_name(info->class))}, {"code", json_string(info->code)},
	           {"certainty", json_string(cause->proven ? "proven" : "inferred")}, {"node", json_text(cause->node)},
	           {"kind", json_string(vt_kind_name(cause->kind))}, {"device", json_text(cause->device)},
	           {"direction", direction(cause->reverse)}, {"packets", json_integer((json_int_t)cause->packets)},
	           {"reason", json_text(cause->reason)}, {"site", json_text(cause->site)},
	           {"evidence", json_text(cause->evidence)}, {"next_step", json_text(next_step)});
}

/* A thousandth of a microsecond is the clock's own unit; more digits would be noise. */
static json_t *micros(double us)
{
	return json_real(isfinite(us) ? round(us * 1000) / 1000 : 0);
}

static json_t *out_json(const struct vt_result_hop *hop)
{
	if (!hop->has_outer)
		return obj({"device", json_text(hop->out_device)});
	return obj({"device", json_text(hop->out_device)}, {"outer_src", json_addr(hop->outer_src)},
	           {"outer_dst", json_addr(hop->outer_dst)});
}

/* Sets a member that is there only sometimes; *object becomes NULL when memory has run out. */
static void set(json_t **object, const char *name, json_t *value)
{
	if (*object && !json_object_set_new(*object, name, value))
		return;
	if (!*object)
		json_decref(value);
	json_decref(*object);
	*object = NULL;
}

static json_t *hop_json(const struct vt_result_hop *hop)
{
	json_t *json = obj({"hop", json_integer(hop->hop)}, {"node", json_text(hop->node)},
	                   {"kind", json_string(vt_kind_name(hop->kind))},
	                   {"vni", hop->vni ? json_integer(hop->vni) : json_null()},
	                   {"nat", hop->has_nat ? json_flow(&hop->nat) : json_null()});

	if (hop->has_in)
		set(&json, "in", obj({"device", json_text(hop->in_device)}));
	if (hop->has_out)
		set(&json, "out", out_json(hop));
	if (hop->has_error)
		set(&json, "error", obj({"device", json_text(hop->error_device)}));
	if (hop->has_latency)
		set(&json, "latency_us",
		    obj({"min", micros(hop->latency_min_us)}, {"median", micros(hop->latency_median_us)},
		        {"max", micros(hop->latency_max_us)}));
	return json;
}

static json_t *path_json(const struct vt_result_path *path)
{
	json_t *hops = json_array();

	for (unsigned int i = 0; i < path->n_hops; i++)
		append(&hops, hop_json(&path->hops[i]));
	return obj({"packets", json_integer((json_int_t)path->packets)}, {"end", json_string(vt_end_name(path->end))},
	           {"direction", direction(path->reverse)}, {"cause", index_or_null(path->cause)},
	           {"flow", json_flow(&path->flow)}, {"hops", hops});
}

static json_t *packet_json(const struct vt_result_packet *packet)
{
	return obj({"packet_id", json_hex(packet->packet_id)}, {"flow", json_flow(&packet->flow)},
	           {"direction", direction(packet->reverse)}, {"end", json_string(vt_end_name(packet->end))},
	           {"path", index_or_null(packet->path)}, {"cause", index_or_null(packet->cause)},
	           {"ambiguous", json_boolean(packet->ambiguous)},
	           {"time_ns", json_integer((json_int_t)packet->time_ns)}, {"length", json_integer(packet->length)},
	           {"segments", json_integer(packet->segments)});
}

static json_t *nodes_json(const struct vt_result *result)
{
	json_t *failed = json_array();

	for (unsigned int i = 0; i < result->n_failed; i++)
		append(&failed,
		       obj({"node", json_text(result->failed[i].node)}, {"error", json_text(result->failed[i].error)}));
	return obj({"armed", json_integer(result->armed)}, {"failed", failed});
}

static json_t *packets_json(const struct vt_result *result)
{
	return obj({"coloured", json_integer((json_int_t)result->coloured)},
	           {"delivered", json_integer((json_int_t)result->delivered)},
	           {"dropped", json_integer((json_int_t)result->dropped)},
	           {"lost", json_integer((json_int_t)result->lost)},
	           {"unfinished", json_integer((json_int_t)result->unfinished)},
	           {"ambiguous", json_integer((json_int_t)result->ambiguous)});
}

static json_t *records_json(const struct vt_result *result)
{
	return obj({"received", json_integer((json_int_t)result->received)},
	           {"missing", json_integer((json_int_t)result->missing)});
}

static json_t *list_json(const struct vt_result *result)
{
	json_t *list = json_array();

	for (uint64_t i = 0; i < result->n_list; i++)
		append(&list, packet_json(&result->list[i]));
	return list;
}

json_t *vt_result_to_json(const struct vt_result *result, bool with_list)
{
	json_t *causes = json_array(), *paths = json_array(), *verdict, *json;
	char filter[VT_FILTER_MAX];

	vt_filter_format(&result->task.filter, filter);
	for (unsigned int i = 0; i < result->n_causes; i++)
		append(&causes, cause_json(&result->causes[i]));
	for (unsigned int i = 0; i < result->n_paths; i++)
		append(&paths, path_json(&result->paths[i]));
	verdict = json_array_size(causes) ? json_deep_copy(json_array_get(causes, 0)) : json_null();
	json = obj({"id", json_text(result->id)}, {"filter", json_string(filter)},
	           {"bidirectional", json_boolean(result->task.bidirectional)},
	           {"packet_count", json_integer(result->task.packet_count)},
	           {"trace_time", json_real(result->task.trace_time_ms / 1000.0)},
	           {"state", json_string(vt_state_name(result->state))}, {"error", text_or_null(result->error)},
	           {"created", time_or_null(result->created_us)}, {"finished", time_or_null(result->finished_us)},
	           {"nodes", nodes_json(result)}, {"packets", packets_json(result)}, {"records", records_json(result)},
	           {"verdict", verdict}, {"causes", causes}, {"paths", paths});
	if (with_list)
		set(&json, "list", list_json(result));
	return json;
}
