// SPDX-License-Identifier: BSD-3-Clause
/* libvdg with its driver over the real socket: what is matched, coloured, recorded, and told. Workers: the test itself.
 */
#include "vdg_fixture.h"

#include <errno.h>

static int setup(void **state)
{
	struct device *d = device_new(1, 0);

	agent_open(d);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	device_free(*state);
	return 0;
}

static void test_match(void **state)
{
	struct device *d = *state;
	uint16_t dns, both;

	assert_int_equal(match(d, 0, 1, 53), 0);
	arm(d, 1, "udp and dst port 53", false, 10);
	dns = match(d, 0, 1, 53);
	assert_int_not_equal(dns, 0);
	assert_int_equal(match(d, 0, 2, 53), dns);
	assert_int_equal(match(d, 0, 1, 54), 0);
	arm(d, 2, "udp and src port 9", true, 10);
	both = match(d, 0, 9, 53);
	assert_int_not_equal(both, 0);
	assert_int_not_equal(both, dns);
	assert_int_equal(match(d, 0, 1, 53), dns);
	assert_int_not_equal(match(d, 0, 53, 9), 0); /* the reverse of task 2 */
	assert_int_not_equal(match(d, 0, 53, 9), match(d, 0, 9, 54));
	arm(d, 3, "udp and dst port 60 and vni 101", false, 10);
	assert_int_equal(match(d, 0, 1, 60), 0); /* VNI 100 */
	d->dp->ops->disarm(d->dp, 1);
	device_settled(d, 2);
	assert_int_equal(match(d, 0, 1, 53), 0);
}

/* Numbers of flows that a task did not want outlive it; numbers of those that it wanted do not. */
static void test_numbers_outlive_others(void **state)
{
	struct device *d = *state;
	struct datagram bytes;
	struct vdg_packet packet = packet_udp(&bytes, 9, 54, 1);
	struct vdg_stats stats;
	uint16_t stays, goes;

	arm(d, 1, "udp and dst port 53", false, 10);
	arm(d, 2, "udp and src port 9", false, 10);
	start(d, 2);
	stays = match(d, 0, 9, 54);
	goes = match(d, 0, 9, 53);
	d->dp->ops->disarm(d->dp, 1);
	arm(d, 3, "tcp", false, 1); /* answered after the turns that 1 needed to go, and one more: its place is free */
	settle(d);
	assert_int_equal(vdg_in(vdg_worker(d->vdg, 0), stays, 0, &packet), 1);
	packet = packet_udp(&bytes, 9, 53, 1);
	assert_int_equal(vdg_in(vdg_worker(d->vdg, 0), goes, 0, &packet), 0);
	pthread_mutex_lock(&d->lock);
	vdg_stats(d->vdg, &stats);
	pthread_mutex_unlock(&d->lock);
	assert_int_equal(stats.sets, 1);
}

static void test_concerned(void **state)
{
	struct device *d = *state;

	d->asked = flow_udp(1, 53);
	arm(d, 1, "udp and dst port 53", false, 10);
	assert_int_equal(d->changed, 1);
	assert_true(d->concerned);
	arm(d, 2, "udp and dst port 54", false, 10);
	assert_int_equal(d->changed, 2);
	assert_false(d->concerned);
	d->dp->ops->disarm(d->dp, 2);
	device_settled(d, 1);
	assert_false(d->concerned);
	d->dp->ops->disarm(d->dp, 1);
	device_settled(d, 0);
	assert_int_equal(d->changed, 4);
	assert_true(d->concerned);
}

