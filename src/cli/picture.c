// SPDX-License-Identifier: BSD-3-Clause
/*
 * One line a hop, in columns: number, node, kind, device in, device out, VNI, time in the node, and what is special:
 * the tunnel it left through, how the path ended. Below a hop, where it has one, the translated flow; below the last
 * hop of a packet that vanished between two nodes, the gap.
 *
 *   1  a  vswitch  vm1  -> eth0  vni 100  3.9 us  172.31.0.1 -> 172.31.0.2
 *   2  b  vswitch  eth0 -x vm2   vni 100          NETFILTER_DROP at nft_do_chain+0x3e8
 */
#include "cli/picture.h"

#include <stdlib.h>
#include <string.h>

#include "cli/table.h"

#define DEVICE_COLUMN 3 /* where what belongs to a hop, but not to a column, is written below it */

struct pen pen_for(const struct render_style *style)
{
	struct pen pen = {.good = "", .bad = "", .warn = "", .dim = "", .plain = ""};

	if (style->colour) {
		pen.good = "\033[1;32m";
		pen.bad = "\033[1;31m";
		pen.warn = "\033[33m";
		pen.dim = "\033[2m";
		pen.plain = "\033[0m";
	}
	pen.good_mark = style->utf8 ? "✓" : "ok";
	pen.bad_mark = style->utf8 ? "✗" : "x";
	pen.pass = style->utf8 ? "─▶" : "->";
	pen.stop = style->utf8 ? "─✗" : "-x";
	pen.to = style->utf8 ? "→" : "->";
	pen.micro = style->utf8 ? "µs" : "us";
	return pen;
}

const char *member_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

long long member_count(const json_t *object, const char *name)
{
	return (long long)json_number_value(json_object_get(object, name));
}

/* Three digits that mean something: 0.42, 3.9, 12, 1.3 ms. */
static void latency_cell(struct table *table, const json_t *hop, const struct pen *pen)
{
	const json_t *latency = json_object_get(hop, "latency_us"), *median = json_object_get(latency, "median");
	double us = json_number_value(median);

	if (!json_is_number(median))
		table_cell(table, "%s", "");
	else if (us < 9.95)
		table_cell_right(table, us < 0.995 ? "%.2f %s" : "%.1f %s", us, pen->micro);
	else if (us < 999.5)
		table_cell_right(table, "%.0f %s", us, pen->micro);
	else
		table_cell_right(table, us < 999500 ? "%.1f ms" : "%.0f ms", us / 1000);
}

/* The caller frees. */
static char *hop_device_in(const json_t *in)
{
	const char *device = member_text(in, "device");

	return text_clean(device[0] ? device : "?");
}

static int devices_width(const json_t *hops)
{
	const json_t *hop;
	int width = 0;
	size_t i;

	json_array_foreach (hops, i, hop) {
		char *device = hop_device_in(json_object_get(hop, "in"));

		if (device && text_width(device) > width)
			width = text_width(device);
		free(device);
	}
	return width;
}

/* How the path goes on behind its last hop. */
enum tail { TAIL_NONE, TAIL_DELIVERED, TAIL_DROPPED, TAIL_INSIDE, TAIL_AFTER, TAIL_UNKNOWN };

static enum tail path_tail(const json_t *path, const json_t *hop)
{
	const char *end = member_text(path, "end");

	if (!strcmp(end, "delivered"))
		return TAIL_DELIVERED;
	if (!strcmp(end, "dropped"))
		return TAIL_DROPPED;
	if (!strcmp(end, "lost"))
		return json_is_object(json_object_get(hop, "out")) ? TAIL_AFTER : TAIL_INSIDE;
	return TAIL_UNKNOWN;
}

