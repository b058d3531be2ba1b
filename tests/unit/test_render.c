// SPDX-License-Identifier: BSD-3-Clause
/*
 * Golden tests of the rendering: each tests/unit/render/NAME.json is rendered and compared with NAME.txt (UTF-8, no
 * colours) and, where they exist, NAME.ascii.txt and NAME.colour.txt. The folder is the first argument.
 * VTRACE_UPDATE_GOLDEN=1 writes the texts anew; look at the difference before committing it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/render.h"
#include "cli/table.h"

static const char *golden_dir;

static char *file_read(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &size, '\0', file) < 0 && text)
		text[0] = '\0';
	fclose(file);
	return text;
}

static char *result_text(const json_t *result, bool packets, const struct render_style *style)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	render_result_styled(out, result, packets, style);
	fclose(out);
	return text;
}

static void golden_compare(const char *path, const char *text, bool required)
{
	char *expected = file_read(path);

	if (getenv("VTRACE_UPDATE_GOLDEN") && (required || expected)) {
		FILE *file = fopen(path, "we");

		assert_non_null(file);
		fputs(text, file);
		fclose(file);
		free(expected);
		return;
	}
	if (!expected && required)
		fail_msg("%s is missing", path);
	if (expected && strcmp(expected, text) != 0)
		fail_msg("%s: expected\n%s\nbut got\n%s", path, expected, text);
	free(expected);
}

static void golden_case(const char *json_path)
{
	static const struct {
		const char *suffix;
		struct render_style style;
		bool required;
	} variants[] = {{".txt", {.utf8 = true}, true},
	                {".ascii.txt", {.utf8 = false}, false},
	                {".colour.txt", {.utf8 = true, .colour = true}, false}};
	json_error_t where;
	json_t *result = json_load_file(json_path, 0, &where);
	char path[512];

	if (!result)
		fail_msg("%s:%d: %s", json_path, where.line, where.text);
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		char *text = result_text(result, json_is_array(json_object_get(result, "list")), &variants[i].style);

		snprintf(path, sizeof(path), "%.*s%s", (int)(strlen(json_path) - strlen(".json")), json_path,
		         variants[i].suffix);
		golden_compare(path, text, variants[i].required);
		free(text);
	}
	json_decref(result);
}

static void test_golden(void **state)
{
	char pattern[512];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/*.json", golden_dir);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 12);
	for (size_t i = 0; i < found.gl_pathc; i++)
		golden_case(found.gl_pathv[i]);
	globfree(&found);
}

/* Whatever is in the JSON, without colours no control character but the newline reaches the terminal. */
static void test_no_control_characters(void **state)
{
	struct render_style style = {.utf8 = true};
	char path[512], *text;
	json_t *result;

	snprintf(path, sizeof(path), "%s/hostile.json", golden_dir);
	result = json_load_file(path, 0, NULL);
	assert_non_null(result);
	text = result_text(result, true, &style);
	for (const unsigned char *p = (unsigned char *)text; *p; p++) {
		assert_true(*p == '\n' || (*p >= 0x20 && *p != 0x7f));
		assert_false(*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f);
	}
	free(text);
	json_decref(result);
}

/* Any member of any result may be missing or of another type: rendering has to survive that. */
static void mutate(json_t *root, json_t *value)
{
	struct render_style style = {0};
	json_t *child;
	const char *key;
	void *next;
	size_t i;

	json_object_foreach_safe(value, next, key, child)
	{
		json_t *wrong[] = {json_null(), json_integer(-1), json_string("x"), json_array(), json_object()};
		char name[64];

		snprintf(name, sizeof(name), "%s", key);
		json_incref(child);
		for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
			json_object_set_new(value, name, wrong[i]);
			free(result_text(root, true, &style));
		}
		json_object_set_new(value, name, child);
		mutate(root, child);
	}
	json_array_foreach (value, i, child)
		mutate(root, child);
}

static void test_wrong_types(void **state)
{
	static const char *const names[] = {"two_causes", "packets", "unfinished", "healthy"};
	char path[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *result;

		snprintf(path, sizeof(path), "%s/%s.json", golden_dir, names[i]);
		result = json_load_file(path, 0, NULL);
		assert_non_null(result);
		mutate(result, result);
		json_decref(result);
	}
}

static void test_width(void **state)
{
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("abc"), 3);
	assert_int_equal(text_width("─▶ µs"), 5);
	assert_int_equal(text_width("\033[1;31m─✗\033[0m x"), 4);
	assert_int_equal(text_width("\033[1"), 0);
}

static void test_progress(void **state)
{
	json_t *result = json_pack("{s:s, s:i, s:{s:i, s:i, s:i}}", "state", "tracing", "packet_count", 100, "packets",
	                           "coloured", 42, "delivered", 40, "unfinished", 2);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	render_progress(out, result);
	fclose(out);
	assert_string_equal(text, "tracing    42 of 100 packets: 40 delivered, 2 not settled yet");
	free(text);
	json_decref(result);
}

/* A file is no terminal: no colours, whatever the environment says. */
static void test_style_of_file(void **state)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	assert_false(render_style_for(file).colour);
	fclose(file);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_golden),      cmocka_unit_test(test_no_control_characters),
	    cmocka_unit_test(test_wrong_types), cmocka_unit_test(test_width),
	    cmocka_unit_test(test_progress),    cmocka_unit_test(test_style_of_file),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: test_render FOLDER\n");
		return 2;
	}
	golden_dir = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
