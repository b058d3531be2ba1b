// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which nftables rule dropped a packet: real rules, real packets, the kernel's real trace, in a network namespace of
 * the test's own. A chain at priority -400 gives the packets the colour's mark, as the BPF program would. Needs root.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect_net.h"

static struct inspect *inspect;

#define RULES(text) net_run("nft -f - <<'E'\n" text "\nE")

/*
 * in0 -> a router (in1, out1) -> out0, all in one namespace; packets are put on the wire at in0. A bridge with ports
 * p1, q1 stands beside it.
 */
static int setup_net(void **state)
{
	net_run(
	    "ip link set lo up; ip link add in0 type veth peer name in1; ip link add out0 type veth peer name out1;"
	    "ip link add p0 type veth peer name p1; ip link add q0 type veth peer name q1; ip link add br0 type bridge;"
	    "ip link set p1 master br0; ip link set q1 master br0;"
	    "for d in in0 in1 out0 out1 p0 p1 q0 q1 br0; do ip link set $d up; done;"
	    "ip addr add 10.0.0.254/24 dev in1; ip addr add 10.0.1.254/24 dev out1;"
	    "ip -6 addr add fd00::fe/64 dev in1 nodad; ip -6 addr add fd01::fe/64 dev out1 nodad;"
	    "ip neigh add 10.0.1.1 lladdr 02:00:00:00:00:02 dev out1 nud permanent;"
	    "ip -6 neigh add fd01::1 lladdr 02:00:00:00:00:02 dev out1 nud permanent;"
	    "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0");
	return 0;
}

