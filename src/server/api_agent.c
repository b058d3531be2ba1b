// SPDX-License-Identifier: BSD-3-Clause
/*
 * GET /v1/agent/tasks: an agent says who it is and gets its stream of commands.
 *
 * A silent stream's connection is suspended, and libmicrohttpd does not look at it. So that an agent that dies is
 * noticed at once and not at the second heartbeat after, its socket is also in the server's own epoll set, for the
 * hang-up alone; a host that vanishes without a word is noticed by the heartbeats that it does not acknowledge.
 */
#include "server/api.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* How long what was sent may stay unacknowledged: three heartbeats. */
#define STREAM_SILENCE_MS (3 * (unsigned int)(CONTROLLER_HEARTBEAT_NS / 1000000))

static bool refuse(struct http_reply *reply, const char *key, const char *what)
{
	http_problem(reply, MHD_HTTP_BAD_REQUEST,
	             "GET /v1/agent/tasks?node=NAME&kind=vswitch&datapath=linux&version=1.0&boot=0123456789abcdef",
	             "query parameter '%s' %s", key, what);
	return false;
}

static bool read_boot(const struct http_request *request, struct node_hello *hello, struct http_reply *reply)
{
	const char *text = http_query(request, "boot");
	char *end;

	if (!text || !*text || strlen(text) > 16 || strspn(text, "0123456789abcdefABCDEF") != strlen(text))
		return refuse(reply, "boot", "must be 1 to 16 hexadecimal digits");
	hello->boot = strtoull(text, &end, 16);
	return hello->boot || refuse(reply, "boot", "must not be 0");
}

/* A word that is only shown: what is printable, not too long. */
static bool read_word(const struct http_request *request, const char *key, char word[VT_NAME_MAX],
                      struct http_reply *reply)
{
	const char *text = http_query(request, key);

	if (!text || !*text || strlen(text) >= VT_NAME_MAX)
		return refuse(reply, key, "must have 1 to 31 characters");
	for (const char *at = text; *at; at++) {
		if (*at < 0x20 || *at >= 0x7f)
			return refuse(reply, key, "must be printable ASCII");
	}
	strcpy(word, text);
	return true;
}

static bool read_hello(const struct http_request *request, struct node_hello *hello, struct http_reply *reply)
{
	const char *name = http_query(request, "node"), *kind = http_query(request, "kind");

	if (!name || !nodes_name_valid(name))
		return refuse(reply, "node", "must be 1 to 63 letters, digits, '.', '_', '-'");
	strcpy(hello->name, name);
	if (!kind || vt_kind_parse(kind, &hello->kind))
		return refuse(reply, "kind", "must be vswitch or vrouter");
	return read_word(request, "datapath", hello->datapath, reply) &&
	       read_word(request, "version", hello->version, reply) && read_boot(request, hello, reply);
}

/* Without the watch the heartbeats still find out, only later: failures are no reason to refuse the agent. */
static void watch(const struct api *api, struct MHD_Connection *connection, const struct stream *stream)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.u64 = stream_number(stream)};
	const unsigned int silence_ms = STREAM_SILENCE_MS;

	if (!info)
		return;
	setsockopt(info->connect_fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof(silence_ms));
	if (epoll_ctl(api->watch_fd, EPOLL_CTL_ADD, info->connect_fd, &event) && errno == EEXIST)
		epoll_ctl(api->watch_fd, EPOLL_CTL_MOD, info->connect_fd, &event);
}

static void reply_refused(int rc, const struct vt_err *err, struct http_reply *reply)
{
	bool conflict = rc == -EEXIST;

	http_problem(reply, conflict ? MHD_HTTP_CONFLICT : MHD_HTTP_SERVICE_UNAVAILABLE,
	             conflict ? "vtrace agent --node NAME" : "try again later", "%s", err->text);
	reply->retry_after_s = 5;
}

static void open_stream(const struct api *api, struct http_request *request, const struct node_hello *hello,
                        struct http_reply *reply)
{
	struct stream *stream = stream_new(request->connection, controller_closed, api->controller);
	struct vt_err err = {.text = "no memory for another agent"};
	int rc = stream ? controller_connect(api->controller, hello, stream, &err) : -ENOMEM;

	if (rc) {
		stream_free(stream);
		reply_refused(rc, &err, reply);
		return;
	}
	reply->response = stream_response(stream);
	if (!reply->response) {
		controller_closed(api->controller, stream);
		stream_free(stream);
		http_problem(reply, MHD_HTTP_SERVICE_UNAVAILABLE, "try again later", "%s", err.text);
		return;
	}
	reply->status = MHD_HTTP_OK;
	watch(api, request->connection, stream);
}

void agent_tasks(void *app, struct http_request *request, struct http_reply *reply)
{
	static const char *const keys[] = {"node", "kind", "datapath", "version", "boot", NULL};
	struct node_hello hello = {0};

	if (http_check_query(request, keys, reply) && read_hello(request, &hello, reply))
		open_stream(app, request, &hello, reply);
}