/* "vm1  -> eth0": one cell, its arrows below each other by the width of the path's widest device in. */
static void devices_cell(struct table *table, const json_t *hop, int width, enum tail tail, const struct pen *pen)
{
	const json_t *in = json_object_get(hop, "in"), *error = json_object_get(hop, "error"),
	             *out = json_object_get(hop, "out");
	bool stopped = json_is_object(error) || tail == TAIL_INSIDE || tail == TAIL_DROPPED;
	char *from = hop_device_in(in), *to = text_clean(member_text(json_is_object(error) ? error : out, "device"));
	int pad = width - text_width(from ? from : "");

	if (!stopped && to && !to[0]) {
		free(to);
		to = strdup("?");
	}
	table_cell(table, "%s%*s %s%s%s%s%s", from, pad, "", stopped ? pen->bad : "", stopped ? pen->stop : pen->pass,
	           stopped ? pen->plain : "", to && to[0] ? " " : "", to);
	free(from);
	free(to);
}

/* What is special about the hop, in the last column. */
static void note_cell(struct table *table, const json_t *hop, enum tail tail, const json_t *cause,
                      const struct pen *pen)
{
	const json_t *out = json_object_get(hop, "out");
	char *src = text_clean(member_text(out, "outer_src")), *dst = text_clean(member_text(out, "outer_dst"));
	char *reason = text_clean(member_text(cause, "reason")), *site = text_clean(member_text(cause, "site"));

	if (tail == TAIL_DELIVERED)
		table_cell(table, "%s%s delivered%s", pen->good, pen->good_mark, pen->plain);
	else if (tail == TAIL_INSIDE)
		table_cell(table, "%s%s lost inside%s", pen->bad, pen->bad_mark, pen->plain);
	else if (tail == TAIL_DROPPED && reason && reason[0])
		table_cell(table, "%s%s%s%s%s", pen->bad, reason, site && site[0] ? " at " : "", site, pen->plain);
	else if (tail == TAIL_DROPPED)
		table_cell(table, "%s%s dropped%s", pen->bad, pen->bad_mark, pen->plain);
	else if (src && src[0] && dst)
		table_cell(table, "%s %s %s", src, pen->to, dst);
	free(src);
	free(dst);
	free(reason);
	free(site);
}

/* A row whose text begins below the devices. */
static void row_below(struct table *table, const char *first, const char *text)
{
	table_cell_right(table, "%s", first);
	for (int i = 1; i < DEVICE_COLUMN; i++)
		table_cell(table, "%s", "");
	table_span(table, "%s", text);
	table_row(table);
}

static void nat_row(struct table *table, const json_t *hop)
{
	const json_t *nat = json_object_get(hop, "nat");
	char *flow, *text;

	if (!json_is_string(nat))
		return;
	flow = text_clean(json_string_value(nat));
	if (flow && asprintf(&text, "nat to %s", flow) >= 0) {
		row_below(table, "", text);
		free(text);
	}
	free(flow);
}

static void hop_row(struct table *table, const json_t *hop, int width, enum tail tail, const json_t *cause,
                    const struct pen *pen)
{
	char *node = text_clean(member_text(hop, "node")), *kind = text_clean(member_text(hop, "kind"));
	long long vni = member_count(hop, "vni");

	table_cell_right(table, "%lld", member_count(hop, "hop"));
	table_cell(table, "%s", node);
	table_cell(table, "%s", kind);
	devices_cell(table, hop, width, tail, pen);
	table_cell(table, vni ? "vni %lld" : "", vni);
	latency_cell(table, hop, pen);
	note_cell(table, hop, tail, cause, pen);
	table_row(table);
	nat_row(table, hop);
	free(node);
	free(kind);
}

/* The row below the last hop: where a packet vanished, or why nothing is claimed. */
static void tail_row(struct table *table, const json_t *hop, enum tail tail, const struct pen *pen)
{
	const json_t *out = json_object_get(hop, "out");
	char *dst = text_clean(member_text(out, "outer_dst")), *node = text_clean(member_text(hop, "node")),
	     *text = NULL;
	char mark[32];

	if (tail == TAIL_AFTER) {
		int n = dst && dst[0] ? asprintf(&text, "%slost on the way to %s%s", pen->bad, dst, pen->plain)
		                      : asprintf(&text, "%slost after %s%s", pen->bad, node, pen->plain);

		snprintf(mark, sizeof(mark), "%s%s%s", pen->bad, pen->bad_mark, pen->plain);
		if (n >= 0)
			row_below(table, mark, text);
	} else if (tail == TAIL_UNKNOWN) {
		row_below(table, "?", "records are missing from here on, nothing is claimed");
	}
	free(text);
	free(dst);
	free(node);
}

