# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Faults of the receiver, in the VM itself or in what the sender makes of the packet; sourced by lab/fault.

# background on|off NODE CMD…: a program of a node that runs while the fault is on
background() {
	local state=$1 node=$2 pidfile=$LAB_STATE/$P-$FAULT.pid
	shift 2
	if [ "$state" = on ]; then
		nsenter --net="/run/netns/$P-$node" "$@" >/dev/null 2>&1 </dev/null &
		echo $! >"$pidfile"
	else
		kill "$(cat "$pidfile")"
		rm -f "$pidfile"
	fi
}

#: vm-no-listener-udp | b | no-listener | nothing in vm2 listens on UDP port 9
fault_vm_no_listener_udp() {
	:
}

#: vm-no-listener-tcp | b | no-listener | nothing in vm2 listens on TCP port 9
fault_vm_no_listener_tcp() {
	:
}

#: vm-socket-full | b | socket-full | the program on UDP port 53 of vm2 does not read
fault_vm_socket_full() {
	background "$1" vm2 "$(traffic)" udp-hold 53
	[ "$1" = off ] || wait_listening vm2 53
}

#: vm-wrong-mac | b | wrong-mac | vm2 has got another MAC address than its neighbours know
fault_vm_wrong_mac() {
	if [ "$1" = on ]; then
		at vm2 ip link set eth0 address 02:00:00:00:00:99
	else
		at vm2 ip link set eth0 address "$(vm_mac vm2)"
	fi
}

#: vm-address-missing | b | address-missing | vm2 has lost its IP address
fault_vm_address_missing() {
	if [ "$1" = on ]; then
		at vm2 ip addr del 10.0.1.2/24 dev eth0
		at vm2 ip addr del fd01::2/64 dev eth0
	else
		at vm2 ip addr add 10.0.1.2/24 dev eth0
		at vm2 ip addr add fd01::2/64 dev eth0 nodad
	fi
}

#: vm-filter | b | endpoint-filtered | vm2's own firewall drops UDP port 53
fault_vm_filter() {
	nft_table "$1" vm2 'inet own' 'chain input { type filter hook input priority 0; udp dport 53 drop; }'
}

#: vm-refuses | a | port-unreachable | nothing in vm7, a VM on a tap, listens on UDP port 53
fault_vm_refuses() {
	if [ "$1" = on ]; then
		sysctl_at vm7 ipv4/icmp_ratelimit 0
		sysctl_at vm7 ipv6/icmp/ratelimit 0
	fi
}

#: vm-prohibits | a | endpoint-filtered | the firewall of vm7, a VM on a tap, rejects UDP port 53
fault_vm_prohibits() {
	nft_table "$1" vm7 'inet own' \
		'chain input { type filter hook input priority 0; udp dport 53 reject with icmpx admin-prohibited; }'
}

# spoil on|off WHAT: vm1 sends with a wrong checksum; its NIC does none of its own, so that what is written stays
spoil() {
	if [ "$1" = on ]; then
		at vm1 ethtool -K eth0 tx off >/dev/null
	elif [ -z "$VFD" ]; then # there it stays off
		at vm1 ethtool -K eth0 tx on >/dev/null
	fi
	nft_table "$1" vm1 'inet spoil' "chain output { type filter hook postrouting priority 300; $2; }"
}

#: checksum-ip | gw | checksum-bad | what vm1 sends to vm3 has a wrong IPv4 header checksum
fault_checksum_ip() {
	spoil "$1" 'udp dport 53 ip checksum set 0x1234'
}

#: checksum-udp | b | checksum-bad | what vm1 sends to vm2 has a wrong UDP checksum
fault_checksum_udp() {
	spoil "$1" 'udp dport 53 udp checksum set 0x1234'
}

#: checksum-tcp | b | checksum-bad | what vm1 sends to vm2 has a wrong TCP checksum
fault_checksum_tcp() {
	spoil "$1" 'tcp dport 80 tcp checksum set 0x1234'
}
