// SPDX-License-Identifier: BSD-3-Clause
/*
 * The result of a trace, as in the contract ("Result (JSON)"): built by the analysis, completed by whoever runs the
 * task (state, times, nodes that failed), turned into JSON here. Everything a user is shown is rendered from that JSON.
 */
#ifndef VT_CORE_RESULT_H
#define VT_CORE_RESULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/log.h"
#include "core/task.h"

enum vt_state { VT_NEW = 1, VT_READY, VT_TRACING, VT_ANALYZING, VT_DONE, VT_CANCELLED, VT_FAILED };
const char *vt_state_name(enum vt_state state); /* "new" ... */
int vt_state_parse(const char *name, enum vt_state *state);
bool vt_state_final(enum vt_state state); /* done, cancelled, failed */

enum vt_end { VT_DELIVERED = 1, VT_DROPPED, VT_LOST, VT_UNFINISHED };
const char *vt_end_name(enum vt_end end);

struct vt_result_cause {
	enum vt_cause code;
	bool proven; /* certainty: the drop was witnessed, or the gap is bracketed by complete records */
	char node[VT_NODE_MAX];
	enum vt_kind kind;
	char device[VT_DEVICE_MAX];
	bool reverse; /* direction */
	uint64_t packets;
	char reason[VT_REASON_MAX];
	char site[VT_SITE_MAX];
	char evidence[VT_EVIDENCE_MAX];
};

/* One VFD of a path. Strings are empty and pointers NULL where there was no such record. */
struct vt_result_hop {
	unsigned int hop;
	char node[VT_NODE_MAX];
	enum vt_kind kind;
	uint32_t vni;
	bool has_nat;
	struct vt_flow nat; /* five-tuple after translation (nat_key) */
	bool has_in, has_out, has_error, has_outer, has_latency;
	char in_device[VT_DEVICE_MAX], out_device[VT_DEVICE_MAX], error_device[VT_DEVICE_MAX];
	uint8_t outer_src[16], outer_dst[16];
	double latency_min_us, latency_median_us, latency_max_us; /* from in to out, the node's clock */
};

struct vt_result_path {
	uint64_t packets;
	enum vt_end end;
	bool reverse;
	int cause;           /* index into causes, -1 for none (JSON null) */
	struct vt_flow flow; /* as the first VFD saw it */
	unsigned int n_hops;
	struct vt_result_hop *hops;
};

/* One packet, for --packets. */
struct vt_result_packet {
	uint64_t packet_id;
	struct vt_flow flow;
	bool reverse, ambiguous;
	enum vt_end end;
	int path, cause;  /* indices, cause -1 for none */
	uint64_t time_ns; /* of its first record, that node's monotonic clock */
	uint32_t length, segments;
};

struct vt_result_node_error {
	char node[VT_NODE_MAX];
	char error[VT_EVIDENCE_MAX];
};

struct vt_result {
	/* from the analysis */
	struct vt_task task;
	uint64_t coloured, delivered, dropped, lost, unfinished, ambiguous;
	uint64_t received, missing; /* records of this task's packets; records known to be lost while it ran */
	unsigned int n_causes, n_paths;
	struct vt_result_cause *causes; /* ranked: most packets first, proven before inferred */
	struct vt_result_path *paths;
	uint64_t n_list;
	struct vt_result_packet *list; /* only if asked for */
	unsigned int armed, n_failed;
	struct vt_result_node_error *failed;
	/* from whoever runs the task */
	char id[24];
	enum vt_state state;
	char error[VT_ERR_MAX];          /* empty: null */
	int64_t created_us, finished_us; /* Unix time, 0: null */
};

void vt_result_done(struct vt_result *result); /* frees what it points to, zeroes it */

/* Flags for json_dumps(): one line, and 3.1 is written as 3.1. */
#define VT_JSON_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(12))

/* The contract's JSON object; "list" is there if with_list. Never fails but for memory (NULL). */
json_t *vt_result_to_json(const struct vt_result *result, bool with_list);

/* Task as JSON for the agents' stream: {"id","filter","bidirectional","packet_count","trace_time_ms"}. */
json_t *vt_task_to_json(const struct vt_task *task);
int vt_task_from_json(const json_t *json, struct vt_task *task, struct vt_err *err);

/*
 * The body of POST /v1/traces: {"filter","packet_count","trace_time","bidirectional"}, time in seconds; all but the
 * filter have defaults. The task's id is 0. -EINVAL for anything wrong, a member of another name included.
 */
int vt_task_from_request(const json_t *json, struct vt_task *task, struct vt_err *err);

/*
 * One log as a JSON object (a line of a record file, members in log_json.c), and back. Unknown members are ignored,
 * missing ones are 0, but "node" and "loc" must be there, and hop and segments default to 1.
 */
json_t *vt_log_to_json(const struct vt_log *log, const char *node, uint64_t boot);
int vt_log_from_json(const json_t *json, struct vt_log *log, char node[VT_NODE_MAX], uint64_t *ret_boot,
                     struct vt_err *err);

#endif
