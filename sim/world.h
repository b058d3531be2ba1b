// SPDX-License-Identifier: BSD-3-Clause
/*
 * The simulated world: an overlay network whose every packet's fate is known, the agents on its nodes, and the server.
 *
 *   topology.c   nodes, addresses, ways through the network      traffic.c  flows and what they send
 *   faults.c     what goes wrong with packets, and with VTrace   forward.c  a packet's way from node to node
 *   offload.c    receive offload: segments become one packet     datapath.c what a VFD sees and logs
 *   agents.c     the agent: its real tasks.c and outbox.c        uplink.c   batches on their way
 *   server.c     the real analysis and life cycles               truth.c    what became of every packet
 *   check.c      the invariants                                  story.c    the run in words
 *
 * Time is simulated, in ns; nothing sleeps and no clock is read. All chance comes from the seed. Memory of a run lies
 * in one arena.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/tasks.h"
#include "analysis/lifecycle.h"
#include "core/record.h"
#include "sim/arena.h"
#include "sim/events.h"
#include "sim/random.h"

#define US 1000ULL
#define MS 1000000ULL
#define S  1000000000ULL

#define SIM_NODES_MAX 1000
#define ROUTE_MAX     18 /* VFDs on a way; more than the 15 that the colour can count */
#define ROUTES_MAX    4  /* ways of one flow: ECMP, and the way after a change */
#define TASKS_MAX     8
#define LOCAL_TASKS   16 /* of one datapath: TASKS_MAX, those before a server's restart included */

/* What kinds of trouble a run has; drawn in faults.c. Percentages are of the chance per thing, bools switch a kind on.
 */
struct knobs {
	uint32_t nodes;
	bool own_losses; /* VTrace itself loses: rings, batches, agents, arming, STOP */
	bool agentless;  /* some nodes run no agent */
	bool flooding, reroutes, duplicates, bleaching, offload, equal_ids, fragments, queues;
	bool slow_uplink;    /* some agents' batches take up to seconds, always */
	bool lossy_log;      /* batches vanish or overtake each other behind the acknowledgement */
	bool restart_server; /* before the traces begin: the analysis meets agents that were up before it */
	bool server_stalls;
	bool many_faults; /* more causes than a result lists apart */
	bool tight;       /* the analysis has room for little */
	uint32_t faults;
	uint32_t batch_items;
};

enum end_kind {
	END_DELIVERED = 1, /* left for a VM or the world, or the node's own stack took it */
	END_DROPPED,       /* the VFD dropped it and would say so: a kfree_skb with a reason */
	END_SILENT,        /* the VFD took it away without a word */
	END_BETWEEN,       /* left `node`, never came to the hook of `next` */
	END_RIDER,         /* its bytes went on in another packet, whose end is its own */
};

enum blind_kind {
	BLIND_BLEACHED = 1, /* between `node` and `next` the outer DSCP was cleared */
	BLIND_ERASED,       /* in `node` someone wiped mark and tc_index */
	BLIND_MERGED,       /* in `node` it was merged into a packet without colour */
	BLIND_UNWATCHED,    /* `node` has no agent at work */
	BLIND_HOPS,         /* behind hop 15 */
};

/* One copy's end; a packet has as many as it had copies. */
struct end {
	struct end *next_end;
	enum end_kind kind;
	uint16_t node, next;
	enum vt_cause cause;
	const char *device;
	bool seen_by_trace; /* the copy still had its colour */
	uint64_t at;
};

/* Where a copy became invisible to VTrace while it went on. */
struct blind {
	struct blind *next_blind;
	enum blind_kind kind;
	uint16_t node, next;
};

struct visit_truth {
	struct visit_truth *next;
	uint16_t node;
	uint8_t hop;
};

/* All records with one packet_id: how many were made, and how many of them VTrace lost on the way to the analysis. */
struct ident {
	struct ident *next;
	uint64_t id;
	uint32_t made, lost;
};

/* One packet as its sender sent it. */
struct packet {
	uint32_t number;
	struct flow *flow;
	struct ident *ident;
	uint64_t id, sent_at;
	bool arrived;
	bool coloured;
	uint32_t alive; /* copies on their way */
	struct end *ends;
	struct blind *blinds;
	struct visit_truth *visits;
};

