// SPDX-License-Identifier: BSD-3-Clause
/*
 * The table of nodes: who is or was connected, and the way to tell them something. Part of the controller, under its
 * lock; nothing here locks but the streams.
 *
 * Names: a node is known by its name, one run of its agent by the boot id. A new boot id takes the name over, because
 * an agent that was restarted must not wait for the old connection to time out. A boot id that lost its name that way
 * and comes back while the new one lives proves that two agents use one name at once: it is refused.
 */
#ifndef VT_SERVER_NODES_H
#define VT_SERVER_NODES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "base/err.h"
#include "core/batch.h"
#include "server/stream.h"

#define NODES_MAX 1024 /* each keeps two connections, and the server's connection limit is 2048 and some for users */

/* A connection that breaks is often back at once, with nothing lost; the analysis is told only after this. */
#define NODES_GRACE_NS 2000000000ULL

struct node_hello {
	char name[VT_NODE_MAX];
	enum vt_kind kind;
	char datapath[VT_NAME_MAX];
	char version[VT_NAME_MAX];
	uint64_t boot;
};

struct node {
	struct node_hello hello;
	uint64_t lost_boot; /* the boot id from which the present one took the name; 0: none */
	uint32_t devices;
	int64_t last_seen_us;  /* Unix time */
	struct stream *stream; /* NULL: not connected */
	uint64_t down_at;      /* when to tell the analysis that it is gone, UINT64_MAX: not due */
	UT_hash_handle hh;
};

struct nodes {
	struct node *table; /* uthash by hello.name */
	unsigned int connected;
};

/* Letters, digits, '.', '_', '-', not empty: what a host name has, and safe to print anywhere. */
bool nodes_name_valid(const char *name);

/*
 * Connects a node by a stream; a stream that it had before is ended. *ret_new: this boot id was not the node's before.
 * -EEXIST: two agents with one name, -ENOSPC: too many nodes; `err` (not NULL) says what to try.
 */
int nodes_connect(struct nodes *nodes, const struct node_hello *hello, struct stream *stream, bool *ret_new,
                  struct vt_err *err);

/* The stream is gone: its node is disconnected, if that is still its stream. */
void nodes_closed(struct nodes *nodes, const struct stream *stream, uint64_t now_ns);

/* The other side of the stream with this number hung up; nothing if the stream is gone already. */
void nodes_hangup(struct nodes *nodes, uint64_t number);

bool nodes_connected(struct nodes *nodes, const char *name);

/* The node's agent is at work: devices come and go, its row is made if its batch was faster than its stream. */
void nodes_saw_batch(struct nodes *nodes, const struct vt_batch *batch);

/* Sends a line to all connected nodes; takes the reference. Returns how many streams fell behind and were ended. */
unsigned int nodes_broadcast(struct nodes *nodes, json_t *line);

/* The same for one stream. 0, -ENOBUFS, -ENOMEM (the stream has been ended). */
int nodes_send(struct stream *stream, json_t *line);

/*
 * Calls `down` for each node whose time of grace is over by `now_ns`; returns when the next one is due (UINT64_MAX:
 * none).
 */
uint64_t nodes_expire(struct nodes *nodes, uint64_t now_ns, void (*down)(void *arg, const char *name), void *arg);

void nodes_end_streams(struct nodes *nodes);
json_t *nodes_to_json(struct nodes *nodes); /* the contract's list, by name */
void nodes_done(struct nodes *nodes);

#endif
