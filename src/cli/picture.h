// SPDX-License-Identifier: BSD-3-Clause
/*
 * The paths of a result drawn hop by hop, and the small things that it shares with the rest of the rendering: the pen
 * (colours and glyphs of a style) and lenient access to the result's JSON.
 */
#ifndef VT_CLI_PICTURE_H
#define VT_CLI_PICTURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli/render.h"

/* All of these may be printed anywhere; without colours those are "". */
struct pen {
	const char *good, *bad, *warn, *dim, *plain;
	const char *good_mark, *bad_mark; /* coloured glyphs for the end of a path */
	const char *pass, *stop, *to;     /* through a node; ended in it; between tunnel ends */
	const char *micro;                /* microseconds */
};

struct pen pen_for(const struct render_style *style);

/* A member's text, "" if it is missing, null or no string; its number, 0 if it is missing or no number. */
const char *member_text(const json_t *object, const char *name);
long long member_count(const json_t *object, const char *name);

#define PICTURE_PATHS_MAX 12 /* one screen; the JSON has all */

/* Draws "paths": those with losses first, then the healthy ones. */
void picture_paths(FILE *out, const json_t *result, const struct pen *pen);

/*
 * In which order they are drawn: the n-th drawn is paths[order[n]]. The caller frees; NULL without memory.
 */
size_t *picture_order(const json_t *paths);

/* Whether some path drawn shows the reason of cause number `index` beside its last hop. */
bool picture_shows_reason(const json_t *paths, size_t index);

#endif
