# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2015
# The lab's topology as data and as the commands that build it; sourced by up, down, exec and fault.
# Invariant: everything a lab owns is a network namespace named PREFIX-NODE or a file in $LAB_STATE/PREFIX*.

set -euo pipefail

LAB_STATE=/run/vtrace-lab
LAB_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
LAB_NODES=(ctl wire a b gw vm1 vm2 vm3 vm4 vm5 vm6 vm7 ext)
LAB_HOSTS=(a b gw)
LAB_VMS=(vm1 vm2 vm3 vm4 vm5 vm6 vm7)

# host, VNI, IPv4 and IPv6 address, default gateways of each VM. vm5 and vm6 have the addresses of vm1 and vm2 on
# purpose: tenants' addresses overlap.
declare -A VM_HOST=([vm1]=a [vm2]=b [vm3]=b [vm4]=a [vm5]=a [vm6]=b [vm7]=a)
declare -A VM_VNI=([vm1]=100 [vm2]=100 [vm3]=200 [vm4]=100 [vm5]=300 [vm6]=300 [vm7]=100)
declare -A VM_IP4=([vm1]=10.0.1.1 [vm2]=10.0.1.2 [vm3]=10.0.2.3 [vm4]=10.0.1.4 [vm5]=10.0.1.1 [vm6]=10.0.1.2 [vm7]=10.0.1.7)
declare -A VM_IP6=([vm1]=fd01::1 [vm2]=fd01::2 [vm3]=fd02::3 [vm4]=fd01::4 [vm5]=fd01::1 [vm6]=fd01::2 [vm7]=fd01::7)
declare -A GW_IP4=([100]=10.0.1.254 [200]=10.0.2.254)
declare -A GW_IP6=([100]=fd01::fe [200]=fd02::fe)
declare -A GW_MAC=([100]=02:00:00:00:01:fe [200]=02:00:00:00:02:fe)
declare -A HOST_NUM=([a]=1 [b]=2 [gw]=3)
declare -A HOST_VNIS=([a]='100 300' [b]='100 200 300' [gw]='100 200')

die() {
	echo "lab: $*" >&2
	exit 1
}

lab_need_root() {
	[ "$(id -u)" = 0 ] || die "needs root to make network namespaces: run it with sudo"
}

lab_check_prefix() {
	[[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$ ]] || die "bad prefix '$1': letters, digits and _.- (32 at most)"
}

# The options of a running lab, kept from `up` for `fault`: UNDERLAY (4|6), VXLAN_PORT, and VFD (hosts, see lab/vfd/up).
lab_load() {
	[ -r "$LAB_STATE/$1.env" ] || die "no lab '$1' is up: run lab/up $1"
	# shellcheck source=/dev/null
	. "$LAB_STATE/$1.env"
}

is_vfd() { # HOST
	[[ " $VFD " == *" $1 "* ]]
}

vm_mac() {
	echo "02:00:00:00:00:0${1#vm}"
}

# vtep HOST: its underlay address in the family in use
vtep() {
	if [ "$UNDERLAY" = 6 ]; then
		echo "fd31::${HOST_NUM[$1]}"
	else
		echo "172.31.0.${HOST_NUM[$1]}"
	fi
}

host_has_vni() {
	[[ " ${HOST_VNIS[$1]} " == *" $2 "* ]]
}

# vxlan_dev HOST VNI: ip commands that make the VXLAN device of one VNI (on vSwitches as a port of its bridge)
vxlan_dev() {
	local host=$1 vni=$2 mac=''
	[ "$host" = gw ] && mac="address ${GW_MAC[$vni]}"
	echo "link add vx$vni $mac mtu 1500 type vxlan id $vni local $(vtep "$host") dstport $VXLAN_PORT nolearning"
	if [ "$host" != gw ]; then
		echo "link set vx$vni master br$vni"
	fi
	echo "link set vx$vni up"
}

# vxlan_fdb HOST VNI: bridge commands for the forwarding table of one VNI: where each remote MAC lives, and where
# broadcast, multicast and unknown frames go (the all-zero entry), as a controller would write them. `replace` on the
# bridge, as it may have learned the address from an early frame.
vxlan_fdb() {
	local host=$1 vni=$2 vm other
	for vm in "${LAB_VMS[@]}"; do
		[ "${VM_VNI[$vm]}" = "$vni" ] && [ "${VM_HOST[$vm]}" != "$host" ] || continue
		echo "fdb add $(vm_mac "$vm") dev vx$vni dst $(vtep "${VM_HOST[$vm]}") self permanent"
		[ "$host" = gw ] || echo "fdb replace $(vm_mac "$vm") dev vx$vni master static"
	done
	if [ "$host" != gw ] && host_has_vni gw "$vni"; then
		echo "fdb add ${GW_MAC[$vni]} dev vx$vni dst $(vtep gw) self permanent"
		echo "fdb replace ${GW_MAC[$vni]} dev vx$vni master static"
	fi
	for other in "${LAB_HOSTS[@]}"; do
		[ "$other" != "$host" ] && host_has_vni "$other" "$vni" || continue
		echo "fdb append 00:00:00:00:00:00 dev vx$vni dst $(vtep "$other") self permanent"
	done
}