/* A packet that a datapath coloured for a task. */
struct claim_truth {
	struct claim_truth *next; /* in its bucket */
	struct packet *packet;
	uint32_t task;
	uint64_t id, time_ns;
	uint16_t node;
	bool reverse, listed;
};

enum way_end { WAY_VM = 1, WAY_WORLD, WAY_LOCAL };

struct route {
	uint16_t n, nodes[ROUTE_MAX];
	enum way_end end;
	uint32_t port;     /* VM: number of the port at the last node */
	uint16_t flood_at; /* position at which copies leave for floods[]; n: none */
	uint32_t n_floods;
	struct route *floods[3]; /* whole ways with the same beginning */
};

struct translation {
	uint16_t node;
	struct vt_flow flow;
	uint32_t vni;
};

struct flow {
	uint32_t number, hash;
	struct vt_flow tuple;
	uint32_t vni, port; /* where it enters: the VM's port at the first node */
	bool from_world;
	bool spray; /* ECMP packet by packet instead of flow by flow */
	struct route *routes[ROUTES_MAX];
	uint32_t n_routes;
	uint64_t change_at; /* from then on the last route; UINT64_MAX: never */
	uint32_t n_translations;
	struct translation translations[2];
	bool timestamps, no_ip_id, same_payload; /* what makes equal packet ids */
	bool fragments;                          /* datagrams larger than the MTU */
	uint32_t payload, burst, count;
	uint64_t start, interval;
	uint32_t sent, tcp_seq;
	struct flow *reply; /* sends a packet for each that arrives */
};

/* A packet somewhere: at a node or on a wire. A flooded or duplicated packet has several. */
struct copy {
	struct packet *packet;
	const struct route *route;
	uint16_t at; /* position on the route */
	struct vt_flow tuple;
	uint32_t vni, length, seq, payload;
	uint16_t segments, frag_flags;
	uint8_t colour; /* hop: on the wire in the outer DSCP, at a node in mark and tc_index; 0: none */
	bool no_mark, encap, had_out;
	uint8_t outer_src[16], outer_dst[16];
	struct copy *riders; /* merged into this one */
	struct copy *next;   /* in a list of riders, or of what offload holds */
};

enum fault_kind {
	FAULT_DROP = 1,  /* witnessed drop in a node */
	FAULT_LATE,      /* the same, seconds late: a neighbour that never answers */
	FAULT_STOLEN,    /* another program takes it */
	FAULT_ERASED,    /* another program's rule wipes the colour */
	FAULT_QUEUE,     /* dropped behind the egress hook; others wait in the queue */
	FAULT_LOCAL,     /* the node's own stack takes it, then drops it */
	FAULT_LINK,      /* lost between two nodes */
	FAULT_BLEACH,    /* link clears the DSCP */
	FAULT_DUPLICATE, /* link doubles */
	FAULT_COUNT
};

struct fault {
	struct fault *next; /* of its node */
	enum fault_kind kind;
	uint16_t node, peer;     /* peer: the link's other end */
	const struct flow *flow; /* NULL: all */
	uint32_t paths;          /* LINK, BLEACH: of 4 ECMP paths of the underlay, which (bits); others: 0xf */
	uint32_t one_in;
	uint64_t from, to;
	enum vt_cause cause;
	const char *evidence;
	bool own_words;  /* the packet's own numbers in each evidence */
	bool behind_nat; /* drops what is translated already */
	uint64_t late_ns, last_hit;
	uint32_t index; /* in world.faults */
	uint32_t hits;
};

struct ring_entry {
	struct ring_entry *next;
	struct vt_record rec;
	const struct fault *fault; /* `error`: what the inspectors will find */
	const char *device;
	struct packet *packet;
	uint64_t ready_at; /* an inspector works on it until then */
};

struct local_task {
	struct vt_task task;
	struct vt_filter reverse;
	bool used, started;
	uint64_t coloured[2];
};

struct sim_datapath {
	struct datapath dp;
	struct node *node;
	uint32_t n_armed;
	struct local_task tasks[LOCAL_TASKS];
	struct ring_entry *head, *tail;
	uint32_t n_ring, ring_size;
	uint64_t lost;
	uint64_t refuse_task; /* arm() fails for it; 0: none */
};

