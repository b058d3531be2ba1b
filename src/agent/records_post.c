// SPDX-License-Identifier: BSD-3-Clause
/*
 * Batches to the server; see records_post.h. The server takes a batch twice as once (node, boot and number name it), so
 * whenever it is unclear whether a batch came through it is sent again. Only an answer that says it never can be taken,
 * a status of 4xx that is neither about time nor about who we are, makes it be given up, and then it is counted.
 */
#include "agent/records_post.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire.h"

#define ANSWER_MS 10000L /* an acknowledgement takes milliseconds; a server that is that late is stuck */

static size_t post_write(char *bytes, size_t one, size_t n, void *arg)
{
	http_answer_add(arg, bytes, n);
	return n;
}

int records_post_init(struct records_post *post, struct http *http, struct command_queue *commands, struct vt_err *err)
{
	bool good;

	post->http = http;
	post->commands = commands;
	post->easy = http_easy(http);
	good = post->easy && asprintf(&post->url, "%s/v1/agent/records", http->url) >= 0 &&
	       http_header(&post->headers, "Content-Type: application/octet-stream") &&
	       http_header(&post->headers, "Expect:") && /* no round trip to ask whether a body may come */
	       (!http->authorization || http_header(&post->headers, http->authorization));
	if (!good)
		return vt_fail(err, ENOMEM, "out of memory");
	curl_easy_setopt(post->easy, CURLOPT_URL, post->url);
	curl_easy_setopt(post->easy, CURLOPT_HTTPHEADER, post->headers);
	curl_easy_setopt(post->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(post->easy, CURLOPT_TIMEOUT_MS, ANSWER_MS);
	curl_easy_setopt(post->easy, CURLOPT_WRITEFUNCTION, post_write);
	curl_easy_setopt(post->easy, CURLOPT_WRITEDATA, &post->answer);
	return 0;
}

static struct records_body *post_first(struct records_post *post)
{
	return &post->bodies[post->first];
}

static void post_pop(struct records_post *post)
{
	free(post_first(post)->bytes);
	*post_first(post) = (struct records_body){0};
	post->first = (post->first + 1) % RECORDS_POST_MAX;
	post->n--;
}

void records_post_done(struct records_post *post)
{
	if (post->busy)
		curl_multi_remove_handle(post->http->multi, post->easy);
	while (post->n)
		post_pop(post);
	curl_easy_cleanup(post->easy);
	curl_slist_free_all(post->headers);
	free(post->url);
}

int records_post_add(struct records_post *post, const struct vt_batch *batch)
{
	struct records_body *body = &post->bodies[(post->first + post->n) % RECORDS_POST_MAX];
	int ret;

	if (post->n == RECORDS_POST_MAX)
		return -EAGAIN;
	ret = vt_wire_encode(batch, &body->bytes, &body->size, NULL);
	if (ret < 0)
		return ret;
	body->number = batch->number;
	body->records = 0;
	for (uint32_t i = 0; i < batch->n_items; i++)
		body->records += batch->items[i].type == VT_ITEM_RECORD;
	post->n++;
	return 0;
}

void records_post_start(struct records_post *post, uint64_t now)
{
	const struct records_body *body = post_first(post);

	if (!post->n || post->busy || now < post->backoff.at)
		return;
	post->answer.used = 0;
	curl_easy_setopt(post->easy, CURLOPT_POSTFIELDS, body->bytes);
	curl_easy_setopt(post->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->size);
	post->busy = curl_multi_add_handle(post->http->multi, post->easy) == CURLM_OK;
	if (!post->busy)
		http_backoff(post->http, &post->backoff, now);
}

/* The number that the answer acknowledges, 0 if it is not an acknowledgement. */
static uint64_t post_acknowledged(const struct records_post *post)
{
	json_t *json = json_loadb(post->answer.bytes, post->answer.used, 0, NULL);
	json_int_t number = json_integer_value(json_object_get(json, "acknowledged"));

	json_decref(json);
	return number > 0 ? (uint64_t)number : 0;
}

/* A token can be put right, a busy server gets free; any other 4xx says that the batch itself is wrong. */
static bool status_final(long status)
{
	return status / 100 == 4 && status != 401 && status != 403 && status != 408 && status != 429;
}

/* Tells it once for each time that it begins. */
static void post_trouble(struct records_post *post, uint64_t lost, CURLcode code, const char *what)
{
	struct uplink_command command = {.op = UPLINK_TROUBLE, .lost = lost};
	char text[VT_ERR_MAX + 128];
	struct vt_err why = {0};

	if (post->troubled && !lost)
		return;
	post->troubled = true;
	http_reason(post->http, post->easy, code, &post->answer, &why);
	snprintf(text, sizeof(text), "%s: %s", what, why.text);
	command.text = text;
	command_queue_add(post->commands, &command);
}

static void post_retry(struct records_post *post, uint64_t now, bool tell, CURLcode code)
{
	http_backoff(post->http, &post->backoff, now);
	if (tell)
		post_trouble(post, 0, code, "records are kept and sent again");
}

/* The batch can never be taken; those behind it may. */
static void post_give_up(struct records_post *post)
{
	char what[96];

	snprintf(what, sizeof(what), "a batch of %u records was refused and is lost", post_first(post)->records);
	post_trouble(post, post_first(post)->records, CURLE_OK, what);
	post_pop(post);
	post->backoff = (struct http_backoff){0};
}

static void post_taken(struct records_post *post, uint64_t acknowledged)
{
	while (post->n && post_first(post)->number <= acknowledged)
		post_pop(post);
	post->backoff = (struct http_backoff){0};
	post->troubled = false;
}

void records_post_ended(struct records_post *post, CURLcode code, uint64_t now)
{
	uint64_t acknowledged = post_acknowledged(post);
	long status = 0;

	curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_multi_remove_handle(post->http->multi, post->easy);
	post->busy = false;
	if (code) /* the stream of tasks is what tells about the connection */
		post_retry(post, now, false, code);
	else if (status / 100 == 2 && acknowledged >= post_first(post)->number)
		post_taken(post, acknowledged);
	else if (status_final(status))
		post_give_up(post);
	else
		post_retry(post, now, true, code);
	records_post_start(post, now);
}

void records_post_hurry(struct records_post *post)
{
	post->backoff = (struct http_backoff){0};
}

uint64_t records_post_due(const struct records_post *post)
{
	return post->n && !post->busy ? post->backoff.at : UINT64_MAX;
}
