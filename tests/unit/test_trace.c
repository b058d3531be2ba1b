// SPDX-License-Identifier: BSD-3-Clause
/* A running trace's nodes: who was asked, who joined, who answered, and what the result says of those that did not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "server/trace.h"

static bool connected(void *arg, const char *name)
{
	return strcmp(name, arg) != 0; /* all but this one */
}

/* The words for a node in the result; NULL if it is not among those that failed. */
static const char *failed(const struct vt_result *result, const char *name)
{
	for (unsigned int i = 0; i < result->n_failed; i++) {
		if (!strcmp(result->failed[i].node, name))
			return result->failed[i].error;
	}
	return NULL;
}

static void test_who_did_not_answer(void **state)
{
	static const char *const asked[] = {"armed", "silent", "gone", "late", "refused"};
	struct vt_task task = {.id = 7};
	struct trace *trace = trace_new(&task, 0);
	struct vt_result result = {0};

	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++)
		assert_int_equal(trace_asked(trace, asked[i]), 0);
	trace_answered(trace, "armed", VT_ITEM_ARMED);
	trace_answered(trace, "refused", VT_ITEM_FAILED);
	trace->life.state = VT_TRACING;
	trace_give_up_silent(trace, connected, "gone");
	trace_answered(trace, "late", VT_ITEM_ARMED);
	assert_false(trace_under_way(trace));
	trace_answered(trace, "armed", VT_ITEM_STARTED);
	assert_true(trace_under_way(trace));
	/* "armed" comes back, two are new, and one of them is never heard */
	assert_int_equal(trace_joined(trace, "armed"), 0);
	assert_int_equal(trace_joined(trace, "joined"), 0);
	assert_int_equal(trace_joined(trace, "unheard"), 0);
	trace_answered(trace, "joined", VT_ITEM_ARMED);
	assert_true(trace_under_way(trace)); /* nobody waits for who came late */
	assert_int_equal(trace_complete(trace, VT_DONE, 1, NULL, &result), 0);
	assert_int_equal(result.n_failed, 4);
	assert_string_equal(failed(&result, "silent"), "did not answer within 1 s; is its agent overloaded?");
	assert_string_equal(failed(&result, "gone"), "its agent disconnected before it answered");
	assert_string_equal(failed(&result, "late"), "answered only after 1 s; what it saw before that is missing");
	assert_string_equal(failed(&result, "unheard"), "connected while the trace ran, and did not answer");
	vt_result_done(&result);
	trace_free(trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_who_did_not_answer),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
