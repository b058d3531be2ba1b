// SPDX-License-Identifier: BSD-3-Clause
/* See listen.h. */
#include "server/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct spec {
	char host[LISTEN_TEXT_MAX];
	char port[8];
};

static bool is_port(const char *text)
{
	size_t n = strlen(text);

	return n >= 1 && n <= 5 && strspn(text, "0123456789") == n && atoi(text) <= 65535;
}

/* Splits at the last colon and takes brackets off. */
static int split(const char *text, struct spec *spec, struct vt_err *err)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	bool bracketed = n >= 2 && text[0] == '[' && text[n - 1] == ']';

	if (bracketed) {
		text++;
		n -= 2;
	}
	if (!colon || !n || n >= sizeof(spec->host) || !is_port(colon + 1) || (!bracketed && memchr(text, ':', n)))
		return vt_fail(err, EINVAL, "--listen '%s': write ADDR:PORT, as 127.0.0.1:8471 or [::1]:8471",
		               bracketed ? text - 1 : text);
	snprintf(spec->host, sizeof(spec->host), "%.*s", (int)n, text);
	snprintf(spec->port, sizeof(spec->port), "%s", colon + 1);
	return 0;
}

static bool is_loopback(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr) >> 24 == 127;
	return addr->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

static int make_socket(const struct addrinfo *info, struct vt_err *err)
{
	const int on = 1;
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return vt_fail(err, errno, "socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Inherited by connections: a command to an agent must not wait for the acknowledgement of the one before. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (info->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	return fd;
}

static int bind_fail(const char *spec, int code, struct vt_err *err)
{
	const char *hint = code == EADDRINUSE ? "is another vtrace server running? Choose another port with --listen"
	                   : code == EADDRNOTAVAIL ? "this host has no such address"
	                                           : "choose another address or port with --listen";

	return vt_fail(err, code, "listen on %s: %s (%s)", spec, strerror(code), hint);
}

static void format_address(int fd, struct listener *listener)
{
	struct sockaddr_storage addr;
	socklen_t size = sizeof(addr);
	char host[64] = "?", port[8] = "?";
	bool v6;

	getsockname(fd, (struct sockaddr *)&addr, &size);
	getnameinfo((struct sockaddr *)&addr, size, host, sizeof(host), port, sizeof(port),
	            NI_NUMERICHOST | NI_NUMERICSERV);
	v6 = addr.ss_family == AF_INET6;
	snprintf(listener->text, sizeof(listener->text), "%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

static int open_address(const char *spec, const struct addrinfo *info, bool allow_remote, struct listener *listener,
                        struct vt_err *err)
{
	int fd;

	listener->loopback = is_loopback(info->ai_addr);
	if (!listener->loopback && !allow_remote)
		return vt_fail(
		    err, EPERM,
		    "listen on %s: not a loopback address, and without TLS and tokens anyone could read and start "
		    "traces: add --tls-cert, --tls-key and --token-file, or --insecure",
		    spec);
	fd = make_socket(info, err);
	if (fd < 0)
		return fd;
	if (bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, SOMAXCONN)) {
		int code = errno;

		close(fd);
		return bind_fail(spec, code, err);
	}
	listener->fd = fd;
	format_address(fd, listener);
	return 0;
}

int listen_open(const char *spec, bool allow_remote, struct listener *listener, struct vt_err *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *info = NULL;
	struct spec parts;
	int rc = split(spec, &parts, err);

	if (rc)
		return rc;
	rc = getaddrinfo(parts.host, parts.port, &hints, &info);
	if (rc)
		return vt_fail(err, EADDRNOTAVAIL, "listen on %s: %s", spec, gai_strerror(rc));
	rc = open_address(spec, info, allow_remote, listener, err);
	freeaddrinfo(info);
	return rc;
}
