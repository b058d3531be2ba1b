// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the analysis keeps in memory, and how its parts hang together.
 *
 *   stored   a record as kept: 64 bytes, strings and addresses interned (intern.h)
 *   group    all stored records with one packet_id, in order of arrival; waits in at most one of the deadline lists
 *   claim    one packet of one task: a COLOURED record made it; after it settled it holds its end, cause and path
 *   trace    a task known to the analysis, with its claims and what each node said about it (member)
 *   node     a host that sent batches: numbering, addresses, and the incidents that make its records incomplete
 *
 * intake.c fills this, group.c keeps the deadlines, owner.c and walk.c put one packet's path together, merge.c joins
 * packets that offloads merged, diagnose.c says how it ended, tally.c counts, result.c reports. Numbers (uint32_t) are
 * pool numbers, 0 means none. Invariant: a group whose claims are settled waits for nothing; any new record makes it
 * wait again and takes its packets out of the tally. What rests on nothing more having been recorded (a loss, a proof)
 * stays in LIST_WATCH, and is thought over again when one of its nodes turns out to have lost records.
 */
#ifndef VT_ANALYSIS_MODEL_H
#define VT_ANALYSIS_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "analysis/analysis.h"
#include "analysis/intern.h"
#include "analysis/pool.h"

#define TRACES_MAX     1024 /* tasks at once: four times what a node takes, since nodes differ */
#define NODE_QUEUES    8    /* devices of a node that drop at once; the one that did so longest ago gives way */
#define NODE_BOOTS     4    /* remembered: what is under way from an agent's past lives comes within seconds */
#define NODE_INCIDENTS 8    /* kept apart per node; more are joined, which only makes the analysis more careful */
#define TALLY_CAUSES   32   /* causes of one task: more than a person reads; the rest is joined and counted */
#define TALLY_PATHS \
	1024 /* different paths of one task: bounds memory to a few MB; the rest is joined by end and cause */
#define TALLY_SAMPLES 128 /* latencies kept per hop of a path for the median; minimum and maximum are exact */
#define TRAIL_VISITS  32  /* VFDs in one path: 15 hops, and as many of a packet that it was merged into */
#define TRAIL_NODES   64  /* nodes that matter for one packet (a flood reaches many); past it nothing is claimed */
#define MERGE_DEPTH   4   /* merged into a packet that was itself merged, ... */

struct stored {
	uint64_t time_ns;
	uint32_t next;  /* in its group */
	uint32_t claim; /* COLOURED and the task is known: its claim */
	uint32_t vni, ifindex, length, tcp_seq, payload;
	uint32_t flow;   /* interned struct vt_flow */
	uint32_t outer;  /* interned struct outer, 0 without ENCAP and OUTER */
	uint32_t device; /* interned name with NUL */
	uint32_t detail; /* `error`: interned struct detail */
	uint16_t node, flags, segments;
	uint8_t loc, hop;
};
_Static_assert(sizeof(struct stored) <= 64, "a stored record outgrew its 64 bytes");

struct outer {
	uint8_t src[16], dst[16];
};

/* What was found about a drop: the cause's number and three strings, each with its NUL, one behind the other. */
struct detail {
	uint32_t cause;
	uint16_t site, evidence; /* offsets in text; reason is at 0 */
	char text[];
};

enum list_id { LIST_NONE, LIST_SETTLE, LIST_SHORT, LIST_LONG, LIST_RETRY, LIST_ORPHAN, LIST_WATCH, LIST_COUNT };

struct group {
	uint64_t id;
	uint64_t first_at, last_at; /* arrival of its first and last record */
	uint64_t due;               /* in LIST_WATCH: when it settled */
	uint32_t recs, last_rec, n_recs;
	uint32_t claims, n_claims; /* chained by claim.next */
	uint32_t prev, next;       /* in its deadline list */
	uint32_t seq, span;        /* TCP: first byte and most bytes seen at one point */
	uint32_t merge;            /* its entries in the merge index */
	uint8_t list;              /* enum list_id */
	bool settled;
	bool torn;     /* a record with its id found no room */
	bool claimed;  /* some packet claims it, or did */
	bool has_span; /* seq and span are valid: in the merge index */
	bool big;      /* seen as several segments in one */
	bool fragile;  /* settled by what was not recorded */
	bool rides;    /* settled by the path of a packet that it was merged into */
};

struct claim {
	uint32_t next; /* of the same group */
	uint32_t group, rec;
	uint32_t phys; /* scratch of owner.c: which physical packet of the group it is */
	struct trace *trace;
	struct tally_path *path; /* settled: its path, else NULL */
	int8_t cause;            /* settled: slot in the tally, -1 for none */
	uint8_t end;             /* enum vt_end, 0 while unsettled */
	bool reverse, ambiguous, proven;
};

enum incident_kind { INCIDENT_LOST = 1, INCIDENT_FULL, INCIDENT_HOLE, INCIDENT_BOOT, INCIDENT_DOWN };

struct incident {
	enum incident_kind kind;
	uint64_t from; /* arrival times between which records may be missing */
	uint64_t to;   /* UINT64_MAX while it lasts */
	uint64_t hole; /* HOLE: number of the batch that is missing */
};

/* A drop behind the egress hook: packets that left by this device may wait in a queue for long. */
struct queue_drop {
	uint32_t ifindex; /* 0: free */
	uint64_t at;      /* arrival */
};

