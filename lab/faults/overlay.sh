# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Faults of the overlay and the underlay: forwarding entries, VNIs, tunnel ends, the wire; sourced by lab/fault.

#: vtep-neigh-dead | a | vtep-neighbour-failed | host b answers no ARP and no neighbour solicitation on the underlay
fault_vtep_neigh_dead() {
	deaf "$1" b eth0
	at a ip neigh flush dev eth0
}

#: fdb-missing-a | a | fdb-missing | host a has no VXLAN forwarding entry for vm2 and no default one
# Broadcast and neighbour discovery still reach the others, so that ARP and ND work: what is missing is where vm2 lives.
fault_fdb_missing_a() {
	local verb=append other dst n mac
	mac=$(vm_mac vm2)
	[ "$1" = on ] || verb=del
	for other in b gw; do
		dst=$(vtep $other)
		echo "fdb $verb ff:ff:ff:ff:ff:ff dev vx100 dst $dst self permanent"
		for n in 02 fe; do
			echo "fdb $verb 33:33:ff:00:00:$n dev vx100 dst $dst self permanent"
		done
		if [ "$1" = on ]; then
			echo "fdb del 00:00:00:00:00:00 dev vx100 dst $dst self"
		else
			echo "fdb append 00:00:00:00:00:00 dev vx100 dst $dst self permanent"
		fi
	done >"$batch"
	if [ "$1" = on ]; then
		echo "fdb del $mac dev vx100 dst $(vtep b) self" >>"$batch"
	else
		echo "fdb add $mac dev vx100 dst $(vtep b) self permanent" >>"$batch"
	fi
	at a bridge -batch "$batch"
}

#: vni-unknown-b | b | vni-unknown | host b has no VXLAN device for VNI 100
fault_vni_unknown_b() {
	if [ "$1" = on ]; then
		at b ip link del vx100
	else
		vxlan_dev b 100 | at b ip -batch -
		vxlan_fdb b 100 | at b bridge -batch -
	fi
}

#: vtep-missing-b | b | vtep-missing | all VXLAN devices of host b are down
fault_vtep_missing_b() {
	local vni state=up
	[ "$1" = off ] || state=down
	for vni in ${HOST_VNIS[b]}; do
		at b ip link set "vx$vni" $state
	done
}

#: vtep-unroutable-a | a | vtep-unroutable | host a has no route to the VTEP of host b
fault_vtep_unroutable_a() {
	if [ "$1" = on ]; then
		at a ip route del 172.31.0.0/24 dev eth0
		at a ip route add 172.31.0.3/32 dev eth0
		at a ip -6 route del fd31::/64 dev eth0
		at a ip -6 route add fd31::3/128 dev eth0
	else
		at a ip route add 172.31.0.0/24 dev eth0 proto kernel scope link src 172.31.0.1
		at a ip route del 172.31.0.3/32 dev eth0
		at a ip -6 route add fd31::/64 dev eth0 proto kernel
		at a ip -6 route del fd31::3/128 dev eth0
	fi
}

#: underlay-drop | a | underlay-lost | the underlay switch drops what host a sends to host b
fault_underlay_drop() {
	nft_table "$1" wire 'bridge loss' \
		"chain forward { type filter hook forward priority 0;
		 $(outer_ip) saddr $(vtep a) $(outer_ip) daddr $(vtep b) $(outer_udp) drop; }"
}

#: underlay-mtu | a | underlay-lost | the underlay switch drops what is longer than 1000 bytes on its way to host b
fault_underlay_mtu() {
	if [ "$1" = on ]; then at wire ip link set dev b mtu 1000; else at wire ip link set dev b mtu 1600; fi
}

#: underlay-bleach | a | underlay-lost | the underlay switch clears the DSCP (packets arrive, but without colour)
fault_underlay_bleach() {
	nft_table "$1" wire 'bridge bleach' \
		"chain forward { type filter hook forward priority 0; $(outer_udp) $(outer_ip) dscp set 0; }"
}

# fdb_vm2 on|off ADDRESS: host a believes that vm2 lives behind that tunnel end point
fdb_vm2() {
	local dst=$2
	[ "$1" = on ] || dst=$(vtep b)
	at a bridge fdb replace "$(vm_mac vm2)" dev vx100 dst "$dst" self permanent
}

#: fdb-wrong-vtep-a | gw | wrong-mac | host a's forwarding entry for vm2 leads to the gateway
fault_fdb_wrong_vtep_a() {
	fdb_vm2 "$1" "$(vtep gw)"
}

#: fdb-unassigned-a | a | vtep-neighbour-failed | host a's forwarding entry for vm2 leads to an address that nobody has
fault_fdb_unassigned_a() {
	fdb_vm2 "$1" "$(vtep b)9"
}

