// SPDX-License-Identifier: BSD-3-Clause
/*
 * The uplink over HTTP; see uplink_http.h. The stream of tasks is the connection's life: it is what UP and DOWN are
 * about. DOWN is said once for each reason, not for each try.
 */
#include "agent/uplink_http.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/records_post.h"
#include "agent/task_stream.h"
#include "base/clock.h"

#define MS VT_MSEC_NS
#define STABLE_NS                                                                                          \
	(1000 * MS) /* a connection that held for so long was no failure; one that breaks sooner backs off \
	             */

struct uplink_http {
	struct uplink up;
	struct http http;
	struct command_queue commands;
	struct records_post post;
	struct task_stream stream;
	CURL *easy; /* the GET of the stream */
	struct curl_slist *headers;
	char *url;
	bool open; /* the GET is on its way */
	uint64_t silence_ns;
	uint64_t heard;    /* when the server was heard last, ns */
	uint64_t up_since; /* when the snapshot came */
	struct http_backoff backoff;
	struct http_answer answer; /* what came instead of a stream */
	struct vt_err fault;       /* what was wrong with the stream's content */
	char told[VT_ERR_MAX];     /* the last DOWN */
};

static struct uplink_http *http_of(struct uplink *up)
{
	return (struct uplink_http *)up;
}

static size_t stream_write(char *bytes, size_t one, size_t n, void *arg)
{
	struct uplink_http *uh = arg;
	bool was_up = uh->stream.up;
	long status = 0;

	uh->heard = vt_now_ns();
	curl_easy_getinfo(uh->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200) {
		http_answer_add(&uh->answer, bytes, n);
		return n;
	}
	if (task_stream_feed(&uh->stream, bytes, n, &uh->fault) < 0)
		return 0; /* ends the transfer */
	if (!was_up && uh->stream.up) {
		uh->up_since = uh->heard;
		uh->told[0] = '\0';
		records_post_hurry(&uh->post);
	}
	return n;
}

static void stream_open(struct uplink_http *uh, uint64_t now)
{
	if (uh->open || now < uh->backoff.at)
		return;
	task_stream_reset(&uh->stream);
	uh->answer.used = 0;
	uh->fault = (struct vt_err){0};
	uh->heard = now;
	uh->open = curl_multi_add_handle(uh->http.multi, uh->easy) == CURLM_OK;
	if (!uh->open)
		http_backoff(&uh->http, &uh->backoff, now);
}

/* The connection is gone, or never was: says so if that is news, and sets when to try again. */
static void stream_down(struct uplink_http *uh, const char *why, uint64_t now)
{
	struct uplink_command command = {.op = UPLINK_DOWN, .text = why};

	curl_multi_remove_handle(uh->http.multi, uh->easy);
	uh->open = false;
	if (uh->stream.up && now - uh->up_since >= STABLE_NS)
		uh->backoff = (struct http_backoff){0};
	http_backoff(&uh->http, &uh->backoff, now);
	if (!strcmp(uh->told, why))
		return;
	snprintf(uh->told, sizeof(uh->told), "%s", why);
	command_queue_add(&uh->commands, &command);
}

static void stream_ended(struct uplink_http *uh, CURLcode code, uint64_t now)
{
	if (!uh->fault.code)
		http_reason(&uh->http, uh->easy, code, &uh->answer, &uh->fault);
	stream_down(uh, uh->fault.text, now);
}

static void stream_check(struct uplink_http *uh, uint64_t now)
{
	char why[VT_ERR_MAX];

	if (!uh->open || now < uh->heard + uh->silence_ns)
		return;
	snprintf(why, sizeof(why), "the server at %.300s has been silent for %g s", uh->http.url,
	         (double)uh->silence_ns / 1e9);
	stream_down(uh, why, now);
}

