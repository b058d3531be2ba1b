# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Faults of hosts with vtrace-vfd (lab/vfd/up); sourced by lab/fault. Each is one function vfd_NAME on|off under its line, as in
# lab/faults; where a fault there has the same name, this is the same fault of such a host. The configuration is changed
# and read again. What follows is made by lab/faults itself, on the wire or in a VM that sends, whatever the hosts are:
#= underlay-drop underlay-mtu underlay-bleach underlay-carrier-b underlay-flooded-b underlay-third underlay-ecn
#= ttl-expired-gw checksum-ip

# changed on|off HOST JQ-FILTER
changed() {
	if [ "$1" = on ]; then vfd_reload "$2" "$3"; else vfd_reload "$2"; fi
}

# of_network VNI / remotes_of VM: jq for a network's entry, and for the entries of a remote VM
of_network() {
	echo "(.vpcs[] | select(.vni == $1))"
}

remotes_of() {
	echo "(.vpcs[] | select(.vni == ${VM_VNI[$1]}) | .remotes[] | select(.mac == \"$(vm_mac "$1")\"))"
}

# forget HOST: its neighbours on the underlay
forget() {
	if is_vfd "$1"; then
		"$(vfd_program)" ctl "$(vfd_file "$1" ctl)" flush >/dev/null
	else
		at "$1" ip neigh flush dev eth0
	fi
}

#: vtep-neigh-dead | a | vtep-neighbour-failed | the underlay switch lets no ARP and no neighbour discovery through to host b or from it
vfd_vtep_neigh_dead() {
	nft_table "$1" wire 'bridge deaf' \
		'chain forward { type filter hook forward priority 0;
		 iifname "b" ether type arp drop; oifname "b" ether type arp drop;
		 iifname "b" ip6 nexthdr icmpv6 drop; oifname "b" ip6 nexthdr icmpv6 drop; }'
	forget a
}

#: vni-unknown-b | b | vni-unknown | host b has no VPC with VNI 100
vfd_vni_unknown_b() {
	changed "$1" b "del$(of_network 100)"
}

# vm2_behind on|off VTEP: host a believes that vm2 lives behind that tunnel end point
vm2_behind() {
	changed "$1" a "$(remotes_of vm2).vtep = \"$2\""
}

#: vtep-unroutable-a | a | vtep-unroutable | host a believes that vm2 lives behind a tunnel end point that it has no way to
vfd_vtep_unroutable_a() {
	if [ "$UNDERLAY" = 6 ]; then vm2_behind "$1" 2001:db8::2; else vm2_behind "$1" 192.0.2.2; fi
}

#: fdb-wrong-vtep-a | gw | wrong-mac | host a believes that vm2 lives behind the gateway
vfd_fdb_wrong_vtep_a() {
	vm2_behind "$1" "$(vtep gw)"
}

#: fdb-unassigned-a | a | vtep-neighbour-failed | host a believes that vm2 lives behind an address that nobody has
vfd_fdb_unassigned_a() {
	vm2_behind "$1" "$(vtep b)9"
}

#: underlay-mtu-a | a | underlay-mtu | the underlay port of host a has an MTU that leaves no room for the tunnel's headers
vfd_underlay_mtu_a() {
	changed "$1" a '(.ports[] | select(.name == "eth0")).mtu = 1400'
}

#: port-mtu-b | b | mtu-exceeded | the port of vm2 on host b has an MTU of 1280
vfd_port_mtu_b() {
	changed "$1" b '(.ports[] | select(.name == "vm2")).mtu = 1280'
}

#: route-missing-gw | gw | route-missing | the gateway has no route from VNI 100 to the network of VNI 200
vfd_route_missing_gw() {
	changed "$1" gw "$(of_network 100).routes = []"
}

# vm3_route on|off KIND: a route of that kind to vm3 alone
vm3_route() {
	changed "$1" gw "$(of_network 100).routes += [\"10.0.2.3\", \"fd02::3\" | {prefix: ., kind: \"$2\"}]"
}

