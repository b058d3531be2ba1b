// SPDX-License-Identifier: BSD-3-Clause
/*
 * The record log in memory: a list under a mutex, with a condition variable on the monotonic clock for the one reader.
 * Invariant: `bytes` is the sum of batch_bytes() over the list, and never above max_bytes unless the list has one
 * entry.
 */
#include "server/recordlog.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <utlist.h>

#include "core/wire.h"

#define DEFAULT_BATCHES 4096
#define DEFAULT_BYTES   (128ULL << 20)

struct entry {
	struct vt_batch *batch;
	struct entry *prev, *next;
};

struct recordlog {
	pthread_mutex_t lock;
	pthread_cond_t ready;
	struct entry *entries;
	bool woken; /* recordlog_wake() was called since the last take */
	struct recordlog_stats stats;
};

static uint64_t batch_bytes(const struct vt_batch *batch)
{
	return sizeof(*batch) + (uint64_t)batch->n_items * sizeof(*batch->items);
}

struct recordlog *recordlog_new(const struct recordlog_config *config)
{
	struct recordlog *log = calloc(1, sizeof(*log));
	pthread_condattr_t attr;

	if (!log)
		return NULL;
	log->stats.max_batches = config && config->max_batches ? config->max_batches : DEFAULT_BATCHES;
	log->stats.max_bytes = config && config->max_bytes ? config->max_bytes : DEFAULT_BYTES;
	pthread_mutex_init(&log->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&log->ready, &attr);
	pthread_condattr_destroy(&attr);
	return log;
}

void recordlog_free(struct recordlog *log)
{
	struct vt_batch *batch;

	if (!log)
		return;
	while ((batch = recordlog_take(log, 0)))
		vt_batch_free(batch);
	pthread_cond_destroy(&log->ready);
	pthread_mutex_destroy(&log->lock);
	free(log);
}

static bool has_room(const struct recordlog *log, uint64_t bytes)
{
	if (!log->entries)
		return true;
	return log->stats.batches < log->stats.max_batches && log->stats.bytes + bytes <= log->stats.max_bytes;
}

int recordlog_append(struct recordlog *log, struct vt_batch *batch)
{
	struct entry *entry = malloc(sizeof(*entry));
	uint64_t bytes = batch_bytes(batch);
	int rc = 0;

	pthread_mutex_lock(&log->lock);
	if (!entry || !has_room(log, bytes)) {
		log->stats.refused++;
		rc = -EAGAIN;
	} else {
		entry->batch = batch;
		DL_APPEND(log->entries, entry);
		log->stats.batches++;
		log->stats.bytes += bytes;
		log->stats.appended++;
		pthread_cond_signal(&log->ready);
	}
	pthread_mutex_unlock(&log->lock);
	if (rc)
		free(entry);
	return rc;
}

/* Waits under the lock for an entry or a wake; false once the deadline is over. */
static bool wait_ready(struct recordlog *log, uint64_t deadline_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(deadline_ns / 1000000000),
	                      .tv_nsec = (long)(deadline_ns % 1000000000)};

	if (deadline_ns == UINT64_MAX)
		return pthread_cond_wait(&log->ready, &log->lock) == 0;
	return pthread_cond_timedwait(&log->ready, &log->lock, &ts) == 0;
}

static struct vt_batch *take_first(struct recordlog *log)
{
	struct entry *entry = log->entries;
	struct vt_batch *batch;

	if (!entry)
		return NULL;
	batch = entry->batch;
	DL_DELETE(log->entries, entry);
	free(entry);
	log->stats.batches--;
	log->stats.bytes -= batch_bytes(batch);
	return batch;
}

struct vt_batch *recordlog_take(struct recordlog *log, uint64_t deadline_ns)
{
	struct vt_batch *batch;

	pthread_mutex_lock(&log->lock);
	while (deadline_ns && !log->entries && !log->woken) {
		if (!wait_ready(log, deadline_ns))
			break;
	}
	if (deadline_ns)
		log->woken = false;
	batch = take_first(log);
	pthread_mutex_unlock(&log->lock);
	return batch;
}

void recordlog_wake(struct recordlog *log)
{
	pthread_mutex_lock(&log->lock);
	log->woken = true;
	pthread_cond_signal(&log->ready);
	pthread_mutex_unlock(&log->lock);
}

void recordlog_stats(struct recordlog *log, struct recordlog_stats *stats)
{
	pthread_mutex_lock(&log->lock);
	*stats = log->stats;
	pthread_mutex_unlock(&log->lock);
}