static void test_colour(void **state)
{
	struct device *d = *state;
	struct vdg_worker *worker = vdg_worker(d->vdg, 0);
	struct datagram bytes;
	struct vdg_packet packet = packet_udp(&bytes, 1, 53, 1);
	uint64_t coloured[2];
	uint16_t set;

	arm(d, 1, "udp and dst port 53", false, 2);
	set = match(d, 0, 1, 53);
	assert_int_equal(vdg_in(worker, set, 0, &packet), 0); /* not started */
	start(d, 1);
	assert_int_equal(vdg_in(worker, set, 0, &packet), 1);
	packet = packet_udp(&bytes, 1, 54, 2);
	assert_int_equal(vdg_in(worker, set, 0, &packet),
	                 0); /* an entry that is too old: the filter does not want it */
	packet = tunnelled(packet_udp(&bytes, 1, 53, 3));
	assert_int_equal(vdg_in(worker, set, 0, &packet), 0); /* its first VFD did not colour it */
	packet = packet_udp(&bytes, 1, 53, 4);
	assert_int_equal(vdg_in(worker, set, 0, &packet), 1);
	assert_int_equal(vdg_in(worker, set, 0, &packet), 0); /* used up */
	stop(d, 1, coloured);
	assert_int_equal(coloured[0], 2);
	assert_int_equal(coloured[1], 0);
	settle(d);
	assert_int_equal(d->n_logs, 2);
	assert_int_equal(d->logs[0].rec.loc, VT_LOC_IN);
	assert_int_equal(d->logs[0].rec.hop, 1);
	assert_int_equal(d->logs[0].rec.task, 1);
	assert_int_equal(d->logs[0].rec.flags, VT_REC_COLOURED);
	assert_int_equal(d->logs[0].rec.vni, 100);
	assert_int_equal(d->logs[0].rec.length, 60);
	assert_int_equal(d->logs[0].rec.ifindex, 7);
	assert_string_equal(d->logs[0].device, "vm1");
	assert_int_not_equal(d->logs[0].rec.packet_id, d->logs[1].rec.packet_id);
}

/* A task that has not started, or a packet that an old entry's set does not fit, are no sign that nothing will come. */
static void test_spent(void **state)
{
	struct device *d = *state;
	struct vdg_worker *worker = vdg_worker(d->vdg, 0);
	struct datagram bytes;
	struct vdg_packet packet = packet_udp(&bytes, 1, 53, 1), other;
	struct datagram other_bytes;
	uint16_t set;

	other = packet_udp(&other_bytes, 1, 54, 2);
	arm(d, 1, "udp and dst port 53", false, 2);
	arm(d, 2, "udp and src port 1", false, 1);
	set = match(d, 0, 1, 53);
	assert_false(vdg_spent(worker, set));
	start(d, 1);
	assert_int_equal(vdg_in(worker, set, 0, &packet), 1);
	assert_int_equal(vdg_in(worker, match(d, 0, 2, 53), 0, &other), 0);
	assert_false(vdg_spent(worker, match(d, 0, 2, 53)));
	assert_int_equal(vdg_in(worker, set, 0, &packet), 1);
	assert_true(vdg_spent(worker, match(d, 0, 2, 53)));
	assert_int_equal(vdg_in(worker, set, 0, &packet), 0);
	assert_false(vdg_spent(worker, set)); /* the second one is to start */
	start(d, 2);
	assert_int_equal(vdg_in(worker, set, 0, &packet), 1);
	assert_true(vdg_spent(worker, set));
	assert_false(vdg_spent(worker, 0));
}

/* Records of one packet for several tasks are known by their time. */
static void test_two_tasks(void **state)
{
	struct device *d = *state;
	struct datagram bytes;
	struct vdg_packet packet = packet_udp(&bytes, 9, 53, 1);
	uint64_t coloured[2];

	arm(d, 1, "udp and dst port 53", false, 5);
	arm(d, 2, "udp and src port 53", true, 5); /* the packet is of its reverse direction */
	start(d, 1);
	start(d, 2);
	assert_int_equal(vdg_in(vdg_worker(d->vdg, 0), match(d, 0, 9, 53), 0, &packet), 1);
	stop(d, 2, coloured);
	assert_int_equal(coloured[0], 0);
	assert_int_equal(coloured[1], 1);
	settle(d);
	assert_int_equal(d->n_logs, 2);
	assert_int_equal(d->logs[0].rec.task, 1);
	assert_int_equal(d->logs[0].rec.flags, VT_REC_COLOURED);
	assert_int_equal(d->logs[1].rec.task, 2);
	assert_int_equal(d->logs[1].rec.flags, VT_REC_COLOURED | VT_REC_REVERSE);
	assert_int_equal(d->logs[0].rec.time_ns, d->logs[1].rec.time_ns);
}

