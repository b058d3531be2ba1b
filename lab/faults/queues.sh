# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Faults of queues: queueing disciplines, rings, backlogs; sourced by lab/fault.

# bucket on|off NODE DEVICE: a burst of some five small packets, then 8 kbit/s
bucket() {
	if [ "$1" = on ]; then
		at "$2" tc qdisc add dev "$3" root tbf rate 8kbit burst 1600 limit 1600
	else
		at "$2" tc qdisc del dev "$3" root
	fi
}

#: qdisc-a | a | limit-qdisc | a token bucket on the underlay port of host a
fault_qdisc_a() {
	bucket "$1" a eth0
}

#: qdisc-b | b | limit-qdisc | a token bucket on the port of vm2 on host b
fault_qdisc_b() {
	bucket "$1" b vm2
}
