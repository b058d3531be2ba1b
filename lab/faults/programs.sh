# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Faults by programs: BPF at tc and XDP, tc filters and their actions; sourced by lab/fault.

PROGRAM=${LAB_PROGRAM:-$(dirname "$FAULTS_DIR")/../build/lab/lab-program}

# program on|off NODE DEVICE HOOK PROGRAM [PORT]
program() {
	[ -x "$PROGRAM" ] || die "$PROGRAM is not built: run make (or set LAB_PROGRAM)"
	if [ "$1" = on ]; then at "$2" "$PROGRAM" "$4" "$3" "${@:5}"; else at "$2" "$PROGRAM" off "$3"; fi
}

#: tcx-ingress-a | a | policy-bpf | a BPF program (tcx) at the ingress of vm1's port on host a drops UDP port 53
fault_tcx_ingress_a() {
	program "$1" a vm1 tcx-ingress drop_port
}

#: tcx-egress-b | b | policy-bpf | a BPF program (tcx) at the egress of vm2's port on host b drops UDP port 53
fault_tcx_egress_b() {
	program "$1" b vm2 tcx-egress drop_port
}

#: tcx-two-b | b | policy-bpf | two BPF programs (tcx) at the egress of vm2's port on host b, one of which drops UDP port 53
fault_tcx_two_b() {
	program "$1" b vm2 tcx-egress idle
	program "$1" b vm2 tcx-egress drop_port
}

#: tcx-underlay-a | a | underlay-filtered | a BPF program (tcx) at the underlay port of host a drops what is encapsulated
fault_tcx_underlay_a() {
	program "$1" a eth0 tcx-egress drop_port "$VXLAN_PORT"
}

#: bpf-filter-a | a | policy-bpf | a tc filter (BPF, direct action) at the ingress of vm1's port on host a drops UDP port 53
fault_bpf_filter_a() {
	program "$1" a vm1 bpf-ingress drop_port
}

# u32_filter on|off NODE DEVICE ingress|egress PREF ACTION…: u32 filters for UDP port 53, one for each IP version
u32_filter() {
	local switch=$1 node=$2 device=$3 side=$4 pref=$5
	shift 5
	if [ "$switch" = off ]; then
		at "$node" tc filter del dev "$device" "$side" pref "$pref"
		at "$node" tc filter del dev "$device" "$side" pref $((pref + 1))
		return
	fi
	at "$node" tc qdisc add dev "$device" clsact 2>/dev/null || true # it may be there
	at "$node" tc filter add dev "$device" "$side" protocol ip pref "$pref" \
		u32 match ip protocol 17 0xff match u16 53 0xffff at 22 "$@"
	at "$node" tc filter add dev "$device" "$side" protocol ipv6 pref $((pref + 1)) \
		u32 match ip6 protocol 17 0xff match u16 53 0xffff at 42 "$@"
}

# sink on|off NODE STATE: a device sink0 that hands what it gets to nobody; down, it takes nothing
sink() {
	if [ "$1" = on ]; then
		at "$2" ip link add sink0 type veth peer name sink0 netns "$P-wire"
		at "$2" ip link set sink0 "$3"
		at wire ip link set sink0 "$3"
	else
		at "$2" ip link del sink0
	fi
}

#: u32-drop-b | b | policy-bpf | a tc filter (u32) at the egress of vm2's port on host b drops UDP port 53, another one only copies
fault_u32_drop_b() {
	[ "$1" = off ] || sink on b down
	u32_filter "$1" b vm2 egress 10 action mirred egress mirror dev sink0 continue
	u32_filter "$1" b vm2 egress 20 action mirred egress mirror dev sink0 drop
	[ "$1" = on ] || sink off b
}

#: tc-redirect-down-b | b | policy-bpf | a tc filter at the egress of vm2's port on host b redirects UDP port 53 to a device that is down
fault_tc_redirect_down_b() {
	[ "$1" = off ] || sink on b down
	u32_filter "$1" b vm2 egress 10 action mirred egress redirect dev sink0
	[ "$1" = on ] || sink off b
}

#: bpf-steal-a | a | vanished-in-node | a BPF program (tc filter) at the ingress of vm1's port on host a takes UDP port 53 for itself
# At a filter: what a program at tcx answers with TC_ACT_STOLEN goes on its way.
fault_bpf_steal_a() {
	program "$1" a vm1 bpf-ingress steal_port
}

#: bpf-steal-egress-b | b | vanished-in-node | a BPF program (tc filter) at the egress of vm2's port on host b takes UDP port 53 for itself
fault_bpf_steal_egress_b() {
	program "$1" b vm2 bpf-egress steal_port
}

#: xdp-generic-a | a | policy-bpf | a generic XDP program at vm1's port on host a drops UDP port 53
fault_xdp_generic_a() {
	program "$1" a vm1 xdp-generic xdp_drop_port
}

#: xdp-native-a | a | policy-bpf | a native XDP program at vm1's port on host a drops UDP port 53
fault_xdp_native_a() {
	program "$1" a vm1 xdp-native xdp_drop_port
}

#: xdp-underlay-b | b | underlay-filtered | a generic XDP program at the underlay port of host b drops what is encapsulated
fault_xdp_underlay_b() {
	program "$1" b eth0 xdp-generic xdp_drop_port "$VXLAN_PORT"
}

#: colour-erased-b | b | vanished-in-node | a BPF program at the underlay port of host b overwrites mark and tc_index (packets arrive)
fault_colour_erased_b() {
	program "$1" b eth0 bpf-ingress erase_port "$VXLAN_PORT"
}

# nf_program on|off NODE HOOK PROGRAM [PORT]: at a netfilter hook; off ends all that this fault has there
nf_program() {
	local pidfile=$LAB_STATE/$P-$FAULT.pid
	[ -x "$PROGRAM" ] || die "$PROGRAM is not built: run make (or set LAB_PROGRAM)"
	if [ "$1" = on ]; then
		at "$2" "$PROGRAM" netfilter "$3" "$4" "${@:5}" >>"$pidfile"
	else
		xargs kill <"$pidfile"
		rm -f "$pidfile"
	fi
}

#: nf-bpf-gw | gw | policy-bpf | a BPF program at netfilter's forward hook on the gateway drops UDP port 53
fault_nf_bpf_gw() {
	nf_program "$1" gw forward nf_drop_port
}

#: nf-bpf-two-gw | gw | policy-bpf | two BPF programs at netfilter's forward hook on the gateway, one of which drops UDP port 53
fault_nf_bpf_two_gw() {
	nf_program "$1" gw forward nf_drop_port
	[ "$1" = off ] || nf_program on gw forward nf_idle
}

#: nf-bpf-underlay-b | b | underlay-filtered | a BPF program at netfilter's input hook on host b drops what is encapsulated
fault_nf_bpf_underlay_b() {
	nf_program "$1" b input nf_drop_port "$VXLAN_PORT"
}
