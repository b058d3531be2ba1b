// SPDX-License-Identifier: BSD-3-Clause
/*
 * A pool of equal elements addressed by 32-bit numbers, in chunks: numbers take half of what pointers take in the
 * analysis' lists, elements never move, and one free list makes taking and giving constant time. Number 0 is never
 * handed out, so that it can mean "none". Memory goes back when the pool becomes empty, that is when no task is left.
 */
#ifndef VT_ANALYSIS_POOL_H
#define VT_ANALYSIS_POOL_H

#include <stddef.h>
#include <stdint.h>

#define POOL_CHUNK_BITS 12 /* 4096 elements a chunk: 256 KiB of records */
#define POOL_CHUNK      (1u << POOL_CHUNK_BITS)

struct pool {
	size_t size;    /* of an element, at least 4 */
	uint32_t limit; /* elements at most */
	uint32_t used;
	uint32_t top;  /* elements ever taken since the pool was empty */
	uint32_t free; /* head of the free list, 0 for none */
	uint32_t n_chunks;
	unsigned char **chunks;
};

void pool_init(struct pool *pool, size_t size, uint32_t limit);
void pool_done(struct pool *pool);

/* Takes a zeroed element; 0 at the limit or without memory. */
uint32_t pool_take(struct pool *pool);
void pool_give(struct pool *pool, uint32_t number);

static inline void *pool_at(const struct pool *pool, uint32_t number)
{
	return pool->chunks[number >> POOL_CHUNK_BITS] + (size_t)(number & (POOL_CHUNK - 1)) * pool->size;
}

#endif
