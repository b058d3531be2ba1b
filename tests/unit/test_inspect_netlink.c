// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the inspectors find out by netlink: routes, rules, queueing disciplines, forwarding entries, VNIs, neighbours,
 * ports. The state is the real kernel's, in a network namespace of the test's own; the drop records say what the kernel
 * says in such a state (tests/e2e has the packets). Needs root.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect_net.h"

static struct inspect *inspect;

static int setup(void **state)
{
	struct vt_err err = {0};

	assert_true(net_enter()); /* a fresh one for every test */
	net_run("ip link set lo up; ip link add in0 type veth peer name in1; ip link add out0 type veth peer name out1;"
	        "ip link add br0 type bridge; ip link set out1 up; ip link set out0 up; ip link set in0 up; ip link "
	        "set in1 up;"
	        "ip link set br0 up; ip addr add 10.0.0.254/24 dev in1; ip addr add 10.0.1.254/24 dev out1;"
	        "ip -6 addr add fd00::fe/64 dev in1 nodad; ip -6 addr add fd01::fe/64 dev out1 nodad;"
	        "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
	if (inspect_open(&inspect, NET_MARK, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int teardown(void **state)
{
	inspect_close(inspect);
	return 0;
}

static struct vt_log ask(const char *reason, const char *function, const char *device, const char *dst, int dst_error)
{
	bool ipv6 = strchr(dst, ':');
	struct vt_log log = net_drop(reason, function, device, ipv6 ? "fd00::1" : "10.0.0.1", dst, 4000, 53);

	log.rec.dst_error = dst_error;
	log.rec.vni = 100;
	return net_answer(inspect, &log);
}

static void expect(const struct vt_log *log, enum vt_cause cause, const char *evidence)
{
	assert_string_equal(log->evidence, evidence);
	assert_string_equal(vt_cause_info(log->cause)->code, vt_cause_info(cause)->code);
}

/* The longest covering route of the error's kind decides, also in tables other than main. */
static void test_denied_routes(void **state)
{
	struct vt_log log;

	net_run("ip route add blackhole 10.2.0.0/16; ip route add blackhole 10.2.1.0/24; ip route add unreachable "
	        "10.3.0.0/16;"
	        "ip route add prohibit 10.4.0.0/16 table 77; ip rule add pref 50 to 10.4.0.0/16 lookup 77;"
	        "ip -6 route add blackhole fd02::/64; ip -6 route add unreachable fd03::/64; ip -6 route add prohibit "
	        "fd04::/64");
	log = ask("NOT_SPECIFIED", "ip_error", "in1", "10.2.1.9", -EINVAL);
	expect(&log, VT_CAUSE_ROUTE_BLACKHOLE, "blackhole 10.2.1.0/24 in table main");
	assert_string_equal(log.device, "in1");
	log = ask("NOT_SPECIFIED", "ip_error", "in1", "10.2.9.9", EINVAL);
	expect(&log, VT_CAUSE_ROUTE_BLACKHOLE, "blackhole 10.2.0.0/16 in table main");
	log = ask("NOT_SPECIFIED", "ip_error", "in1", "10.3.1.1", EHOSTUNREACH);
	expect(&log, VT_CAUSE_ROUTE_UNREACHABLE, "unreachable 10.3.0.0/16 in table main");
	log = ask("NOT_SPECIFIED", "ip_error", "in1", "10.4.1.1", EACCES);
	expect(&log, VT_CAUSE_ROUTE_PROHIBIT,
	       "prohibit 10.4.0.0/16 in table 77, chosen by rule 50: to 10.4.0.0/16 lookup 77");
	log = ask("NOT_SPECIFIED", "dst_discard_out", "in1", "fd02::1", EINVAL);
	expect(&log, VT_CAUSE_ROUTE_BLACKHOLE, "blackhole fd02::/64 in table main");
	log = ask("IP_INNOROUTES", "ip6_pkt_discard", "in1", "fd03::1", EHOSTUNREACH);
	expect(&log, VT_CAUSE_ROUTE_UNREACHABLE, "unreachable fd03::/64 in table main");
	log = ask("IP_INNOROUTES", "ip6_pkt_prohibit", "in1", "fd04::1", EACCES);
	expect(&log, VT_CAUSE_ROUTE_PROHIBIT, "prohibit fd04::/64 in table main");
}

static void test_missing_route(void **state)
{
	struct vt_log log = ask("IP_INNOROUTES", "ip_error", "in1", "10.9.9.9", ENETUNREACH);

	expect(&log, VT_CAUSE_ROUTE_MISSING,
	       "no route to 10.9.9.9 in any table consulted (rules: 0: local, 32766: main, 32767: default)");
	log = ask("IP_INNOROUTES", "ip6_pkt_discard", "in1", "fd09::1", ENETUNREACH);
	expect(&log, VT_CAUSE_ROUTE_MISSING,
	       "no route to fd09::1 in any table consulted (rules: 0: local, 32766: main)");
}

static void test_rules(void **state)
{
	struct vt_log log;

	net_run("ip rule add pref 100 from 10.0.0.1 to 10.9.0.0/16 iif in1 unreachable; ip rule add pref 101 to "
	        "10.8.0.0/16 "
	        "prohibit; ip rule add pref 102 to 10.7.0.0/16 fwmark 7 unreachable");
	log = ask("IP_INNOROUTES", "ip_error", "in1", "10.9.9.9", ENETUNREACH);
	expect(&log, VT_CAUSE_ROUTE_UNREACHABLE, "rule 100: from 10.0.0.1 to 10.9.0.0/16 iif in1 unreachable");
	log = ask("NOT_SPECIFIED", "ip_error", "in1", "10.8.9.9", EACCES);
	expect(&log, VT_CAUSE_ROUTE_PROHIBIT, "rule 101: to 10.8.0.0/16 prohibit");
	/* the record has no mark: no route, or that rule; nothing is certain */
	log = ask("IP_INNOROUTES", "ip_error", "in1", "10.7.9.9", ENETUNREACH);
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED);
	assert_non_null(
	    strstr(log.evidence, "no route to 10.7.9.9, or rule 102: to 10.7.0.0/16 fwmark 0x7 unreachable"));
}

/* Two tables: the one whose rule matches first decides, unless it sends the search on or its rule is not for all. */
static void test_deciding_table(void **state)
{
	struct vt_log log;

	net_run(
	    "ip rule add pref 50 to 10.4.0.0/16 lookup 77; ip rule add pref 60 lookup 78; ip rule add pref 55 fwmark 1 "
	    "lookup 79;"
	    "ip route add prohibit 10.4.0.0/16 table 77; ip route add throw 10.4.1.0/24 table 77;"
	    "ip route add prohibit 10.4.0.0/20 table 78; ip route add prohibit 10.4.0.0/18;"
	    "ip route add prohibit 10.5.0.0/16 table 79; ip route add prohibit 10.5.0.0/18 table 78;"
	    "ip rule add pref 40 from 10.0.0.77 to 10.4.0.0/16 prohibit");
	log = ask("NOT_SPECIFIED", "ip_error", "in1", "10.4.2.1", EACCES);
	expect(&log, VT_CAUSE_ROUTE_PROHIBIT,
	       "prohibit 10.4.0.0/16 in table 77, chosen by rule 50: to 10.4.0.0/16 lookup 77");
	log = ask("NOT_SPECIFIED", "ip_error", "in1", "10.4.1.1", EACCES);
	expect(&log, VT_CAUSE_ROUTE_PROHIBIT, "prohibit 10.4.0.0/20 in table 78, chosen by rule 60: lookup 78");
	log = ask("NOT_SPECIFIED", "ip_error", "in1", "10.5.1.1", EACCES);
	expect(&log, VT_CAUSE_ROUTE_PROHIBIT,
	       "one of these: prohibit 10.5.0.0/16 in table 79, chosen by rule 55: fwmark 0x1 lookup 79; prohibit "
	       "10.5.0.0/18 in table 78, chosen by rule 60: lookup 78");
}

/* Mended between the drop and our look: what is there now did not decide then, and is not named. */
static void test_mended_route(void **state)
{
	struct vt_log log;

	net_run(
	    "ip route add blackhole 10.6.0.0/16; ip route add 10.6.1.0/24 dev out1; ip route add 10.7.0.0/16 dev out1");
	log = ask("NOT_SPECIFIED", "ip_error", "in1", "10.6.1.1", EINVAL);
	expect(&log, VT_CAUSE_ROUTE_BLACKHOLE,
	       "route to 10.6.1.1: Invalid argument (now the routing decides otherwise)");
	log = ask("NOT_SPECIFIED", "ip_error", "in1", "10.7.1.1", EACCES);
	expect(&log, VT_CAUSE_ROUTE_PROHIBIT, "route to 10.7.1.1: Permission denied (it is not there any more)");
	log = ask("IP_INNOROUTES", "ip_error", "in1", "10.7.1.1", ENETUNREACH);
	assert_int_equal(log.cause, VT_CAUSE_ROUTE_MISSING);
	assert_non_null(strstr(log.evidence, "no route to 10.7.1.1 was found (a lookup now says otherwise; rules: "));
}

static void test_forwarding_off(void **state)
{
	struct vt_log log = ask("IP_INADDRERRORS", "ip_error", "in1", "10.0.1.1", EHOSTUNREACH);

	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED); /* it is on */
	net_run("sysctl -qw net.ipv4.conf.in1.forwarding=0 net.ipv6.conf.all.forwarding=0");
	log = ask("IP_INADDRERRORS", "ip_error", "in1", "10.0.1.2", EHOSTUNREACH);
	expect(&log, VT_CAUSE_FORWARDING_OFF, "net.ipv4.conf.in1.forwarding is 0");
	log = ask("IP_INADDRERRORS", "ip6_forward", "in1", "fd01::1", 0);
	expect(&log, VT_CAUSE_FORWARDING_OFF, "net.ipv6.conf.all.forwarding is 0");
}

static void test_rp_filter(void **state)
{
	struct vt_log log;

	net_run("ip route add 10.0.0.1/32 dev out1");
	log = ask("IP_RPFILTER", "ip_rcv_finish_core", "in1", "10.0.1.1", 0);
	expect(&log, VT_CAUSE_RP_FILTER, "reverse path filter of in1: the route back to 10.0.0.1 leaves through out1");
}

static void test_mtu(void **state)
{
	struct vt_log log =
	    net_drop("NOT_SPECIFIED", "br_dev_queue_push_xmit", "out1", "10.0.0.1", "10.0.0.2", 4000, 53);

	net_run("ip link set out1 mtu 1300; ip link set out1 master br0");
	log.rec.length = 1400;
	log = net_answer(inspect, &log);
	expect(&log, VT_CAUSE_MTU_EXCEEDED, "packets are larger than MTU 1300 of bridge port out1");
	log = net_drop("NOT_SPECIFIED", "br_dev_queue_push_xmit", "out1", "10.0.0.1", "10.0.0.2", 4000, 53);
	log = net_answer(inspect, &log);
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED); /* it fits: something else was the matter */
	net_run("ip link set out1 nomaster; ip neigh add 10.0.0.1 lladdr 02:00:00:00:00:09 dev in1");
	log = ask("PKT_TOO_BIG", "ip_forward", "in1", "10.0.1.1", 0);
	expect(&log, VT_CAUSE_MTU_EXCEEDED, "packets are larger than MTU 1300 of out1");
	assert_string_equal(log.device, "out1");
	log = ask("PKT_TOO_BIG", "ip6_forward", "out1", "fd01::1", 0);
	expect(&log, VT_CAUSE_MTU_EXCEEDED, "packets are larger than MTU 1300 of out1");
}

/* A device without carrier drops what is sent through it with a queue's reason; queues are in test_inspect_queues.c. */
static void test_no_carrier(void **state)
{
	struct vt_log log;

	net_run("ip link set in0 down; tc qdisc replace dev in1 root handle 6: pfifo limit 7");
	log = ask("QDISC_DROP", "__dev_queue_xmit", "in1", "10.0.0.2", 0);
	expect(&log, VT_CAUSE_PORT_DOWN, "in1 is up, but has no carrier");
	log = ask("QDISC_DROP", "__dev_queue_xmit", "out0", "10.0.1.1", 0);
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED);
}

