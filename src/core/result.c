// SPDX-License-Identifier: BSD-3-Clause
/* Freeing a result; see result.h. */
#include "core/result.h"

#include <stdlib.h>
#include <string.h>

void vt_result_done(struct vt_result *result)
{
	for (unsigned int i = 0; result->paths && i < result->n_paths; i++)
		free(result->paths[i].hops);
	free(result->paths);
	free(result->causes);
	free(result->list);
	free(result->failed);
	memset(result, 0, sizeof(*result));
}
