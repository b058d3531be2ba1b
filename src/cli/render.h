// SPDX-License-Identifier: BSD-3-Clause
/*
 * A result, for a person: the verdict in the first line, then evidence and next step, then the path hop by hop with the
 * place where it ended. Input is the contract's result JSON and nothing else, whoever made it; what is missing in it or
 * has a wrong type is left out, and control characters are made harmless, since the text goes to a terminal.
 */
#ifndef VT_CLI_RENDER_H
#define VT_CLI_RENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct render_style {
	bool utf8;   /* arrows and marks; else plain ASCII */
	bool colour; /* ANSI colours */
};

/* UTF-8 by the locale (main() has called setlocale), colours on a terminal unless $NO_COLOR is set or TERM is dumb. */
struct render_style render_style_for(FILE *out);

/* Writes the whole result; with `packets` also its "list", one line a packet. */
void render_result(FILE *out, const json_t *result, bool packets);
void render_result_styled(FILE *out, const json_t *result, bool packets, const struct render_style *style);

/* One line without a newline, for live progress: state, packets so far. */
void render_progress(FILE *out, const json_t *result);

/* Text from elsewhere, made safe for a terminal: control characters become '?'. */
void render_text(FILE *out, const char *text);

#endif
