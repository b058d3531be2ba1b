// SPDX-License-Identifier: BSD-3-Clause
/*
 * A script: records in the order in which forwarding devices once wrote them, of one node or of many. It is what the
 * fake datapath replays; a record file (docs/record-file.md) is one.
 */
#ifndef VT_DATAPATH_FAKE_SCRIPT_H
#define VT_DATAPATH_FAKE_SCRIPT_H

#include <stddef.h>

#include "base/err.h"
#include "core/log.h"

#define SCRIPT_LINES_MAX 100000 /* 100 MB in memory; a script is a test's input, not a recording of hours */
#define SCRIPT_NODES_MAX 64     /* as many agents as one test starts */

struct script_line {
	unsigned int node; /* index into nodes[] */
	struct vt_log log;
};

struct script {
	size_t n_lines, room;
	struct script_line *lines;
	unsigned int n_nodes;
	char nodes[SCRIPT_NODES_MAX][VT_NODE_MAX];
};

/* The node's index, which it gets if it is new. -ENOSPC. */
int script_node(struct script *script, const char *name);

/* Appends a record of `node`. -ENOSPC, -ENOMEM. */
int script_add(struct script *script, const char *node, const struct vt_log *log);

/* Appends the records of a file of JSON lines; lines that are no record (the task, events) are passed over. `err` names
 * the line. */
int script_load(struct script *script, const char *path, struct vt_err *err);

void script_done(struct script *script);

#endif
