// SPDX-License-Identifier: BSD-3-Clause
/*
 * vtrace-sim: the analysis and the agents' batching in simulated networks with known truth (see world.h, check.c).
 *
 * Every run comes from one seed; runs are numbered from --seed on. Prints what was run and what came of it; the exit
 * status is 1 if an invariant was violated anywhere.
 */
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim/world.h"

#define RUNS_DEFAULT 2000
#define FAILED_MAX   20 /* seeds that are told of; after so many the rest says nothing new */

struct options {
	uint64_t seed, runs;
	double seconds;
	uint32_t nodes_max;
	bool verbose, json, one;
};

static const char usage[] =
    "usage: vtrace-sim [OPTION]...\n"
    "Runs the analysis and the agents' batching in simulated networks and holds every answer to the truth.\n\n"
    "  --seed N        first seed (default 1); alone it means one run\n"
    "  --runs N        so many seeds (default 2000)\n"
    "  --seconds S     begin no further run after S seconds\n"
    "  --nodes-max N   networks of at most N nodes (default 1000)\n"
    "  -v, --verbose   tell each run's story\n"
    "  --json          print the summary as JSON\n"
    "  --help          this\n";

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *ret)
{
	char *end;

	*ret = strtoull(text, &end, 10);
	return *text && !*end && *ret >= low && *ret <= high;
}

static bool parse(int argc, char **argv, struct options *opts)
{
	static const struct option known[] = {
	    {"seed", 1, NULL, 's'},    {"runs", 1, NULL, 'r'}, {"seconds", 1, NULL, 't'}, {"nodes-max", 1, NULL, 'n'},
	    {"verbose", 0, NULL, 'v'}, {"json", 0, NULL, 'j'}, {"help", 0, NULL, 'h'},    {0}};
	bool good = true, runs = false;
	uint64_t number;
	int c;

	*opts = (struct options){.seed = 1, .runs = RUNS_DEFAULT, .nodes_max = SIM_NODES_MAX};
	while (good && (c = getopt_long(argc, argv, "v", known, NULL)) != -1) {
		switch (c) {
		case 's':
			good = parse_number(optarg, 0, UINT64_MAX, &opts->seed);
			opts->one = true;
			break;
		case 'r':
			good = parse_number(optarg, 1, UINT64_MAX, &opts->runs);
			runs = true;
			break;
		case 't':
			good = parse_number(optarg, 1, 1000000, &number);
			opts->seconds = (double)number;
			break;
		case 'n':
			good = parse_number(optarg, 1, SIM_NODES_MAX, &number);
			opts->nodes_max = (uint32_t)number;
			break;
		case 'v':
			opts->verbose = true;
			break;
		case 'j':
			opts->json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			good = false;
		}
	}
	if (opts->one && !runs && !opts->seconds)
		opts->runs = 1;
	return good && optind == argc;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_text(const struct tallies *t, uint64_t failed, double seconds)
{
	printf("runs: %" PRIu64 ", %" PRIu64 " with a violation; packets %" PRIu64 ", coloured %" PRIu64
	       ", records %" PRIu64 ", batches %" PRIu64 "\n",
	       t->runs, failed, t->packets, t->claims, t->records, t->batches);
	printf("%" PRIu64 " wrong blames, %" PRIu64 " false proofs, %" PRIu64 " other violations\n", t->wrong_blames,
	       t->false_proofs, t->other);
	printf("truly lost: %" PRIu64 "; cause named %.1f %%, place only (unexplained or vanished) %.1f %%, unfinished "
	       "%.1f %%, never heard of %.1f %%\n",
	       t->truly_lost, share(t->named, t->truly_lost), share(t->place_only, t->truly_lost),
	       share(t->lost_unfinished, t->truly_lost), share(t->lost_unseen, t->truly_lost));
	printf("arrived: %" PRIu64 "; delivered %.1f %%, unfinished %.1f %%, lost by inference as documented %.1f %%\n",
	       t->arrived, share(t->delivered, t->arrived), share(t->arrived_unfinished, t->arrived),
	       share(t->arrived_inferred, t->arrived));
	printf("%.1f s, %.0f records a second\n", seconds, (double)t->records / seconds);
}

static void print_json(const struct tallies *t, uint64_t failed, double seconds)
{
	json_t *json = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "runs", (json_int_t)t->runs, "failed",
	                         (json_int_t)failed, "packets", (json_int_t)t->packets, "coloured",
	                         (json_int_t)t->claims, "records", (json_int_t)t->records, "batches",
	                         (json_int_t)t->batches, "wrong_blames", (json_int_t)t->wrong_blames, "false_proofs",
	                         (json_int_t)t->false_proofs, "other_violations", (json_int_t)t->other);

	json_object_set_new(json, "lost",
	                    json_pack("{s:I, s:I, s:I, s:I, s:I}", "packets", (json_int_t)t->truly_lost, "named",
	                              (json_int_t)t->named, "place_only", (json_int_t)t->place_only, "unfinished",
	                              (json_int_t)t->lost_unfinished, "unheard", (json_int_t)t->lost_unseen));
	json_object_set_new(json, "arrived",
	                    json_pack("{s:I, s:I, s:I, s:I}", "packets", (json_int_t)t->arrived, "delivered",
	                              (json_int_t)t->delivered, "unfinished", (json_int_t)t->arrived_unfinished,
	                              "inferred_lost", (json_int_t)t->arrived_inferred));
	json_object_set_new(json, "seconds", json_real(seconds));
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(json);
}

int main(int argc, char **argv)
{
	struct tallies tallies = {0};
	struct options opts;
	uint64_t failed = 0;
	double start = now_s(), told = start;
	bool terminal = isatty(STDERR_FILENO);

	if (!parse(argc, argv, &opts)) {
		fputs(usage, stderr);
		return 2;
	}
	for (uint64_t i = 0; i < opts.runs && failed < FAILED_MAX; i++) {
		if (opts.seconds && now_s() - start > opts.seconds)
			break;
		failed += !run_seed(opts.seed + i, opts.nodes_max, opts.verbose, &tallies);
		if (terminal && !opts.verbose && now_s() - told > 0.2) {
			told = now_s();
			fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " runs, %" PRIu64 " failed ", i + 1, opts.runs,
			        failed);
		}
	}
	if (terminal && !opts.verbose)
		fputs("\r\033[K", stderr);
	if (opts.json)
		print_json(&tallies, failed, now_s() - start);
	else
		print_text(&tallies, failed, now_s() - start);
	return failed ? 1 : 0;
}
