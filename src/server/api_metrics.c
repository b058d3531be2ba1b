// SPDX-License-Identifier: BSD-3-Clause
/*
 * The server's counters, twice: GET /v1/stats as JSON, GET /metrics in Prometheus' text format 0.0.4. Both render one
 * snapshot.
 */
#include "server/api.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

struct snapshot {
	struct controller_stats controller;
	struct recordlog_stats log;
	uint64_t traces[VT_FAILED + 1]; /* by state */
	double uptime_s;
	const struct stats *stats;
};

static void take_snapshot(const struct api *api, struct snapshot *snap)
{
	*snap = (struct snapshot){.stats = api->stats};
	controller_stats(api->controller, &snap->controller);
	recordlog_stats(api->log, &snap->log);
	if (store_counts(api->store, snap->traces, NULL))
		stats_add(&api->stats->store_errors);
	snap->uptime_s = (double)(vt_now_ns() - api->started_ns) / VT_SECOND_NS;
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *traces_json(const struct snapshot *snap)
{
	json_t *json = json_object();

	for (int state = VT_NEW; state <= VT_FAILED; state++)
		json_object_set_new(json, vt_state_name((enum vt_state)state), number(snap->traces[state]));
	return json;
}

static json_t *verdicts_json(const struct snapshot *snap)
{
	json_t *json = json_object();

	for (int cause = VT_CAUSE_NONE + 1; cause < VT_CAUSE_COUNT; cause++) {
		uint64_t n = stats_get(&snap->stats->verdicts[cause]);

		if (n)
			json_object_set_new(json, vt_cause_info((enum vt_cause)cause)->code, number(n));
	}
	return json;
}

static json_t *requests_json(const struct snapshot *snap)
{
	json_t *json = json_object();
	char code[8];

	for (int status = 0; status < STATS_STATUS_MAX; status++) {
		uint64_t n = stats_get(&snap->stats->requests[status]);

		snprintf(code, sizeof(code), "%d", status);
		if (n)
			json_object_set_new(json, code, number(n));
	}
	return json;
}

static json_t *snapshot_json(const struct snapshot *snap)
{
	const struct analysis_stats *analysis = &snap->controller.analysis;
	const struct recordlog_stats *log = &snap->log;

	return json_pack(
	    "{s:s, s:f, s:o, s:{s:o, s:o}, s:{s:o, s:o, s:o}, s:{s:o, s:o, s:o, s:o}, s:{s:o, s:o, s:o, s:o},"
	    " s:{s:o}, s:o, s:o, s:o, s:o}",
	    "version", VTRACE_VERSION, "uptime", snap->uptime_s, "traces", traces_json(snap), "nodes", "connected",
	    number(snap->controller.nodes_connected), "known", number(snap->controller.nodes_known), "records",
	    "received", number(analysis->records), "missing", number(analysis->missing), "orphans",
	    number(analysis->orphans), "batches", "received", number(analysis->batches), "duplicate",
	    number(analysis->duplicate_batches), "malformed", number(stats_get(&snap->stats->batches_malformed)),
	    "refused", number(log->refused), "record_log", "batches", number(log->batches), "max_batches",
	    number(log->max_batches), "bytes", number(log->bytes), "max_bytes", number(log->max_bytes), "analysis",
	    "packets", number(analysis->packets), "verdicts", verdicts_json(snap), "requests", requests_json(snap),
	    "streams_overrun", number(stats_get(&snap->stats->streams_overrun)), "store_errors",
	    number(stats_get(&snap->stats->store_errors)));
}

void stats_show(void *app, struct http_request *request, struct http_reply *reply)
{
	static const char *const keys[] = {NULL};
	struct snapshot snap;

	if (!http_check_query(request, keys, reply))
		return;
	take_snapshot(app, &snap);
	http_json(reply, MHD_HTTP_OK, snapshot_json(&snap));
}

/* --- Prometheus --------------------------------------------------------------------------------------------------- */

static void metric(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP vtrace_%s %s\n# TYPE vtrace_%s %s\n", name, help, name, type);
}

static void single(FILE *out, const char *name, const char *type, const char *help, uint64_t value)
{
	metric(out, name, type, help);
	fprintf(out, "vtrace_%s %" PRIu64 "\n", name, value);
}

static void traces_metrics(FILE *out, const struct snapshot *snap)
{
	metric(out, "traces", "gauge", "Traces in the store by state.");
	for (int state = VT_NEW; state <= VT_FAILED; state++)
		fprintf(out, "vtrace_traces{state=\"%s\"} %" PRIu64 "\n", vt_state_name((enum vt_state)state),
		        snap->traces[state]);
	single(out, "traces_active", "gauge", "Traces that run now.", snap->controller.active);
	metric(out, "verdicts_total", "counter", "Finished traces by the code of their verdict.");
	for (int cause = VT_CAUSE_NONE + 1; cause < VT_CAUSE_COUNT; cause++)
		fprintf(out, "vtrace_verdicts_total{code=\"%s\"} %" PRIu64 "\n",
		        vt_cause_info((enum vt_cause)cause)->code, stats_get(&snap->stats->verdicts[cause]));
	single(out, "healthy_traces_total", "counter", "Finished traces without a loss to explain.",
	       stats_get(&snap->stats->verdicts[VT_CAUSE_NONE]));
}

static void records_metrics(FILE *out, const struct snapshot *snap)
{
	const struct analysis_stats *analysis = &snap->controller.analysis;

	single(out, "records_received_total", "counter", "Records that the analysis took.", analysis->records);
	single(out, "records_missing_total", "counter", "Records known to be lost on VTrace's own side.",
	       analysis->missing);
	single(out, "records_orphaned_total", "counter", "Records that no trace's packet claimed.", analysis->orphans);
	single(out, "batches_total", "counter", "Batches that the analysis took.", analysis->batches);
	single(out, "batches_duplicate_total", "counter", "Batches that came again and were ignored.",
	       analysis->duplicate_batches);
	metric(out, "batches_refused_total", "counter",
	       "Batches not taken: a full record log (sent again), or malformed.");
	fprintf(out, "vtrace_batches_refused_total{reason=\"full\"} %" PRIu64 "\n", snap->log.refused);
	fprintf(out, "vtrace_batches_refused_total{reason=\"malformed\"} %" PRIu64 "\n",
	        stats_get(&snap->stats->batches_malformed));
	single(out, "record_log_batches", "gauge", "Batches that wait for the analysis.", snap->log.batches);
	single(out, "record_log_batches_max", "gauge", "How many may wait.", snap->log.max_batches);
	single(out, "record_log_bytes", "gauge", "Memory of the batches that wait.", snap->log.bytes);
	single(out, "record_log_bytes_max", "gauge", "How much may wait.", snap->log.max_bytes);
	single(out, "analysis_packets", "gauge", "Coloured packets in the analysis' memory.", analysis->packets);
}

static void server_metrics(FILE *out, const struct snapshot *snap)
{
	single(out, "nodes_connected", "gauge", "Nodes whose agent is connected.", snap->controller.nodes_connected);
	single(out, "nodes_known", "gauge", "Nodes that are or were connected.", snap->controller.nodes_known);
	single(out, "streams_overrun_total", "counter", "Agents' streams ended because the agent fell behind.",
	       stats_get(&snap->stats->streams_overrun));
	single(out, "store_errors_total", "counter", "Writes to the store that failed.",
	       stats_get(&snap->stats->store_errors));
	metric(out, "http_requests_total", "counter", "HTTP requests by status of the answer.");
	for (int status = 0; status < STATS_STATUS_MAX; status++) {
		uint64_t n = stats_get(&snap->stats->requests[status]);

		if (n)
			fprintf(out, "vtrace_http_requests_total{code=\"%d\"} %" PRIu64 "\n", status, n);
	}
	metric(out, "uptime_seconds", "gauge", "Time since the server was started.");
	fprintf(out, "vtrace_uptime_seconds %.3f\n", snap->uptime_s);
	metric(out, "build_info", "gauge", "The server's version.");
	fprintf(out, "vtrace_build_info{version=\"%s\"} 1\n", VTRACE_VERSION);
}

void metrics_show(void *app, struct http_request *request, struct http_reply *reply)
{
	struct snapshot snap;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out) {
		take_snapshot(app, &snap);
		traces_metrics(out, &snap);
		records_metrics(out, &snap);
		server_metrics(out, &snap);
		fclose(out);
	}
	http_text(reply, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text);
}
