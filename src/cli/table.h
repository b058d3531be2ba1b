// SPDX-License-Identifier: BSD-3-Clause
/*
 * Aligned columns for a terminal. Widths count characters, not bytes, and leave out ANSI colours, so that wide names,
 * UTF-8 and colours keep the columns straight. The last cell of a row is never padded.
 */
#ifndef VT_CLI_TABLE_H
#define VT_CLI_TABLE_H

#include <stdio.h>

#define TABLE_COLUMNS 12 /* the widest table has 8 */

struct table;

struct table *table_new(void); /* NULL without memory; the functions below accept NULL and do nothing */
void table_free(struct table *table);

/* Adds a cell to the present row. Text from elsewhere goes through text_clean() before. */
void table_cell(struct table *table, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_cell_right(struct table *table, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds a cell that runs on over the columns behind it and does not widen its own. */
void table_span(struct table *table, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_row(struct table *table); /* ends the row */

/* Prints all rows, `indent` blanks before each and two between columns that are not empty in every row. */
void table_print(const struct table *table, FILE *out, int indent);

/* Characters on the screen of UTF-8 text with ANSI colours. */
int text_width(const char *text);

/* A copy of text from elsewhere with control characters (C0, DEL, C1) as '?'; the caller frees. NULL stays "". */
char *text_clean(const char *text);

#endif
