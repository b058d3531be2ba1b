# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Hosts of the lab whose forwarding device is vtrace-vfd: the configuration that says of each what lab/lib.sh says of the
# topology, and the process; sourced by lab/up and lab/fault. Its files are $LAB_STATE/PREFIX-HOST.{json,vdg,ctl,log,pid}.

vfd_program() {
	echo "${VTRACE_VFD:-$LAB_DIR/../build/vfd/vtrace-vfd}"
}

vfd_file() { # HOST SUFFIX
	echo "$LAB_STATE/$P-$1.$2"
}

# vfd_vms HOST: its VMs with a veth, one a line; port numbers follow this order
vfd_vms() {
	local vm
	for vm in "${LAB_VMS[@]}"; do
		[ "${VM_HOST[$vm]}" != "$1" ] || [ "$vm" = vm7 ] || echo "$vm" # vm7's tap is the kernel's
	done
}

vfd_list() { # JSON…: a list of them
	local IFS=,
	echo "[$*]"
}

vfd_remote() { # PREFIX MAC HOST
	echo "{\"prefix\": \"$1\", \"mac\": \"$2\", \"vtep\": \"$(vtep "$3")\"}"
}

vfd_ports() { # HOST
	local vm n=0 ports=('{"name": "eth0", "kind": "underlay", "vdev": "net_af_packet0,iface=eth0", "mtu": 1600}')
	for vm in $(vfd_vms "$1"); do
		n=$((n + 1))
		ports+=("{\"name\": \"$vm\", \"kind\": \"vm\", \"vdev\": \"net_af_packet$n,iface=$vm\", \"mtu\": 1500}")
	done
	vfd_list "${ports[@]}"
}

# What a vSwitch does not know itself it sends to the gateway; the gateway routes into the other network.
vfd_vpc() { # HOST VNI
	local h=$1 vni=$2 vm address other gateway='' vms=() remotes=() routes=()
	for vm in "${LAB_VMS[@]}"; do
		if [ "${VM_VNI[$vm]}" != "$vni" ] || [ "$vm" = vm7 ]; then
			continue
		elif [ "${VM_HOST[$vm]}" = "$h" ]; then
			vms+=("{\"port\": \"$vm\", \"mac\": \"$(vm_mac "$vm")\", \"addresses\": [\"${VM_IP4[$vm]}\", \"${VM_IP6[$vm]}\"]}")
		else
			for address in "${VM_IP4[$vm]}" "${VM_IP6[$vm]}"; do
				remotes+=("$(vfd_remote "$address" "$(vm_mac "$vm")" "${VM_HOST[$vm]}")")
			done
		fi
	done
	if [ "$h" = gw ]; then
		other=$((300 - vni))
		gateway="\"gateway\": {\"mac\": \"${GW_MAC[$vni]}\", \"addresses\": [\"${GW_IP4[$vni]}\", \"${GW_IP6[$vni]}\"]},"
		for address in "${GW_IP4[$other]%.*}.0/24" "${GW_IP6[$other]%fe}/64"; do
			routes+=("{\"prefix\": \"$address\", \"kind\": \"local\", \"vpc\": \"n$other\"}")
		done
	elif host_has_vni gw "$vni"; then
		remotes+=("$(vfd_remote 0.0.0.0/0 "${GW_MAC[$vni]}" gw)" "$(vfd_remote ::/0 "${GW_MAC[$vni]}" gw)")
	fi
	echo "{\"name\": \"n$vni\", \"vni\": $vni, $gateway \"vms\": $(vfd_list "${vms[@]}")," \
		"\"remotes\": $(vfd_list "${remotes[@]}"), \"routes\": $(vfd_list "${routes[@]}")}"
}

vfd_config() { # HOST
	local vni vpcs=() n=${HOST_NUM[$1]}
	for vni in ${HOST_VNIS[$1]}; do
		vpcs+=("$(vfd_vpc "$1" "$vni")")
	done
	echo "{\"ports\": $(vfd_ports "$1"), \"vpcs\": $(vfd_list "${vpcs[@]}"), \"vtep\": {\"port\": \"eth0\"," \
		"\"addresses\": [\"172.31.0.$n/24\", \"fd31::$n/64\"], \"udp_port\": $VXLAN_PORT}}"
}

# The kernel's part of such a host: links without addresses, so that it answers nothing on its own.
vfd_script() { # HOST
	local link links=(eth0 mgmt0)
	for link in $(vfd_vms "$1"); do
		links+=("$link")
	done
	[ "$1" != gw ] || links+=(ext0)
	common
	echo "for d in ipv6/conf/*; do echo 1 >\$d/disable_ipv6; done"
	echo 'ip -batch - <<END'
	echo "addr add 172.30.0.${HOST_NUM[$1]}/24 dev mgmt0"
	printf 'link set %s up\n' lo "${links[@]}"
	echo 'END'
	echo "wait_up ${#links[@]}"
}

# vfd_said HOST PATTERN NUMBER: waits until its log has so many such lines, 10 s at most
vfd_said() {
	local log n
	log=$(vfd_file "$1" log)
	for ((n = 0; n < 1000; n++)); do
		[ "$(grep -c "$2" "$log")" -lt "$3" ] || return 0
		kill -0 "$(cat "$(vfd_file "$1" pid)")" 2>/dev/null || break
		sleep 0.01
	done
	die "vtrace-vfd of host $1 did not say '$2': $(tail -1 "$log")"
}

vfd_start() { # HOST
	vfd_config "$1" | jq . >"$(vfd_file "$1" json)"
	setsid nsenter --net="/run/netns/$P-$1" "$(vfd_program)" --config "$(vfd_file "$1" json)" \
		--socket "$(vfd_file "$1" vdg)" --ctl "$(vfd_file "$1" ctl)" >"$(vfd_file "$1" log)" 2>&1 </dev/null &
	echo $! >"$(vfd_file "$1" pid)"
}

# vfd_reload HOST [JQ-FILTER]: the host's own configuration, as the filter changes it
vfd_reload() {
	local before
	before=$(grep -c '^reloaded:' "$(vfd_file "$1" log)" || true)
	vfd_config "$1" | jq "${2:-.}" >"$(vfd_file "$1" json)"
	kill -HUP "$(cat "$(vfd_file "$1" pid)")"
	vfd_said "$1" '^reloaded:' $((before + 1))
}