static int setup(void **state)
{
	struct vt_err err = {0};

	net_run("nft flush ruleset");
	if (inspect_open(&inspect, NET_MARK, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int teardown(void **state)
{
	inspect_close(inspect);
	assert_int_equal(net_count("nft list tables | grep vtrace"), 0);
	return 0;
}

static void arm(void)
{
	struct vt_err err = {0};

	if (inspect_arm(inspect, &err) < 0)
		fail_msg("%s", err.text);
}

#define MARK_INET \
	"table inet colour { chain pre { type filter hook prerouting priority -400; meta mark set 0x2000; }; }\n"
#define MARK_BRIDGE \
	"table bridge colour { chain pre { type filter hook prerouting priority -450; meta mark set 0x2000; }; }\n"

/* Sends the packet, waits for the trace, hands in the drop record and returns the answer. */
static struct vt_log drop_udp(const char *src, const char *dst, int dport)
{
	struct vt_log log = net_drop("NETFILTER_DROP", "nft_do_chain", "in1", src, dst, 4000, dport);

	net_send_udp("in0", "in1", src, dst, 4000, dport);
	assert_true(net_wait(inspect));
	return net_answer(inspect, &log);
}

static void test_rule(void **state)
{
	struct vt_log log;

	RULES(MARK_INET "table inet fw { chain forward { type filter hook forward priority 0;\n"
	                "ip saddr 10.0.0.9 accept\n ip saddr 10.0.0.1 udp dport 53 counter drop\n };}");
	arm();
	log = drop_udp("10.0.0.1", "10.0.1.1", 53);
	assert_int_equal(log.cause, VT_CAUSE_POLICY_NFT_RULE);
	assert_string_equal(log.evidence,
	                    "table inet fw chain forward handle 3: ip saddr 10.0.0.1 udp dport 53 counter drop");
	assert_string_equal(log.device, "out1");
	assert_string_equal(log.reason, "NETFILTER_DROP");
	assert_string_equal(log.site, "nft_do_chain+0x10");
	assert_int_equal(log.rec.site, 0);
}

static void test_rule_ipv6(void **state)
{
	struct vt_log log;

	RULES(MARK_INET "table ip6 fw { chain forward { type filter hook forward priority 0; jump tenant; }\n"
	                "chain tenant { udp dport { 53, 67 } reject\n };}");
	arm();
	log = drop_udp("fd00::1", "fd01::1", 53);
	assert_int_equal(log.cause, VT_CAUSE_POLICY_NFT_RULE);
	assert_non_null(strstr(log.evidence, "table ip6 fw chain tenant handle "));
	assert_non_null(strstr(log.evidence, ": udp dport { 53, 67 } reject"));
}

static void test_default_policy(void **state)
{
	struct vt_log log;

	RULES(MARK_INET "table ip fw { chain forward { type filter hook forward priority 0; policy drop;\n"
	                "udp dport 99 accept\n };}");
	arm();
	log = drop_udp("10.0.0.1", "10.0.1.1", 53);
	assert_int_equal(log.cause, VT_CAUSE_POLICY_NFT_DEFAULT);
	assert_string_equal(log.evidence, "table ip fw chain forward: policy drop, no rule accepted the packet");
}

static void test_limit(void **state)
{
	struct vt_log log;

	RULES(MARK_INET "table inet fw { chain forward { type filter hook forward priority 0;\n"
	                "udp dport 53 quota over 1 bytes drop comment \"plan\"\n };}");
	arm();
	log = drop_udp("10.0.0.1", "10.0.1.1", 53);
	assert_int_equal(log.cause, VT_CAUSE_LIMIT_NFT_RULE);
}

/* Names that are words of nft's language: nft cannot list such a chain alone. iptables-nft can make them. */
static void test_iptables(void **state)
{
	struct vt_log log;

	RULES(MARK_INET);
	net_run("iptables-nft -N drop && iptables-nft -A FORWARD -p udp -j drop && iptables-nft -A drop -s 10.0.0.1 -j "
	        "DROP");
	arm();
	log = drop_udp("10.0.0.1", "10.0.1.1", 53);
	assert_int_equal(log.cause, VT_CAUSE_POLICY_IPTABLES);
	assert_non_null(strstr(log.evidence, "table ip filter chain drop handle "));
	assert_non_null(strstr(log.evidence, ": ip saddr 10.0.0.1 counter drop"));
}

static void test_bridge(void **state)
{
	struct vt_log log = net_drop("NETFILTER_DROP", "nft_do_chain", "p1", "10.0.0.1", "10.0.0.2", 4000, 53);

	RULES(MARK_BRIDGE "table bridge fw { chain forward { type filter hook forward priority 0;\n"
	                  "iifname \"p1\" ip daddr 10.0.0.2 drop\n };}");
	arm();
	net_send_udp("p0", "q0", "10.0.0.1", "10.0.0.2", 4000, 53);
	assert_true(net_wait(inspect));
	log = net_answer(inspect, &log);
	assert_int_equal(log.cause, VT_CAUSE_POLICY_NFT_RULE);
	assert_string_equal(log.evidence,
	                    "table bridge fw chain forward handle 2: iifname \"p1\" ip daddr 10.0.0.2 drop");
	assert_string_equal(log.device, "q1");
}

/* A rule on the encapsulated packet is the underlay's. */
static void test_outer(void **state)
{
	struct vt_log log = net_drop("NETFILTER_DROP", "nft_do_chain", "in1", "192.168.5.1", "192.168.5.2", 4000, 53);

	RULES(MARK_INET "table inet fw { chain in { type filter hook input priority 0; udp dport 4789 drop\n };}");
	arm();
	net_send_vxlan("in0", "in1", "10.0.0.1", "10.0.0.254", "192.168.5.1", "192.168.5.2", 4000, 53);
	assert_true(net_wait(inspect));
	log.rec.flags = VT_REC_ENCAP | VT_REC_OUTER;
	memcpy(log.rec.outer_src, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01", 16);
	memcpy(log.rec.outer_dst, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\xfe", 16);
	log = net_answer(inspect, &log);
	assert_int_equal(log.cause, VT_CAUSE_UNDERLAY_FILTERED);
	assert_non_null(strstr(log.evidence, "table inet fw chain in handle 2: udp dport 4789 drop"));
	assert_string_equal(log.device, "in1");
}

static void collect(void *arg, const struct vt_log *log)
{
	struct vt_log *list = arg;

	list[list[0].rec.seq++ + 1] = *log;
}

/* Two flows, dropped by two rules, in turn: each drop gets its own rule, in the order of the drops. */
static void test_order(void **state)
{
	static struct vt_log list[41];
	struct vt_log log[2];

	RULES(MARK_INET "table inet fw { chain forward { type filter hook forward priority 0;\n"
	                "udp dport 53 drop\n udp dport 54 drop\n };}");
	arm();
	for (int i = 0; i < 2; i++)
		log[i] = net_drop("NETFILTER_DROP", "nft_do_chain", "in1", "10.0.0.1", "10.0.1.1", 4000, 53 + i);
	for (int i = 0; i < 40; i++) {
		net_send_udp("in0", "in1", "10.0.0.1", "10.0.1.1", 4000, 53 + i % 2);
		inspect_drop(inspect, &log[i % 2], NULL, net_now());
	}
	list[0].rec.seq = 0;
	while (inspect_busy(inspect)) {
		assert_true(net_wait(inspect));
		inspect_poll(inspect, collect, list, net_now());
	}
	assert_int_equal(list[0].rec.seq, 40);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(list[i + 1].cause, VT_CAUSE_POLICY_NFT_RULE);
		assert_int_equal(list[i + 1].rec.flow.dport, 53 + i % 2);
		assert_non_null(strstr(list[i + 1].evidence, i % 2 ? "udp dport 54 drop" : "udp dport 53 drop"));
	}
}

/* A netfilter drop that no rule reports (here: none happened) ends as unexplained, not before 50 ms and not much later.
 */
static void test_no_trace(void **state)
{
	struct vt_log log = net_drop("NETFILTER_DROP", "nf_hook_slow", "in1", "10.0.0.1", "10.0.1.1", 4000, 53);
	uint64_t begin = net_now();

	RULES(MARK_INET);
	arm();
	log = net_answer(inspect, &log);
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED);
	assert_non_null(strstr(log.evidence, "no rule of nftables or iptables-legacy reported it"));
	assert_true(net_now() - begin >= 50000000);
	inspect_disarm(inspect);
	net_run("nft flush ruleset");
	arm();
	log = net_drop("NETFILTER_DROP", "nf_hook_slow", "in1", "10.0.0.1", "10.0.1.1", 4000, 53);
	log = net_answer(inspect, &log);
	assert_non_null(strstr(log.evidence, "no rule of nftables or iptables-legacy reported it"));
}

/* The rule was replaced between trace and drop record: its handle may now be another rule's, so no text is claimed. */
static void test_rule_replaced(void **state)
{
	struct vt_log log = net_drop("NETFILTER_DROP", "nft_do_chain", "in1", "10.0.0.1", "10.0.1.1", 4000, 53);

	RULES(MARK_INET "table inet fw { chain forward { type filter hook forward priority 0; udp dport 53 drop; };}");
	arm();
	net_send_udp("in0", "in1", "10.0.0.1", "10.0.1.1", 4000, 53);
	assert_true(net_wait(inspect));
	net_run("nft delete table inet fw");
	RULES("table inet fw { chain forward { type filter hook forward priority 0; udp dport 99 drop; };}");
	log = net_answer(inspect, &log);
	assert_int_equal(log.cause, VT_CAUSE_POLICY_NFT_RULE);
	assert_string_equal(log.evidence, "table inet fw chain forward handle 2: (the ruleset has changed since)");
}

#define OUR_TABLES "nft list tables | grep vtrace_trace_"

static void follow(int want)
{
	while (net_count(OUR_TABLES) != want) {
		assert_true(net_wait(inspect));
		inspect_poll(inspect, collect, NULL, net_now());
	}
}

/* Our tables are there while someone else's are, and only while armed. */
static void test_follows_ruleset(void **state)
{
	arm();
	assert_int_equal(net_count(OUR_TABLES), 0);
	net_run("nft add table ip someone");
	follow(1);
	net_run("nft add table bridge someone");
	follow(2);
	net_run("nft delete table ip someone");
	follow(1);
	net_run("nft flush ruleset");
	follow(0);
	net_run("nft add table inet someone");
	follow(1);
	inspect_disarm(inspect);
	assert_int_equal(net_count(OUR_TABLES), 0);
}

/* The kernel removes our tables when we are killed. */
static void test_killed(void **state)
{
	int pipes[2], status;
	char byte;
	pid_t pid;

	net_run("nft add table inet someone");
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		struct inspect *in;

		if (inspect_open(&in, NET_MARK, NULL) < 0 || inspect_arm(in, NULL) < 0 || write(pipes[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_int_equal(net_count(OUR_TABLES), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(net_count(OUR_TABLES), 0);
	close(pipes[0]);
	close(pipes[1]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_rule),     TEST(test_rule_ipv6),     TEST(test_default_policy),  TEST(test_limit),
	    TEST(test_iptables), TEST(test_bridge),        TEST(test_outer),           TEST(test_order),
	    TEST(test_no_trace), TEST(test_rule_replaced), TEST(test_follows_ruleset), TEST(test_killed),
	};

	if (!net_enter()) {
		printf("SKIP: a network namespace of its own needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup_net, NULL);
}
