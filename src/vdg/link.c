// SPDX-License-Identifier: BSD-3-Clause
/*
 * The socket: bytes in and out, nothing that blocks. Whoever may connect is told by the file's mode, 0600. What the
 * requests mean is control.c's.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "vdg/state.h"

#define OUT_MAX \
	(VT_WIRE_MAX / 4) /* waits for the agent; what comes then waits in the rings. Bounds a vdg_poll(), too */

static int failed(char *error, const char *path, const char *what, int code)
{
	if (error)
		snprintf(error, VDG_ERROR_MAX, "%.160s: %s: %s", path, what, strerror(code));
	return -code;
}

static bool name_socket(const char *path, struct sockaddr_un *addr)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!path[0] || strlen(path) >= sizeof(addr->sun_path))
		return false;
	strcpy(addr->sun_path, path);
	return true;
}

/* A device that died left its socket behind; one that lives keeps it. */
static int remove_stale(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), ret = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (lstat(addr->sun_path, &st) < 0)
		ret = errno == ENOENT ? 0 : -errno;
	else if (!S_ISSOCK(st.st_mode))
		ret = -EEXIST;
	else if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) || errno != ECONNREFUSED)
		ret = -EADDRINUSE;
	else if (unlink(addr->sun_path) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int listen_at(struct vdg *vdg, const struct sockaddr_un *addr)
{
	struct link *link = &vdg->link;
	struct stat st;
	int ret = remove_stale(addr);

	if (ret)
		return ret;
	link->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The mode before the name: at no time may others connect. */
	if (link->listener < 0 || fchmod(link->listener, 0600) < 0 ||
	    bind(link->listener, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		return -errno;
	if (lstat(addr->sun_path, &st) < 0)
		return -errno;
	vdg->path_dev = st.st_dev;
	vdg->path_ino = st.st_ino;
	return listen(link->listener, 8) < 0 ? -errno : 0;
}

static int watch(struct link *link, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events};

	return epoll_ctl(link->epoll, EPOLL_CTL_ADD, fd, &event);
}

int link_open(struct vdg *vdg, char *error)
{
	struct link *link = &vdg->link;
	struct sockaddr_un addr;
	int ret;

	link->epoll = epoll_create1(EPOLL_CLOEXEC);
	link->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (link->epoll < 0 || link->timer < 0)
		return failed(error, vdg->path, "no descriptors", errno);
	if (!name_socket(vdg->path, &addr))
		return failed(error, vdg->path, "not a name for a socket", ENAMETOOLONG);
	ret = listen_at(vdg, &addr);
	if (ret == -EADDRINUSE)
		return failed(error, vdg->path, "another device serves this socket", -ret);
	if (ret == -EEXIST)
		return failed(error, vdg->path, "there is something else than a socket", -ret);
	if (ret)
		return failed(error, vdg->path, "cannot make the socket", -ret);
	if (watch(link, link->listener, EPOLLIN) < 0 || watch(link, link->timer, EPOLLIN) < 0)
		return failed(error, vdg->path, "epoll", errno);
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void link_close(struct vdg *vdg)
{
	struct link *link = &vdg->link;
	struct stat st;

	if (vdg->path_ino && !lstat(vdg->path, &st) && st.st_dev == vdg->path_dev && st.st_ino == vdg->path_ino)
		unlink(vdg->path);
	close_fd(&link->agent);
	close_fd(&link->listener);
	close_fd(&link->timer);
	close_fd(&link->epoll);
	vt_buf_done(&link->out);
}

static void agent_gone(struct vdg *vdg)
{
	struct link *link = &vdg->link;

	close_fd(&link->agent);
	vt_buf_done(&link->out);
	link->sent = link->n_in = 0;
	control_agent_gone(vdg);
}

static void refuse(const struct link *link, int fd)
{
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);
	struct vt_buf buf = {0};
	char text[96];

	getsockopt(link->agent, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	snprintf(text, sizeof(text), "another agent uses this forwarding device (process %d)", (int)peer.pid);
	vdg_wire_put_fail(&buf, 0, EBUSY, text);
	if (!buf.failed && send(fd, buf.data, buf.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		buf.len = 0; /* it has gone already */
	close(fd);
	vt_buf_done(&buf);
}

void link_accept(struct vdg *vdg)
{
	struct link *link = &vdg->link;
	struct pollfd agent = {.fd = link->agent};
	int fd;

	if (link->agent >= 0 && poll(&agent, 1, 0) > 0)
		agent_gone(vdg); /* so that the next one need not wait */
	while ((fd = accept4(link->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		if (link->agent >= 0) {
			refuse(link, fd);
		} else if (watch(link, fd, EPOLLIN) < 0) {
			close(fd);
		} else {
			link->agent = fd;
		}
	}
}

bool link_next(struct vdg *vdg, struct vdg_message *message, int *ret_size)
{
	struct link *link = &vdg->link;
	ssize_t n;

	while (link->agent >= 0) {
		*ret_size = vdg_wire_next(link->in, link->n_in, sizeof(link->in), message);
		if (*ret_size > 0)
			return true;
		if (*ret_size < 0) {
			link_break(vdg, EBADMSG, "this is no message of an agent (bad length)");
			return false;
		}
		n = recv(link->agent, link->in + link->n_in, sizeof(link->in) - link->n_in, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (n <= 0)
			agent_gone(vdg);
		else
			link->n_in += (size_t)n;
	}
	return false;
}

void link_used(struct vdg *vdg, int size)
{
	struct link *link = &vdg->link;

	if (link->agent < 0)
		return;
	link->n_in -= (size_t)size;
	memmove(link->in, link->in + size, link->n_in);
}

/* What we want to hear of: requests while none is being answered, and room where something waits to be sent. */
static void watch_agent(struct vdg *vdg)
{
	struct link *link = &vdg->link;
	struct epoll_event event = {.events = (vdg->pending.type ? 0u : (uint32_t)EPOLLIN) |
	                                      (link->out.len > link->sent ? (uint32_t)EPOLLOUT : 0u)};

	if (link->agent >= 0)
		epoll_ctl(link->epoll, EPOLL_CTL_MOD, link->agent, &event);
}

static bool send_some(struct link *link)
{
	while (link->sent < link->out.len) {
		ssize_t n = send(link->agent, link->out.data + link->sent, link->out.len - link->sent,
		                 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		link->sent += (size_t)n;
	}
	link->sent = link->out.len = 0;
	return true;
}

void link_flush(struct vdg *vdg)
{
	struct link *link = &vdg->link;

	if (link->agent >= 0 && (link->out.failed || !send_some(link)))
		agent_gone(vdg);
	watch_agent(vdg);
}

bool link_full(const struct vdg *vdg)
{
	return vdg->link.out.len - vdg->link.sent > OUT_MAX || vdg->link.out.len > 2 * OUT_MAX;
}

void link_break(struct vdg *vdg, int code, const char *text)
{
	struct link *link = &vdg->link;

	if (link->agent < 0)
		return;
	vdg_wire_put_fail(&link->out, 0, code, text);
	if (!link->out.failed)
		send_some(link);
	agent_gone(vdg);
}

void link_tick(struct vdg *vdg, uint64_t interval_ns)
{
	struct itimerspec spec = {{0, (long)interval_ns}, {0, (long)interval_ns}};
	uint64_t ticks;

	if (read(vdg->link.timer, &ticks, sizeof(ticks)) < 0)
		ticks = 0; /* it was something else that woke us */
	if (interval_ns || vdg->link.timer_on)
		timerfd_settime(vdg->link.timer, 0, &spec, NULL);
	vdg->link.timer_on = interval_ns != 0;
}
