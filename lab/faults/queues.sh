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

#: qdisc-vxlan-a | a | limit-qdisc | a token bucket on the VXLAN device of host a
fault_qdisc_vxlan_a() {
	bucket "$1" a vx100
}

#: qdisc-burst-b | b | limit-qdisc | a token bucket on the port of vm2 on host b whose burst is shorter than the packets
fault_qdisc_burst_b() {
	if [ "$1" = on ]; then
		at b tc qdisc add dev vm2 root handle 5: tbf rate 100mbit burst 800 limit 100000
	else
		at b tc qdisc del dev vm2 root
	fi
}

#: qdisc-child-b | b | limit-qdisc | a token bucket on the port of vm2 on host b has a queue of two packets
fault_qdisc_child_b() {
	if [ "$1" = on ]; then
		at b tc qdisc add dev vm2 root handle 5: tbf rate 8kbit burst 1600 limit 100000
		at b tc qdisc add dev vm2 parent 5:1 handle 6: pfifo limit 2
	else
		at b tc qdisc del dev vm2 root
	fi
}

# htb on|off NODE DEVICE MATCH…: class 1:20 with a small rate for what matches, class 1:10 with a large one for the rest
htb() {
	local node=$2 device=$3
	if [ "$1" = off ]; then
		at "$node" tc qdisc del dev "$device" root
		return
	fi
	shift 3
	at "$node" tc -batch - <<END
qdisc add dev $device root handle 1: htb default 10
class add dev $device parent 1: classid 1:1 htb rate 100mbit ceil 100mbit quantum 60000
class add dev $device parent 1:1 classid 1:10 htb rate 50mbit ceil 100mbit quantum 60000
class add dev $device parent 1:1 classid 1:20 htb rate 80kbit ceil 80kbit burst 1600 cburst 1600 quantum 1600
qdisc add dev $device parent 1:10 handle 10: pfifo limit 1000
qdisc add dev $device parent 1:20 handle 20: pfifo limit 2
$(printf 'filter add dev %s parent 1: protocol %s pref %s u32 match %s flowid 1:20\n' "$@")
END
}

#: htb-a | a | limit-qdisc | a shaper (htb) on the underlay port of host a has a small class for packets to host b; another class has dropped more
# The other class is closed for a moment, and the host's own packets to the gateway run into it.
fault_htb_a() {
	if [ "$UNDERLAY" = 6 ]; then
		htb "$1" a eth0 eth0 ipv6 1 "ip6 dst $(vtep b)"
	else
		htb "$1" a eth0 eth0 ip 1 "ip dst $(vtep b)"
	fi
	[ "$1" = on ] || return 0
	at a tc qdisc change dev eth0 parent 1:10 handle 10: pfifo limit 0
	at a ping -q -c 30 -i 0.002 -W 1 "$(vtep gw)" >/dev/null || true # none gets out
	at a tc qdisc change dev eth0 parent 1:10 handle 10: pfifo limit 1000
}

#: htb-b | b | limit-qdisc | a shaper (htb) on the port of vm2 on host b has a small class for UDP port 53
fault_htb_b() {
	htb "$1" b vm2 vm2 ip 1 'ip protocol 17 0xff match u16 53 0xffff at 22' \
		vm2 ipv6 2 'ip6 protocol 17 0xff match u16 53 0xffff at 42'
}

#: pfifo-full-b | b | queue-full | the queue of vm2's port on host b, which only puts packets in order, has no room
fault_pfifo_full_b() {
	if [ "$1" = on ]; then
		at b tc qdisc add dev vm2 root handle 6: pfifo limit 0
	else
		at b tc qdisc del dev vm2 root
	fi
}

# tap_open on|off OPTION LENGTH: somebody (lab/tapvm) holds the tap of vm7 open and does not read it
# Such a VM answers no ARP either, so vm1 and the bridge are told where it is.
tap_open() {
	local state=(nud permanent) verb=replace length=$3 pid n=0
	[ "$1" = on ] || { state=() verb=del length=1000; }
	at vm1 ip neigh $verb 10.0.1.7 lladdr "$(vm_mac vm7)" dev eth0 "${state[@]}"
	at vm1 ip -6 neigh $verb fd01::7 lladdr "$(vm_mac vm7)" dev eth0 "${state[@]}"
	at a bridge fdb ${verb/replace/add} "$(vm_mac vm7)" dev vm7 master static
	at a ip link set vm7 txqueuelen "$length"
	if [ "$1" = on ]; then
		LAB=$P "$(dirname "$FAULTS_DIR")/tapvm" "$2"
		until at a bridge link show dev vm7 | grep -q 'state forwarding'; do # when the link watcher has run
			n=$((n + 1))
			[ $n -lt 500 ] || die "the port of vm7 does not come up"
			sleep 0.01
		done
		return
	fi
	for pid in $(ip netns pids "$P-a"); do
		if tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -- "tapvm $2"; then kill "$pid"; fi
	done
}

#: tap-stalled-a | a | queue-full | the hypervisor of vm7 on host a does not read its tap, whose queue has room for five packets
fault_tap_stalled_a() {
	tap_open "$1" --stalled 5
}

#: tap-filter-a | a | policy-bpf | a filter at the tap of vm7 on host a drops all that is for the VM
fault_tap_filter_a() {
	tap_open "$1" --filtered 1000
}