static void test_vxlan(void **state)
{
	struct vt_log log;

	net_run(
	    "ip link add vx type vxlan id 100 local 10.0.1.254 dstport 4789 nolearning; ip link set vx master br0 up;"
	    "ip link add vx6 type vxlan id 200 local 10.0.1.254 dstport 8472; ip neigh add 10.0.0.77 lladdr "
	    "02:00:00:00:00:77 dev br0 nud permanent");
	log = ask("NO_TX_TARGET", "vxlan_xmit", "vx", "10.0.0.2", 0);
	expect(&log, VT_CAUSE_FDB_MISSING,
	       "vx (VNI 100) has no forwarding entry for the destination's MAC address (of 10.0.0.2 or its gateway) "
	       "and no "
	       "default remote");
	assert_string_equal(log.device, "vx");
	log = ask("NO_TX_TARGET", "vxlan_xmit", "vx", "10.0.0.77", 0);
	expect(&log, VT_CAUSE_FDB_MISSING,
	       "vx (VNI 100) has no forwarding entry for 02:00:00:00:00:77 (10.0.0.77) and no default remote");
	log = net_drop("VXLAN_VNI_NOT_FOUND", "vxlan_rcv", "out1", "10.0.0.1", "10.0.0.2", 4000, 53);
	log.rec.vni = 300;
	log = net_answer(inspect, &log);
	expect(&log, VT_CAUSE_VNI_UNKNOWN,
	       "no vxlan device here takes VNI 300 (vxlan devices: vx VNI 100 port 4789, vx6 VNI 200 port 8472 down)");
	log = net_drop("VXLAN_VNI_NOT_FOUND", "vxlan_rcv", "out1", "10.0.0.1", "10.0.0.2", 4000, 53);
	log.rec.vni = 200;
	log = net_answer(inspect, &log);
	expect(&log, VT_CAUSE_VNI_UNKNOWN, "VNI 200 is not served here: its device vx6 is down");
	net_run("bridge fdb append 00:00:00:00:00:00 dev vx dst 10.0.1.9; bridge fdb append 02:00:00:00:00:55 dev vx "
	        "dst 172.16.9.9");
	log = ask("IP_OUTNOROUTES", "vxlan_xmit_one", "vx", "10.0.0.2", 0);
	expect(&log, VT_CAUSE_VTEP_UNROUTABLE,
	       "vx (VNI 100): no route to tunnel end point 172.16.9.9 (Network is unreachable)");
}

