// SPDX-License-Identifier: BSD-3-Clause
/* The common part of the agent's HTTP; see http.h. */
#include "agent/http.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define MS               VT_MSEC_NS
#define BACKOFF_FIRST_MS 50
#define BACKOFF_LAST_MS  2000

static int http_url(struct http *http, const char *url, struct vt_err *err)
{
	char *scheme = NULL, *host = NULL;
	CURLU *parts = curl_url();
	bool good;

	if (!parts)
		return vt_fail(err, ENOMEM, "out of memory");
	good = !curl_url_set(parts, CURLUPART_URL, url, 0) && !curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) &&
	       !curl_url_get(parts, CURLUPART_HOST, &host, 0) &&
	       (!strcmp(scheme, "http") || !strcmp(scheme, "https")) && !strpbrk(url, "?#@ ");
	http->loopback = good && (!strncmp(host, "127.", 4) || !strcmp(host, "localhost") || !strcmp(host, "[::1]"));
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(parts);
	if (!good)
		return vt_fail(err, EINVAL,
		               "'%.200s' is not a server's address (write http://HOST:PORT or https://HOST:PORT)", url);
	http->url = strdup(url);
	if (!http->url)
		return vt_fail(err, ENOMEM, "out of memory");
	for (size_t n = strlen(http->url); n && http->url[n - 1] == '/'; n--)
		http->url[n - 1] = '\0';
	return 0;
}

int http_init(struct http *http, const struct http_config *config, uint64_t seed, struct vt_err *err)
{
	int ret;

	*http = (struct http){.random = seed | 1};
	curl_global_init(CURL_GLOBAL_DEFAULT);
	ret = http_url(http, config->url, err);
	if (ret < 0)
		return ret;
	http->multi = curl_multi_init();
	if (config->ca_file)
		http->ca_file = strdup(config->ca_file);
	if (config->token && asprintf(&http->authorization, "Authorization: Bearer %s", config->token) < 0)
		http->authorization = NULL;
	if (!http->multi || (config->ca_file && !http->ca_file) || (config->token && !http->authorization))
		return vt_fail(err, ENOMEM, "out of memory");
	return 0;
}

void http_done(struct http *http)
{
	if (http->multi)
		curl_multi_cleanup(http->multi);
	free(http->url);
	free(http->ca_file);
	free(http->authorization);
	curl_global_cleanup();
	*http = (struct http){0};
}

CURL *http_easy(struct http *http)
{
	CURL *easy = curl_easy_init();

	if (!easy)
		return NULL;
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT,
	                 1L); /* a name server that does not answer must not hold up our end */
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "vtrace-agent/" VTRACE_VERSION);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, HTTP_CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	if (http->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
	if (http->loopback)
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	return easy;
}

bool http_header(struct curl_slist **headers, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*headers, line);

	if (longer)
		*headers = longer;
	return longer;
}

void http_answer_add(struct http_answer *answer, const char *bytes, size_t n)
{
	size_t room = sizeof(answer->bytes) - answer->used;

	if (n > room)
		n = room;
	memcpy(answer->bytes + answer->used, bytes, n);
	answer->used += n;
}

static void reason_status(const struct http *http, long status, const struct http_answer *answer, struct vt_err *err)
{
	json_t *problem = json_loadb(answer->bytes, answer->used, 0, NULL);
	const char *text = json_string_value(json_object_get(problem, "detail"));

	if (!text || !text[0])
		text = json_string_value(json_object_get(problem, "title"));
	if (text && text[0])
		vt_fail(err, EPROTO, "the server at %s says: %.300s", http->url, text);
	else if (status == 401 || status == 403)
		vt_fail(err, EACCES, "the server at %s wants a token, or another one (try --token-file FILE)",
		        http->url);
	else
		vt_fail(err, EPROTO, "what answers at %s is not a VTrace server (HTTP status %ld)", http->url, status);
	json_decref(problem);
}

void http_reason(const struct http *http, CURL *easy, CURLcode code, const struct http_answer *answer,
                 struct vt_err *err)
{
	long os_error = 0, status = 0;

	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	switch (code) {
	case CURLE_OK:
		if (status == 200)
			vt_fail(err, EPIPE, "the server at %s closed the connection", http->url);
		else
			reason_status(http, status, answer, err);
		break;
	case CURLE_COULDNT_CONNECT:
		vt_fail(err, ECONNREFUSED, "cannot reach the server at %s: %s", http->url,
		        os_error ? strerror((int)os_error) : curl_easy_strerror(code));
		break;
	case CURLE_OPERATION_TIMEDOUT:
		vt_fail(err, ETIMEDOUT, "the server at %s did not answer in time", http->url);
		break;
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		vt_fail(err, EPIPE, "the connection to the server at %s broke", http->url);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		vt_fail(err, EACCES, "the certificate of %s is not trusted: %s (try --ca FILE)", http->url,
		        curl_easy_strerror(code));
		break;
	default:
		vt_fail(err, EIO, "no answer from the server at %s: %s", http->url, curl_easy_strerror(code));
	}
}

/* xorshift64: jitter needs no more. */
static uint64_t http_random(struct http *http)
{
	http->random ^= http->random << 13;
	http->random ^= http->random >> 7;
	http->random ^= http->random << 17;
	return http->random;
}

void http_backoff(struct http *http, struct http_backoff *backoff, uint64_t now)
{
	uint64_t delay = BACKOFF_LAST_MS;

	if (backoff->failures < 6) /* 50 ms << 5 is 1.6 s */
		delay = BACKOFF_FIRST_MS << backoff->failures++;
	delay = delay * 3 / 4 + http_random(http) % (delay / 2);
	backoff->at = now + delay * MS;
}