#define UPLINK_BODIES 64 /* as in agent/records_post.h */

struct body {
	uint64_t number;
	uint32_t records;
	size_t size;
	uint8_t *bytes;
};

struct sim_uplink {
	struct uplink up;
	struct world *w;
	struct node *node;
	struct body bodies[UPLINK_BODIES];
	uint32_t first, n;
	bool busy;
	uint64_t serial; /* of the post under way; later answers are of a past life */
};

struct queued {
	struct queued *next;
	struct uplink_command command;
};

/* One run of an agent; a restart makes a new one. */
struct agent_run {
	struct node *node;
	bool alive, connected;
	struct sim_datapath dp;
	struct sim_uplink up;
	struct outbox out;
	struct tasks tasks;
	struct queued *commands, *last_command;
	uint64_t step_at; /* next step planned, UINT64_MAX: none */
	uint64_t progress_last;
	bool said_node;
};

struct gro_slot {
	struct copy *head;
	uint64_t serial;
};

struct node {
	char name[32];
	uint16_t index;
	enum vt_kind kind;
	bool has_agent;
	bool gro_behind, gro_before; /* receive offload behind or before our ingress hook */
	bool gro_any;                /* merges coloured packets into others */
	bool reassembles;            /* later fragments end here */
	uint32_t n_addrs;
	uint8_t addrs[2][16];
	int64_t clock_ns; /* its clock minus the world's */
	struct fault *faults;
	struct gro_slot gro[2][8];
	struct agent_run *agent; /* the latest run, alive or not */
	/* trouble of VTrace's own on this node */
	uint64_t uplink_delay, uplink_jitter;
	uint64_t cut_from, cut_to;     /* no connection */
	uint64_t stall_from, stall_to; /* the agent does not run */
	uint64_t full_from, full_to;   /* the ring takes nothing, or not all */
	uint32_t full_percent;
	uint64_t kill_at, restart_at; /* UINT64_MAX: never */
	uint64_t refuse_task;
	uint64_t deaf_task;                                 /* ARM reaches the agent too late, or never */
	uint64_t mute_task;                                 /* STOP does */
	uint32_t lose_percent, late_percent, twice_percent; /* of its batches */
	/* the server's view */
	bool connected;
	uint64_t boot, down_at;
};

struct trace_run {
	uint32_t id;
	struct vt_task task;
	uint64_t begin_at;
	struct lifecycle life;
	bool begun, over, have_result, aborted;
	uint64_t over_at;
	bool *asked;                 /* by node: asked to arm, no answer yet */
	uint32_t silent;             /* nodes that had not answered when colouring began; named by the server */
	struct claim_truth **claims; /* of list[i]; check.c */
	bool *missing;               /* list[i]: a record of this packet_id was made and had not come */
	struct vt_result result;
	struct analysis_progress progress;
};

struct server {
	struct analysis *a;
	struct analysis_config config;
	struct backlog *backlog, *backlog_last;
	uint64_t stalled_until, advance_at;
	uint32_t n_traces, n_over;
	struct trace_run traces[TASKS_MAX];
};

#define CLAIM_BUCKETS 4096
#define IDENT_BUCKETS 4096

/* What a run adds to the statistics. */
struct tallies {
	uint64_t runs, packets, claims, records, batches;
	uint64_t truly_lost, named, place_only, lost_unfinished, lost_unseen;
	uint64_t arrived, delivered, arrived_inferred, arrived_unfinished;
	uint64_t wrong_blames, false_proofs, other;
};

struct world {
	uint64_t seed, now;
	struct random rnd;
	struct random switches;  /* for the underlay's flooding: with or without it the rest of a seed is the same */
	uint32_t strays_percent; /* packets that the underlay's switches flood */
	struct events events;
	struct arena arena;
	struct knobs knobs;
	uint32_t n_nodes;
	struct node *nodes;
	uint32_t n_flows;
	struct flow **flows;
	uint32_t n_faults;
	struct fault **faults;
	uint32_t n_packets;
	struct packet **packets; /* in the order of sending; grows */
	uint32_t cap_packets;
	struct claim_truth *claims[CLAIM_BUCKETS];
	uint32_t n_claims;
	struct ident *idents[IDENT_BUCKETS];
	struct server server;
	uint64_t next_boot;
	uint32_t next_vm;
	bool verbose;
	uint64_t records, batches;
	struct tallies *tallies;
	uint32_t violations;
	uint64_t alive;  /* copies on their way */
	char first[512]; /* the first violation, in words */
};

