// SPDX-License-Identifier: BSD-3-Clause
/* What an agent takes from its host and command line: names and masks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "agent/host.h"

static void test_node_names(void **state)
{
	char name[VT_NODE_MAX], longest[VT_NODE_MAX + 1];
	struct vt_err err = {0};

	memset(longest, 'a', sizeof(longest));
	longest[VT_NODE_MAX] = '\0';
	assert_int_equal(agent_node_name("h1.rack-2_a", name, &err), 0);
	assert_string_equal(name, "h1.rack-2_a");
	assert_int_equal(agent_node_name(longest + 1, name, &err), 0);
	assert_int_equal(agent_node_name(longest, name, &err), -EINVAL);
	assert_int_equal(agent_node_name("", name, &err), -EINVAL);
	assert_int_equal(agent_node_name("a b", name, &err), -EINVAL);
	assert_int_equal(agent_node_name("a/b", name, &err), -EINVAL);
	assert_int_equal(agent_node_name(NULL, name, &err), 0);
	assert_null(strchr(name, '.'));
}

static void test_mark_masks(void **state)
{
	struct vt_err err = {0};
	uint32_t mask;

	assert_int_equal(agent_mark_mask(NULL, &mask, &err), 0);
	assert_int_equal(mask, 0);
	assert_int_equal(agent_mark_mask("0xff000000", &mask, &err), 0);
	assert_int_equal(mask, 0xff000000);
	assert_int_equal(agent_mark_mask("f0", &mask, &err), 0);
	assert_int_equal(mask, 0xf0);
	assert_int_equal(agent_mark_mask("0", &mask, &err), -EINVAL);
	assert_int_equal(agent_mark_mask("100000000", &mask, &err), -EINVAL);
	assert_int_equal(agent_mark_mask("-1", &mask, &err), -EINVAL);
	assert_int_equal(agent_mark_mask("", &mask, &err), -EINVAL);
	assert_int_equal(agent_mark_mask("fg", &mask, &err), -EINVAL);
}

static void test_kinds(void **state)
{
	struct vt_err err = {0};
	enum vt_kind kind;

	assert_int_equal(agent_kind(NULL, &kind, &err), 0);
	assert_int_equal(kind, VT_KIND_VSWITCH);
	assert_int_equal(agent_kind("vrouter", &kind, &err), 0);
	assert_int_equal(kind, VT_KIND_VROUTER);
	assert_int_equal(agent_kind("router", &kind, &err), -EINVAL);
}

static void test_boot_ids_differ(void **state)
{
	uint64_t one = agent_boot_id(), other = agent_boot_id();

	assert_true(one && other);
	assert_true(one != other);
}

static void test_signals_come_through_the_descriptor(void **state)
{
	struct vt_err err = {0};
	int fd = agent_signal_fd(&err);

	assert_true(fd >= 0);
	assert_false(agent_signal_take(fd));
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	assert_true(agent_signal_take(fd));
	assert_false(agent_signal_take(fd));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_node_names),
	    cmocka_unit_test(test_mark_masks),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_boot_ids_differ),
	    cmocka_unit_test(test_signals_come_through_the_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
