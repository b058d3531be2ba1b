// SPDX-License-Identifier: BSD-3-Clause
/*
 * See http.h. A request goes through on_request() several times: with its headers (the route is found, and what can be
 * refused is refused), with each part of its body, at its end (the handler is called), and once more after a wait.
 *
 * A refusal is kept until the body has been read, because an answer to a client that is still sending is lost when
 * the connection is closed under it.
 */
#include "server/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/http_reply.h"

#define HTTP_THREADS        4           /* more than the cores of a small machine: a handler may wait for the disk */
#define HTTP_TIMEOUT_S      120         /* idle connections; agents keep theirs between batches */
#define HTTP_MEMORY         (48 * 1024) /* of a connection: headers, and the pieces in which bodies come */
#define HTTP_TLS_PRIORITIES "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1"

struct http {
	struct http_config config;
	struct MHD_Daemon *daemon;
};

/* libmicrohttpd's handle for a request: ours, the refusal if there is one, and how far its body is. */
struct exchange {
	struct http_request request;
	struct http_reply refusal; /* status 0: none */
	size_t room, discarded;
};

/* --- routes ------------------------------------------------------------------------------------------------------- */

static bool path_matches(const struct http_route *route, const char *path, struct http_request *request)
{
	size_t fixed = strcspn(route->path, "{");

	if (!route->path[fixed])
		return strcmp(route->path, path) == 0;
	if (strncmp(route->path, path, fixed) != 0 || !path[fixed] || strchr(path + fixed, '/') ||
	    strlen(path + fixed) >= sizeof(request->parameter))
		return false;
	strcpy(request->parameter, path + fixed);
	return true;
}

static bool method_matches(const struct http_route *route, const char *method)
{
	if (strcmp(method, MHD_HTTP_METHOD_HEAD) == 0 && !route->streams)
		method = MHD_HTTP_METHOD_GET;
	return strcmp(route->method, method) == 0;
}

static void add_allowed(char *allow, size_t size, const struct http_route *route)
{
	const char *head = strcmp(route->method, "GET") == 0 && !route->streams ? ", HEAD" : "";
	size_t n = strlen(allow);

	snprintf(allow + n, size - n, "%s%s%s", n ? ", " : "", route->method, head);
}

/* Finds the route; otherwise 404, or 405 with what the path allows. */
static void find_route(const struct http *http, struct exchange *x, const char *path, const char *method)
{
	char allow[sizeof(x->refusal.allow)] = "";

	for (const struct http_route *route = http->config.routes; route->method; route++) {
		if (!path_matches(route, path, &x->request))
			continue;
		if (method_matches(route, method)) {
			x->request.route = route;
			return;
		}
		add_allowed(allow, sizeof(allow), route);
	}
	if (!*allow) {
		http_problem(&x->refusal, MHD_HTTP_NOT_FOUND, "GET /v1/traces", "there is nothing at %.100s", path);
		return;
	}
	http_problem(&x->refusal, MHD_HTTP_METHOD_NOT_ALLOWED, allow, "%.20s is not allowed at %.100s", method, path);
	memcpy(x->refusal.allow, allow, sizeof(allow));
}

/* --- what the headers can be refused for -------------------------------------------------------------------------- */

static const char *header(const struct exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->request.connection, MHD_HEADER_KIND, name);
}

static void check_token(const struct http *http, struct exchange *x)
{
	if (x->request.route && x->request.route->open)
		return;
	if (auth_check(http->config.auth, header(x, MHD_HTTP_HEADER_AUTHORIZATION)))
		return;
	reply_clear(&x->refusal);
	http_problem(&x->refusal, MHD_HTTP_UNAUTHORIZED,
	             "send one of the server's tokens: Authorization: Bearer TOKEN (--token-file FILE)",
	             header(x, MHD_HTTP_HEADER_AUTHORIZATION) ? "the token is not one of the server's"
	                                                      : "the request has no token");
}

static bool has_type(const char *value, const char *type)
{
	size_t n = strlen(type);

	return value && strncasecmp(value, type, n) == 0 && strchr("; \t", value[n]);
}

static void refuse_size(struct exchange *x)
{
	http_problem(&x->refusal, MHD_HTTP_CONTENT_TOO_LARGE, NULL, "the body is larger than %zu bytes, the limit here",
	             x->request.route ? x->request.route->body_max : 0);
}

/* A web page can make a browser send a body of some types anywhere, but not of these: no one else's page starts traces.
 */
static void check_body(struct exchange *x)
{
	const struct http_route *route = x->request.route;
	const char *length = header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
	const char *encoding = header(x, MHD_HTTP_HEADER_CONTENT_ENCODING);

	if (route->body_type && !has_type(header(x, MHD_HTTP_HEADER_CONTENT_TYPE), route->body_type))
		http_problem(&x->refusal, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "set the header Content-Type",
		             "the body must be of type %s", route->body_type);
	else if (route->body_type && encoding && strcasecmp(encoding, "identity") != 0)
		http_problem(&x->refusal, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "send the body as it is",
		             "the content encoding %.40s is not supported", encoding);
	else if (length && strtoull(length, NULL, 10) > route->body_max)
		refuse_size(x);
}

/* True if there will be so much that reading it for the sake of an answer makes no sense. */
static bool body_is_hopeless(const struct exchange *x)
{
	const char *length = header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return length && strtoull(length, NULL, 10) > HTTP_DISCARD_MAX;
}

