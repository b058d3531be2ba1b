// SPDX-License-Identifier: BSD-3-Clause
/*
 * The result as text: headline, causes with evidence and next step, warnings, counts. The paths are drawn in picture.c.
 *
 * The headline says what, where, how many of how many and how certain, in this order, because it is read first and
 * often alone. Everything that qualifies it (records lost on our side, nodes that did not take part) comes directly
 * below.
 */
#include "cli/render.h"

#include <inttypes.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/picture.h"
#include "cli/table.h"

/* What is looked up more than once. */
struct view {
	FILE *out;
	struct pen pen;
	const json_t *result, *packets, *causes, *paths;
	const char *state;
	bool final, bidirectional;
	long long coloured, delivered, dropped, lost, unfinished;
};

static void view_init(struct view *view, FILE *out, const json_t *result, const struct render_style *style)
{
	*view = (struct view){.out = out, .pen = pen_for(style), .result = result};
	view->packets = json_object_get(result, "packets");
	view->causes = json_object_get(result, "causes");
	view->paths = json_object_get(result, "paths");
	view->state = member_text(result, "state");
	view->final =
	    !strcmp(view->state, "done") || !strcmp(view->state, "cancelled") || !strcmp(view->state, "failed");
	view->bidirectional = json_is_true(json_object_get(result, "bidirectional"));
	view->coloured = member_count(view->packets, "coloured");
	view->delivered = member_count(view->packets, "delivered");
	view->dropped = member_count(view->packets, "dropped");
	view->lost = member_count(view->packets, "lost");
	view->unfinished = member_count(view->packets, "unfinished");
}

struct render_style render_style_for(FILE *out)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	return (struct render_style){
	    .utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
	    .colour = isatty(fileno(out)) && (!no_colour || !no_colour[0]) && term && strcmp(term, "dumb") != 0,
	};
}

void render_text(FILE *out, const char *text)
{
	char *clean = text_clean(text);

	fputs(clean ? clean : "", out);
	free(clean);
}

static void render_member(FILE *out, const json_t *object, const char *name)
{
	render_text(out, member_text(object, name));
}

static const char *plural(long long n)
{
	return n == 1 ? "" : "s";
}

/* Of how many packets a cause took some: in a bidirectional trace those of its own direction. */
static long long direction_total(const struct view *view, const json_t *cause)
{
	const char *direction = member_text(cause, "direction");
	long long total = 0;
	const json_t *path;
	size_t i;

	if (!view->bidirectional)
		return view->coloured;
	json_array_foreach (view->paths, i, path)
		if (!strcmp(member_text(path, "direction"), direction))
			total += member_count(path, "packets");
	return total >= member_count(cause, "packets") ? total : view->coloured;
}

/*
 * Where a cause took its packets. A witnessed drop was on its node; a packet that vanished was last seen entering its
 * node (lost inside) or leaving it (lost after).
 */
static const char *cause_verb(const struct view *view, size_t index)
{
	const char *verb = NULL;
	const json_t *path;
	size_t i;

	json_array_foreach (view->paths, i, path) {
		const json_t *hops = json_object_get(path, "hops"), *cause = json_object_get(path, "cause");
		const json_t *last = json_array_get(hops, json_array_size(hops) - 1);

		if (!json_is_integer(cause) || json_integer_value(cause) != (json_int_t)index)
			continue;
		if (!strcmp(member_text(path, "end"), "dropped"))
			return "dropped on";
		verb = json_is_object(json_object_get(last, "out")) ? "lost after" : "lost inside";
	}
	return verb ? verb : "lost at";
}

static void render_field(const struct view *view, const char *label, const char *text)
{
	if (!text[0])
		return;
	fprintf(view->out, "  %s%-9s%s  ", view->pen.dim, label, view->pen.plain);
	render_text(view->out, text);
	fputc('\n', view->out);
}

/* The reason and the site of the drop, unless a path's last hop shows them. */
static void render_reason(const struct view *view, size_t index, const json_t *cause)
{
	const char *reason = member_text(cause, "reason"), *site = member_text(cause, "site");
	char text[256];

	if (!reason[0] || picture_shows_reason(view->paths, index))
		return;
	snprintf(text, sizeof(text), "%s%s%s", reason, site[0] ? " at " : "", site);
	render_field(view, "reason", text);
}