static void outer(struct vt_log *log)
{
	log->rec.flags = VT_REC_ENCAP | VT_REC_OUTER;
	memcpy(log->rec.outer_src, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\x01\xfe", 16);
	memcpy(log->rec.outer_dst, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\x01\x09", 16);
}

/* The same drop of the tenant's and of the encapsulated packet are different causes. */
static void test_outer(void **state)
{
	struct vt_log log = net_drop("NO_SOCKET", "__udp4_lib_rcv", "out1", "10.0.0.1", "10.0.0.2", 4000, 53),
	              inner = log;

	log.rec.vni = 100;
	outer(&log);
	log = net_answer(inspect, &log);
	expect(&log, VT_CAUSE_VTEP_MISSING,
	       "no VXLAN socket takes the encapsulated packets (VNI 100; vxlan devices: none)");
	inner = net_answer(inspect, &inner);
	assert_int_equal(inner.cause, VT_CAUSE_NO_LISTENER);
	log = net_drop("NEIGH_FAILED", "neigh_invalidate", "out1", "192.168.7.1", "192.168.7.2", 4000, 53);
	outer(&log);
	log = net_answer(inspect, &log);
	expect(&log, VT_CAUSE_VTEP_NEIGHBOUR_FAILED, "neighbour 10.0.1.9 on out1 does not answer (ARP)");
}

static void test_neighbour(void **state)
{
	struct vt_log log = ask("NEIGH_FAILED", "neigh_invalidate", "out1", "10.0.1.7", 0);

	expect(&log, VT_CAUSE_NEIGHBOUR_FAILED, "neighbour 10.0.1.7 on out1 does not answer (ARP)");
	net_run("ip route add 10.5.0.0/16 via 10.0.1.3");
	log = ask("NEIGH_FAILED", "neigh_invalidate", "out1", "10.5.0.7", 0);
	expect(&log, VT_CAUSE_NEIGHBOUR_FAILED, "neighbour 10.0.1.3 on out1 does not answer (ARP)");
	log = ask("NOT_SPECIFIED", "neigh_invalidate", "out1", "fd01::7", 0);
	expect(&log, VT_CAUSE_NEIGHBOUR_FAILED, "neighbour fd01::7 on out1 does not answer (neighbour discovery)");
	log = ask("NEIGH_QUEUEFULL", "neigh_resolve_output", "out1", "10.0.1.8", 0);
	assert_int_equal(log.cause, VT_CAUSE_QUEUE_FULL); /* it may only be slow to resolve */
	net_run("ip neigh add 10.0.1.8 dev out1 nud failed");
	log = ask("NEIGH_QUEUEFULL", "neigh_resolve_output", "out1", "10.0.1.8", 1);
	assert_int_equal(log.cause, VT_CAUSE_NEIGHBOUR_FAILED);
}

static void test_ports(void **state)
{
	struct vt_log log;

	/* the carrier's coming up, which the kernel sees a little later, makes a port forward again */
	net_run("ip link set out1 master br0; for i in $(seq 500); do ip link show out1 | grep -q 'state UP' && break; "
	        "done;"
	        "bridge link set dev out1 state 0");
	log = ask("BRIDGE_INGRESS_STP_STATE", "br_handle_frame", "out1", "10.0.0.2", 0);
	expect(&log, VT_CAUSE_PORT_BLOCKED, "bridge port out1 takes no packets: its state is disabled");
	net_run("bridge link set dev out1 state 3; bridge link set dev out1 isolated on");
	log = ask("NO_TX_TARGET", "br_handle_frame_finish", "out1", "10.0.0.2", 0);
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED); /* which frame it was is not known here */
	net_run("ip link add dum type veth peer name dum2");
	log = ask("DEV_READY", "__dev_queue_xmit", "dum", "10.0.0.2", 0);
	expect(&log, VT_CAUSE_PORT_DOWN, "dum is down");
	log = ask("OTHERHOST", "ip_rcv_core", "in1", "10.0.0.2", 0);
	assert_int_equal(log.cause, VT_CAUSE_WRONG_MAC);
	log = ask("OTHERHOST", "ip_rcv_core", "br0", "10.0.0.2", 0);
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED); /* a bridge sees copies of what it floods */
}