struct node {
	char name[VT_NODE_MAX];
	uint16_t index;
	enum vt_kind kind;
	bool seen, down;
	bool based; /* `lost` and last_seq are bases to count from: false for an agent that was up before us */
	uint64_t boot, next_number, last_seq;
	uint64_t former[NODE_BOOTS]; /* boots before this one: what comes of them now comes too late */
	uint64_t last_at;            /* arrival of its last batch */
	uint64_t apart, apart_at; /* what to add to its clock to have ours, with the way's least delay; 0: not known */
	uint64_t progress_at;     /* up to when it has told us everything, by our clock */
	uint64_t heard, heard_at; /* PROGRESS items in all, arrival of the last */
	uint64_t lag;             /* how old what it says may be: time between a command and its answer */
	bool doubted;             /* records of it turned out to be missing since doubt_since */
	uint64_t doubt_since;
	uint64_t lost;                              /* cumulative count of the last PROGRESS of this boot */
	uint64_t missing;                           /* records known to be lost, all boots */
	struct queue_drop queue_drops[NODE_QUEUES]; /* the latest, one a device */
	unsigned int n_incidents;
	struct incident incidents[NODE_INCIDENTS];
	uint32_t n_addrs;
	uint8_t (*addrs)[16];
	UT_hash_handle hh;
};

/* Which node has an address. Claims are counted and node numbers XORed, so that one of two claimants can go again. */
struct node_addr {
	uint8_t addr[16];
	uint32_t claims, node_xor;
	UT_hash_handle hh;
};

/*
 * "A coloured packet of this flow from src was seen entering node": tells a bleaching underlay from one that loses
 * packets. By flow, since the underlay balances by flow, and one of its paths may bleach while the others do not.
 */
struct arrival_key {
	uint64_t flow; /* hash of it as seen there */
	uint8_t src[16];
	uint32_t node, pad;
};
struct arrival {
	struct arrival_key key;
	uint64_t last_at;
	UT_hash_handle hh;
};

enum member_state { MEMBER_NONE, MEMBER_ARMED, MEMBER_LATE, MEMBER_FAILED };

/* One node's part in one trace. */
struct member {
	uint8_t state; /* enum member_state */
	bool stopped, gone;
	bool restarted; /* it had armed in time, and its agent has armed anew */
	uint64_t boot;
	uint64_t final[2], seen[2]; /* coloured: by its own count (STOPPED), by records received */
	uint64_t missing_before;    /* node.missing when the trace began */
	uint64_t heard_before;      /* stopped: node.heard then; the next PROGRESS tells what it lost until the end */
	char *error;                /* FAILED */
};

struct tally_cause {
	enum vt_cause code;
	uint16_t node, next_node;
	bool reverse, joined; /* joined: stands for further kinds too */
	bool weak;            /* its packets are inferred: they are counted apart from those that are certain */
	uint32_t device, detail, outer;
	uint64_t packets, proven;
};

struct tally_hop {
	uint8_t hop;
	uint16_t node;
	bool has_in, has_out, has_error;
	uint32_t vni, in_device, out_device, error_device, outer, nat;
	uint64_t n_latencies;
	uint32_t min_ns, max_ns, samples[TALLY_SAMPLES];
};

struct tally_path {
	UT_hash_handle hh;
	uint32_t *key;
	unsigned int key_words;
	uint64_t packets;
	enum vt_end end;
	bool reverse;
	int cause;
	uint32_t flow;
	unsigned int index; /* scratch of result.c */
	unsigned int n_hops;
	struct tally_hop hops[];
};

struct trace {
	struct vt_task task;
	uint64_t begin_at, start_at, stop_at; /* 0: not yet */
	uint32_t n_members;
	struct member *members; /* by node number */
	uint32_t n_claims, cap_claims;
	uint32_t *claims;
	uint64_t coloured[2], unsettled;
	uint64_t missing; /* records of nodes that there was no room for */
	uint64_t ended[VT_UNFINISHED + 1], ambiguous;
	struct tally_cause causes[TALLY_CAUSES];
	unsigned int n_causes;
	struct tally_path *paths;
	UT_hash_handle hh;
};

struct id_slot {
	uint64_t id;
	uint32_t group; /* 0: empty */
};

struct deadline_list {
	uint32_t head, tail;
};

struct merge_entry {
	uint32_t next, prev; /* in its chain */
	uint32_t beside;     /* the same group under another flow */
	uint32_t group, flow, block;
};

struct walk_scratch;  /* walk.c */
struct owner_scratch; /* owner.c */

struct analysis {
	struct analysis_config config;
	uint64_t now; /* latest time any caller gave */
	struct pool recs, groups, claims, merges;
	struct intern flows, outers, devices, details;
	struct id_slot *ids;
	uint32_t id_mask, n_ids;
	struct deadline_list lists[LIST_COUNT];
	bool doubt;            /* some node is doubted */
	uint32_t *merge_heads; /* merge.c */
	struct node **nodes;
	uint32_t n_nodes;
	struct node *nodes_by_name;
	struct node_addr *addrs;
	struct arrival *arrivals;
	uint64_t arrivals_swept;
	struct trace *traces;
	struct owner_scratch *owner[MERGE_DEPTH];
	struct walk_scratch *walk[MERGE_DEPTH];
	struct analysis_stats stats;
	uint64_t random; /* of the latency reservoirs: a fixed start, so that runs repeat */
};

static inline const char *device_name(const struct analysis *a, uint32_t device) /* "" for 0 */
{
	const char *name = intern_get(&a->devices, device);

	return name ? name : "";
}

static inline struct stored *stored_at(const struct analysis *a, uint32_t number)
{
	return pool_at(&a->recs, number);
}

static inline struct group *group_at(const struct analysis *a, uint32_t number)
{
	return pool_at(&a->groups, number);
}

static inline struct claim *claim_at(const struct analysis *a, uint32_t number)
{
	return pool_at(&a->claims, number);
}

#endif