static void http_perform(struct uplink_http *uh)
{
	uint64_t now = vt_now_ns();
	int running, left;
	CURLMsg *message;

	stream_open(uh, now);
	records_post_start(&uh->post, now);
	curl_multi_perform(uh->http.multi, &running);
	now = vt_now_ns();
	while ((message = curl_multi_info_read(uh->http.multi, &left))) {
		CURL *easy = message->easy_handle;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		if (easy == uh->easy)
			stream_ended(uh, code, now);
		else
			records_post_ended(&uh->post, code, now);
	}
	stream_check(uh, now);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int http_wait_ms(const struct uplink_http *uh, int timeout_ms)
{
	uint64_t now = vt_now_ns(), due = now + (uint64_t)timeout_ms * MS;

	if (uh->commands.n)
		return 0;
	due = earlier(due, uh->open ? uh->heard + uh->silence_ns : uh->backoff.at);
	due = earlier(due, records_post_due(&uh->post));
	return due <= now ? 0 : (int)((due - now + MS - 1) / MS);
}

static int http_wait(struct uplink *up, int fd, int timeout_ms)
{
	struct uplink_http *uh = http_of(up);
	struct curl_waitfd watch = {.fd = fd, .events = CURL_WAIT_POLLIN};

	http_perform(uh);
	curl_multi_poll(uh->http.multi, &watch, fd >= 0, http_wait_ms(uh, timeout_ms), NULL);
	http_perform(uh);
	return watch.revents != 0;
}

static bool http_command(struct uplink *up, struct uplink_command *command)
{
	return command_queue_take(&http_of(up)->commands, command);
}

static int http_send(struct uplink *up, const struct vt_batch *batch)
{
	struct uplink_http *uh = http_of(up);
	int ret = records_post_add(&uh->post, batch), running;

	if (ret < 0)
		return ret;
	/* On its way now, not with the next wait: this is the path from a drop to its verdict. */
	records_post_start(&uh->post, vt_now_ns());
	curl_multi_perform(uh->http.multi, &running);
	return 0;
}

static unsigned int http_unacknowledged(struct uplink *up)
{
	return http_of(up)->post.n;
}

static void http_close(struct uplink *up)
{
	struct uplink_http *uh = http_of(up);

	if (uh->open)
		curl_multi_remove_handle(uh->http.multi, uh->easy);
	curl_easy_cleanup(uh->easy);
	curl_slist_free_all(uh->headers);
	records_post_done(&uh->post);
	task_stream_done(&uh->stream);
	command_queue_done(&uh->commands);
	http_done(&uh->http);
	free(uh->url);
	free(uh);
}

static const struct uplink_ops http_ops = {
    .wait = http_wait,
    .command = http_command,
    .send = http_send,
    .unacknowledged = http_unacknowledged,
    .close = http_close,
};

static bool http_stream_url(struct uplink_http *uh, const struct uplink_http_config *config)
{
	char *node = curl_easy_escape(NULL, config->node, 0), *datapath = curl_easy_escape(NULL, config->datapath, 0);
	char *version = curl_easy_escape(NULL, config->version, 0);
	int n = -1;

	if (node && datapath && version)
		n = asprintf(&uh->url, "%s/v1/agent/tasks?node=%s&kind=%s&datapath=%s&version=%s&boot=%016" PRIx64,
		             uh->http.url, node, vt_kind_name(config->kind), datapath, version, config->boot);
	if (n < 0)
		uh->url = NULL;
	curl_free(node);
	curl_free(datapath);
	curl_free(version);
	return uh->url;
}

static int http_stream_init(struct uplink_http *uh, const struct uplink_http_config *config, struct vt_err *err)
{
	uh->easy = http_easy(&uh->http);
	if (!uh->easy || !http_stream_url(uh, config) || !http_header(&uh->headers, "Accept: application/x-ndjson") ||
	    (uh->http.authorization && !http_header(&uh->headers, uh->http.authorization)))
		return vt_fail(err, ENOMEM, "out of memory");
	curl_easy_setopt(uh->easy, CURLOPT_URL, uh->url);
	curl_easy_setopt(uh->easy, CURLOPT_HTTPHEADER, uh->headers);
	curl_easy_setopt(uh->easy, CURLOPT_WRITEFUNCTION, stream_write);
	curl_easy_setopt(uh->easy, CURLOPT_WRITEDATA, uh);
	return 0;
}

int uplink_http_new(const struct uplink_http_config *config, struct uplink **ret, struct vt_err *err)
{
	struct uplink_http *uh = calloc(1, sizeof(*uh));
	int code;

	if (!uh)
		return vt_fail(err, ENOMEM, "out of memory");
	uh->up.ops = &http_ops;
	uh->stream.commands = &uh->commands;
	uh->silence_ns = config->silence_ns ? config->silence_ns : UPLINK_HTTP_SILENCE_NS;
	code = http_init(&uh->http, &config->http, config->boot, err);
	if (!code)
		code = records_post_init(&uh->post, &uh->http, &uh->commands, err);
	if (!code)
		code = http_stream_init(uh, config, err);
	if (code < 0)
		http_close(&uh->up);
	else
		*ret = &uh->up;
	return code;
}
