// SPDX-License-Identifier: BSD-3-Clause
/* See pool.h. */
#include "analysis/pool.h"

#include <stdlib.h>
#include <string.h>

void pool_init(struct pool *pool, size_t size, uint32_t limit)
{
	memset(pool, 0, sizeof(*pool));
	pool->size = size;
	pool->limit = limit;
}

void pool_done(struct pool *pool)
{
	for (uint32_t i = 0; i < pool->n_chunks; i++)
		free(pool->chunks[i]);
	free(pool->chunks);
	pool_init(pool, pool->size, pool->limit);
}

static int pool_grow(struct pool *pool)
{
	unsigned char **chunks = realloc(pool->chunks, (pool->n_chunks + 1) * sizeof(*chunks));

	if (!chunks)
		return -1;
	pool->chunks = chunks;
	chunks[pool->n_chunks] = malloc(POOL_CHUNK * pool->size);
	if (!chunks[pool->n_chunks])
		return -1;
	pool->n_chunks++;
	return 0;
}

uint32_t pool_take(struct pool *pool)
{
	uint32_t number = pool->free;

	if (pool->used >= pool->limit)
		return 0;
	if (number) {
		memcpy(&pool->free, pool_at(pool, number), sizeof(pool->free));
	} else {
		number = pool->top + 1; /* 0 means none */
		if (number >> POOL_CHUNK_BITS >= pool->n_chunks && pool_grow(pool) < 0)
			return 0;
		pool->top = number;
	}
	pool->used++;
	memset(pool_at(pool, number), 0, pool->size);
	return number;
}

void pool_give(struct pool *pool, uint32_t number)
{
	memcpy(pool_at(pool, number), &pool->free, sizeof(pool->free));
	pool->free = number;
	if (--pool->used == 0)
		pool_done(pool);
}
