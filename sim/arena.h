// SPDX-License-Identifier: BSD-3-Clause
/* Memory of one run: taken piece by piece, given back all at once. Running out ends the program. */
#ifndef SIM_ARENA_H
#define SIM_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used, size; /* of the first block */
};

void *arena_take(struct arena *arena, size_t size); /* zeroed */
void arena_done(struct arena *arena);

#endif
