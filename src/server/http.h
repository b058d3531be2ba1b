// SPDX-License-Identifier: BSD-3-Clause
/*
 * HTTP for the API, on libmicrohttpd: routes, limits, tokens, TLS, problem documents (RFC 9457). It knows nothing of
 * traces; a route's handler gets a whole request and fills a reply. Handlers run on several threads at once.
 */
#ifndef VT_SERVER_HTTP_H
#define VT_SERVER_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "server/auth.h"
#include "server/controller.h"
#include "server/stats.h"

/* Two for each of NODES_MAX agents (its stream and its batches), the rest for users. */
#define HTTP_CONNECTIONS_MAX (2 * NODES_MAX + 256)
/* A body that is too large is read to its end and thrown away, so that the answer arrives; but not past this. */
#define HTTP_DISCARD_MAX (16 * 1024 * 1024)

struct MHD_Connection;
struct MHD_Response;
struct http_route;

struct http_request {
	const struct http_route *route;
	struct MHD_Connection *connection;
	char parameter[64]; /* what stands for {id} in the path; longer ones do not match */
	char *body;         /* NUL-terminated, NULL if there is none */
	size_t size;
	struct waiter waiter; /* for a handler that waits; park and wake are set */
	bool waited;          /* the handler's: it is called again after the wait */
};

struct http_reply {
	unsigned int status;
	const char *type; /* media type of the body */
	char *body;       /* malloc'ed, the reply's */
	size_t size;
	char location[64], allow[32];  /* headers, empty: none */
	unsigned int retry_after_s;    /* the same, 0: none */
	struct MHD_Response *response; /* instead of a body: a stream */
	bool parked;                   /* no reply yet: the request waits, and the handler is called again */
};

struct http_route {
	const char *method; /* GET answers HEAD too, unless it streams */
	const char *path;   /* may end in {id} */
	void (*handle)(void *app, struct http_request *request, struct http_reply *reply);
	const char *body_type; /* media type that the body must have, NULL: no body is expected */
	size_t body_max;
	bool open; /* needs no token */
	bool streams;
};

struct http_config {
	int fd;                          /* listening; closed with the server */
	const struct http_route *routes; /* ends with a NULL method */
	void *app;                       /* for the handlers */
	const struct auth *auth;         /* NULL: no tokens */
	const char *tls_cert, *tls_key;  /* PEM texts, NULL: no TLS */
	struct stats *stats;
};

struct http;

int http_open(const struct http_config *config, struct http **ret_http, struct vt_err *err);

/* No connection may be parked or silent any more: controller_stop() comes first. */
void http_close(struct http *http);

/* A reply with JSON; takes the reference. NULL (no memory) becomes a problem. */
void http_json(struct http_reply *reply, unsigned int status, json_t *json);

/* A reply with a text that is the reply's from here on. */
void http_text(struct http_reply *reply, unsigned int status, const char *type, char *text);

/* A problem document: `what_to_try` (NULL: nothing) and what happened, on what. */
void http_problem(struct http_reply *reply, unsigned int status, const char *what_to_try, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The value of ?key=, "" for ?key, NULL if it is not there. */
const char *http_query(const struct http_request *request, const char *key);

/*
 * Checks that the query has no other keys than those in `keys` (ends with NULL), each at most once and without NUL
 * bytes. Otherwise the reply is a problem that names the key, and false is returned.
 */
bool http_check_query(const struct http_request *request, const char *const *keys, struct http_reply *reply);

#endif
