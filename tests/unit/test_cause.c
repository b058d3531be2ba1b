// SPDX-License-Identifier: BSD-3-Clause
/* The table of causes against the contract, and the small names of the contract. */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/cause.h"
#include "core/result.h"

/* The contract's fixed codes, by class. */
static const struct {
	const char *class, *codes;
} contract[] = {
    {"security-policy", "policy-nft-rule policy-nft-default policy-iptables policy-bpf policy-port-locked policy-ipsec "
                        "policy-nfqueue policy-spoof policy-group-rule policy-group-default"},
    {"rate-limit", "limit-qdisc limit-nft-rule limit-port limit-flow"},
    {"tenant-config",
     "route-missing route-blackhole route-unreachable route-prohibit forwarding-off rp-filter martian-source "
     "neighbour-failed wrong-mac mtu-exceeded ttl-expired port-down port-isolated port-blocked "
     "nat-unmapped port-missing"},
    {"infrastructure",
     "fdb-missing vni-unknown vtep-missing vtep-unroutable vtep-neighbour-failed underlay-lost underlay-mtu "
     "underlay-filtered underlay-ecn"},
    {"host-resource", "conntrack-full nat-pool-exhausted queue-full out-of-memory"},
    {"endpoint", "no-listener socket-full port-unreachable endpoint-filtered address-missing"},
    {"malformed", "checksum-bad header-bad fragment-missing"},
    {"unsupported", "action-unsupported protocol-unsupported"},
    {"unknown", "vanished-in-node unexplained"},
};

static void table_has_the_contracts_codes(void **state)
{
	for (size_t i = 0; i < sizeof(contract) / sizeof(contract[0]); i++) {
		char codes[512], *save = NULL;

		snprintf(codes, sizeof(codes), "%s", contract[i].codes);
		for (char *code = strtok_r(codes, " ", &save); code; code = strtok_r(NULL, " ", &save)) {
			enum vt_cause cause = vt_cause_by_code(code);

			if (!cause)
				fail_msg("no code %s", code);
			assert_string_equal(vt_cause_info(cause)->code, code);
			assert_string_equal(vt_cause_class_name(vt_cause_info(cause)->class), contract[i].class);
		}
	}
}

static void ids_are_the_codes(void **state)
{
	static const struct {
		const char *id, *code;
	} rows[] = {
#define X(id, name, cause_class, meaning, evidence, next_step) {#id, name},
	    VT_CAUSE_TABLE(X)
#undef X
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(strlen(rows[i].id), strlen(rows[i].code));
		for (size_t c = 0; rows[i].id[c]; c++)
			assert_int_equal(rows[i].id[c] == '_' ? '-' : tolower(rows[i].id[c]), rows[i].code[c]);
		assert_int_equal(vt_cause_by_code(rows[i].code), i + 1); /* unique, in the order of the table */
	}
}

static void check_line(const char *code, const char *text, size_t max)
{
	size_t len = strlen(text);

	if (len < 20 || len > max || strchr(text, '\n') || text[len - 1] != '.')
		fail_msg("%s: not one good line: %s", code, text);
}

/* One line each, and the next step names a command or a place to look at; only %n, %d and %% are in it. */
static void texts_are_lines(void **state)
{
	for (enum vt_cause cause = VT_CAUSE_NONE + 1; cause < VT_CAUSE_COUNT; cause++) {
		const struct vt_cause_info *info = vt_cause_info(cause);

		check_line(info->code, info->meaning, 160);
		check_line(info->code, info->evidence, 200);
		check_line(info->code, info->next_step, 260);
		if (!strstr(info->next_step, "%n") && !strstr(info->next_step, "%d"))
			fail_msg("%s: the next step names no place", info->code);
		for (const char *s = strchr(info->next_step, '%'); s; s = strchr(s + 2, '%'))
			if (!strchr("nd%", s[1]) || !s[1])
				fail_msg("%s: %%%c", info->code, s[1]);
		assert_null(strchr(info->meaning, '%'));
		assert_null(strchr(info->evidence, '%'));
	}
}

