// SPDX-License-Identifier: BSD-3-Clause
/* The kernel's switch for expedited grace periods is back where it was, however the process that set it ends. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "datapath/linux/expedite.h"

#define SWITCH    "/sys/kernel/rcu_expedited"
#define SKIP_CODE 77
#define SOON_NS   5000000000ULL

static char switch_value(void)
{
	int fd = open(SWITCH, O_RDONLY | O_CLOEXEC);
	char value = '?';

	assert_int_equal(read(fd, &value, 1), 1);
	close(fd);
	return value;
}

/* Another agent on this machine may have it at 1 for some milliseconds. */
static void await_off(void)
{
	uint64_t deadline = vt_now_ns() + SOON_NS;

	while (switch_value() != '0')
		assert_true(vt_now_ns() < deadline);
}

static void test_is_put_back_at_the_end(void **state)
{
	struct expedite *e = expedite_open();

	assert_non_null(e);
	await_off();
	expedite_begin(e);
	assert_int_equal(switch_value(), '1');
	expedite_end(e);
	await_off();
	expedite_close(e);
}

static void test_is_put_back_after_a_kill(void **state)
{
	int ends[2], status;
	pid_t child;
	char byte;

	await_off();
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (!child) {
		struct expedite *e = expedite_open();

		expedite_begin(e);
		if (write(ends[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(switch_value(), '1');
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	await_off();
	close(ends[0]);
	close(ends[1]);
}

/* One that was stopped in the middle holds the lock: others go on without expediting, and leave the switch alone. */
static void test_a_stopped_one_stops_nobody(void **state)
{
	struct expedite *first = expedite_open(), *second = expedite_open();

	await_off();
	expedite_begin(first);
	expedite_begin(second);
	expedite_end(second);
	assert_int_equal(switch_value(), '1');
	expedite_end(first);
	await_off();
	expedite_close(first);
	expedite_close(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_is_put_back_at_the_end),
	    cmocka_unit_test(test_is_put_back_after_a_kill),
	    cmocka_unit_test(test_a_stopped_one_stops_nobody),
	};

	if (access(SWITCH, W_OK) || switch_value() != '0') {
		print_message("skipped: %s cannot be written, or is set for good\n", SWITCH);
		return SKIP_CODE;
	}
	return cmocka_run_group_tests_name("expedite", tests, NULL, NULL);
}
