// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which program or tc filter dropped: real ones, attached in a network namespace of the test's own; the drop records
 * say what the kernel says of such drops (tests/conformance has the packets). Needs root.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inspect_net.h"

#define TCX_INGRESS         46 /* BPF_TCX_INGRESS, since 6.6 */
#define TCX_EGRESS          47
#define NETFILTER           45 /* BPF_NETFILTER, since 6.4 */
#define PROG_TYPE_NETFILTER 32
#define RECEIVE                                                                                                      \
	"netif_receive_skb" /* the real one is __netif_receive_skb_core with a suffix of the compiler's; no row asks \
	                     */

static struct inspect *inspect;
static int globals = -1; /* a map named like that of the agents' global variables */

static int setup(void **state)
{
	struct vt_err err = {0};

	assert_true(net_enter());
	net_run("ip link set lo up; ip link add in0 type veth peer name in1; ip link set in0 up; ip link set in1 up;"
	        "tc qdisc add dev in1 clsact");
	if (inspect_open(&inspect, NET_MARK, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int teardown(void **state)
{
	inspect_close(inspect);
	if (globals >= 0)
		close(globals);
	globals = -1;
	return 0;
}

/* A program that returns 1 (and drops, at XDP), with or without a map of the agents. */
static int program(const char *name, enum bpf_prog_type type, bool ours)
{
	struct bpf_insn insns[] = {
	    {.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = globals},
	    {0},
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	int skip = ours ? 0 : 2, fd;

	if (ours && globals < 0) {
		globals = bpf_map_create(BPF_MAP_TYPE_ARRAY, "vtrace_b.bss", 4, 8, 1, NULL);
		assert_true(globals >= 0);
		insns[0].imm = globals;
	}
	fd = bpf_prog_load(type, name, "GPL", insns + skip, 4 - skip, NULL);
	assert_true(fd >= 0);
	return fd;
}

static uint32_t id_of(int fd)
{
	struct bpf_prog_info info = {0};
	uint32_t length = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &length), 0);
	return info.id;
}

/* Attaches by tcx, where it stays until the device goes; returns its id. */
static uint32_t attach_tcx(const char *device, int type, const char *name, bool ours)
{
	int fd = program(name, BPF_PROG_TYPE_SCHED_CLS, ours);
	uint32_t id = id_of(fd);

	if (bpf_prog_attach(fd, (int)if_nametoindex(device), type, 0) < 0) {
		print_message("SKIP: this kernel has no tcx\n");
		close(fd);
		skip();
	}
	close(fd);
	return id;
}

static uint32_t attach_filter(const char *device, uint32_t handle, uint32_t priority, const char *name)
{
	int fd = program(name, BPF_PROG_TYPE_SCHED_CLS, false);
	uint32_t id = id_of(fd);
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex(device), .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = fd, .handle = handle, .priority = priority);

	assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
	close(fd);
	return id;
}

static struct vt_log ask(const char *reason, const char *function, const char *dst)
{
	struct vt_log log = net_drop(reason, function, "in1", strchr(dst, ':') ? "fd00::1" : "10.0.0.1", dst, 4000, 53);

	return net_answer(inspect, &log);
}

static struct vt_log ask_ingress(void)
{
	return ask("TC_INGRESS", RECEIVE, "10.0.0.2");
}

static void expect(const struct vt_log *log, enum vt_cause cause, const char *fmt, ...)
{
	char text[VT_EVIDENCE_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	assert_string_equal(log->evidence, text);
	assert_string_equal(vt_cause_info(log->cause)->code, vt_cause_info(cause)->code);
}

/* One that is not ours is named; the agent's own next to it never is; the other direction's is not asked. */
static void test_tcx(void **state)
{
	uint32_t id;
	struct vt_log log;

	attach_tcx("in1", TCX_INGRESS, "ingress_tenant", true);
	attach_tcx("in1", TCX_EGRESS, "elsewhere", false);
	log = ask_ingress();
	expect(&log, VT_CAUSE_POLICY_BPF,
	       "a tc program or filter at ingress of in1 dropped the packet; none that drops is there now");
	id = attach_tcx("in1", TCX_INGRESS, "ingress_tenant", false); /* only named like ours */
	inspect_close(inspect);
	inspect_open(&inspect, NET_MARK, NULL);
	log = ask_ingress();
	expect(&log, VT_CAUSE_POLICY_BPF, "tc program ingress_tenant (id %u) at ingress of in1 dropped the packet", id);
	assert_string_equal(log.device, "in1");
}

/* Two programs, one of which drops, cannot be told apart: both are named. */
static void test_two(void **state)
{
	uint32_t first = attach_tcx("in1", TCX_EGRESS, "firewall", false),
	         second = attach_tcx("in1", TCX_EGRESS, "counter", false);
	struct vt_log log = ask("TC_EGRESS", "__dev_queue_xmit", "fd00::2");

	expect(
	    &log, VT_CAUSE_POLICY_BPF,
	    "one of these at egress of in1 dropped the packet: tc program firewall (id %u); tc program counter (id %u)",
	    first, second);
}

static void test_many(void **state)
{
	struct vt_log log;

	for (int i = 0; i < 6; i++)
		attach_filter("in1", 1, 10 + (uint32_t)i, "chain");
	log = ask_ingress();
	assert_int_equal(log.cause, VT_CAUSE_POLICY_BPF);
	assert_non_null(
	    strstr(log.evidence, "one of these at ingress of in1 dropped the packet: tc filter bpf pref 10"));
	assert_non_null(strstr(log.evidence, "; and 2 more"));
}

/* Our own filter, one of the other IP version, and one that only copies are out. */
static void test_filters(void **state)
{
	struct vt_log log;
	uint32_t id;

	attach_filter("in1", 0x5654, 0x5654, "ingress_tenant");
	net_run("tc filter add dev in1 ingress protocol ipv6 pref 5 u32 match u32 0 0 action mirred egress mirror dev "
	        "in0 drop;"
	        "tc filter add dev in1 ingress protocol ip pref 6 u32 match u32 0 0 action mirred egress mirror dev "
	        "in0 continue");
	id = attach_filter("in1", 7, 8, "firewall");
	log = ask_ingress();
	expect(&log, VT_CAUSE_POLICY_BPF,
	       "tc filter bpf pref 8 handle 0x7, program firewall (id %u), at ingress of in1 dropped the packet", id);
	log = ask("TC_INGRESS", RECEIVE, "fd00::2");
	assert_non_null(
	    strstr(log.evidence, "one of these at ingress of in1 dropped the packet: tc filter u32 pref 5 handle"));
	net_run("tc filter del dev in1 ingress pref 8");
	log = ask("TC_INGRESS", RECEIVE, "fd00::3");
	expect(&log, VT_CAUSE_POLICY_BPF,
	       "tc filter u32 pref 5 handle 800:0:800, action mirred, at ingress of in1 dropped the packet");
}

/* The older qdisc for ingress alone, and a block of filters that several devices share. */
static void test_blocks(void **state)
{
	struct vt_log log;

	net_run("tc qdisc del dev in1 clsact; tc qdisc add dev in1 ingress;"
	        "tc filter add dev in1 ingress protocol ip pref 6 u32 match u32 0 0 action mirred egress mirror dev "
	        "in0 drop");
	log = ask_ingress();
	expect(&log, VT_CAUSE_POLICY_BPF,
	       "tc filter u32 pref 6 handle 800:0:800, action mirred, at ingress of in1 dropped the packet");
	net_run("tc qdisc del dev in1 ingress; tc qdisc add dev in1 ingress_block 22 ingress;"
	        "tc filter add block 22 protocol ip pref 7 chain 3 u32 match u32 0 0 action mirred egress mirror dev "
	        "in0 drop");
	log = ask("TC_INGRESS", RECEIVE, "10.0.0.3");
	assert_int_equal(log.cause, VT_CAUSE_POLICY_BPF);
	assert_non_null(strstr(log.evidence, "tc filter u32 pref 7 handle"));
}

/* An action that counts its drops and has none is out, even if it looks like the one. */
static void test_gact(void **state)
{
	struct vt_log log;

	if (system("tc filter add dev in1 ingress protocol ip pref 5 u32 match u32 0 0 action pass 2>/dev/null")) {
		print_message("SKIP: this kernel has no act_gact\n");
		skip();
	}
	net_run("tc filter add dev in1 ingress protocol ip pref 4 u32 match u32 0 0xffffffff action drop;"
	        "tc filter add dev in1 ingress protocol ip pref 3 u32 match ip dport 53 0xffff action drop");
	net_send_udp("in0", "in1", "10.0.0.1", "10.0.0.2", 4000, 53);
	log = ask_ingress();
	expect(&log, VT_CAUSE_POLICY_BPF,
	       "tc filter u32 pref 3 handle 801:0:800, action gact, at ingress of in1 dropped the packet");
}

/* A policer limits; next to somebody's verdict it is not known which of both it was. */
static void test_policer(void **state)
{
	struct vt_log log;

	if (system(
	        "tc filter add dev in1 ingress protocol ip pref 5 u32 match u32 0 0 police rate 8kbit burst 100 drop "
	        "2>/dev/null")) {
		print_message("SKIP: this kernel has no act_police\n");
		skip();
	}
	log = ask_ingress();
	expect(&log, VT_CAUSE_LIMIT_QDISC,
	       "tc filter u32 pref 5 handle 800:0:800, action police, at ingress of in1 dropped the packet");
	attach_filter("in1", 7, 8, "firewall");
	log = ask("TC_INGRESS", RECEIVE, "10.0.0.3");
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED);
}

static void outer(struct vt_log *log)
{
	log->rec.flags = VT_REC_ENCAP | VT_REC_OUTER;
	memcpy(log->rec.outer_src, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\x01\xfe", 16);
	memcpy(log->rec.outer_dst, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\x01\x09", 16);
}

/* The encapsulated packet is the provider's, and its own header is what the filter saw. */
static void test_outer(void **state)
{
	struct vt_log log = net_drop("TC_INGRESS", RECEIVE, "in1", "fd00::1", "fd00::2", 4000, 53);

	net_run("tc filter add dev in1 ingress protocol ipv6 pref 5 u32 match u32 0 0 action mirred egress mirror dev "
	        "in0 drop;"
	        "tc filter add dev in1 ingress protocol ip pref 6 u32 match u32 0 0 action mirred egress mirror dev "
	        "in0 drop");
	outer(&log);
	log = net_answer(inspect, &log);
	expect(&log, VT_CAUSE_UNDERLAY_FILTERED,
	       "tc filter u32 pref 6 handle 801:0:800, action mirred, at ingress of in1 dropped the packet");
}

/* The generic and the native program of a device are told by the place. */
static void test_xdp(void **state)
{
	int generic = program("generic_one", BPF_PROG_TYPE_XDP, false),
	    native = program("native_one", BPF_PROG_TYPE_XDP, false), ifindex = (int)if_nametoindex("in1");
	struct vt_log log = ask("NOT_SPECIFIED", "veth_xdp_rcv_skb", "10.0.0.2");

	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED); /* none is there, and the reason says nothing */
	log = ask("XDP", "do_xdp_generic", "10.0.0.2");
	expect(&log, VT_CAUSE_POLICY_BPF, "an XDP program at in1 dropped the packet; it is not attached any more");
	assert_int_equal(bpf_xdp_attach(ifindex, native, XDP_FLAGS_DRV_MODE, NULL), 0);
	log = ask("NOT_SPECIFIED", "veth_xdp_rcv_skb", "10.0.0.3");
	expect(&log, VT_CAUSE_POLICY_BPF, "XDP program native_one (id %u) (native) at in1 dropped the packet",
	       id_of(native));
	assert_int_equal(bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL), 0);
	assert_int_equal(bpf_xdp_attach(ifindex, generic, XDP_FLAGS_SKB_MODE, NULL), 0);
	log = ask("XDP", "do_xdp_generic", "10.0.0.3");
	expect(&log, VT_CAUSE_POLICY_BPF, "XDP program generic_one (id %u) (generic) at in1 dropped the packet",
	       id_of(generic));
	log = ask("NOT_SPECIFIED", "veth_xdp_rcv_skb", "10.0.0.4");
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED); /* the native one is gone */
	log = net_drop("XDP", "do_xdp_generic", "in1", "10.0.0.1", "10.0.0.9", 4000, 53);
	outer(&log);
	log = net_answer(inspect, &log);
	assert_int_equal(log.cause, VT_CAUSE_UNDERLAY_FILTERED);
	close(generic);
	close(native);
}