static void unknown_causes_are_none(void **state)
{
	assert_null(vt_cause_info(VT_CAUSE_NONE));
	assert_null(vt_cause_info(VT_CAUSE_COUNT));
	assert_null(vt_cause_info((enum vt_cause) - 1));
	assert_int_equal(vt_cause_by_code(""), VT_CAUSE_NONE);
	assert_int_equal(vt_cause_by_code("policy"), VT_CAUSE_NONE);
	assert_int_equal(vt_cause_by_code("POLICY-NFT-RULE"), VT_CAUSE_NONE);
	assert_string_equal(vt_cause_class_name((enum vt_cause_class)99), "unknown");
}

static void next_step_names_the_place(void **state)
{
	char text[512], small[24], one[1] = {'x'};

	vt_cause_next_step(VT_CAUSE_FDB_MISSING, "h1", "vxlan100", text, sizeof(text));
	assert_string_equal(
	    text, "On node h1 run `bridge fdb show dev vxlan100`; add the entry with `bridge fdb append MAC dev "
	          "vxlan100 dst VTEP`, and ask the controller why it did not.");
	vt_cause_next_step(VT_CAUSE_FDB_MISSING, "", NULL, text, sizeof(text));
	assert_memory_equal(text, "On node NODE run `bridge fdb show dev DEVICE`;", 46);
	vt_cause_next_step(VT_CAUSE_FDB_MISSING, "h1", "vxlan100", small, sizeof(small));
	assert_string_equal(small, "On node h1 run `bridge ");
	vt_cause_next_step(VT_CAUSE_FDB_MISSING, "a-name-longer-than-the-buffer", "d", small, sizeof(small));
	assert_string_equal(small, "On node a-name-longer-t");
	vt_cause_next_step(VT_CAUSE_NONE, "h1", "d", text, sizeof(text));
	assert_string_equal(text, "");
	vt_cause_next_step(VT_CAUSE_FDB_MISSING, "h1", "d", one, 1);
	assert_int_equal(one[0], '\0');
	vt_cause_next_step(VT_CAUSE_FDB_MISSING, "h1", "d", NULL, 0);
}

static void longest_next_step_fits_an_error(void **state)
{
	char node[VT_NODE_MAX], device[VT_DEVICE_MAX], text[VT_ERR_MAX];

	memset(node, 'n', sizeof(node) - 1);
	memset(device, 'd', sizeof(device) - 1);
	node[sizeof(node) - 1] = device[sizeof(device) - 1] = '\0';
	for (enum vt_cause cause = VT_CAUSE_NONE + 1; cause < VT_CAUSE_COUNT; cause++) {
		vt_cause_next_step(cause, node, device, text, sizeof(text));
		assert_int_equal(text[strlen(text) - 1], '.'); /* not cut off */
	}
}

static void small_names(void **state)
{
	static const char *const states[] = {"new", "ready", "tracing", "analyzing", "done", "cancelled", "failed"};
	static const char *const ends[] = {"delivered", "dropped", "lost", "unfinished"};
	enum vt_state parsed;
	enum vt_kind kind;

	for (int i = 0; i < 7; i++) {
		assert_string_equal(vt_state_name((enum vt_state)(VT_NEW + i)), states[i]);
		assert_int_equal(vt_state_parse(states[i], &parsed), 0);
		assert_int_equal(parsed, VT_NEW + i);
		assert_int_equal(vt_state_final(parsed), i >= 4);
	}
	assert_int_equal(vt_state_parse("gone", &parsed), -EINVAL);
	for (int i = 0; i < 4; i++)
		assert_string_equal(vt_end_name((enum vt_end)(VT_DELIVERED + i)), ends[i]);
	assert_string_equal(vt_kind_name(VT_KIND_VSWITCH), "vswitch");
	assert_int_equal(vt_kind_parse("vrouter", &kind), 0);
	assert_int_equal(kind, VT_KIND_VROUTER);
	assert_int_equal(vt_kind_parse("router", &kind), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table_has_the_contracts_codes),
	    cmocka_unit_test(ids_are_the_codes),
	    cmocka_unit_test(texts_are_lines),
	    cmocka_unit_test(unknown_causes_are_none),
	    cmocka_unit_test(next_step_names_the_place),
	    cmocka_unit_test(longest_next_step_fits_an_error),
	    cmocka_unit_test(small_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