/* topology.c */
void topology_make(struct world *w);
struct route *route_make(struct world *w, uint16_t first, uint16_t last, uint32_t hops);
const uint8_t *node_addr(const struct node *node, uint32_t hash);

/* traffic.c */
void traffic_make(struct world *w);
void traffic_reply(struct world *w, struct flow *reply, const struct packet *to);

/* faults.c */
void knobs_draw(struct world *w, uint32_t nodes_max);
void faults_make(struct world *w);
struct fault *fault_at(struct world *w, uint16_t node, int peer, const struct copy *copy, uint32_t kinds);

/* forward.c */
void copy_send(struct world *w, struct copy *copy);
void copy_enter(struct world *w, struct copy *copy);   /* at the ingress hook */
void copy_process(struct world *w, struct copy *copy); /* behind it, and behind offload */

/* offload.c: true if it holds the copy back, and will call copy_enter() or copy_process() itself */
bool offload_hold(struct world *w, struct copy *copy, bool behind);

/* datapath.c */
void datapath_open(struct sim_datapath *dp, struct node *node);
void datapath_close(struct sim_datapath *dp); /* what lies in its ring is lost */
bool datapath_attached(const struct node *node);
void datapath_colour(struct world *w, struct node *node, struct copy *copy, uint32_t ifindex, const char *device);
void datapath_log(struct world *w, struct node *node, struct copy *copy, enum vt_loc loc, uint16_t flags,
                  uint32_t ifindex, const char *device, const struct fault *fault);
uint32_t datapath_drain(struct world *w, struct sim_datapath *dp, struct outbox *out);
uint64_t datapath_next(const struct sim_datapath *dp, uint64_t now); /* when a log is ready; UINT64_MAX: none */
uint64_t datapath_lost(const struct sim_datapath *dp);

/* agents.c */
void agents_make(struct world *w);
void agent_wake(struct world *w, struct agent_run *agent, uint64_t at);
void agent_command(struct world *w, struct node *node, const struct uplink_command *command, uint64_t delay);
void agents_free(struct world *w);

/* uplink.c */
void uplink_open(struct world *w, struct sim_uplink *up, struct node *node);
void uplink_retry(struct sim_uplink *up); /* the connection is back */
void uplink_free(struct sim_uplink *up);
bool node_cut(const struct node *node, uint64_t now);

/* server.c */
void server_open(struct world *w);
void server_connect(struct world *w, struct node *node, uint64_t boot);
void server_disconnect(struct world *w, struct node *node);
void server_take(struct world *w, const uint8_t *bytes, size_t size); /* `bytes` lie in the arena */
void server_plan(struct world *w);
void server_free(struct world *w);

/* truth.c */
struct packet *truth_packet(struct world *w, struct flow *flow, uint64_t id);
void truth_end(struct world *w, const struct copy *copy, enum end_kind kind, uint16_t node, uint16_t next,
               const struct fault *fault, const char *device);
void truth_blind(struct world *w, struct copy *copy, enum blind_kind kind, uint16_t node, uint16_t next);
void truth_visit(struct world *w, struct packet *packet, uint16_t node, uint8_t hop);
void truth_claim(struct world *w, struct packet *packet, uint32_t task, uint16_t node, uint64_t time_ns, bool reverse);
struct claim_truth *truth_find(const struct world *w, uint32_t task, uint64_t id, uint64_t time_ns, bool reverse);
struct ident *truth_ident(struct world *w, uint64_t id);
void truth_items_lost(struct world *w, const struct vt_item *items, uint32_t n);
void truth_batch_lost(struct world *w, const uint8_t *bytes, size_t size);
void copy_lost(struct world *w, struct copy *copy, enum end_kind kind, uint16_t next, const struct fault *fault,
               const char *device);

/* check.c, story.c, run.c */
void check_run(struct world *w);
void story(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void story_topology(struct world *w);
void story_verdicts(struct world *w);
bool run_seed(uint64_t seed, uint32_t nodes_max, bool verbose, struct tallies *tallies); /* false: violated */

#endif