/* Reasons that leave no doubt about the kind of program. */
static void test_by_reason(void **state)
{
	struct vt_log log = ask("BPF_CGROUP_EGRESS", "ip_finish_output", "10.0.0.2");

	assert_int_equal(log.cause, VT_CAUSE_POLICY_BPF);
	log = ask("SOCKET_FILTER", "udp_queue_rcv_one_skb", "10.0.0.2");
	assert_int_equal(log.cause, VT_CAUSE_POLICY_BPF);
	log = ask("SOCKET_FILTER", "sock_queue_rcv_skb_reason", "10.0.0.2");
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED); /* a copy for a raw socket, perhaps */
}

/* A link (its descriptor) of a program that accepts, at netfilter's forward hook for IPv4 of this namespace. */
static int netfilter_link(int *ret_program)
{
	struct bpf_insn insns[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = NETFILTER);
	struct {
		uint32_t program, target, attach_type, flags, family, hook;
		int32_t priority;
		uint32_t netfilter_flags;
	} attr = {.attach_type = NETFILTER, .family = 2, .hook = 2, .priority = 7};

	*ret_program = bpf_prog_load(PROG_TYPE_NETFILTER, "nf_one", "GPL", insns, 2, &opts);
	if (*ret_program < 0)
		return -1;
	attr.program = (uint32_t)*ret_program;
	return (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
}

/* Only what is in this namespace counts, and only where nobody else can have dropped the packet there. */
static void test_netfilter(void **state)
{
	int one, link = netfilter_link(&one);
	struct vt_err err = {0};
	struct vt_log log;

	if (link < 0) {
		print_message("SKIP: no BPF programs at netfilter's hooks in this kernel (6.4)\n");
		skip();
	}
	if (inspect_arm(inspect, &err) < 0)
		fail_msg("%s", err.text);
	log = ask("NETFILTER_DROP", "nf_hook_slow", "10.0.0.2");
	expect(&log, VT_CAUSE_POLICY_BPF, "BPF program nf_one (id %u) at hook forward (priority 7) dropped the packet",
	       id_of(one));
	log = ask("NETFILTER_DROP", "nf_hook_slow", "fd00::2");
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED); /* it is there for IPv4 */
	net_run("iptables-legacy -t raw -S >/dev/null");
	log = ask("NETFILTER_DROP", "nf_hook_slow", "10.0.0.4");
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED);
	inspect_close(inspect);
	assert_true(net_enter()); /* the link stays behind */
	if (inspect_open(&inspect, NET_MARK, &err) < 0 || inspect_arm(inspect, &err) < 0)
		fail_msg("%s", err.text);
	net_run("ip link set lo up");
	log = net_drop("NETFILTER_DROP", "nf_hook_slow", "lo", "10.0.0.1", "10.0.0.5", 4000, 53);
	log = net_answer(inspect, &log);
	assert_int_equal(log.cause, VT_CAUSE_UNEXPLAINED);
	assert_null(strstr(log.evidence, "nf_one"));
	close(link);
	close(one);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_tcx),  TEST(test_two),       TEST(test_many),      TEST(test_filters),
	    TEST(test_gact), TEST(test_policer),   TEST(test_blocks),    TEST(test_outer),
	    TEST(test_xdp),  TEST(test_by_reason), TEST(test_netfilter),
	};

	if (!net_enter()) {
		printf("SKIP: a network namespace of its own needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
