// SPDX-License-Identifier: BSD-3-Clause
/* base: errors, clocks, log lines, text from outside, buffers and readers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/text.h"

static void fail_fills_one_clean_line(void **state)
{
	struct vt_err err = {0};

	assert_int_equal(vt_fail(&err, ENOENT, "open %s: no such file", "a\nb\033[2J"), -ENOENT);
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.text, "open a?b?[2J: no such file");
	assert_int_equal(vt_fail(NULL, EINVAL, "nobody listens"), -EINVAL);
}

static void fail_in_puts_a_prefix(void **state)
{
	struct vt_err err = {0};
	char longest[VT_ERR_MAX];

	vt_fail(&err, EINVAL, "bad");
	assert_int_equal(vt_fail_in(&err, "line %d", 7), -EINVAL);
	assert_string_equal(err.text, "line 7: bad");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	vt_fail_in(&err, "%s", longest);
	assert_int_equal(strlen(err.text), VT_ERR_MAX - 1);
	assert_int_equal(vt_fail_in(NULL, "nobody"), 0);
}

static void time_is_written_in_utc(void **state)
{
	char text[VT_TIME_TEXT];

	vt_time_format(1769853600123456, text);
	assert_string_equal(text, "2026-01-31T10:00:00.123456Z");
	vt_time_format(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000000Z");
	vt_time_format(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
	vt_time_format(1709210096000007, text); /* a leap day */
	assert_string_equal(text, "2024-02-29T12:34:56.000007Z");
}

static void clocks_go_forward(void **state)
{
	uint64_t before = vt_now_ns();
	int64_t real = vt_real_us();

	assert_true(vt_now_ns() >= before);
	assert_true(real > 1700000000000000 && vt_real_us() - real < 60000000);
}

/* What `log` wrote to stderr. */
static void captured(void (*log)(const char *, ...), const char *text, char *buf, size_t size)
{
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	log("%s", text);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	n = read(fds[0], buf, size - 1);
	close(fds[0]);
	assert_true(n >= 0);
	buf[n] = '\0';
}

static void log_lines_have_time_level_and_one_end(void **state)
{
	char line[2 * LOG_LINE_MAX], longest[2 * LOG_LINE_MAX];

	captured(log_warn, "node h1\nis \033gone", line, sizeof(line));
	assert_int_equal(strlen(line), strlen("2026-01-31T10:00:00.123456Z warning: node h1?is ?gone\n"));
	assert_string_equal(line + 27, " warning: node h1?is ?gone\n");
	memset(longest, 'y', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	captured(log_info, longest, line, sizeof(line));
	assert_true(strlen(line) < LOG_LINE_MAX);
	assert_string_equal(line + strlen(line) - 2, "y\n");
}

static void log_level_is_a_threshold(void **state)
{
	enum log_level level = LOG_LEVEL_INFO;
	char line[LOG_LINE_MAX];

	captured(log_debug, "quiet", line, sizeof(line));
	assert_string_equal(line, "");
	assert_int_equal(log_level_parse("debug", &level), 0);
	log_set_level(level);
	captured(log_debug, "loud", line, sizeof(line));
	assert_non_null(strstr(line, " debug: loud\n"));
	assert_int_equal(log_level_parse("error", &level), 0);
	log_set_level(level);
	captured(log_warn, "quiet", line, sizeof(line));
	assert_string_equal(line, "");
	log_set_level(LOG_LEVEL_INFO);
	assert_int_equal(log_level_parse("verbose", &level), -EINVAL);
}

static void text_is_cleaned(void **state)
{
	static const struct {
		const char *dirty, *clean;
	} cases[] = {
	    {"plain", "plain"},
	    {"tab\tand\x7f", "tab?and?"},
	    {"gr\xc3\xbc\xc3\x9f"
	     "e",
	     "gr\xc3\xbc\xc3\x9f"
	     "e"},
	    {"\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80"},
	    {"\xc3", "?"},
	    {"\xc3(", "?("},
	    {"\xc0\xaf", "??"},           /* overlong */
	    {"\xe0\x80\x80", "???"},      /* overlong */
	    {"\xed\xa0\x80", "???"},      /* a surrogate */
	    {"\xf4\x90\x80\x80", "????"}, /* past U+10FFFF */
	    {"\xf0\x9f\x98", "???"},      /* cut short */
	    {"\xc2\x9b"
	     "2J",
	     "??2J"}, /* CSI as a C1 control */
	};
	char text[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcpy(text, cases[i].dirty);
		assert_int_equal(vt_text_is_clean(text), !strcmp(cases[i].dirty, cases[i].clean));
		vt_text_clean(text);
		assert_string_equal(text, cases[i].clean);
		assert_true(vt_text_is_clean(text));
	}
}

static void copies_are_cut_and_ended(void **state)
{
	char to[4] = "zzz";

	vt_text_copy(to, sizeof(to), "abcdef");
	assert_string_equal(to, "abc");
	vt_text_copy(to, 1, "abcdef");
	assert_string_equal(to, "");
}

static void buffer_and_reader_agree(void **state)
{
	static const uint8_t expected[] = {0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 8, 7, 6, 5, 4, 3, 2, 1, 'h', 'i'};
	struct vt_buf buf = {0};
	struct vt_reader r;

	vt_buf_u8(&buf, 0x01);
	vt_buf_le16(&buf, 0x0203);
	vt_buf_le32(&buf, 0x04050607);
	vt_buf_le64(&buf, 0x0102030405060708);
	vt_buf_put(&buf, "hi", 2);
	assert_int_equal(buf.len, sizeof(expected));
	assert_memory_equal(buf.data, expected, sizeof(expected));
	r = (struct vt_reader){.at = buf.data, .end = buf.data + buf.len};
	assert_int_equal(vt_read_u8(&r), 0x01);
	assert_int_equal(vt_read_le16(&r), 0x0203);
	assert_int_equal(vt_read_le32(&r), 0x04050607);
	assert_int_equal(vt_read_le64(&r), 0x0102030405060708);
	assert_null(vt_read_bytes(&r, 3));
	assert_true(r.failed);
	assert_int_equal(vt_read_u8(&r), 0); /* once failed, always failed */
	vt_buf_done(&buf);
	assert_null(buf.data);
}

static void buffer_grows_and_fails_for_good(void **state)
{
	struct vt_buf buf = {0};

	for (int i = 0; i < 100000; i++)
		vt_buf_u8(&buf, (uint8_t)i);
	assert_int_equal(buf.len, 100000);
	assert_int_equal(buf.data[99999], (uint8_t)99999);
	assert_false(vt_buf_reserve(&buf, SIZE_MAX));
	assert_true(buf.failed);
	assert_false(vt_buf_reserve(&buf, 1));
	vt_buf_done(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fail_fills_one_clean_line),
	    cmocka_unit_test(fail_in_puts_a_prefix),
	    cmocka_unit_test(time_is_written_in_utc),
	    cmocka_unit_test(clocks_go_forward),
	    cmocka_unit_test(log_lines_have_time_level_and_one_end),
	    cmocka_unit_test(log_level_is_a_threshold),
	    cmocka_unit_test(text_is_cleaned),
	    cmocka_unit_test(copies_are_cut_and_ended),
	    cmocka_unit_test(buffer_and_reader_agree),
	    cmocka_unit_test(buffer_grows_and_fails_for_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
