# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Faults of packet sizes in the overlay; sourced by lab/fault. (MTU of routers: routes.sh, of bridge ports: ports.sh.)

#: underlay-mtu-a | a | underlay-mtu | the underlay NIC of host a has an MTU that leaves no room for the tunnel's headers
fault_underlay_mtu_a() {
	if [ "$1" = on ]; then at a ip link set eth0 mtu 1400; else at a ip link set eth0 mtu 1600; fi
}

# vtep_route_mtu on|off MTU
vtep_route_mtu() {
	if [ "$1" = on ]; then
		at a ip route add "$(vtep b)" dev eth0 mtu "$2"
	else
		at a ip route del "$(vtep b)" dev eth0
	fi
}

#: underlay-route-mtu-a | a | underlay-mtu | the route from host a to the VTEP of host b has an MTU of 1350
fault_underlay_route_mtu_a() {
	vtep_route_mtu "$1" 1350
}

#: underlay-min-mtu-a | a | underlay-mtu | the MTU of the route from host a to the VTEP of host b leaves IPv6 less than it asks for
fault_underlay_min_mtu_a() {
	vtep_route_mtu "$1" 1300
}

#: vxlan-mtu-a | a | mtu-exceeded | the VXLAN device of VNI 100 on host a has an MTU of 1300
fault_vxlan_mtu_a() {
	if [ "$1" = on ]; then at a ip link set vx100 mtu 1300; else at a ip link set vx100 mtu 1500; fi
}
