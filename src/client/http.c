// SPDX-License-Identifier: BSD-3-Clause
/*
 * HTTP for libvtrace, on libcurl's easy interface.
 *
 * A client keeps a few idle easy handles, each with its open connection. A request takes one out (or makes one), so
 * that requests of several threads run side by side, and a vtrace_wait() of a minute does not hold up a
 * vtrace_cancel(). The lock guards the list of idle handles only and is never held over I/O; everything else in a
 * client is constant.
 */
#include "client/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_DEFAULT    "http://127.0.0.1:8471"
#define IDLE_MAX       4     /* connections kept open between requests; more threads than that reconnect now and then */
#define TOKEN_MAX      1024  /* bytes of a token: ours have 43, a JWT some hundred */
#define CONNECT_MS     5000  /* a host that does not answer a SYN for that long is down or filtered */
#define ANSWER_MS      30000 /* the slowest answer is a list of 200 000 packets: a few seconds */
#define PATH_MAX_BYTES 4096

struct vtrace_client {
	char *url;   /* without a slash at its end */
	char *token; /* "Authorization: Bearer ...", NULL: none */
	char *ca_file;
	bool loopback; /* on this host: never through a proxy */
	unsigned int connect_ms, answer_ms;
	pthread_mutex_t lock;
	unsigned int n_idle;
	CURL *idle[IDLE_MAX];
};

struct answer {
	char *bytes;
	size_t size, room;
	bool too_large;
};

/* Loading libcurl is the one thing that is per process; libcurl itself counts and guards it from 7.84 on. */
static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_start(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Checks the address; fills url and loopback. */
static int client_url(struct vtrace_client *client, const char *url, struct vtrace_error *error)
{
	char *scheme = NULL, *host = NULL;
	CURLU *parts = curl_url();
	bool good;

	if (!parts)
		return client_fail(error, VTRACE_NO_MEMORY, "out of memory");
	good = !curl_url_set(parts, CURLUPART_URL, url, 0) && !curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) &&
	       !curl_url_get(parts, CURLUPART_HOST, &host, 0) &&
	       (!strcmp(scheme, "http") || !strcmp(scheme, "https")) && !strpbrk(url, "?#@ ");
	client->loopback = good && (!strncmp(host, "127.", 4) || !strcmp(host, "localhost") || !strcmp(host, "[::1]"));
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(parts);
	if (!good)
		return client_fail(error, VTRACE_INVALID,
		                   "'%s' is not a server's address (write http://HOST:PORT or https://HOST:PORT)", url);
	client->url = strdup(url);
	if (!client->url)
		return client_fail(error, VTRACE_NO_MEMORY, "out of memory");
	for (size_t n = strlen(client->url); n && client->url[n - 1] == '/'; n--)
		client->url[n - 1] = '\0';
	return VTRACE_OK;
}

/* The first word of a line, NULL if it is blank or a comment: a server's token file serves as well. */
static const char *token_word(char *line)
{
	char *word = line + strspn(line, " \t\r\n");

	word[strcspn(word, " \t\r\n")] = '\0';
	return word[0] && word[0] != '#' ? word : NULL;
}

static int client_token(struct vtrace_client *client, const char *path, struct vtrace_error *error)
{
	FILE *file = fopen(path, "re");
	char line[TOKEN_MAX + 2];
	const char *word = NULL;

	if (!file)
		return client_fail(error, VTRACE_FILE, "cannot read the token file %s: %s", path, strerror(errno));
	while (!word && fgets(line, sizeof(line), file))
		word = token_word(line);
	fclose(file);
	if (!word || strlen(word) > TOKEN_MAX)
		return client_fail(error, VTRACE_FILE, "the token file %s has no token of 1 to %d bytes", path,
		                   TOKEN_MAX);
	if (asprintf(&client->token, "Authorization: Bearer %s", word) < 0) {
		client->token = NULL;
		return client_fail(error, VTRACE_NO_MEMORY, "out of memory");
	}
	return VTRACE_OK;
}

static int client_ca(struct vtrace_client *client, const char *path, struct vtrace_error *error)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return client_fail(error, VTRACE_FILE, "cannot read the CA file %s: %s", path, strerror(errno));
	fclose(file);
	client->ca_file = strdup(path);
	return client->ca_file ? VTRACE_OK : client_fail(error, VTRACE_NO_MEMORY, "out of memory");
}

