// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which queue dropped: real disciplines in a network namespace of the test's own drop real packets, and records like
 * those of such drops are asked about. Needs root.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/linux/inspect/queues.h"
#include "inspect_net.h"

#define DEST_A "10.0.1.1" /* classes in the tests are by destination */
#define DEST_B "10.0.1.2"

static struct inspect *inspect;

static int setup(void **state)
{
	struct vt_err err = {0};

	assert_true(net_enter());
	/* the kernel's own packets (IPv6 router solicitations and the like) would move the queues' counters too */
	net_run(
	    "echo 1 >/proc/sys/net/ipv6/conf/default/addr_gen_mode;"
	    "ip link set lo up; ip link add out0 type veth peer name out1; ip link set out0 up; ip link set out1 up;"
	    "ip link add bare type bridge; ip link set bare up");
	if (inspect_open(&inspect, NET_MARK, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int teardown(void **state)
{
	inspect_close(inspect);
	return 0;
}

static void arm(void)
{
	struct vt_err err = {0};

	if (inspect_arm(inspect, &err) < 0)
		fail_msg("%s", err.text);
}

static void send_to(const char *dst, int count)
{
	for (int i = 0; i < count; i++)
		net_send_udp("out1", "out0", "10.0.0.1", dst, 4000, 53);
}

static struct vt_log drop(const char *reason, const char *function, const char *device)
{
	return net_drop(reason, function, device, "10.0.0.1", DEST_A, 4000, 53);
}

static struct vt_log ask(void)
{
	struct vt_log log = drop("QDISC_DROP", "__dev_queue_xmit", "out1");

	return net_answer(inspect, &log);
}

static void expect(const struct vt_log *log, enum vt_cause cause, const char *evidence)
{
	assert_string_equal(log->evidence, evidence);
	assert_string_equal(vt_cause_info(log->cause)->code, vt_cause_info(cause)->code);
}

static void test_shaper(void **state)
{
	struct vt_log log;

	net_run("tc qdisc add dev out1 root handle 5: tbf rate 8kbit burst 200 limit 300");
	send_to(DEST_A, 10);
	log = ask();
	expect(&log, VT_CAUSE_LIMIT_QDISC, "qdisc tbf 5: root of out1: rate 8Kbit limit 300b");
	net_run("tc qdisc add dev out1 parent 5:1 handle 6: pfifo limit 1");
	arm();
	send_to(DEST_A, 10);
	log = ask();
	expect(&log, VT_CAUSE_LIMIT_QDISC, "qdisc tbf 5: root of out1 rate 8Kbit limit 300b, with pfifo 6: limit 1p");
	net_run("tc qdisc replace dev out1 root handle 7: tbf rate 8mbit burst 90 limit 30000");
	arm();
	send_to(DEST_A, 1);
	log = ask();
	expect(&log, VT_CAUSE_LIMIT_QDISC,
	       "qdisc tbf 7: root of out1: rate 8Mbit limit 30000b, packets are longer than its burst");
}

/* A queue that only puts in order limits nobody: it was full. */
static void test_queue(void **state)
{
	struct vt_log log;

	net_run("tc qdisc add dev out1 root handle 6: pfifo limit 0");
	send_to(DEST_A, 3);
	log = ask();
	expect(&log, VT_CAUSE_QUEUE_FULL, "qdisc pfifo 6: root of out1: limit 0p");
}

/* A discipline that counted nothing is not blamed: it is not the one, or has been put there since. */
static void test_no_drop_counted(void **state)
{
	struct vt_log log;

	net_run("tc qdisc add dev out1 root handle 5: tbf rate 8kbit burst 200 limit 300");
	send_to(DEST_A, 10);
	arm();
	log = ask();
	expect(&log, VT_CAUSE_UNEXPLAINED,
	       "dropped by __dev_queue_xmit with reason QDISC_DROP on out1: qdisc tbf 5: root of out1 rate 8Kbit limit "
	       "300b, "
	       "which counted no drop");
	log = drop("QDISC_DROP", "__dev_queue_xmit", "bare");
	log = net_answer(inspect, &log);
	expect(&log, VT_CAUSE_UNEXPLAINED,
	       "dropped by __dev_queue_xmit with reason QDISC_DROP on bare: bare has no queue now that could drop "
	       "packets");
}

/* Two classes, by destination; what belongs to neither goes to a third that has no queue of its own. */
static void two_classes(void)
{
	net_run(
	    "tc qdisc add dev out1 root handle 1: htb default 30;"
	    "tc class add dev out1 parent 1: classid 1:1 htb rate 4kbit ceil 4kbit burst 100 cburst 100 quantum 1500;"
	    "tc class add dev out1 parent 1:1 classid 1:10 htb rate 1kbit ceil 1kbit burst 100 cburst 100 quantum 1500;"
	    "tc class add dev out1 parent 1:1 classid 1:20 htb rate 1kbit ceil 2kbit burst 100 cburst 100 quantum "
	    "1500;"
	    "tc class add dev out1 parent 1:1 classid 1:30 htb rate 1kbit ceil 1kbit burst 100 cburst 100 quantum 1500;"
	    "tc qdisc add dev out1 parent 1:10 handle 10: pfifo limit 1;"
	    "tc qdisc add dev out1 parent 1:20 handle 20: pfifo limit 2;"
	    "tc filter add dev out1 parent 1: protocol ip pref 1 u32 match ip dst " DEST_A " flowid 1:10;"
	    "tc filter add dev out1 parent 1: protocol ip pref 1 u32 match ip dst " DEST_B " flowid 1:20");
}

/* The class whose counter moved is named, though another one has dropped far more before. */
static void test_class(void **state)
{
	struct vt_log log;

	two_classes();
	send_to(DEST_B, 50);
	arm();
	send_to(DEST_A, 10);
	log = ask();
	expect(&log, VT_CAUSE_LIMIT_QDISC,
	       "qdisc htb 1: root of out1, class 1:10 rate 1Kbit ceil 1Kbit, with pfifo 10: limit 1p");
	arm();
	send_to(DEST_B, 10);
	log = ask();
	expect(&log, VT_CAUSE_LIMIT_QDISC,
	       "qdisc htb 1: root of out1, class 1:20 rate 1Kbit ceil 2Kbit, with pfifo 20: limit 2p");
}

/* Both dropped between two looks: which of them it was is not known, and both are told. */
static void test_two_classes(void **state)
{
	struct vt_log log;

	two_classes();
	arm();
	send_to(DEST_A, 10);
	send_to(DEST_B, 10);
	log = ask();
	expect(&log, VT_CAUSE_LIMIT_QDISC,
	       "qdisc htb 1: root of out1, one of these: class 1:10 rate 1Kbit ceil 1Kbit, with pfifo 10: limit 1p; "
	       "class 1:20 rate 1Kbit ceil 2Kbit, with pfifo 20: limit 2p");
}

/* The class without a queue of its own has one that the kernel made, which lists do not show. */
static void test_class_without_queue(void **state)
{
	struct vt_log log;

	net_run("ip link set out1 txqueuelen 2");
	two_classes();
	arm();
	send_to("10.0.1.3", 10);
	log = ask();
	expect(&log, VT_CAUSE_LIMIT_QDISC, "qdisc htb 1: root of out1, class 1:30 rate 1Kbit ceil 1Kbit");
}

/* A look answers for the drops before it. Whether a drop so soon after it was counted before it is not known. */
static void test_looks(void **state)
{
	struct vt_log first, soon, log;
	uint64_t start;

	two_classes();
	arm();
	send_to(DEST_A, 10);
	first = drop("QDISC_DROP", "__dev_queue_xmit", "out1");
	log = net_answer(inspect, &first);
	assert_non_null(strstr(log.evidence, "root of out1, class 1:10 "));
	soon = first;
	soon.rec.time_ns = net_now();
	send_to(DEST_B, 10);
	log = net_answer(inspect, &soon);
	assert_non_null(strstr(log.evidence, "one of these: class 1:10 "));
	log = net_answer(inspect, &first); /* late, but its looks may be there still */
	assert_non_null(strstr(log.evidence, "class 1:10 "));
	/* long after both looks: told from all that was dropped before */
	for (start = net_now(); net_now() < start + 150000000;)
		send_to(DEST_B, 1);
	log = ask();
	assert_non_null(strstr(log.evidence, "root of out1, class 1:20 "));
}

/* A filter that drops in front of the classes is told from the queue for packets of no class, if only one can be. */
static void test_root_alone(void **state)
{
	struct vt_log log;

	two_classes();
	net_run(
	    "tc filter add dev out1 parent 1: protocol ip pref 2 u32 match ip dst 10.0.1.9 action mirred egress mirror "
	    "dev out0 drop");
	arm();
	send_to("10.0.1.9", 3);
	log = ask();
	expect(&log, VT_CAUSE_POLICY_BPF,
	       "tc filter u32 pref 2 handle 801:0:800, action mirred, at qdisc htb 1: of out1 dropped the packet");
	/* now a packet has gone to that queue, and both may be */
	net_run("tc filter add dev out1 parent 1: protocol ip pref 1 u32 match ip dst 10.0.1.8 flowid 1:0");
	send_to("10.0.1.8", 1);
	arm();
	send_to("10.0.1.9", 3);
	log = ask();
	expect(
	    &log, VT_CAUSE_UNEXPLAINED,
	    "dropped by __dev_queue_xmit with reason QDISC_DROP on out1: qdisc htb 1: root of out1: htb 1: dropped the "
	    "packet before any class or queue of it took it");
}

/* The filters of an inner class are suspects too. */
static void test_inner_filter(void **state)
{
	struct vt_log log;

	two_classes();
	net_run("tc filter add dev out1 parent 1: protocol ip pref 1 u32 match ip dst 10.0.1.9 flowid 1:1;"
	        "tc filter add dev out1 parent 1:1 protocol ip pref 5 u32 match u32 0 0 action mirred egress mirror "
	        "dev out0 drop");
	arm();
	send_to("10.0.1.9", 3);
	log = ask();
	if (log.cause != VT_CAUSE_POLICY_BPF || !strstr(log.evidence, "tc filter u32 pref 5 handle"))
		fail_msg("cause %d: %s", log.cause, log.evidence);
}

/* The device is down now and its queue has dropped before: it may have been either. */
static void test_down(void **state)
{
	struct vt_log log;

	net_run("tc qdisc add dev out1 root handle 5: tbf rate 8kbit burst 200 limit 300");
	send_to(DEST_A, 10);
	net_run("ip link set out0 down");
	log = ask();
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED);
	assert_non_null(strstr(log.evidence, "out1 is up, but has no carrier, and its queue has dropped packets too"));
	arm();
	log = ask();
	expect(&log, VT_CAUSE_PORT_DOWN, "out1 is up, but has no carrier");
}

struct option {
	uint16_t type;
	uint64_t value;
	bool wide;
};

/* Kinds that this kernel may lack, by options as theirs are sent (linux/pkt_sched.h). */
static struct qdisc kind(const char *name, const struct option *options, size_t count)
{
	uint64_t buf[32] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlattr *nest = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	struct qdisc qdisc = {0};

	for (size_t i = 0; i < count; i++) {
		if (options[i].wide)
			mnl_attr_put_u64(nlh, options[i].type, options[i].value);
		else
			mnl_attr_put_u32(nlh, options[i].type, (uint32_t)options[i].value);
	}
	mnl_attr_nest_end(nlh, nest);
	snprintf(qdisc.kind, sizeof(qdisc.kind), "%s", name);
	qdisc_kind_fill(&qdisc, nest);
	return qdisc;
}

/* fq and cake limit only if they were told to; what a kind that nobody knows does is not said. */
static void test_kinds(void **state)
{
	struct option fq[] = {{TCA_FQ_PLIMIT, 10000}, {TCA_FQ_FLOW_PLIMIT, 100}, {TCA_FQ_FLOW_MAX_RATE, ~0u}};
	struct option cake = {TCA_CAKE_BASE_RATE64, 0, true}, codel = {TCA_FQ_CODEL_LIMIT, 1024};
	struct qdisc qdisc = kind("fq", fq, 3);

	assert_true(qdisc.orders && !qdisc.limits);
	assert_string_equal(qdisc.options, " limit 10000p flow_limit 100p");
	fq[2].value = 125000;
	qdisc = kind("fq", fq, 3);
	assert_true(qdisc.limits && !qdisc.orders);
	assert_string_equal(qdisc.options, " limit 10000p flow_limit 100p maxrate 1Mbit");
	qdisc = kind("fq", fq, 1);
	assert_true(!qdisc.limits && !qdisc.orders);
	qdisc = kind("cake", &cake, 1);
	assert_true(qdisc.orders && !qdisc.limits);
	cake.value = 12500000000;
	qdisc = kind("cake", &cake, 1);
	assert_true(qdisc.limits && !qdisc.orders);
	assert_string_equal(qdisc.options, " bandwidth 100Gbit");
	qdisc = kind("fq_codel", &codel, 1);
	assert_true(qdisc.orders && !qdisc.limits);
	assert_string_equal(qdisc.options, " limit 1024p");
	qdisc = kind("netem", NULL, 0);
	assert_true(!qdisc.limits && !qdisc.orders);
}

/* Other queues of the host, by reason and place alone. */
static void test_by_reason(void **state)
{
	struct vt_log log = drop("FULL_RING", "tun_net_xmit", "out1");

	log = net_answer(inspect, &log);
	assert_int_equal(log.cause, VT_CAUSE_QUEUE_FULL);
	log = drop("CPU_BACKLOG", "enqueue_to_backlog", "out1");
	log = net_answer(inspect, &log);
	expect(&log, VT_CAUSE_QUEUE_FULL, "the receive backlog of a CPU is full (net.core.netdev_max_backlog)");
	log = drop("NOMEM", "vxlan_xmit_one", "out1");
	log = net_answer(inspect, &log);
	assert_int_equal(log.cause, VT_CAUSE_OUT_OF_MEMORY);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_shaper), TEST(test_queue),       TEST(test_no_drop_counted),
	    TEST(test_class),  TEST(test_two_classes), TEST(test_class_without_queue),
	    TEST(test_looks),  TEST(test_root_alone),  TEST(test_inner_filter),
	    TEST(test_down),   TEST(test_by_reason),   cmocka_unit_test(test_kinds),
	};

	if (!net_enter()) {
		printf("SKIP: a network namespace of its own needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
