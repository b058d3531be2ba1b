// SPDX-License-Identifier: BSD-3-Clause
/*
 * See server.h: builds the parts in order, waits for a signal, takes them apart in reverse. The calling thread is also
 * the one that notices agents that hang up (api_agent.c).
 */
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/api.h"
#include "server/datadir.h"
#include "server/listen.h"

#define PEM_MAX   (1024 * 1024) /* a chain of certificates has some 10 KiB */
#define OTHER_FDS 64            /* besides connections: store, log, epoll sets, threads' pipes */
#define EVENTS    64

struct server {
	const struct server_config *config;
	struct datadir data;
	struct auth *auth;
	char *cert, *key;
	struct listener listener;
	struct stats stats;
	struct api api;
	struct http *http;
	int signal_fd;
};

/* --- parts -------------------------------------------------------------------------------------------------------- */

static int file_fail(const char *what, const char *path, int code, struct vt_err *err)
{
	return vt_fail(err, code, "%s %.300s: %s", what, path, strerror(code));
}

static int read_pem(const char *what, const char *path, char **ret_text, struct vt_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), code = 0;
	char *text = calloc(1, PEM_MAX + 1);
	ssize_t n = fd >= 0 && text ? read(fd, text, PEM_MAX + 1) : -1;

	if (n < 0)
		code = text ? errno : ENOMEM;
	else if (n > PEM_MAX)
		code = EFBIG;
	if (fd >= 0)
		close(fd);
	if (code) {
		free(text);
		return file_fail(what, path, code, err);
	}
	*ret_text = text;
	return 0;
}

static int open_credentials(struct server *server, struct vt_err *err)
{
	const struct server_config *config = server->config;
	int rc = 0;

	if (config->token_file)
		rc = auth_open(config->token_file, &server->auth, err);
	if (!rc && config->tls_cert)
		rc = read_pem("TLS certificate", config->tls_cert, &server->cert, err);
	if (!rc && config->tls_key)
		rc = read_pem("TLS key", config->tls_key, &server->key, err);
	return rc;
}

static int open_store(struct server *server, struct vt_err *err)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/traces.db", server->data.path);
	return store_open(path, NULL, &server->api.store, err);
}

static int open_controller(struct server *server, struct vt_err *err)
{
	struct controller_config config = {
	    .store = server->api.store,
	    .stats = &server->stats,
	};
	int rc;

	server->api.log = recordlog_new(NULL);
	if (!server->api.log)
		return vt_fail(err, ENOMEM, "record log: no memory");
	config.log = server->api.log;
	rc = controller_new(&config, &server->api.controller, err);
	return rc ? rc : controller_start(server->api.controller, err);
}

static int open_http(struct server *server, struct vt_err *err)
{
	const struct http_config config = {
	    .fd = server->listener.fd,
	    .routes = api_routes,
	    .app = &server->api,
	    .auth = server->auth,
	    .tls_cert = server->cert,
	    .tls_key = server->key,
	    .stats = &server->stats,
	};
	int rc;

	server->api.stats = &server->stats;
	server->api.started_ns = vt_now_ns();
	rc = http_open(&config, &server->http, err);
	if (!rc)
		server->listener.fd = -1; /* http's from here on */
	return rc;
}

/* Signals come through a descriptor; threads that are made later inherit the mask. */
static int open_events(struct server *server, struct vt_err *err)
{
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	server->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	server->api.watch_fd = epoll_create1(EPOLL_CLOEXEC);
	/* data.u64 0 is no stream's number. */
	if (server->signal_fd < 0 || server->api.watch_fd < 0 ||
	    epoll_ctl(server->api.watch_fd, EPOLL_CTL_ADD, server->signal_fd, &event))
		return vt_fail(err, errno, "events: %s", strerror(errno));
	return 0;
}

/* The usual 1024 descriptors are fewer than the connections that are allowed. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= HTTP_CONNECTIONS_MAX + OTHER_FDS)
		return;
	limit.rlim_cur = HTTP_CONNECTIONS_MAX + OTHER_FDS;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* What can be wrong with the arguments comes first, so that a wrong one leaves nothing behind. */
static int open_all(struct server *server, struct vt_err *err)
{
	const struct server_config *config = server->config;
	bool safe = config->tls_cert && config->token_file;
	int rc = open_credentials(server, err);

	if (!rc)
		rc = listen_open(config->listen ? config->listen : SERVER_LISTEN_DEFAULT, safe || config->insecure,
		                 &server->listener, err);
	if (!rc)
		rc = datadir_open(config->data, &server->data, err);
	if (!rc)
		rc = open_store(server, err);
	raise_descriptors();
	if (!rc)
		rc = open_events(server, err);
	if (!rc)
		rc = open_controller(server, err);
	return rc ? rc : open_http(server, err);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void close_all(struct server *server)
{
	if (server->api.controller)
		controller_stop(server->api.controller);
	http_close(server->http);
	controller_free(server->api.controller);
	recordlog_free(server->api.log);
	store_close(server->api.store);
	close_fd(server->api.watch_fd);
	close_fd(server->signal_fd);
	close_fd(server->listener.fd);
	datadir_close(&server->data);
	auth_free(server->auth);
	free(server->cert);
	free(server->key);
}

/* --- serving ------------------------------------------------------------------------------------------------------ */

static void say_ready(const struct server *server)
{
	char line[LISTEN_TEXT_MAX + 64];

	snprintf(line, sizeof(line), "ready: listening on %s://%s", server->cert ? "https" : "http",
	         server->listener.text);
	server->config->ready(server->config->ready_arg, line);
	if (server->listener.loopback || (server->cert && server->auth))
		return;
	log_warn("insecure: without TLS and tokens anyone who can reach %s can read and start traces",
	         server->listener.text);
}

/* Until a signal comes: agents that hang up. */
static int serve(struct server *server, struct vt_err *err)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(server->api.watch_fd, events, EVENTS, -1);

		if (n < 0 && errno != EINTR)
			return vt_fail(err, errno, "events: %s", strerror(errno));
		for (int i = 0; i < n; i++) {
			if (!events[i].data.u64)
				return 0;
			controller_hangup(server->api.controller, events[i].data.u64);
		}
	}
}

int server_run(const struct server_config *config, struct vt_err *err)
{
	struct server *server = calloc(1, sizeof(*server));
	int rc;

	if (!server)
		return vt_fail(err, ENOMEM, "server: no memory");
	server->config = config;
	server->signal_fd = server->api.watch_fd = server->listener.fd = server->data.lock_fd = -1;
	rc = open_all(server, err);
	if (!rc) {
		say_ready(server);
		rc = serve(server, err);
	}
	close_all(server);
	free(server);
	return rc;
}
