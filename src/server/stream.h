// SPDX-License-Identifier: BSD-3-Clause
/*
 * An agent's stream: the endless answer to GET /v1/agent/tasks, one JSON object a line. Lines are pushed by any thread
 * and leave at once; between them the connection is suspended and costs nothing.
 *
 * Life: made by the HTTP side, which passes it to libmicrohttpd as a response; freed by libmicrohttpd's closing of that
 * response, after `closed` was called. Who keeps a pointer to it must forget it in `closed`.
 * Locks: stream_push() and stream_end() may be called with the controller's lock held; `closed` is called with none.
 */
#ifndef VT_SERVER_STREAM_H
#define VT_SERVER_STREAM_H

#include <stddef.h>
#include <stdint.h>

/* Lines not yet sent: a snapshot of 1024 tasks takes 400 KiB. An agent that is further behind starts over with one. */
#define STREAM_PENDING_MAX (1024 * 1024)

struct MHD_Connection;
struct MHD_Response;
struct stream;

/* NULL without memory. */
struct stream *stream_new(struct MHD_Connection *connection, void (*closed)(void *arg, struct stream *stream),
                          void *arg);

/* Only for a stream that was not handed to libmicrohttpd; `closed` is not called. */
void stream_free(struct stream *stream);

/* The response to queue, which owns the stream from here on. NULL without memory: the stream is still the caller's. */
struct MHD_Response *stream_response(struct stream *stream);

/* Names the stream for as long as the process lives, also after it was freed; never 0. */
uint64_t stream_number(const struct stream *stream);

/* Adds a line of `n` bytes, its newline included. -ENOBUFS: too far behind, the stream is ended by this. */
int stream_push(struct stream *stream, const char *line, size_t n);

/* Ends the stream; the agent sees the connection close. Lines that still wait are dropped. Idempotent. */
void stream_end(struct stream *stream);

#endif
