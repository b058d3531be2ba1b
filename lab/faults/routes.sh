# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Faults of routing: routes and rules, forwarding, source checks, TTL, MTU of routers, neighbours; sourced by lab/fault.

# host_route on|off TYPE: a route of that type to vm3 alone
host_route() {
	local verb=add
	[ "$1" = on ] || verb=del
	at gw ip route $verb "$2" 10.0.2.3/32
	at gw ip -6 route $verb "$2" fd02::3/128
}

#: route-missing-gw | gw | route-missing | the gateway has no route to the network of VNI 200
fault_route_missing_gw() {
	if [ "$1" = on ]; then
		at gw ip route del 10.0.2.0/24 dev vx200
		at gw ip -6 route del fd02::/64 dev vx200
	else
		at gw ip route add 10.0.2.0/24 dev vx200 proto kernel scope link src 10.0.2.254
		at gw ip -6 route add fd02::/64 dev vx200 proto kernel
	fi
}

#: route-blackhole-gw | gw | route-blackhole | the gateway has a blackhole route to vm3
fault_route_blackhole_gw() {
	host_route "$1" blackhole
}

#: route-unreachable-gw | gw | route-unreachable | the gateway has an unreachable route to vm3
fault_route_unreachable_gw() {
	host_route "$1" unreachable
}

#: route-prohibit-gw | gw | route-prohibit | the gateway has a prohibit route to vm3
fault_route_prohibit_gw() {
	host_route "$1" prohibit
}

#: forwarding-off-gw | gw | forwarding-off | the gateway does not forward
fault_forwarding_off_gw() {
	local value=1
	[ "$1" = off ] || value=0
	sysctl_at gw ipv4/ip_forward $value
	sysctl_at gw ipv6/conf/all/forwarding $value
}

#: rp-filter-gw | gw | rp-filter | the reverse path of vm1 through the gateway is another device
fault_rp_filter_gw() {
	if [ "$1" = on ]; then
		sysctl_at gw ipv4/conf/vx100/rp_filter 1
		at gw ip route add 10.0.1.1/32 dev ext0
	else
		sysctl_at gw ipv4/conf/vx100/rp_filter 0
		at gw ip route del 10.0.1.1/32 dev ext0
	fi
}

#: mtu-gw | gw | mtu-exceeded | the gateway port to VNI 200 has an MTU of 1280
fault_mtu_gw() {
	if [ "$1" = on ]; then at gw ip link set vx200 mtu 1280; else at gw ip link set vx200 mtu 1500; fi
}

#: neigh-dead | gw | neighbour-failed | vm3 answers no ARP and no neighbour solicitation
fault_neigh_dead() {
	deaf "$1" vm3 eth0
	at gw ip neigh flush dev vx200
}

# tenant_rule on|off ACTION…: what vm1 sends to vm3 falls under a rule of priority 100
tenant_rule() {
	local verb=add
	[ "$1" = on ] || verb=del
	shift
	at gw ip rule $verb pref 100 from 10.0.1.1 to 10.0.2.3 "$@"
	at gw ip -6 rule $verb pref 100 from fd01::1 to fd02::3 "$@"
}

#: rule-blackhole-gw | gw | route-blackhole | a routing rule of the gateway sends what vm1 sends to vm3 into a blackhole
fault_rule_blackhole_gw() {
	tenant_rule "$1" blackhole
}

#: rule-unreachable-gw | gw | route-unreachable | a routing rule of the gateway makes vm3 unreachable for vm1
fault_rule_unreachable_gw() {
	tenant_rule "$1" unreachable
}

#: rule-prohibit-gw | gw | route-prohibit | a routing rule of the gateway prohibits what vm1 sends to vm3
fault_rule_prohibit_gw() {
	tenant_rule "$1" prohibit
}

#: rule-table-gw | gw | route-prohibit | a routing rule of the gateway sends vm1 to a table with a prohibit route
# The main table has such a route as well, which does not decide.
fault_rule_table_gw() {
	local verb=add
	[ "$1" = on ] || verb=del
	host_route "$1" prohibit
	tenant_rule "$1" lookup 1001
	at gw ip route $verb prohibit 10.0.2.0/24 table 1001
	at gw ip -6 route $verb prohibit fd02::/64 table 1001
}

#: rule-mark-gw | gw | route-blackhole | two tables of the gateway have a blackhole route, one of them for marked packets
fault_rule_mark_gw() {
	local verb=add
	[ "$1" = on ] || verb=del
	host_route "$1" blackhole
	at gw ip rule $verb pref 90 fwmark 0x5/0xf lookup 1002
	at gw ip -6 rule $verb pref 90 fwmark 0x5/0xf lookup 1002
	at gw ip route $verb blackhole 10.0.2.0/24 table 1002
	at gw ip -6 route $verb blackhole fd02::/64 table 1002
}

