# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Faults of bridge ports and devices; sourced by lab/fault.

#: port-down-b | b | port-down | the port of vm2 on host b is down
fault_port_down_b() {
	if [ "$1" = on ]; then at b ip link set vm2 down; else at b ip link set vm2 up; fi
}

#: port-missing-b | b | port-missing | the port of vm2 is in no bridge on host b
fault_port_missing_b() {
	if [ "$1" = on ]; then at b ip link set vm2 nomaster; else at b ip link set vm2 master br100; fi
}

#: port-blocked-b | b | port-blocked | the bridge port of vm2 on host b is disabled
fault_port_blocked_b() {
	# 0 is "disabled", 3 "forwarding"
	if [ "$1" = on ]; then at b bridge link set dev vm2 state 0; else at b bridge link set dev vm2 state 3; fi
}

#: port-isolated-b | b | port-isolated | the bridge ports of VNI 100 on host b are isolated from each other
fault_port_isolated_b() {
	at b bridge link set dev vm2 isolated "$1"
	at b bridge link set dev vx100 isolated "$1"
}

#: port-mtu-b | b | mtu-exceeded | the port of vm2 on host b has an MTU of 1000
fault_port_mtu_b() {
	if [ "$1" = on ]; then at b ip link set vm2 mtu 1000; else at b ip link set vm2 mtu 1500; fi
}

#: port-learning-b | b | port-blocked | the bridge port of vm2 on host b only learns
fault_port_learning_b() {
	if [ "$1" = on ]; then at b bridge link set dev vm2 state 2; else at b bridge link set dev vm2 state 3; fi
}

#: port-listening-a | a | port-blocked | the bridge port of vm1 on host a is still listening
fault_port_listening_a() {
	if [ "$1" = on ]; then at a bridge link set dev vm1 state 1; else at a bridge link set dev vm1 state 3; fi
}

#: port-nic-down-b | b | port-down | the NIC inside vm2 is down
fault_port_nic_down_b() {
	if [ "$1" = on ]; then at vm2 ip link set eth0 down; else at vm2 ip link set eth0 up; fi
}

#: port-flood-off-b | b | port-blocked | the port of vm2 on host b takes no unknown addresses, and the bridge does not know vm2
fault_port_flood_off_b() {
	if [ "$1" = on ]; then
		at b bridge link set dev vm2 flood off learning off
		at b bridge fdb del "$(vm_mac vm2)" dev vm2 master
	else
		at b bridge link set dev vm2 flood on learning on
	fi
}

#: port-locked-a | a | policy-port-locked | the port of vm1 on host a is locked, and no MAC is allowed on it
fault_port_locked_a() {
	if [ "$1" = on ]; then
		at a bridge link set dev vm1 locked on learning off
		at a bridge fdb del "$(vm_mac vm1)" dev vm1 master
	else
		at a bridge link set dev vm1 locked off learning on
	fi
}

#: port-hairpin-a | a | port-blocked | the bridge of host a has vm4's MAC at the port of vm1
fault_port_hairpin_a() {
	if [ "$1" = on ]; then
		at a bridge fdb replace "$(vm_mac vm4)" dev vm1 master static
	else
		at a bridge fdb del "$(vm_mac vm4)" dev vm1 master
	fi
}

#: bridge-down-b | b | port-blocked | the bridge of VNI 100 on host b is down
fault_bridge_down_b() {
	if [ "$1" = on ]; then at b ip link set br100 down; else at b ip link set br100 up; fi
}
