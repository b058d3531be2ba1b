// SPDX-License-Identifier: BSD-3-Clause
/*
 * Traces a flow and says what became of its packets.
 *
 *     cc add_and_wait.c $(pkg-config --cflags --libs libvtrace) -o add_and_wait
 *     ./add_and_wait http://127.0.0.1:8471 "udp and dst host 10.0.0.2 and dst port 53"
 */
#include <inttypes.h>
#include <stdio.h>
#include <vtrace.h>

static void say(const struct vtrace_result *result)
{
	printf("%s: %" PRIu64 " of %" PRIu64 " packets delivered\n", result->filter, result->delivered,
	       result->coloured);
	if (result->causes)
		printf("%s on %s: %s\n", result->verdict.code, result->verdict.node, result->verdict.evidence);
}

int main(int argc, char **argv)
{
	struct vtrace_client *client = NULL;
	struct vtrace_result *result;
	struct vtrace_error error;
	char id[VTRACE_ID_MAX];
	int failed;

	if (argc != 3) {
		fprintf(stderr, "usage: add_and_wait URL FILTER\n");
		return 2;
	}
	failed = vtrace_connect(argv[1], NULL, &client, &error) ||
	         vtrace_add(client, argv[2], 10, 5.0, 0, id, &error) || vtrace_wait(client, id, -1, 0, &result, &error);
	if (failed) {
		fprintf(stderr, "add_and_wait: %s\n", error.text);
	} else {
		say(result);
		vtrace_result_free(result);
	}
	vtrace_close(client);
	return failed ? 1 : 0;
}
