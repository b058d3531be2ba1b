// SPDX-License-Identifier: BSD-3-Clause
/*
 * Batches on their way to the server: kept until they are acknowledged, posted one at a time and in order over one
 * connection (POST /v1/agent/records). A batch is encoded once, when it is sent.
 */
#ifndef VT_AGENT_RECORDS_POST_H
#define VT_AGENT_RECORDS_POST_H

#include "agent/command_queue.h"
#include "agent/http.h"
#include "core/batch.h"

#define RECORDS_POST_MAX 64 /* batches kept; with full ones 64 MiB, and as many records as the agent keeps besides */

struct records_body {
	uint64_t number;
	uint32_t records;
	size_t size;
	uint8_t *bytes;
};

struct records_post {
	struct http *http;
	struct command_queue *commands; /* where trouble is told */
	CURL *easy;
	struct curl_slist *headers;
	char *url;
	bool busy;     /* the first of bodies[] is on its way */
	bool troubled; /* the user was told that the server does not take batches */
	unsigned int first, n;
	struct records_body bodies[RECORDS_POST_MAX]; /* a ring */
	struct http_backoff backoff;
	struct http_answer answer;
};

/* `commands` and `http` stay the caller's. -ENOMEM; records_post_done() is allowed after it. */
int records_post_init(struct records_post *post, struct http *http, struct command_queue *commands, struct vt_err *err);
void records_post_done(struct records_post *post);

/* Takes a copy. -EAGAIN past RECORDS_POST_MAX, -EMSGSIZE for a batch that cannot be encoded, -ENOMEM. */
int records_post_add(struct records_post *post, const struct vt_batch *batch);

/* Begins to post if there is something, nothing is on its way, and it is time. */
void records_post_start(struct records_post *post, uint64_t now);

/* libcurl says that the transfer `post->easy` has ended. */
void records_post_ended(struct records_post *post, CURLcode code, uint64_t now);

/* The server is there (again): do not wait for the next try. */
void records_post_hurry(struct records_post *post);

/* When records_post_start() has something to do, UINT64_MAX for not before something happens. */
uint64_t records_post_due(const struct records_post *post);

#endif