static const char *url_default(void)
{
	const char *url = getenv("VTRACE_SERVER");

	return url && url[0] ? url : URL_DEFAULT;
}

int vtrace_connect(const char *url, const struct vtrace_options *options, struct vtrace_client **client,
                   struct vtrace_error *error)
{
	struct vtrace_client *c = calloc(1, sizeof(*c));
	int code;

	if (!c)
		return client_fail(error, VTRACE_NO_MEMORY, "out of memory");
	pthread_once(&curl_once, curl_start);
	pthread_mutex_init(&c->lock, NULL);
	c->connect_ms = options && options->connect_timeout_ms ? options->connect_timeout_ms : CONNECT_MS;
	c->answer_ms = options && options->answer_timeout_ms ? options->answer_timeout_ms : ANSWER_MS;
	code = client_url(c, url ? url : url_default(), error);
	if (!code && options && options->token_file)
		code = client_token(c, options->token_file, error);
	if (!code && options && options->ca_file)
		code = client_ca(c, options->ca_file, error);
	if (code) {
		vtrace_close(c);
		return code;
	}
	*client = c;
	return VTRACE_OK;
}

void vtrace_close(struct vtrace_client *client)
{
	if (!client)
		return;
	while (client->n_idle)
		curl_easy_cleanup(client->idle[--client->n_idle]);
	pthread_mutex_destroy(&client->lock);
	free(client->url);
	free(client->token);
	free(client->ca_file);
	free(client);
}

static CURL *handle_take(struct vtrace_client *client)
{
	CURL *curl = NULL;

	pthread_mutex_lock(&client->lock);
	if (client->n_idle)
		curl = client->idle[--client->n_idle];
	pthread_mutex_unlock(&client->lock);
	if (!curl)
		return curl_easy_init();
	curl_easy_reset(curl); /* forgets the options, keeps the connection */
	return curl;
}

static void handle_give(struct vtrace_client *client, CURL *curl)
{
	pthread_mutex_lock(&client->lock);
	if (client->n_idle < IDLE_MAX) {
		client->idle[client->n_idle++] = curl;
		curl = NULL;
	}
	pthread_mutex_unlock(&client->lock);
	if (curl)
		curl_easy_cleanup(curl);
}

static size_t answer_take(char *bytes, size_t one, size_t n, void *arg)
{
	struct answer *answer = arg;

	if (answer->size + n > CLIENT_ANSWER_MAX) {
		answer->too_large = true;
		return 0;
	}
	if (answer->size + n > answer->room) {
		size_t room = 2 * (answer->size + n);
		char *grown = realloc(answer->bytes, room);

		if (!grown)
			return 0;
		answer->bytes = grown;
		answer->room = room;
	}
	memcpy(answer->bytes + answer->size, bytes, n);
	answer->size += n;
	return n;
}

static void handle_prepare(const struct vtrace_client *client, CURL *curl, unsigned int wait_s, struct answer *answer)
{
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "vtrace/" VTRACE_VERSION);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)client->connect_ms);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)client->connect_ms + (long)client->answer_ms + 1000L * wait_s);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, answer_take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (client->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca_file);
	if (client->loopback)
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
}

/* What the transport says, in terms of what a person can check. */
static int fail_transport(const struct vtrace_client *client, CURL *curl, CURLcode code, const struct answer *answer,
                          struct vtrace_error *error)
{
	long os_error = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		return client_fail(error, VTRACE_NO_MEMORY, "out of memory");
	case CURLE_COULDNT_CONNECT:
		return client_fail(error, VTRACE_UNREACHABLE, "cannot reach the server at %s: %s", client->url,
		                   os_error ? strerror((int)os_error) : curl_easy_strerror(code));
	case CURLE_OPERATION_TIMEDOUT:
		return client_fail(error, VTRACE_TIMEOUT, "the server at %s did not answer in time", client->url);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return client_fail(error, VTRACE_UNTRUSTED, "the certificate of %s is not trusted: %s", client->url,
		                   curl_easy_strerror(code));
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		return client_fail(error, VTRACE_SERVER, "what answers at %s is not a VTrace server", client->url);
	case CURLE_WRITE_ERROR:
		if (answer->too_large)
			return client_fail(error, VTRACE_SERVER, "the answer of %s is larger than %u MiB", client->url,
			                   CLIENT_ANSWER_MAX >> 20);
		return client_fail(error, VTRACE_NO_MEMORY, "out of memory");
	default:
		return client_fail(error, VTRACE_UNREACHABLE, "no answer from the server at %s: %s", client->url,
		                   curl_easy_strerror(code));
	}
}

