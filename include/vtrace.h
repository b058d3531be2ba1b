/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libvtrace: the C interface to a VTrace server.
 *
 *	struct vtrace_client *client;
 *	struct vtrace_result *result;
 *	struct vtrace_error error;
 *	char id[VTRACE_ID_MAX];
 *
 *	if (vtrace_connect("http://127.0.0.1:8471", NULL, &client, &error) ||
 *	    vtrace_add(client, "udp and dst host 10.0.0.2", 100, 10.0, 0, id, &error) ||
 *	    vtrace_wait(client, id, -1, 0, &result, &error))
 *		fprintf(stderr, "%s\n", error.text);
 *
 * Every function that can fail returns VTRACE_OK (0) or the enum vtrace_code that it also puts into *error, with one
 *line of text for a person; `error` may be NULL. Output parameters are set on success only. The library prints nothing,
 *keeps no global state, and installs no signal handlers. A client may be used by several threads at the same time:
 *their requests run side by side on connections of their own. Link with `pkg-config --cflags --libs libvtrace`.
 */
#ifndef VTRACE_H
#define VTRACE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VTRACE_ID_MAX    64  /* bytes of a trace's id with its NUL */
#define VTRACE_ERROR_MAX 512 /* bytes of an error's text with its NUL */

enum vtrace_code {
	VTRACE_OK = 0,
	VTRACE_INVALID = 1, /* an argument, or the server refused the request as malformed */
	VTRACE_NO_MEMORY = 2,
	VTRACE_FILE = 3,        /* the token or CA file could not be read */
	VTRACE_UNREACHABLE = 4, /* no connection: nobody listens there, no such host, broken off */
	VTRACE_UNTRUSTED = 5,   /* TLS: the server's certificate is not trusted */
	VTRACE_DENIED = 6,      /* the server wants a token, or another one */
	VTRACE_NOT_FOUND = 7,   /* no such trace */
	VTRACE_LIMIT = 8,       /* past one of the server's limits; try again when other traces have ended */
	VTRACE_TIMEOUT = 9,     /* no answer in time */
	VTRACE_SERVER = 10,     /* the server failed, or what answers is not a VTrace server */
	VTRACE_ENDED = 11       /* the trace has ended already */
};

struct vtrace_error {
	enum vtrace_code code;
	char text[VTRACE_ERROR_MAX]; /* one line: what failed, on what, and the server's words where it gave any */
};

/* A short name for a code, "not-found"; never NULL. */
const char *vtrace_code_name(enum vtrace_code code);

/* The library's version, "0.1.0". */
const char *vtrace_version(void);

struct vtrace_client;

/* How to connect. Zero-initialise it, so that members added later have their defaults. */
struct vtrace_options {
	const char *token_file;          /* its first token is shown to the server; NULL: none */
	const char *ca_file;             /* trust this authority (PEM) instead of the system's; NULL: the system's */
	unsigned int connect_timeout_ms; /* 0: 5000 */
	unsigned int answer_timeout_ms;  /* for one request, beyond what it asked the server to wait; 0: 30000 */
};

/*
 * Makes a client for the server at `url` ("http://HOST:PORT" or "https://..."; NULL: $VTRACE_SERVER, else
 * http://127.0.0.1:8471). `options` may be NULL; nothing of it is kept. The address and the files are checked here, the
 * connection is made by the first request. *client is freed with vtrace_close().
 */
int vtrace_connect(const char *url, const struct vtrace_options *options, struct vtrace_client **client,
                   struct vtrace_error *error);

/* Closes the connections and frees the client; NULL is allowed. No other thread may still use it. */
void vtrace_close(struct vtrace_client *client);

enum vtrace_flag {
	VTRACE_BIDIRECTIONAL = 1, /* vtrace_add: trace the reverse flow too */
	VTRACE_PACKETS = 2        /* vtrace_result, vtrace_wait: "list" in the JSON text, one entry a packet */
};