/* A reason at a place that no row knows is never given a cause. */
static void test_unexplained(void **state)
{
	struct vt_log log = ask("IP_INHDR", "vxlan_rcv", "in1", "10.0.1.1", EHOSTUNREACH);

	expect(&log, VT_CAUSE_UNEXPLAINED,
	       "dropped by vxlan_rcv with reason IP_INHDR on in1, route error 113 (No route to host)");
	assert_string_equal(log.reason, "IP_INHDR");
	assert_string_equal(log.site, "vxlan_rcv+0x10");
	log = ask("IP_INHDR", "ip_forward", "in1", "10.0.1.1", 0);
	assert_int_equal(log.cause, VT_CAUSE_TTL_EXPIRED);
	log = ask("IP_INHDR", "ip_rcv_core", "in1", "10.0.1.1", 0);
	assert_int_equal(log.cause, VT_CAUSE_HEADER_BAD);
}

/*
 * Of the policies that fit, the first by priority; what cannot be known of the packet (a mark) or of the policies
 * (which of two is older) is not guessed. Where IPv6 forwards the kernel gives no reason, and only a certain answer
 * explains it.
 */
static void test_ipsec(void **state)
{
	struct vt_log log = ask("NOT_SPECIFIED", "ip6_forward", "in1", "fd01::9", 0);

	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED);
	net_run(
	    "ip xfrm policy add src fd00::/64 dst fd01::/64 dir fwd action block priority 5;"
	    "ip xfrm policy add src fd00::/64 dst fd02::/64 dir fwd action block priority 5;"
	    "ip xfrm policy add src fd00::/64 dst fd02::2/128 proto tcp dir fwd priority 4;"
	    "ip xfrm policy add src fd00::/64 dst fd03::/64 dir fwd action block priority 5 mark 3;"
	    "ip xfrm policy add src fd00::/64 dst fd04::/64 dir fwd action block priority 5;"
	    "ip xfrm policy add src fd00::1/128 dst fd04::/64 dir fwd priority 5;"
	    "ip xfrm policy add src fd00::/64 dst fd05::/64 proto udp dport 54 dir fwd action block;"
	    "ip xfrm policy add src 10.0.0.0/24 dst 10.0.1.1/32 proto udp dport 53 dir fwd priority 9 tmpl proto esp;"
	    "ip xfrm policy add src 10.0.0.0/24 dst 10.0.1.0/24 dir out action block priority 9");
	log = ask("NOT_SPECIFIED", "ip6_forward", "in1", "fd01::1", 0);
	expect(
	    &log, VT_CAUSE_POLICY_IPSEC,
	    "an IPsec (xfrm) policy of this host blocks the packet: src fd00::/64 dst fd01::/64 dir fwd action block "
	    "priority 5");
	log = ask("NOT_SPECIFIED", "ip6_forward", "in1", "fd02::2", 0); /* UDP */
	assert_int_equal(log.cause, VT_CAUSE_POLICY_IPSEC);
	log = ask("NOT_SPECIFIED", "ip6_forward", "in1", "fd03::1", 0);
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED);
	log = ask("NOT_SPECIFIED", "ip6_forward", "in1", "fd04::1", 0);
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED);
	log = ask("NOT_SPECIFIED", "ip6_forward", "in1", "fd05::1", 0);
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED);
	log = ask("XFRM_POLICY", "ip_forward", "in1", "10.0.1.1", 0); /* on its way in or out */
	expect(&log, VT_CAUSE_POLICY_IPSEC, "an IPsec (xfrm) policy of this host does not let the packet pass");
	log = ask("XFRM_POLICY", "ip_forward", "in1", "10.0.1.2", 0);
	expect(&log, VT_CAUSE_POLICY_IPSEC,
	       "an IPsec (xfrm) policy of this host blocks the packet: src 10.0.0.0/24 dst 10.0.1.0/24 dir out action "
	       "block priority 9");
	net_run("sysctl -qw net.ipv6.conf.in1.disable_policy=1");
	log = ask("NOT_SPECIFIED", "ip6_forward", "in1", "fd01::2", 0);
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED);
}