/* A client that asks before it sends its body gets its answer instead of the go-ahead. */
static bool client_asks_first(const struct exchange *x)
{
	return header(x, MHD_HTTP_HEADER_EXPECT) != NULL;
}

/* --- the body ----------------------------------------------------------------------------------------------------- */

static bool grow(struct exchange *x, size_t size)
{
	size_t room = x->room ? 2 * x->room : 4096;
	char *body;

	if (size <= x->room)
		return true;
	room = room < size ? size : room;
	body = realloc(x->request.body, room);
	if (!body)
		return false;
	x->request.body = body;
	x->room = room;
	return true;
}

/* Takes a part of the body; false: drop the connection. */
static bool take_body(struct exchange *x, const char *data, size_t n)
{
	struct http_request *request = &x->request;

	if (!x->refusal.status && request->size + n > request->route->body_max)
		refuse_size(x);
	if (!x->refusal.status && !grow(x, request->size + n + 1))
		http_problem(&x->refusal, MHD_HTTP_SERVICE_UNAVAILABLE, "try again later", "no memory for the body");
	if (x->refusal.status) {
		x->discarded += n;
		return x->discarded <= HTTP_DISCARD_MAX;
	}
	memcpy(request->body + request->size, data, n);
	request->size += n;
	request->body[request->size] = '\0';
	return true;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static struct exchange *exchange_of(struct waiter *waiter)
{
	return (struct exchange *)((char *)waiter - offsetof(struct exchange, request.waiter));
}

static void park(struct waiter *waiter)
{
	MHD_suspend_connection(exchange_of(waiter)->request.connection);
}

static void wake(struct waiter *waiter)
{
	MHD_resume_connection(exchange_of(waiter)->request.connection);
}

static enum MHD_Result send_reply(const struct http *http, struct exchange *x, struct http_reply *reply)
{
	if (reply->status < STATS_STATUS_MAX)
		stats_add(&http->config.stats->requests[reply->status]);
	return reply_queue(x->request.connection, reply);
}

static enum MHD_Result begin(const struct http *http, struct MHD_Connection *connection, const char *path,
                             const char *method, struct exchange **ret_x)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return MHD_NO;
	*ret_x = x;
	x->request.connection = connection;
	x->request.waiter.park = park;
	x->request.waiter.wake = wake;
	find_route(http, x, path, method);
	check_token(http, x);
	if (!x->refusal.status)
		check_body(x);
	if (x->refusal.status && (body_is_hopeless(x) || client_asks_first(x)))
		return send_reply(http, x, &x->refusal);
	return MHD_YES;
}

static enum MHD_Result finish(const struct http *http, struct exchange *x)
{
	struct http_reply reply = {0};

	if (x->refusal.status)
		return send_reply(http, x, &x->refusal);
	x->request.route->handle(http->config.app, &x->request, &reply);
	return reply.parked ? MHD_YES : send_reply(http, x, &reply);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *n, void **handle)
{
	const struct http *http = arg;
	struct exchange *x = *handle;

	if (!x)
		return begin(http, connection, path, method, (struct exchange **)handle);
	if (*n) {
		bool taken = take_body(x, data, *n);

		*n = 0;
		return taken ? MHD_YES : MHD_NO;
	}
	return finish(http, x);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **handle,
                         enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *handle;

	if (!x)
		return;
	reply_clear(&x->refusal);
	free(x->request.body);
	free(x);
	*handle = NULL;
}

/* --- the daemon --------------------------------------------------------------------------------------------------- */

/*
 * poll, not epoll: with epoll, libmicrohttpd 0.9.75 was seen to let a half-closed, incomplete request linger until its
 * timeout (tests/e2e/test_api.py), with poll it is not. Silent streams are suspended and cost poll nothing.
 */
static struct MHD_Daemon *start(struct http *http)
{
	const struct http_config *config = &http->config;
	struct MHD_OptionItem tls[] = {
	    {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)config->tls_cert},
	    {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)config->tls_key},
	    {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)HTTP_TLS_PRIORITIES},
	    {MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem no_tls[] = {{MHD_OPTION_END, 0, NULL}};
	unsigned int flags =
	    MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | (config->tls_cert ? MHD_USE_TLS : 0);

	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_ARRAY,
	                        config->tls_cert ? tls : no_tls, MHD_OPTION_LISTEN_SOCKET, config->fd,
	                        MHD_OPTION_THREAD_POOL_SIZE, HTTP_THREADS, MHD_OPTION_CONNECTION_LIMIT,
	                        HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MEMORY,
	                        MHD_OPTION_CONNECTION_TIMEOUT, HTTP_TIMEOUT_S, MHD_OPTION_NOTIFY_COMPLETED,
	                        on_completed, NULL, MHD_OPTION_END);
}

int http_open(const struct http_config *config, struct http **ret_http, struct vt_err *err)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http)
		return vt_fail(err, ENOMEM, "http: no memory");
	http->config = *config;
	http->daemon = start(http);
	if (!http->daemon) {
		free(http);
		return vt_fail(err, EPROTO, "http: cannot start%s",
		               config->tls_cert ? " with TLS (do certificate and key belong together, both in PEM?)"
		                                : "");
	}
	*ret_http = http;
	return 0;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	MHD_stop_daemon(http->daemon);
	free(http);
}