/*
 * Starts a trace of the flow that `filter` names ("udp and src host 10.0.0.1 and dst port 53"): at most packet_count
 * packets per direction (0: 100), for at most trace_time seconds (0: 10). `flags` are of enum vtrace_flag. Returns at
 * once; the trace's id is written to `id`.
 */
int vtrace_add(struct vtrace_client *client, const char *filter, unsigned int packet_count, double trace_time,
               unsigned int flags, char id[VTRACE_ID_MAX], struct vtrace_error *error);

/*
 * What is known of a trace. All of it, strings too, belongs to the result and lives until vtrace_result_free(). Strings
 * are never NULL: "" stands for what is not (yet) there. Members may be added at the end in later versions.
 */
struct vtrace_result {
	const char *id;
	const char *filter; /* normal form */
	const char *state;  /* new, ready, tracing, analyzing, done, cancelled, failed */
	const char *error;  /* why it failed, else "" */
	int final;          /* state is done, cancelled or failed: nothing will change any more */

	uint64_t coloured; /* packets traced; each of them is one of the next four */
	uint64_t delivered;
	uint64_t dropped;    /* the drop was witnessed */
	uint64_t lost;       /* vanished between two points that were both watched */
	uint64_t unfinished; /* records are missing: nothing is claimed */
	uint64_t ambiguous;  /* could not be told apart from another packet with certainty */

	uint64_t records_missing; /* records lost on VTrace's own side */
	uint64_t nodes_armed;     /* hosts that took part */
	uint64_t nodes_failed;    /* hosts that could not */

	/* The verdict: the first of the causes, which explains most packets. All "" and 0 if nothing was lost. */
	uint64_t causes; /* how many there are; the JSON text has them all */
	struct {
		const char *cause_class; /* "security-policy" */
		const char *code;        /* "policy-nft-rule"; vtrace explain CODE says more */
		const char *certainty;   /* "proven" or "inferred" */
		const char *node;
		const char *kind; /* of the node: "vswitch", "vrouter" */
		const char *device;
		const char *direction; /* "forward", "reverse" */
		const char *reason;    /* the forwarding device's own word for it, "NETFILTER_DROP" */
		const char *site;      /* where in its code, "nft_do_chain+0x3e8" */
		const char *evidence;  /* one line of fact */
		const char *next_step; /* one line: what to check or change */
		uint64_t packets;
	} verdict;

	const char *json; /* the whole result as the server gave it, one JSON object */
};

/*
 * Gets the result of a trace as it is now. `id_or_filter` is an id, or a filter for the latest trace of that flow.
 * *result is freed with vtrace_result_free(). VTRACE_NOT_FOUND if there is no such trace.
 */
int vtrace_result(struct vtrace_client *client, const char *id_or_filter, unsigned int flags,
                  struct vtrace_result **result, struct vtrace_error *error);

/*
 * Like vtrace_result(), but waits until the trace is final or `seconds` are over (negative: without limit);
 * result->final tells which.
 */
int vtrace_wait(struct vtrace_client *client, const char *id_or_filter, double seconds, unsigned int flags,
                struct vtrace_result **result, struct vtrace_error *error);

void vtrace_result_free(struct vtrace_result *result); /* NULL is allowed */

/* Ends a trace now; what it found so far is kept. VTRACE_ENDED if it has ended already: it stays as it is. */
int vtrace_cancel(struct vtrace_client *client, const char *id, struct vtrace_error *error);

struct vtrace_list {
	size_t n;
	struct vtrace_result **traces; /* latest first; in a list the server may leave out verdicts */
	const char *json;              /* the whole list, one JSON array */
};

/*
 * The latest traces, at most `limit` (1..1000; 0: 20); only those of one flow if `filter` is not NULL. *list is freed
 * with vtrace_list_free().
 */
int vtrace_list(struct vtrace_client *client, const char *filter, unsigned int limit, struct vtrace_list **list,
                struct vtrace_error *error);

void vtrace_list_free(struct vtrace_list *list); /* NULL is allowed */

#ifdef __cplusplus
}
#endif

#endif
