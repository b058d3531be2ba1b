// SPDX-License-Identifier: BSD-3-Clause
/*
 * See stream.h. Invariant under the stream's lock: while `suspended`, there is nothing to send and the stream has not
 * ended; whoever changes that resumes the connection in the same critical section, so that no wakeup is lost.
 */
#include "server/stream.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_BLOCK 16384 /* bytes libmicrohttpd asks for at once; fits its connection memory */

struct stream {
	pthread_mutex_t lock;
	struct MHD_Connection *connection;
	uint64_t number;
	void (*closed)(void *arg, struct stream *stream);
	void *arg;
	bool suspended, ended;
	char *pending; /* bytes to send: [sent, size) */
	size_t sent, size, room;
};

struct stream *stream_new(struct MHD_Connection *connection, void (*closed)(void *arg, struct stream *stream),
                          void *arg)
{
	static atomic_uint_fast64_t last_number;
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	pthread_mutex_init(&stream->lock, NULL);
	stream->connection = connection;
	stream->number = atomic_fetch_add(&last_number, 1) + 1;
	stream->closed = closed;
	stream->arg = arg;
	return stream;
}

void stream_free(struct stream *stream)
{
	if (!stream)
		return;
	pthread_mutex_destroy(&stream->lock);
	free(stream->pending);
	free(stream);
}

uint64_t stream_number(const struct stream *stream)
{
	return stream->number;
}

/* libmicrohttpd wants bytes. */
static ssize_t read_pending(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct stream *stream = arg;
	ssize_t n = 0;

	pthread_mutex_lock(&stream->lock);
	if (stream->ended) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else if (stream->sent < stream->size) {
		size_t left = stream->size - stream->sent;

		n = (ssize_t)(left < max ? left : max);
		memcpy(buf, stream->pending + stream->sent, (size_t)n);
		stream->sent += (size_t)n;
	} else {
		stream->suspended = true;
		MHD_suspend_connection(stream->connection);
	}
	pthread_mutex_unlock(&stream->lock);
	return n;
}

static void response_closed(void *arg)
{
	struct stream *stream = arg;

	stream->closed(stream->arg, stream);
	stream_free(stream);
}

struct MHD_Response *stream_response(struct stream *stream)
{
	struct MHD_Response *response =
	    MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_pending, stream, response_closed);

	if (!response)
		return NULL;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/x-ndjson");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	/* An ended stream must show as a closed connection. */
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	return response;
}

static void resume(struct stream *stream)
{
	if (stream->suspended) {
		stream->suspended = false;
		MHD_resume_connection(stream->connection);
	}
}

/* Makes room for n more bytes behind what waits; false past the limit or without memory. */
static bool make_room(struct stream *stream, size_t n)
{
	size_t waiting = stream->size - stream->sent;
	char *pending;

	if (waiting + n > STREAM_PENDING_MAX)
		return false;
	if (waiting)
		memmove(stream->pending, stream->pending + stream->sent, waiting);
	stream->sent = 0;
	stream->size = waiting;
	if (waiting + n <= stream->room)
		return true;
	pending = realloc(stream->pending, 2 * (waiting + n));
	if (!pending)
		return false;
	stream->pending = pending;
	stream->room = 2 * (waiting + n);
	return true;
}

int stream_push(struct stream *stream, const char *line, size_t n)
{
	int rc = 0;

	pthread_mutex_lock(&stream->lock);
	if (stream->ended) {
		/* Whatever is said now, the agent hears of it from its next snapshot. */
	} else if (make_room(stream, n)) {
		memcpy(stream->pending + stream->size, line, n);
		stream->size += n;
	} else {
		stream->ended = true;
		rc = -ENOBUFS;
	}
	resume(stream);
	pthread_mutex_unlock(&stream->lock);
	return rc;
}

void stream_end(struct stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->ended = true;
	resume(stream);
	pthread_mutex_unlock(&stream->lock);
}
