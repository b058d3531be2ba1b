// SPDX-License-Identifier: BSD-3-Clause
/*
 * Writing a record file (docs/record-file.md) while a trace runs; analysis/recordfile.h reads it back. One agent's
 * batches make one file, so neither boot ids nor batch numbers are written: nothing can be missing between them.
 */
#ifndef VT_CLI_RECORDFILE_H
#define VT_CLI_RECORDFILE_H

#include "base/err.h"
#include "core/batch.h"
#include "core/task.h"

struct recorder;

/* Makes the file, or empties it, and writes the task. `now` (ns) is the file's time 0. -errno. */
int recorder_open(const char *path, const struct vt_task *task, uint64_t now, struct recorder **ret,
                  struct vt_err *err);

/* Writes what the batch says. Failures are kept for recorder_close(). */
void recorder_batch(struct recorder *recorder, const struct vt_batch *batch, uint64_t now);

/* Colouring began, or was told to end: "start", "stop". */
void recorder_event(struct recorder *recorder, const char *event, uint64_t now);

/* Closes and frees (NULL is allowed). -EIO if the file is not complete. */
int recorder_close(struct recorder *recorder, struct vt_err *err);

#endif