static void path_hops(FILE *out, const json_t *path, const json_t *cause, bool final, const struct pen *pen)
{
	const json_t *hops = json_object_get(path, "hops"), *hop;
	struct table *table = table_new();
	int width = devices_width(hops);
	size_t i, n = json_array_size(hops);

	json_array_foreach (hops, i, hop) {
		enum tail tail = i + 1 < n ? TAIL_NONE : path_tail(path, hop);

		if (tail == TAIL_UNKNOWN && !final)
			tail = TAIL_NONE;
		hop_row(table, hop, width, tail, cause, pen);
		tail_row(table, hop, tail, pen);
	}
	table_print(table, out, 2);
	table_free(table);
}

static void path_head(FILE *out, const json_t *result, size_t index, const json_t *path, bool final)
{
	size_t n = json_array_size(json_object_get(result, "paths"));
	const json_t *cause = json_object_get(path, "cause");
	const char *end = member_text(path, "end");
	long long packets = member_count(path, "packets");

	fputs("\npath", out);
	if (n > 1)
		fprintf(out, " %zu of %zu", index + 1, n);
	fprintf(out, " (%lld packet%s", packets, packets == 1 ? "" : "s");
	if (n > 1 && (final || strcmp(end, "unfinished") != 0)) {
		fputc(' ', out);
		render_text(out, end);
	} else if (n > 1) {
		fputs(" not settled yet", out);
	}
	fputs(", ", out);
	render_text(out, member_text(path, "flow"));
	fputc(')', out);
	if (!strcmp(member_text(path, "direction"), "reverse"))
		fputs(", reverse", out);
	if (json_is_integer(cause) && json_array_size(json_object_get(result, "causes")) > 1)
		fprintf(out, ": cause %lld", (long long)json_integer_value(cause) + 1);
	fputc('\n', out);
}

static bool path_healthy(const json_t *path)
{
	return !strcmp(member_text(path, "end"), "delivered");
}

size_t *picture_order(const json_t *paths)
{
	size_t i, n = 0, *order = calloc(json_array_size(paths) + 1, sizeof(*order));
	const json_t *path;

	for (int healthy = 0; order && healthy < 2; healthy++)
		json_array_foreach (paths, i, path)
			if (path_healthy(path) == (healthy == 1))
				order[n++] = i;
	return order;
}

void picture_paths(FILE *out, const json_t *result, const struct pen *pen)
{
	const json_t *paths = json_object_get(result, "paths"), *causes = json_object_get(result, "causes");
	const char *state = member_text(result, "state");
	bool final = !strcmp(state, "done") || !strcmp(state, "cancelled") || !strcmp(state, "failed");
	size_t n = json_array_size(paths), *order = picture_order(paths);

	for (size_t i = 0; order && i < n && i < PICTURE_PATHS_MAX; i++) {
		const json_t *path = json_array_get(paths, order[i]), *cause = json_object_get(path, "cause");

		path_head(out, result, i, path, final);
		cause = json_is_integer(cause) ? json_array_get(causes, (size_t)json_integer_value(cause)) : NULL;
		path_hops(out, path, cause, final, pen);
	}
	if (n > PICTURE_PATHS_MAX)
		fprintf(out, "\n%zu more paths are in --json\n", n - PICTURE_PATHS_MAX);
	free(order);
}

bool picture_shows_reason(const json_t *paths, size_t index)
{
	const json_t *path;
	size_t i;

	json_array_foreach (paths, i, path) {
		const json_t *cause = json_object_get(path, "cause");

		if (i < PICTURE_PATHS_MAX && json_is_integer(cause) && json_integer_value(cause) == (json_int_t)index &&
		    !strcmp(member_text(path, "end"), "dropped"))
			return true;
	}
	return false;
}
