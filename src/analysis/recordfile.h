// SPDX-License-Identifier: BSD-3-Clause
/*
 * The record file: lines of JSON that replay a trace through the analysis (docs/record-file.md). Lines in, batches out;
 * the caller does the reading. Serves `vtrace analyze` and the golden tests.
 */
#ifndef VT_ANALYSIS_RECORDFILE_H
#define VT_ANALYSIS_RECORDFILE_H

#include "analysis/analysis.h"

#define RECORDFILE_LINE_MAX  65536 /* bytes: a record with the longest evidence is under 4 KiB */
#define RECORDFILE_TASKS_MAX 256   /* tasks in one file: what a node takes */

struct recordfile;

struct recordfile *recordfile_new(struct analysis *a); /* the analysis stays the caller's; NULL without memory */
void recordfile_free(struct recordfile *file);

/* Takes one line; blank ones are skipped. -EINVAL with what is wrong in it. */
int recordfile_line(struct recordfile *file, const char *line, struct vt_err *err);

/* No more lines: stops the tasks and lets the analysis' waiting times pass. */
int recordfile_finish(struct recordfile *file, struct vt_err *err);

/* Ids of the tasks in the file, in order of appearance; the array is the file's. */
unsigned int recordfile_tasks(const struct recordfile *file, const uint32_t **ret_ids);

#endif
