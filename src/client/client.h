// SPDX-License-Identifier: BSD-3-Clause
/*
 * Inside libvtrace: one HTTP exchange as a function. The command line uses it too, where it wants the JSON itself; it
 * is not exported from the shared library. The public interface is include/vtrace.h.
 */
#ifndef VT_CLIENT_CLIENT_H
#define VT_CLIENT_CLIENT_H

#include <jansson.h>

#include "vtrace.h"

#define CLIENT_WAIT_MAX_S 60                   /* the server holds a GET /v1/traces/ID?wait=S for at most this long */
#define CLIENT_ANSWER_MAX (256u * 1024 * 1024) /* bytes: 200 000 packets in "list", each under 1 KiB */

/*
 * Sends `method` to `path` (begins with '/', its variable parts escaped by client_escape) with `body` (NULL: none) and
 * takes the JSON answer. `wait_s` is how long the server was asked to hold the answer back. *ret_json (NULL: not
 * wanted; set to NULL where the answer has no body) is a new reference. Returns VTRACE_OK for a status of 2xx; else
 * what the problem document says is the error's text.
 */
int client_request(struct vtrace_client *client, const char *method, const char *path, const json_t *body,
                   unsigned int wait_s, json_t **ret_json, struct vtrace_error *error);

/* Percent-encodes for a path or query; the caller frees with free(). NULL without memory. */
char *client_escape(const char *text);

/* An answer that is a list, bare or as the named member of an object; a borrowed reference, NULL if it is neither. */
const json_t *client_list(const json_t *answer, const char *member);

/* True if the text can only be an id, since no filter looks like it: one word, none of the filter's own. */
int client_is_id(const char *text);

/* The latest trace's id for a filter; an id is copied as it is. */
int client_find(struct vtrace_client *client, const char *id_or_filter, char id[VTRACE_ID_MAX],
                struct vtrace_error *error);

/* One trace as JSON; wait_s > 0 asks the server to hold the answer back until the trace is final. */
int client_trace(struct vtrace_client *client, const char *id, unsigned int flags, unsigned int wait_s,
                 json_t **ret_json, struct vtrace_error *error);

/* POST /v1/traces; arguments as in vtrace_add(). */
int client_add(struct vtrace_client *client, const char *filter, unsigned int packet_count, double trace_time,
               unsigned int flags, json_t **ret_json, struct vtrace_error *error);

/* GET /v1/traces; filter and state may be NULL. *ret_json is the list itself, a new reference. */
int client_traces(struct vtrace_client *client, const char *filter, const char *state, unsigned int limit,
                  json_t **ret_json, struct vtrace_error *error);

/* The public view of a trace's JSON object, of which it takes a reference. */
int client_result(json_t *json, struct vtrace_result **result, struct vtrace_error *error);

/* Nonzero for the states done, cancelled, failed. */
int client_state_final(const char *state);

/* Fills `error` (NULL is allowed) and returns `code`. */
int client_fail(struct vtrace_error *error, enum vtrace_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