#: route-throw-gw | gw | route-missing | a throw route of the gateway ends the search in the main table, no other has a route
fault_route_throw_gw() {
	host_route "$1" throw
}

#: forwarding-device-gw | gw | forwarding-off | the gateway does not forward what comes from VNI 100 (IPv4)
fault_forwarding_device_gw() {
	if [ "$1" = on ]; then sysctl_at gw ipv4/conf/vx100/forwarding 0; else sysctl_at gw ipv4/conf/vx100/forwarding 1; fi
}

# mangled on|off STATEMENT STATEMENT6: vm1's packets to vm3 get a changed IPv4 and IPv6 header
mangled() {
	nft_table "$1" vm1 'inet mangled' \
		"chain output { type filter hook postrouting priority 300;
		 ip daddr 10.0.2.3 udp dport 53 $2;
		 ip6 daddr fd02::3 udp dport 53 $3; }"
}

#: ttl-expired-gw | gw | ttl-expired | what vm1 sends has a TTL (hop limit) of 1
fault_ttl_expired_gw() {
	mangled "$1" 'ip ttl set 1' 'ip6 hoplimit set 1'
}

#: route-mtu-gw | gw | mtu-exceeded | the gateway's route to vm3 has a locked MTU of 1300
fault_route_mtu_gw() {
	local verb=add
	[ "$1" = on ] || verb=del
	at gw ip route $verb 10.0.2.3/32 dev vx200 mtu lock 1300
	at gw ip -6 route $verb fd02::3/128 dev vx200 mtu lock 1300
}

#: martian-loopback-gw | gw | martian-source | what vm1 sends comes from a loopback address
fault_martian_loopback_gw() {
	mangled "$1" 'ip saddr set 127.0.0.9' 'ip6 saddr set ::1'
}

#: martian-multicast-gw | gw | martian-source | what vm1 sends comes from a multicast address
fault_martian_multicast_gw() {
	mangled "$1" 'ip saddr set 224.0.0.9' 'ip6 saddr set ff0e::9'
}

#: martian-broadcast-gw | gw | martian-source | what vm1 sends comes from the broadcast address
fault_martian_broadcast_gw() {
	mangled "$1" 'ip saddr set 255.255.255.255' 'accept'
}

#: martian-zero-gw | gw | martian-source | what vm1 sends comes from the address zero
fault_martian_zero_gw() {
	mangled "$1" 'ip saddr set 0.0.0.0' 'ip6 saddr set ::'
}

#: martian-own-gw | gw | martian-source | what vm1 sends comes from an address of the gateway
fault_martian_own_gw() {
	mangled "$1" 'ip saddr set 10.0.2.254' 'accept'
}

#: gateway-dead-gw | gw | neighbour-failed | the gateway's route to vm3 goes through a router that does not exist
fault_gateway_dead_gw() {
	local verb=add
	[ "$1" = on ] || verb=del
	at gw ip route $verb 10.0.2.3/32 via 10.0.2.77 dev vx200
	at gw ip -6 route $verb fd02::3/128 via fd02::77 dev vx200
}

#: neigh-stale-gw | b | wrong-mac | the gateway has a static neighbour entry for vm3 with the MAC address of another
fault_neigh_stale_gw() {
	local address
	for address in 10.0.2.3 fd02::3; do
		if [ "$1" = on ]; then
			at gw ip neigh replace $address lladdr 02:00:00:00:00:99 dev vx200 nud permanent
		else
			at gw ip neigh del $address dev vx200
		fi
	done
}

#: neigh-queue-gw | gw | queue-full | vm3 answers the gateway a second late, which keeps only one packet for it meanwhile
fault_neigh_queue_gw() {
	local family
	nft_table "$1" vm3 'arp late' 'chain input { type filter hook input priority 0; quota 40 bytes drop; }'
	nft_table "$1" vm3 'ip6 late' \
		'chain input { type filter hook input priority 0; icmpv6 type nd-neighbor-solicit quota 100 bytes drop; }'
	for family in ipv4 ipv6; do
		if [ "$1" = on ]; then
			sysctl_at gw $family/neigh/vx200/unres_qlen_bytes 1
		else
			sysctl_at gw $family/neigh/vx200/unres_qlen_bytes 212992 # the kernel's own choice
		fi
	done
	at gw ip neigh flush dev vx200
}
