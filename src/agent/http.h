// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the agent's two HTTP transfers, the stream of tasks and the posting of records, have in common: where the server
 * is, how we show who we are, when to try again, and how a failure reads to a person.
 */
#ifndef VT_AGENT_HTTP_H
#define VT_AGENT_HTTP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define HTTP_CONNECT_MS 3000L /* a host that answers no SYN for that long is down or filtered */
#define HTTP_ANSWER_MAX                                                                    \
	(64 * 1024) /* bytes of an answer that is no stream: an acknowledgement, a problem \
	             */

struct http_config {
	const char *url;     /* of the server */
	const char *token;   /* shown as bearer token, NULL: none */
	const char *ca_file; /* PEM of the authorities to trust, NULL: the system's */
};

struct http {
	CURLM *multi;
	char *url; /* without a slash at its end */
	char *ca_file;
	char *authorization; /* header line, NULL: none */
	bool loopback;       /* on this host: never through a proxy */
	uint64_t random;     /* state of the jitter */
};

/* -EINVAL for a URL that is none, -ENOMEM. http_done() is allowed after a failure. */
int http_init(struct http *http, const struct http_config *config, uint64_t seed, struct vt_err *err);
void http_done(struct http *http);

/* A new transfer with everything that is the same for both set; NULL without memory. */
CURL *http_easy(struct http *http);

/* Adds a header line; keeps the list if there is no memory, and then returns false. */
bool http_header(struct curl_slist **headers, const char *line);

/* The answer of a transfer, as far as it is kept. */
struct http_answer {
	size_t used;
	char bytes[HTTP_ANSWER_MAX];
};
void http_answer_add(struct http_answer *answer, const char *bytes, size_t n); /* what is too much is left out */

/* Why a transfer ended that should not have: the transport's failure, or the status with the problem document's words.
 */
void http_reason(const struct http *http, CURL *easy, CURLcode code, const struct http_answer *answer,
                 struct vt_err *err);

/* When to try again: 50 ms, doubled each time up to 2 s, a quarter more or less so that agents do not come all at once.
 */
struct http_backoff {
	unsigned int failures;
	uint64_t at; /* ns */
};
void http_backoff(struct http *http, struct http_backoff *backoff, uint64_t now);

#endif
