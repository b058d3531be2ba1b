// SPDX-License-Identifier: BSD-3-Clause
/* The connection to a device; see channel.h. */
#include "datapath/vfd/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

static int no_device(const struct channel *channel, int code, struct vt_err *err)
{
	switch (code) {
	case ENOENT:
		return vt_fail(err, code, "no forwarding device at %s: there is no such socket (is it running?)",
		               channel->path);
	case ECONNREFUSED:
		return vt_fail(err, code, "no forwarding device at %s: nobody serves that socket (is it running?)",
		               channel->path);
	case EACCES:
		return vt_fail(err, code, "%s: permission denied (the agent must run as the device's user or as root)",
		               channel->path);
	}
	return vt_fail(err, code, "cannot connect to the forwarding device at %s: %s", channel->path, strerror(code));
}

int channel_open(struct channel *channel, const char *path, struct vt_err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	vt_text_copy(channel->path, sizeof(channel->path), path);
	if (strlen(path) >= sizeof(addr.sun_path))
		return vt_fail(err, ENAMETOOLONG, "%s: too long for the name of a socket", channel->path);
	strcpy(addr.sun_path, path);
	channel->in = malloc(VDG_ANSWER_MAX);
	channel->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (!channel->in || channel->fd < 0)
		return vt_fail(err, channel->in ? errno : ENOMEM, "%s: no memory or descriptors", channel->path);
	if (connect(channel->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return no_device(channel, errno, err);
	return 0;
}

void channel_close(struct channel *channel)
{
	if (channel->fd >= 0)
		close(channel->fd);
	channel->fd = -1;
	free(channel->in);
	channel->in = NULL;
}

static int gone(const struct channel *channel, struct vt_err *err)
{
	return vt_fail(err, ENODEV, "the forwarding device at %s is gone", channel->path);
}

/* False when the time is over. */
static bool wait_fd(const struct channel *channel, short events, uint64_t deadline_ns)
{
	struct pollfd fd = {.fd = channel->fd, .events = events};
	uint64_t now = vt_now_ns();

	if (now >= deadline_ns)
		return false;
	poll(&fd, 1, (int)((deadline_ns - now + VT_MSEC_NS - 1) / VT_MSEC_NS));
	return true;
}

int channel_send(struct channel *channel, enum vdg_wire_type type, uint32_t id, const void *body, size_t len,
                 uint64_t deadline_ns, struct vt_err *err)
{
	struct vt_buf buf = {0};
	size_t sent = 0;
	ssize_t n;
	int ret = 0;

	vdg_wire_put(&buf, type, id, body, len);
	if (buf.failed)
		ret = vt_fail(err, ENOMEM, "out of memory");
	while (!ret && sent < buf.len) {
		n = send(channel->fd, buf.data + sent, buf.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			sent += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			break; /* what it said before it went is still to be read */
		else if (!wait_fd(channel, POLLOUT, deadline_ns))
			ret = vt_fail(err, ETIMEDOUT,
			              "the forwarding device at %s takes no requests (does it call vdg_poll()?)",
			              channel->path);
	}
	vt_buf_done(&buf);
	return ret;
}

/* Takes what has come; 1, 0 if there was nothing. */
static int receive(struct channel *channel, struct vt_err *err)
{
	ssize_t n;

	if (channel->start) {
		memmove(channel->in, channel->in + channel->start, channel->end - channel->start);
		channel->end -= channel->start;
		channel->start = 0;
	}
	n = recv(channel->fd, channel->in + channel->end, VDG_ANSWER_MAX - channel->end, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return gone(channel, err);
	channel->end += (size_t)n;
	return 1;
}

int channel_next(struct channel *channel, struct vdg_message *message, uint64_t deadline_ns, struct vt_err *err)
{
	int ret;

	for (;;) {
		ret =
		    vdg_wire_next(channel->in + channel->start, channel->end - channel->start, VDG_ANSWER_MAX, message);
		if (ret < 0)
			return vt_fail(err, EPROTO, "%s: this is not the socket of a forwarding device (bad message)",
			               channel->path);
		if (ret > 0) {
			channel->start += (size_t)ret;
			return 1;
		}
		ret = receive(channel, err);
		if (ret < 0)
			return ret;
		if (!ret && !wait_fd(channel, POLLIN, deadline_ns))
			return 0;
	}
}
