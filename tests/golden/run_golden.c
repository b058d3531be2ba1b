// SPDX-License-Identifier: BSD-3-Clause
/*
 * Golden cases of the analysis: each folder beside this file has records.jsonl (docs/record-file.md), expected.json and
 * a README line. The result must have every member that expected.json has: objects may have more members, arrays must
 * have the same length, and a string that begins with '~' need only occur in the result's. With several tasks in the
 * file, expected.json is an array with one object a task.
 *
 * Usage: run_golden FOLDER...   (meson passes the folders; cmocka reports one test a folder)
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/recordfile.h"

#define PATH_MAX_LEN 512

/* Says where and how `got` misses what is wanted; returns whether it fits. */
static bool fits(const json_t *want, const json_t *got, const char *where);

static bool misses(const json_t *want, const json_t *got, const char *where)
{
	char *w = json_dumps(want, JSON_ENCODE_ANY | JSON_COMPACT), *g = got ? json_dumps(got, JSON_ENCODE_ANY) : NULL;

	print_error("%s: wanted %s, got %s\n", where, w, g ? g : "nothing");
	free(w);
	free(g);
	return false;
}

static bool fits_object(const json_t *want, const json_t *got, const char *where)
{
	char inner[PATH_MAX_LEN];
	const char *name;
	json_t *value;
	bool ok = true;

	json_object_foreach ((json_t *)want, name, value) {
		snprintf(inner, sizeof(inner), "%s.%s", where, name);
		ok &= fits(value, json_object_get(got, name), inner);
	}
	return ok;
}

static bool fits_array(const json_t *want, const json_t *got, const char *where)
{
	char inner[PATH_MAX_LEN];
	bool ok = true;

	if (json_array_size(want) != json_array_size(got))
		return misses(want, got, where);
	for (size_t i = 0; i < json_array_size(want); i++) {
		snprintf(inner, sizeof(inner), "%s[%zu]", where, i);
		ok &= fits(json_array_get(want, i), json_array_get(got, i), inner);
	}
	return ok;
}

static bool fits(const json_t *want, const json_t *got, const char *where)
{
	if (!got || json_typeof(want) != json_typeof(got))
		return misses(want, got, where);
	if (json_is_object(want))
		return fits_object(want, got, where);
	if (json_is_array(want))
		return fits_array(want, got, where);
	if (json_is_string(want) && json_string_value(want)[0] == '~')
		return strstr(json_string_value(got), json_string_value(want) + 1) || misses(want, got, where);
	return json_equal(want, got) || misses(want, got, where);
}

static void feed(struct recordfile *file, const char *folder)
{
	static char line[RECORDFILE_LINE_MAX];
	char path[PATH_MAX_LEN];
	struct vt_err err = {0};
	FILE *in;

	snprintf(path, sizeof(path), "%s/records.jsonl", folder);
	in = fopen(path, "re");
	assert_non_null(in);
	for (int number = 1; fgets(line, sizeof(line), in); number++) {
		if (recordfile_line(file, line, &err) < 0)
			fail_msg("%s:%d: %s", path, number, err.text);
	}
	fclose(in);
	if (recordfile_finish(file, &err) < 0)
		fail_msg("%s: %s", path, err.text);
}

static json_t *task_result(const struct analysis *a, uint32_t task)
{
	struct vt_result result;
	json_t *json;

	assert_int_equal(analysis_result(a, task, true, &result), 0);
	assert_int_equal(result.coloured, result.delivered + result.dropped + result.lost + result.unfinished);
	result.state = VT_DONE;
	json = vt_result_to_json(&result, true);
	vt_result_done(&result);
	assert_non_null(json);
	return json;
}

static json_t *read_expected(const char *folder)
{
	char path[PATH_MAX_LEN];
	json_error_t at;
	json_t *want;

	snprintf(path, sizeof(path), "%s/expected.json", folder);
	want = json_load_file(path, 0, &at);
	if (!want)
		fail_msg("%s:%d: %s", path, at.line, at.text);
	if (json_is_object(want)) { /* a file with one task */
		json_t *array = json_array();

		json_array_append_new(array, want);
		return array;
	}
	return want;
}

static void golden(void **state)
{
	const char *folder = *state;
	struct analysis *a = analysis_new(NULL);
	struct recordfile *file = recordfile_new(a);
	json_t *want = read_expected(folder);
	const uint32_t *tasks;
	bool ok = true;

	feed(file, folder);
	assert_int_equal(recordfile_tasks(file, &tasks), json_array_size(want));
	for (size_t i = 0; i < json_array_size(want); i++) {
		json_t *got = task_result(a, tasks[i]);

		ok &= fits(json_array_get(want, i), got, folder);
		if (!ok)
			json_dumpf(got, stderr, JSON_INDENT(2));
		json_decref(got);
	}
	json_decref(want);
	recordfile_free(file);
	analysis_free(a);
	if (!ok)
		fail();
}

int main(int argc, char **argv)
{
	struct CMUnitTest *tests = calloc((size_t)argc, sizeof(*tests));
	int failed;

	if (argc < 2 || !tests) {
		fprintf(stderr, "usage: %s FOLDER...\n", argv[0]);
		free(tests);
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		const char *slash = strrchr(argv[i], '/');

		tests[i - 1] = (struct CMUnitTest){
		    .name = slash ? slash + 1 : argv[i], .test_func = golden, .initial_state = argv[i]};
	}
	failed = _cmocka_run_group_tests("golden", tests, (size_t)argc - 1, NULL, NULL);
	free(tests);
	return failed;
}