#: vni-down-b | b | vni-unknown | the VXLAN device of VNI 100 on host b is down
fault_vni_down_b() {
	if [ "$1" = on ]; then at b ip link set vx100 down; else at b ip link set vx100 up; fi
}

#: vtep-port-b | b | vni-unknown | the VXLAN device of VNI 100 on host b is on another UDP port
fault_vtep_port_b() {
	at b ip link del vx100
	if [ "$1" = on ]; then
		vxlan_dev b 100 | sed "s/dstport $VXLAN_PORT/dstport 4790/" | at b ip -batch -
	else
		vxlan_dev b 100 | at b ip -batch -
	fi
	vxlan_fdb b 100 | at b bridge -batch -
}

# vtep_route on|off TYPE: a route of that type from host a to the VTEP of host b
vtep_route() {
	local verb=add
	[ "$1" = on ] || verb=del
	at a ip route $verb "$2" 172.31.0.2/32
	at a ip -6 route $verb "$2" fd31::2/128
}

#: vtep-blackhole-a | a | vtep-unroutable | host a has a blackhole route to the VTEP of host b
fault_vtep_blackhole_a() {
	vtep_route "$1" blackhole
}

#: vtep-prohibit-a | a | vtep-unroutable | host a has a prohibit route to the VTEP of host b
fault_vtep_prohibit_a() {
	vtep_route "$1" prohibit
}

#: vtep-unreachable-a | a | vtep-unroutable | host a has an unreachable route to the VTEP of host b
fault_vtep_unreachable_a() {
	vtep_route "$1" unreachable
}

#: vtep-rule-a | a | vtep-unroutable | a routing rule of host a sends what is for the VTEP of host b to a table with a blackhole route
fault_vtep_rule_a() {
	local verb=add
	[ "$1" = on ] || verb=del
	at a ip route $verb blackhole 172.31.0.0/24 table 1001
	at a ip rule $verb pref 100 to 172.31.0.2 lookup 1001
}

#: underlay-down-a | a | vtep-unroutable | the underlay link of host a is down
fault_underlay_down_a() {
	if [ "$1" = on ]; then
		at a ip link set eth0 down
	else
		at a ip link set eth0 up
		at a ip -6 addr replace fd31::1/64 dev eth0 nodad
	fi
}

#: underlay-carrier-b | a | underlay-lost | the link between the underlay switch and host b is down
# The switch forgets where host b was; that it does not flood instead is a fault of its own below.
fault_underlay_carrier_b() {
	if [ "$1" = on ]; then
		at wire bridge link set dev gw flood off
		at wire ip link set dev b down
	else
		at wire ip link set dev b up
		at wire bridge link set dev gw flood on
	fi
}

#: underlay-flooded-b | a | underlay-lost | the same, and the switch floods the gateway with what is for host b
fault_underlay_flooded_b() {
	if [ "$1" = on ]; then at wire ip link set dev b down; else at wire ip link set dev b up; fi
}

#: underlay-third | a | underlay-lost | the underlay switch drops every third packet from host a to host b
fault_underlay_third() {
	nft_table "$1" wire 'bridge third' \
		"chain forward { type filter hook forward priority 0;
		 $(outer_ip) saddr $(vtep a) $(outer_ip) daddr $(vtep b) $(outer_udp) numgen inc mod 3 0 drop; }"
}

#: underlay-ecn | b | underlay-ecn | the underlay switch marks what host a sends to host b as having met congestion
fault_underlay_ecn() {
	nft_table "$1" wire 'bridge congested' \
		"chain forward { type filter hook forward priority 0;
		 $(outer_ip) saddr $(vtep a) $(outer_ip) daddr $(vtep b) $(outer_udp) $(outer_ip) ecn set ce; }"
}

#: vxlan-gbp-a | b | header-bad | host a writes the group of UDP port 53 into its VXLAN headers (GBP), which host b does not know
# All VXLAN devices of a host that share a port have to, so all are made anew.
fault_vxlan_gbp_a() {
	local vni policy=nolearning
	[ "$1" = off ] || policy='nolearning gbp'
	nft_table "$1" a 'bridge groups' \
		'chain pre { type filter hook prerouting priority 0; iifname "vm1" udp dport 53 meta mark set meta mark or 7; }'
	for vni in ${HOST_VNIS[a]}; do
		at a ip link del "vx$vni"
	done
	for vni in ${HOST_VNIS[a]}; do
		vxlan_dev a "$vni" | sed "s/nolearning/$policy/" | at a ip -batch -
		vxlan_fdb a "$vni" | at a bridge -batch -
	done
}