static enum vtrace_code status_code(long status)
{
	switch (status) {
	case 401:
	case 403:
		return VTRACE_DENIED;
	case 404:
		return VTRACE_NOT_FOUND;
	case 409:
		return VTRACE_ENDED;
	case 429:
	case 503:
		return VTRACE_LIMIT;
	default:
		return status >= 400 && status < 500 ? VTRACE_INVALID : VTRACE_SERVER;
	}
}

/*
 * A status that is no success: the problem document (RFC 9457) says in its detail what is wrong. What it suggests to
 * try is meant for those who write HTTP themselves.
 */
static int fail_status(const struct vtrace_client *client, long status, const json_t *problem,
                       struct vtrace_error *error)
{
	const char *text = json_string_value(json_object_get(problem, "detail"));

	if (!text || !text[0])
		text = json_string_value(json_object_get(problem, "title"));
	if (!text && status != 401 && status != 403)
		return client_fail(error, VTRACE_SERVER, "what answers at %s is not a VTrace server (HTTP status %ld)",
		                   client->url, status);
	if (!text)
		text = "the server wants a token, or another one";
	return client_fail(error, status_code(status), "%s", text);
}

static int answer_read(const struct vtrace_client *client, long status, const struct answer *answer, json_t **ret_json,
                       struct vtrace_error *error)
{
	json_t *json = answer->size ? json_loadb(answer->bytes, answer->size, 0, NULL) : NULL;
	int code = VTRACE_OK;

	if (status < 200 || status > 299)
		code = fail_status(client, status, json, error);
	else if (answer->size && !json)
		code = client_fail(error, VTRACE_SERVER,
		                   "what answers at %s is not a VTrace server (its answer is not JSON)", client->url);
	if (code || !ret_json)
		json_decref(json);
	else
		*ret_json = json;
	return code;
}

static int request_run(struct vtrace_client *client, CURL *curl, unsigned int wait_s, json_t **ret_json,
                       struct vtrace_error *error)
{
	struct answer answer = {0};
	long status = 0;
	CURLcode done;
	int code;

	handle_prepare(client, curl, wait_s, &answer);
	done = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	code = done ? fail_transport(client, curl, done, &answer, error)
	            : answer_read(client, status, &answer, ret_json, error);
	free(answer.bytes);
	return code;
}

int client_request(struct vtrace_client *client, const char *method, const char *path, const json_t *body,
                   unsigned int wait_s, json_t **ret_json, struct vtrace_error *error)
{
	CURL *curl = handle_take(client);
	struct curl_slist *headers = NULL;
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	char url[PATH_MAX_BYTES];
	int code;

	if (!curl || (body && !text)) {
		code = client_fail(error, VTRACE_NO_MEMORY, "out of memory");
	} else if ((size_t)snprintf(url, sizeof(url), "%s%s", client->url, path) >= sizeof(url)) {
		code = client_fail(error, VTRACE_INVALID, "the request's address is longer than %zu bytes",
		                   sizeof(url) - 1);
	} else {
		headers = curl_slist_append(headers, "Accept: application/json");
		if (client->token)
			headers = curl_slist_append(headers, client->token);
		if (text) {
			headers = curl_slist_append(headers, "Content-Type: application/json");
			curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
		}
		curl_easy_setopt(curl, CURLOPT_URL, url);
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		code = request_run(client, curl, wait_s, ret_json, error);
	}
	if (curl)
		handle_give(client, curl);
	curl_slist_free_all(headers);
	free(text);
	return code;
}

char *client_escape(const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0), *copy = escaped ? strdup(escaped) : NULL;

	curl_free(escaped);
	return copy;
}