static unsigned int logs_taken;

static void count_log(void *arg, const struct vt_log *log)
{
	logs_taken++;
	*(unsigned int *)arg += strstr(log->evidence, "too many drops") != NULL;
}

/* More drops at once than are looked into: every one is handed over, the rest unexplained; past the queue they count.
 */
static void test_too_many(void **state)
{
	struct vt_log log = net_drop("IP_INHDR", "ip_forward", "in1", "10.0.0.1", "10.0.1.1", 4000, 53);
	unsigned int plain = 0;

	logs_taken = 0;
	for (int i = 0; i < 5000; i++)
		inspect_drop(inspect, &log, NULL, net_now());
	assert_int_equal(inspect_busy(inspect), 5000);
	assert_true(net_wait(inspect));
	assert_int_equal(inspect_poll(inspect, count_log, &plain, net_now()), 5000);
	assert_int_equal(logs_taken, 5000);
	assert_int_equal(plain, 5000 - 4096);
	assert_int_equal(inspect_lost(inspect), 0);
	for (int i = 0; i < 65536 + 10; i++)
		inspect_drop(inspect, &log, NULL, net_now());
	assert_int_equal(inspect_busy(inspect), 65536);
	assert_int_equal(inspect_lost(inspect), 10);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_denied_routes), TEST(test_missing_route),  TEST(test_rules),     TEST(test_deciding_table),
	    TEST(test_mended_route),  TEST(test_forwarding_off), TEST(test_rp_filter), TEST(test_mtu),
	    TEST(test_no_carrier),    TEST(test_vxlan),          TEST(test_outer),     TEST(test_neighbour),
	    TEST(test_ports),         TEST(test_unexplained),    TEST(test_too_many),  TEST(test_ipsec),
	};

	if (!net_enter()) {
		printf("SKIP: a network namespace of its own needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
