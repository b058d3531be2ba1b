# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Faults of bridge ports and devices; sourced by lab/fault.

#: port-down-b | b | port-down | the port of vm2 on host b is down
fault_port_down_b() {
	if [ "$1" = on ]; then at b ip link set vm2 down; else at b ip link set vm2 up; fi
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
