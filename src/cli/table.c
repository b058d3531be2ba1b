// SPDX-License-Identifier: BSD-3-Clause
/* Rows are kept until all widths are known, then printed; see table.h. */
#include "cli/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct cell {
	char *text;
	bool right, span;
};

struct row {
	struct cell cells[TABLE_COLUMNS];
	int n;
};

struct table {
	struct row *rows; /* the last one is being filled */
	size_t n, room;
};

struct table *table_new(void)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table_row(table);
	if (!table->n) {
		free(table);
		return NULL;
	}
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n; i++)
		for (int j = 0; j < table->rows[i].n; j++)
			free(table->rows[i].cells[j].text);
	free(table->rows);
	free(table);
}

void table_row(struct table *table)
{
	if (!table)
		return;
	if (table->n == table->room) {
		size_t room = table->room ? 2 * table->room : 8;
		struct row *grown = realloc(table->rows, room * sizeof(*grown));

		if (!grown)
			return;
		table->rows = grown;
		table->room = room;
	}
	memset(&table->rows[table->n++], 0, sizeof(struct row));
}

static void cell_add(struct table *table, bool right, bool span, const char *fmt, va_list args)
{
	struct row *row;
	char *text;

	if (!table)
		return;
	row = &table->rows[table->n - 1];
	if (row->n == TABLE_COLUMNS || vasprintf(&text, fmt, args) < 0)
		return;
	row->cells[row->n++] = (struct cell){.text = text, .right = right, .span = span};
}

void table_cell(struct table *table, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	cell_add(table, false, false, fmt, args);
	va_end(args);
}

void table_cell_right(struct table *table, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	cell_add(table, true, false, fmt, args);
	va_end(args);
}

void table_span(struct table *table, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	cell_add(table, false, true, fmt, args);
	va_end(args);
}

int text_width(const char *text)
{
	int width = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '\033') {
			p += strcspn(p, "m");
			if (!*p)
				break;
			continue;
		}
		width += ((unsigned char)*p & 0xc0) != 0x80; /* not a continuation byte */
	}
	return width;
}

char *text_clean(const char *text)
{
	char *copy = strdup(text ? text : "");

	for (char *p = copy; p && *p; p++) {
		unsigned char byte = (unsigned char)*p;

		/* U+0080..U+009F, which some terminals obey, is C2 80..C2 9F in UTF-8. */
		if (byte == 0xc2 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] <= 0x9f)
			p[0] = p[1] = '?';
		else if (byte < 0x20 || byte == 0x7f)
			*p = '?';
	}
	return copy;
}

static void widths_measure(const struct table *table, int widths[TABLE_COLUMNS])
{
	for (size_t i = 0; i < table->n; i++) {
		for (int j = 0; j < table->rows[i].n; j++) {
			const struct cell *cell = &table->rows[i].cells[j];
			int width = text_width(cell->text);

			if (!cell->span && width > widths[j])
				widths[j] = width;
		}
	}
}

static void cell_print(const struct cell *cell, int width, bool last, FILE *out)
{
	int pad = width - text_width(cell->text);

	if (pad < 0)
		pad = 0;
	fprintf(out, "%*s%s%*s", cell->right ? pad : 0, "", cell->text, cell->right || last ? 0 : pad, "");
}

/* What follows the last cell that has text is not printed: no blanks at the end of a line. */
static int row_end(const struct row *row)
{
	int n = row->n;

	while (n && !row->cells[n - 1].text[0])
		n--;
	return n;
}

void table_print(const struct table *table, FILE *out, int indent)
{
	int widths[TABLE_COLUMNS] = {0};

	if (!table)
		return;
	widths_measure(table, widths);
	for (size_t i = 0; i < table->n; i++) {
		const struct row *row = &table->rows[i];
		int end = row_end(row);
		bool first = true;

		if (!end)
			continue;
		fprintf(out, "%*s", indent, "");
		for (int j = 0; j < end; j++) {
			if (!widths[j] && !row->cells[j].span)
				continue;
			fputs(first ? "" : "  ", out);
			cell_print(&row->cells[j], widths[j], j == end - 1, out);
			first = false;
		}
		fputc('\n', out);
	}
}