static void test_flags(void **state)
{
	struct device *d = *state;
	struct vdg_worker *worker = vdg_worker(d->vdg, 0);
	struct datagram bytes;
	struct vdg_packet plain = packet_udp(&bytes, 1, 53, 1), outer = tunnelled(plain);
	const struct {
		unsigned int loc, hop, flags;
	} expected[] = {
	    {VT_LOC_IN, 3, VT_REC_ENCAP},
	    {VT_LOC_OUT, 3, VT_REC_ENCAP},
	    {VT_LOC_OUT, 15, VT_REC_ENCAP | VT_REC_HOP_LIMIT},
	    {VT_LOC_OUT, 15, 0},
	    {VT_LOC_OUT, 2, VT_REC_LOCAL},
	    {VT_LOC_ERROR, 2, 0},
	    {VT_LOC_ERROR, 2, VT_REC_ENCAP | VT_REC_OUTER},
	    {VT_LOC_ERROR, 2, VT_REC_AFTER_OUT},
	};

	assert_int_equal(vdg_in(worker, 0, 3, &outer), 0); /* nobody traces here */
	arm(d, 1, "tcp", false, 1);
	assert_int_equal(vdg_in(worker, 0, 3, &outer), 3);
	assert_int_equal(vdg_out(worker, 3, &outer), 4 << 2 | 3);
	assert_int_equal(vdg_out(worker, 15, &outer), 0);
	assert_int_equal(vdg_out(worker, 15, &plain), 0);
	vdg_local(worker, 2, &plain);
	vdg_drop(worker, 2, &plain, 0);
	vdg_drop(worker, 2, &outer, 0);
	vdg_drop_after_out(worker, 2, &plain, 0);
	assert_int_equal(vdg_in(worker, 0, 16, &outer), 0);
	settle(d);
	assert_int_equal(d->n_logs, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < d->n_logs; i++) {
		assert_int_equal(d->logs[i].rec.loc, expected[i].loc);
		assert_int_equal(d->logs[i].rec.hop, expected[i].hop);
		assert_int_equal(d->logs[i].rec.flags, expected[i].flags);
	}
	assert_memory_equal(d->logs[0].rec.outer_dst, outer.outer_dst, 16);
	assert_string_equal(d->logs[0].device, "eth0");
	assert_int_equal(d->logs[5].cause, VT_CAUSE_UNEXPLAINED);
}

static void test_fragments_and_tcp(void **state)
{
	struct device *d = *state;
	struct vdg_worker *worker = vdg_worker(d->vdg, 0);
	struct datagram bytes;
	struct vdg_packet packet = packet_udp(&bytes, 1, 53, 1);
	/* IPv6, destination options, fragment 0 with more behind it, TCP with 12 bytes of payload */
	uint8_t v6[100] = {0x60,     0,        0,        0,  0, 48, 60, 64, [23] = 1, [39] = 2, [40] = 44,
	                   [48] = 6, [51] = 1, [56] = 0, 80, 0, 81, 0,  0,  1,        0,        [68] = 0x50};
	struct vdg_packet tcp = {.ip = v6, .captured = sizeof(v6), .port = 7, .segments = 3};

	arm(d, 1, "tcp", false, 1);
	bytes.bytes[6] = 0x20;
	vdg_local(worker, 1, &packet);
	bytes.bytes[7] = 5;
	vdg_local(worker, 1, &packet);
	vdg_local(worker, 1, &tcp);
	packet.captured = 19; /* cannot be read */
	vdg_local(worker, 1, &packet);
	settle(d);
	assert_int_equal(d->n_logs, 3);
	assert_int_equal(d->logs[0].rec.flags, VT_REC_LOCAL | VT_REC_FRAG);
	assert_int_equal(d->logs[1].rec.flags, VT_REC_LOCAL | VT_REC_FRAG | VT_REC_LATER_FRAG);
	assert_int_equal(d->logs[1].rec.flow.dport, 0);
	assert_int_equal(d->logs[2].rec.flags, VT_REC_LOCAL | VT_REC_FRAG);
	assert_int_equal(d->logs[2].rec.length, 88);
	assert_int_equal(d->logs[2].rec.tcp_seq, 256);
	assert_int_equal(d->logs[2].rec.payload, 12);
	assert_int_equal(d->logs[2].rec.flow.dport, 81);
	assert_int_equal(d->logs[2].rec.segments, 3);
	assert_int_equal(d->logs[2].device[0], 'v');
}

static uint64_t lost(struct device *d)
{
	struct datapath_stats stats;

	d->dp->ops->stats(d->dp, &stats);
	return stats.lost;
}

static void test_unparsed_is_lost(void **state)
{
	struct device *d = *state;
	struct datagram bytes;
	struct vdg_packet packet = packet_udp(&bytes, 1, 53, 1);

	arm(d, 1, "tcp", false, 1);
	packet.captured = 19;
	vdg_local(vdg_worker(d->vdg, 0), 1, &packet);
	settle(d);
	assert_int_equal(d->n_logs, 0);
	assert_int_equal(lost(d), 1);
}