static void render_cause(const struct view *view, size_t index, const json_t *cause)
{
	const char *kind = member_text(cause, "kind"), *device = member_text(cause, "device");
	bool reverse = !strcmp(member_text(cause, "direction"), "reverse");
	const char *direction = !view->bidirectional ? "" : reverse ? "reverse " : "forward ";
	long long packets = member_count(cause, "packets");

	if (index)
		fputc('\n', view->out);
	fputs(view->pen.bad, view->out);
	if (json_array_size(view->causes) > 1)
		fprintf(view->out, "%zu. ", index + 1);
	if (!index && !view->final)
		fputs("so far: ", view->out);
	else if (!index && strcmp(view->state, "done") != 0)
		fprintf(view->out, "%s: ", view->state);
	fprintf(view->out, "%lld of %lld %spacket%s %s ", packets, direction_total(view, cause), direction,
	        plural(direction_total(view, cause)), cause_verb(view, index));
	render_member(view->out, cause, "node");
	if (kind[0]) {
		fputs(" (", view->out);
		render_text(view->out, kind);
		fputc(')', view->out);
	}
	if (device[0]) {
		fputs(" at ", view->out);
		render_text(view->out, device);
	}
	fputs(": ", view->out);
	render_member(view->out, cause, "code");
	fputs(view->pen.plain, view->out);
	fputs("  [", view->out);
	render_member(view->out, cause, "certainty");
	fputs("]\n", view->out);
	render_reason(view, index, cause);
	render_field(view, "evidence", member_text(cause, "evidence"));
	render_field(view, "next step", member_text(cause, "next_step"));
}

/* Nothing was coloured: what can be wrong, most likely first. */
static void render_no_match(const struct view *view)
{
	long long armed = member_count(json_object_get(view->result, "nodes"), "armed");
	char text[160];

	fprintf(view->out, "%sno packet matched in %g s%s\n", view->pen.warn,
	        json_number_value(json_object_get(view->result, "trace_time")), view->pen.plain);
	if (!armed) {
		render_field(view, "check", "no node was armed: is vtrace agent running on the hosts? (vtrace nodes)");
		return;
	}
	if (!view->bidirectional)
		render_field(view, "check",
		             "the direction: src is who sends, dst who receives; --bidirectional traces both");
	render_field(view, "check",
	             "the traffic: was the flow sending at that time? VTrace follows real packets, it sends none");
	snprintf(text, sizeof(text), "the nodes: is the sender's host among the %lld that %s armed? (vtrace nodes)",
	         armed, armed == 1 ? "was" : "were");
	render_field(view, "check", text);
}

/* "98 delivered, 2 dropped": what is zero is left out. With `of`, "98 of 100 packets delivered, 2 dropped". */
static void render_ends(const struct view *view, bool of)
{
	const struct {
		long long n;
		const char *word;
	} ends[] = {{view->delivered, "delivered"},
	            {view->dropped, "dropped"},
	            {view->lost, "lost"},
	            {view->unfinished, view->final ? "unfinished" : "not settled yet"}};
	bool first = true;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (!ends[i].n)
			continue;
		fprintf(view->out, "%s%lld ", first ? "" : ", ", ends[i].n);
		if (first && of)
			fprintf(view->out, "of %lld packet%s ", view->coloured, plural(view->coloured));
		fputs(ends[i].word, view->out);
		first = false;
	}
}

/* No cause was found: all is well, or nothing can be said, or it is too early to say. */
static void render_no_cause(const struct view *view)
{
	bool well = view->delivered == view->coloured;

	fputs(well ? view->pen.good : view->pen.warn, view->out);
	if (!view->final)
		fputs("so far: ", view->out);
	else if (strcmp(view->state, "done") != 0)
		fprintf(view->out, "%s: ", view->state);
	render_ends(view, true);
	if (well)
		fputs(", no loss", view->out);
	else if (view->final && view->unfinished)
		fputs(": records are missing, so nothing is claimed about those", view->out);
	fprintf(view->out, "%s\n", view->pen.plain);
}

static void render_headline(const struct view *view)
{
	const json_t *cause;
	size_t i;

	if (!strcmp(view->state, "failed")) {
		fprintf(view->out, "%strace failed: ", view->pen.bad);
		render_member(view->out, view->result, "error");
		fprintf(view->out, "%s\n", view->pen.plain);
		if (!json_array_size(view->causes))
			return;
	}
	if (json_array_size(view->causes)) {
		json_array_foreach (view->causes, i, cause)
			render_cause(view, i, cause);
	} else if (view->coloured) {
		render_no_cause(view);
	} else if (!view->final) {
		fprintf(view->out, "%s%s: no packet has matched yet%s\n", view->pen.warn, view->state, view->pen.plain);
	} else if (!strcmp(view->state, "cancelled")) {
		fprintf(view->out, "%scancelled before a packet matched%s\n", view->pen.warn, view->pen.plain);
	} else {
		render_no_match(view);
	}
}

static void render_warning_start(const struct view *view)
{
	fprintf(view->out, "%swarning%s    ", view->pen.warn, view->pen.plain);
}