#: route-blackhole-gw | gw | route-blackhole | the gateway has a blackhole route to vm3
vfd_route_blackhole_gw() {
	vm3_route "$1" blackhole
}

#: route-unreachable-gw | gw | route-unreachable | the gateway has an unreachable route to vm3
vfd_route_unreachable_gw() {
	vm3_route "$1" unreachable
}

#: route-prohibit-gw | gw | route-prohibit | the gateway has a prohibit route to vm3
vfd_route_prohibit_gw() {
	vm3_route "$1" prohibit
}

#: neigh-stale-gw | b | wrong-mac | the gateway has the MAC address of another for vm3
vfd_neigh_stale_gw() {
	changed "$1" gw "$(remotes_of vm3).mac = \"02:00:00:00:00:99\""
}

# group on|off HOST VM RULE…: a security group of those rules (JSON) for a VM
group() {
	local state=$1 host=$2 vm=$3
	shift 3
	changed "$state" "$host" ".security_groups = [{name: \"web\", rules: $(vfd_list "$@")}] |
		(.vpcs[].vms[] | select(.port == \"$vm\")).security_groups = [\"web\"]"
}

#: group-rule-b | b | policy-group-rule | a rule of vm2's security group denies UDP port 53, which a later one would allow
vfd_group_rule_b() {
	group "$1" b vm2 '{name: "no-dns", direction: "in", action: "deny", priority: 5, proto: "udp", ports: "53"}' \
		'{name: "all", direction: "in", action: "allow"}' '{name: "out", direction: "out", action: "allow"}'
}

#: group-default-b | b | policy-group-default | vm2's security group allows ping alone
vfd_group_default_b() {
	group "$1" b vm2 '{name: "ping", direction: "in", action: "allow", proto: "icmp"}' \
		'{name: "ping6", direction: "in", action: "allow", proto: "icmp6"}'
}

#: group-rule-a | a | policy-group-rule | a rule of vm1's security group denies it to ask UDP port 53
vfd_group_rule_a() {
	group "$1" a vm1 '{name: "no-dns", direction: "out", action: "deny", proto: "udp", ports: "50-60"}' \
		'{name: "all", direction: "out", action: "allow", priority: 200}'
}

#: group-default-a | a | policy-group-default | vm1's security group has no rule for what it sends
vfd_group_default_a() {
	group "$1" a vm1 '{name: "all", direction: "in", action: "allow"}'
}

#: spoof-mac-a | a | policy-spoof | vm1 sends from another MAC address than host a knows
vfd_spoof_mac_a() {
	if [ "$1" = on ]; then
		at vm1 ip link set eth0 address 02:00:00:00:00:99
	else
		at vm1 ip link set eth0 address "$(vm_mac vm1)"
	fi
}

#: spoof-address-a | a | policy-spoof | vm1 sends to vm3 from an address that is not its own
vfd_spoof_address_a() {
	mangled "$1" 'ip saddr set 10.0.1.77' 'ip6 saddr set fd01::77'
}

#: rate-a | a | limit-port | vm1 may send 8 kbit/s, with a burst of 2000 bytes
vfd_rate_a() {
	changed "$1" a '(.vpcs[].vms[] | select(.port == "vm1")).rate = {bps: 8000, burst: 2000}'
}

#: remote-missing-a | a | route-missing | host a does not know where vm2 is, and knows no gateway
vfd_remote_missing_a() {
	changed "$1" a "$(of_network 100).remotes = []"
}

#: vm-gone-b | b | wrong-mac | vm2 is no more on host b, which host a has not been told
vfd_vm_gone_b() {
	changed "$1" b "del(.vpcs[].vms[] | select(.port == \"vm2\"))"
}

#: neigh-late-a | a | queue-full | the first two questions for the neighbour get lost; 64 packets find room until the third is answered
# (Each question is flooded to two ports, and counts twice.)
vfd_neigh_late_a() {
	nft_table "$1" wire 'bridge late' \
		'chain forward { type filter hook forward priority 0;
		 iifname "a" ether type arp quota 115 bytes drop;
		 iifname "a" ip6 nexthdr icmpv6 quota 290 bytes drop; }'
	forget a
}
