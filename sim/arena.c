// SPDX-License-Identifier: BSD-3-Clause
/* Blocks in a list; see arena.h. */
#include "sim/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK ((size_t)256 * 1024)
#define ARENA_ALIGN ((size_t)16)

struct arena_block {
	struct arena_block *next;
	_Alignas(16) unsigned char bytes[];
};

void *arena_take(struct arena *arena, size_t size)
{
	void *piece;

	size = (size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
	if (arena->size - arena->used < size) {
		size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
		struct arena_block *block = malloc(sizeof(*block) + room);

		if (!block) {
			fputs("vtrace-sim: out of memory\n", stderr);
			exit(2);
		}
		block->next = arena->blocks;
		*arena = (struct arena){.blocks = block, .size = room};
	}
	piece = arena->blocks->bytes + arena->used;
	arena->used += size;
	return memset(piece, 0, size);
}

void arena_done(struct arena *arena)
{
	for (struct arena_block *block = arena->blocks, *next; block; block = next) {
		next = block->next;
		free(block);
	}
	*arena = (struct arena){0};
}