static void render_warnings(const struct view *view)
{
	const json_t *failed = json_object_get(json_object_get(view->result, "nodes"), "failed"), *node;
	long long missing = member_count(json_object_get(view->result, "records"), "missing");
	long long ambiguous = member_count(view->packets, "ambiguous");
	size_t i;

	if (missing || ambiguous || json_array_size(failed))
		fputc('\n', view->out);
	json_array_foreach (failed, i, node) {
		render_warning_start(view);
		fputs("node ", view->out);
		render_member(view->out, node, "node");
		fputs(": ", view->out);
		render_member(view->out, node, "error");
		fputc('\n', view->out);
	}
	if (missing) {
		render_warning_start(view);
		fprintf(view->out,
		        "%lld record%s lost on VTrace's own side; what they would have shown is not claimed\n", missing,
		        missing == 1 ? " was" : "s were");
	}
	if (ambiguous) {
		render_warning_start(view);
		fprintf(
		    view->out,
		    "%lld packet%s cannot be told apart from others with certainty; no verdict rests on them alone\n",
		    ambiguous, plural(ambiguous));
	}
}

/* The last lines: the numbers, and which trace this is. */
static void render_counts(const struct view *view)
{
	const json_t *records = json_object_get(view->result, "records"),
	             *nodes = json_object_get(view->result, "nodes");
	long long missing = member_count(records, "missing"), armed = member_count(nodes, "armed");
	size_t failed = json_array_size(json_object_get(nodes, "failed"));

	fprintf(view->out, "\n%s%lld coloured", view->pen.dim, view->coloured);
	if (view->coloured) {
		fputs(": ", view->out);
		render_ends(view, false);
	}
	fprintf(view->out, "; %lld records", member_count(records, "received"));
	if (missing)
		fprintf(view->out, ", %lld missing", missing);
	fprintf(view->out, "; %lld node%s armed", armed, plural(armed));
	if (failed)
		fprintf(view->out, ", %zu incomplete", failed);
	fputs("\ntrace ", view->out);
	if (member_text(view->result, "id")[0]) {
		render_member(view->out, view->result, "id");
		fputs(": ", view->out);
	}
	render_member(view->out, view->result, "filter");
	fprintf(view->out, "%s (%s)%s\n", view->bidirectional ? ", both directions" : "", view->state, view->pen.plain);
}

/* The number under which a path was drawn, by its index in "paths"; NULL without memory. The caller frees. */
static size_t *path_numbers(const json_t *paths)
{
	size_t n = json_array_size(paths), *order = picture_order(paths), *numbers = calloc(n + 1, sizeof(*numbers));

	for (size_t i = 0; order && numbers && i < n; i++)
		numbers[order[i]] = i + 1;
	free(order);
	return numbers;
}

static void list_row(struct table *table, size_t number, const json_t *packet, const size_t *paths, size_t n_paths)
{
	char *id = text_clean(member_text(packet, "packet_id")), *flow = text_clean(member_text(packet, "flow"));
	char *end = text_clean(member_text(packet, "end"));
	const json_t *path = json_object_get(packet, "path");
	size_t index = json_is_integer(path) ? (size_t)json_integer_value(path) : n_paths;
	long long segments = member_count(packet, "segments"), length = member_count(packet, "length");

	table_cell_right(table, "%zu", number);
	table_cell(table, "%s", id);
	table_cell(table, "%s", flow);
	table_cell_right(table, length ? "%lld B" : "", length);
	table_cell(table, segments > 1 ? "%lld segments" : "", segments);
	table_cell(table, "%s", end);
	table_cell(table, paths && index < n_paths ? "path %zu" : "", paths && index < n_paths ? paths[index] : 0);
	table_cell(table, "%s", json_is_true(json_object_get(packet, "ambiguous")) ? "ambiguous" : "");
	table_row(table);
	free(id);
	free(flow);
	free(end);
}

/* One line a packet, for --packets. */
static void render_list(const struct view *view)
{
	const json_t *list = json_object_get(view->result, "list"), *packet;
	struct table *table;
	size_t i, *paths;

	if (!json_is_array(list))
		return;
	table = table_new();
	paths = path_numbers(view->paths);
	json_array_foreach (list, i, packet)
		list_row(table, i + 1, packet, paths, json_array_size(view->paths));
	fprintf(view->out, "\npackets\n");
	table_print(table, view->out, 2);
	table_free(table);
	free(paths);
}

void render_result_styled(FILE *out, const json_t *result, bool packets, const struct render_style *style)
{
	struct view view;

	view_init(&view, out, result, style);
	render_headline(&view);
	render_warnings(&view);
	picture_paths(out, result, &view.pen);
	if (packets)
		render_list(&view);
	render_counts(&view);
}

void render_result(FILE *out, const json_t *result, bool packets)
{
	struct render_style style = render_style_for(out);

	render_result_styled(out, result, packets, &style);
}

void render_progress(FILE *out, const json_t *result)
{
	struct render_style plain = {0};
	struct view view;

	view_init(&view, out, result, &plain);
	fprintf(out, "%-9s  %lld of %lld packets%s", view.state, view.coloured, member_count(result, "packet_count"),
	        view.coloured ? ": " : "");
	render_ends(&view, false);
}