static void test_why(void **state)
{
	struct device *d = *state;
	struct datagram bytes;
	struct vdg_packet packet = packet_udp(&bytes, 1, 53, 1);
	uint32_t acl = vdg_why(d->vdg, "policy-port-locked", "ACL_DENY", "acl\x01.c", "rule 7: deny");

	assert_int_not_equal(acl, 0);
	assert_int_equal(vdg_why(d->vdg, "policy-port-locked", "ACL_DENY", "acl\x01.c", "rule 7: deny"), acl);
	assert_int_not_equal(vdg_why(d->vdg, "policy-port-locked", "ACL_DENY", "acl\x01.c", "rule 8: deny"), acl);
	assert_int_equal(vdg_why(d->vdg, "no-such-code", "ACL_DENY", "", ""), 0);
	arm(d, 1, "tcp", false, 1);
	vdg_drop(vdg_worker(d->vdg, 0), 1, &packet, acl);
	vdg_drop(vdg_worker(d->vdg, 0), 1, &packet, 60000); /* never given */
	settle(d);
	assert_int_equal(d->n_logs, 2);
	assert_int_equal(d->logs[0].cause, VT_CAUSE_POLICY_PORT_LOCKED);
	assert_string_equal(d->logs[0].reason, "ACL_DENY");
	assert_string_equal(d->logs[0].site, "acl?.c");
	assert_string_equal(d->logs[0].evidence, "rule 7: deny");
	assert_int_equal(d->logs[1].cause, VT_CAUSE_UNEXPLAINED);
	assert_string_equal(d->logs[1].evidence, "");
}

static void test_node(void **state)
{
	struct device *d = *state;
	const uint8_t other[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 9};
	struct vt_node_info info;

	d->dp->ops->node(d->dp, &info);
	assert_string_equal(info.datapath, "toy");
	assert_string_equal(info.version, "1.2");
	assert_int_equal(info.devices, 2);
	assert_int_equal(info.n_addrs, 1);
	assert_int_equal(info.addrs[0][15], 1);
	pthread_mutex_lock(&d->lock);
	vdg_port_gone(d->vdg, 8);
	assert_int_equal(vdg_port(d->vdg, 7, "again"), -EEXIST);
	assert_int_equal(vdg_address(d->vdg, other), 0);
	assert_int_equal(vdg_address(d->vdg, other), -EEXIST);
	pthread_mutex_unlock(&d->lock);
	settle(d);
	d->dp->ops->node(d->dp, &info);
	assert_int_equal(info.devices, 1);
	assert_int_equal(info.n_addrs, 2);
}

static void test_ring_full(void **state)
{
	struct device *d = device_new(1, 10); /* holds 16 */
	struct datagram bytes;
	struct vdg_packet packet = packet_udp(&bytes, 1, 53, 1);
	struct vdg_stats stats;

	agent_open(d);
	arm(d, 1, "udp", false, 1);
	pthread_mutex_lock(&d->lock); /* nobody takes records now */
	for (int i = 0; i < 100; i++)
		vdg_local(vdg_worker(d->vdg, 0), 1, &packet);
	vdg_stats(d->vdg, &stats);
	assert_int_equal(stats.lost, 84);
	assert_int_equal(stats.records, 16);
	pthread_mutex_unlock(&d->lock);
	settle(d);
	assert_int_equal(d->n_logs, 16);
	assert_int_equal(lost(d), 84);
	device_free(d);
}

static void test_refusals(void **state)
{
	struct device *d = *state;
	struct vt_task task = {.id = 1, .packet_count = 1, .trace_time_ms = 1000};
	uint64_t coloured[2];
	struct vt_err err = {0};

	arm(d, 1, "udp", false, 1);
	assert_int_equal(vt_filter_parse("udp", &task.filter, &err), 0);
	assert_int_equal(d->dp->ops->arm(d->dp, &task, &err), -EEXIST);
	assert_string_equal(err.text, "task 1 is armed already");
	assert_int_equal(d->dp->ops->start(d->dp, 2, &err), -ENOENT);
	assert_string_equal(err.text, "task 2 is not armed here");
	assert_int_equal(d->dp->ops->stop(d->dp, 2, coloured, &err), -ENOENT);
	for (task.id = 2; task.id <= VDG_TASKS_MAX; task.id++)
		assert_int_equal(d->dp->ops->arm(d->dp, &task, &err), 0);
	assert_int_equal(d->dp->ops->arm(d->dp, &task, &err), -ENOSPC);
	settle(d); /* and the connection lives */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_match, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_numbers_outlive_others, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_concerned, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_colour, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_spent, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_two_tasks, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_flags, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_fragments_and_tcp, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_unparsed_is_lost, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_why, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_node, setup, teardown),
	    cmocka_unit_test(test_ring_full),
	    cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
