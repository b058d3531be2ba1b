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

#: forwarding-off-gw | gw | forwarding-off | the gateway does not forward IPv4
fault_forwarding_off_gw() {
	if [ "$1" = on ]; then sysctl_at gw ipv4/ip_forward 0; else sysctl_at gw ipv4/ip_forward 1; fi
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
