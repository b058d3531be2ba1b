# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Faults of packet filters: nftables in all families, iptables, ebtables, connection tracking; sourced by lab/fault.

#: nft-drop-b | b | policy-nft-rule | a security rule on host b drops UDP port 53 to vm2
fault_nft_drop_b() {
	nft_table "$1" b 'bridge fw' \
		'chain forward { type filter hook forward priority 0; policy accept; ip daddr 10.0.1.2 udp dport 53 drop;
		 ip6 daddr fd01::2 udp dport 53 drop; }'
}

#: nft-policy-b | b | policy-nft-default | the default policy of a chain on host b drops all but ARP, ND and ICMP
fault_nft_policy_b() {
	nft_table "$1" b 'bridge fwpolicy' \
		'chain forward { type filter hook forward priority 10; policy drop; ether type arp accept;
		 ip protocol icmp accept; meta l4proto ipv6-icmp accept; }'
}

#: nft-drop-gw | gw | policy-nft-rule | a rule in a chain jumped to on the gateway drops UDP port 53
fault_nft_drop_gw() {
	nft_table "$1" gw 'inet fw' \
		'chain tenants { udp dport 53 drop; }
		 chain forward { type filter hook forward priority 0; policy accept; iifname "vx100" jump tenants; }'
}

#: nft-reject-gw | gw | policy-nft-rule | a rule on the gateway rejects UDP port 53
fault_nft_reject_gw() {
	nft_table "$1" gw 'inet fwreject' \
		'chain forward { type filter hook forward priority 0; policy accept; udp dport 53 reject; }'
}

#: nft-limit-gw | gw | limit-nft-rule | a rule on the gateway drops UDP port 53 over 5 packets a second
fault_nft_limit_gw() {
	nft_table "$1" gw 'inet fwlimit' \
		'chain forward { type filter hook forward priority 0; policy accept;
		 udp dport 53 limit rate over 5/second burst 5 packets drop; }'
}

#: nft-underlay-b | b | underlay-filtered | a rule on host b drops the VXLAN packets of host a
fault_nft_underlay_b() {
	nft_table "$1" b 'inet provider' \
		"chain input { type filter hook input priority 0; policy accept;
		 $(outer_ip) saddr $(vtep a) udp dport $VXLAN_PORT drop; }"
}

#: iptables-gw | gw | policy-iptables | an iptables (nft) rule on the gateway drops UDP port 53
fault_iptables_gw() {
	if [ "$1" = on ]; then
		at gw iptables-nft -I FORWARD -p udp --dport 53 -j DROP
		at gw ip6tables-nft -I FORWARD -p udp --dport 53 -j DROP
	else
		nft_table off gw 'ip filter' ''
		nft_table off gw 'ip6 filter' ''
	fi
}

#: nft-ip-gw | gw | policy-nft-rule | a rule on the gateway, reached by goto in a table of one family, drops UDP port 53
fault_nft_ip_gw() {
	local family
	for family in ip ip6; do
		nft_table "$1" gw "$family fwone" \
			'chain tenants { udp dport 53 drop; }
			 chain forward { type filter hook forward priority 0; policy accept; iifname "vx100" goto tenants; }'
	done
}

#: nft-prerouting-gw | gw | policy-nft-rule | a raw rule on the gateway drops UDP port 53 before it is routed
fault_nft_prerouting_gw() {
	nft_table "$1" gw 'inet fwraw' \
		'chain pre { type filter hook prerouting priority raw; policy accept; udp dport 53 drop; }'
}

#: nft-bridge-pre-b | b | policy-nft-rule | a rule on host b drops UDP port 53 before it is bridged
fault_nft_bridge_pre_b() {
	nft_table "$1" b 'bridge fwpre' \
		'chain pre { type filter hook prerouting priority 0; policy accept; udp dport 53 drop; }'
}

#: nft-set-gw | gw | policy-nft-rule | the destination is in a set of addresses that a rule on the gateway drops
fault_nft_set_gw() {
	nft_table "$1" gw 'inet fwset' \
		'set blocked { type ipv4_addr; elements = { 10.0.2.3, 10.0.2.99 }; }
		 set blocked6 { type ipv6_addr; elements = { fd02::3, fd02::99 }; }
		 chain forward { type filter hook forward priority 0; policy accept;
		 udp dport 53 ip daddr @blocked drop; udp dport 53 ip6 daddr @blocked6 drop; }'
}

#: nft-untracked-gw | gw | policy-nft-rule | UDP port 53 is not tracked on the gateway, which drops what is not tracked
fault_nft_untracked_gw() {
	nft_table "$1" gw 'inet fwuntracked' \
		'chain pre { type filter hook prerouting priority raw; policy accept; udp dport 53 notrack; }
		 chain forward { type filter hook forward priority 0; policy accept; ct state untracked udp dport 53 drop; }'
}

#: nft-policy-gw | gw | policy-nft-default | the default policy of a chain on the gateway drops all but ICMP
fault_nft_policy_gw() {
	nft_table "$1" gw 'inet fwpolicy' \
		'chain forward { type filter hook forward priority 0; policy drop; meta l4proto { icmp, ipv6-icmp } accept; }'
}

#: nft-quota-gw | gw | limit-nft-rule | the quota of a rule on the gateway is used up
fault_nft_quota_gw() {
	nft_table "$1" gw 'inet fwquota' \
		'chain forward { type filter hook forward priority 0; policy accept;
		 udp dport 53 quota over 300 bytes drop; }'
}

#: iptables-policy-gw | gw | policy-iptables | the default policy of iptables (nft) on the gateway is DROP
fault_iptables_policy_gw() {
	if [ "$1" = on ]; then
		at gw iptables-nft -A FORWARD -p icmp -j ACCEPT
		at gw iptables-nft -P FORWARD DROP
		at gw ip6tables-nft -A FORWARD -p icmpv6 -j ACCEPT
		at gw ip6tables-nft -P FORWARD DROP
	else
		nft_table off gw 'ip filter' ''
		nft_table off gw 'ip6 filter' ''
	fi
}

# legacy on|off NODE COMMAND…: a rule of iptables-legacy or its IPv6 twin, given without the verb
legacy() {
	local verb=-I
	[ "$1" = on ] || verb=-D
	at "$2" "$3" $verb "${@:4}"
}

#: iptables-legacy-gw | gw | policy-iptables | a rule of iptables-legacy on the gateway drops UDP port 53
fault_iptables_legacy_gw() {
	legacy "$1" gw iptables-legacy FORWARD -p udp --dport 53 -j DROP
	legacy "$1" gw ip6tables-legacy FORWARD -p udp --dport 53 -j DROP
}

#: iptables-legacy-policy-gw | gw | policy-iptables | the policy of iptables-legacy on the gateway drops all but ICMP
fault_iptables_legacy_policy_gw() {
	local policy=DROP
	[ "$1" = on ] || policy=ACCEPT
	legacy "$1" gw iptables-legacy FORWARD -p icmp -j ACCEPT
	at gw iptables-legacy -P FORWARD $policy
	legacy "$1" gw ip6tables-legacy FORWARD -p icmpv6 -j ACCEPT
	at gw ip6tables-legacy -P FORWARD $policy
}

#: iptables-legacy-underlay-b | b | underlay-filtered | a rule of iptables-legacy on host b drops the VXLAN packets of host a
fault_iptables_legacy_underlay_b() {
	local command=iptables-legacy
	[ "$UNDERLAY" = 4 ] || command=ip6tables-legacy
	legacy "$1" b $command INPUT -s "$(vtep a)" -p udp --dport "$VXLAN_PORT" -j DROP
}

#: conntrack-full-gw | gw | conntrack-full | the connection tracking table of the gateway is full
fault_conntrack_full_gw() {
	at gw "$FAULTS_DIR/../conntrack-fill" "$1"
}

#: nft-netdev-ingress-a | a | policy-nft-rule | a rule of family netdev at the ingress of vm1's port on host a drops UDP port 53
fault_nft_netdev_ingress_a() {
	nft_table "$1" a 'netdev port' \
		'chain vm1in { type filter hook ingress device vm1 priority 0; udp dport 53 drop; }'
}

#: nft-netdev-egress-b | b | policy-nft-rule | a rule of family netdev at the egress of vm2's port on host b drops UDP port 53
fault_nft_netdev_egress_b() {
	nft_table "$1" b 'netdev port' \
		'chain vm2out { type filter hook egress device vm2 priority 0; udp dport 53 drop; }'
}

#: nft-netdev-underlay-b | b | underlay-filtered | a rule of family netdev at the underlay port of host b drops VXLAN
fault_nft_netdev_underlay_b() {
	nft_table "$1" b 'netdev port' \
		"chain eth0in { type filter hook ingress device eth0 priority 0; udp dport $VXLAN_PORT drop; }"
}

#: nft-vmap-gw | gw | policy-nft-rule | a verdict map on the gateway drops UDP port 53
fault_nft_vmap_gw() {
	nft_table "$1" gw 'inet fwmap' \
		'chain forward { type filter hook forward priority 0; udp dport vmap { 53 : drop, 54 : accept }; }'
}

#: nft-meter-gw | gw | limit-nft-rule | a dynamic set on the gateway limits each sender to 5 datagrams a second
fault_nft_meter_gw() {
	nft_table "$1" gw 'inet fwmeter' \
		'set senders { type ipv4_addr; size 128; flags dynamic; timeout 60s; }
		 set senders6 { type ipv6_addr; size 128; flags dynamic; timeout 60s; }
		 chain forward { type filter hook forward priority 0;
		 udp dport 53 update @senders { ip saddr limit rate over 5/second burst 5 packets } drop;
		 udp dport 53 update @senders6 { ip6 saddr limit rate over 5/second burst 5 packets } drop; }'
}

#: nft-reset-gw | gw | policy-nft-rule | a rule on the gateway answers TCP port 80 with a reset
fault_nft_reset_gw() {
	nft_table "$1" gw 'inet fwreset' \
		'chain forward { type filter hook forward priority 0; tcp dport 80 reject with tcp reset; }'
}

#: iptables-hashlimit-gw | gw | limit-nft-rule | an iptables (nft) rule with hashlimit on the gateway drops UDP port 53 over 5 a second
fault_iptables_hashlimit_gw() {
	local command
	if [ "$1" = on ]; then
		for command in iptables-nft ip6tables-nft; do
			at gw $command -I FORWARD -p udp --dport 53 -m hashlimit --hashlimit-above 5/sec --hashlimit-burst 5 \
				--hashlimit-mode srcip --hashlimit-name vtrace -j DROP
		done
	else
		nft_table off gw 'ip filter' ''
		nft_table off gw 'ip6 filter' ''
	fi
}

#: ebtables-b | b | policy-iptables | an ebtables (nft) rule on host b drops UDP port 53
fault_ebtables_b() {
	if [ "$1" = on ]; then
		at b ebtables-nft -A FORWARD -p IPv4 --ip-proto udp --ip-dport 53 -j DROP
		at b ebtables-nft -A FORWARD -p IPv6 --ip6-proto udp --ip6-dport 53 -j DROP
	else
		nft_table off b 'bridge filter' ''
	fi
}

#: nft-invalid-gw | gw | policy-nft-rule | a rule on the gateway drops what connection tracking calls invalid (a wrong UDP checksum)
fault_nft_invalid_gw() {
	spoil "$1" 'udp dport 53 udp checksum set 0x1234'
	nft_table "$1" gw 'inet fwinvalid' \
		'chain forward { type filter hook forward priority 0; ct state invalid drop; }'
}

#: iptables-invalid-gw | gw | policy-iptables | an iptables (nft) rule on the gateway drops what connection tracking calls invalid
fault_iptables_invalid_gw() {
	spoil "$1" 'udp dport 53 udp checksum set 0x1234'
	if [ "$1" = on ]; then
		at gw iptables-nft -I FORWARD -m conntrack --ctstate INVALID -j DROP
		at gw ip6tables-nft -I FORWARD -m conntrack --ctstate INVALID -j DROP
	else
		nft_table off gw 'ip filter' ''
		nft_table off gw 'ip6 filter' ''
	fi
}

#: iptables-legacy-invalid-gw | gw | policy-iptables | a rule of iptables-legacy (-m state) on the gateway drops what connection tracking calls invalid
fault_iptables_legacy_invalid_gw() {
	spoil "$1" 'udp dport 53 udp checksum set 0x1234'
	legacy "$1" gw iptables-legacy FORWARD -m state --state INVALID -j DROP
}

#: nft-count-gw | gw | limit-nft-rule | a rule on the gateway drops new connections to UDP port 53 over three
fault_nft_count_gw() {
	nft_table "$1" gw 'inet fwcount' \
		'chain forward { type filter hook forward priority 0; udp dport 53 ct state new ct count over 3 drop; }'
}

#: iptables-connlimit-gw | gw | limit-nft-rule | an iptables (nft) rule with connlimit on the gateway drops connections to UDP port 53 over three
fault_iptables_connlimit_gw() {
	local command
	if [ "$1" = on ]; then
		for command in iptables-nft ip6tables-nft; do
			at gw $command -I FORWARD -p udp --dport 53 -m connlimit --connlimit-above 3 -j DROP
		done
	else
		nft_table off gw 'ip filter' ''
		nft_table off gw 'ip6 filter' ''
	fi
}

#: nft-inet-ingress-gw | gw | policy-nft-rule | a rule of family inet at the ingress of the gateway's port to VNI 100 drops UDP port 53
fault_nft_inet_ingress_gw() {
	nft_table "$1" gw 'inet port' \
		'chain vx100in { type filter hook ingress device vx100 priority 0; udp dport 53 drop; }'
}

#: nft-bridge-post-b | b | policy-nft-rule | a rule on host b drops UDP port 53 after it is bridged
fault_nft_bridge_post_b() {
	nft_table "$1" b 'bridge fwpost' \
		'chain post { type filter hook postrouting priority 0; policy accept; udp dport 53 drop; }'
}

#: nft-bridge-input-a | a | policy-nft-rule | a bridge rule on host a drops UDP port 53 to an address of the bridge itself
fault_nft_bridge_input_a() {
	nft_table "$1" a 'bridge fwin' \
		'chain input { type filter hook input priority 0; policy accept; udp dport 53 drop; }'
	if [ "$1" = on ]; then at a ip addr add 10.0.1.200/24 dev br100; else at a ip addr del 10.0.1.200/24 dev br100; fi
}

#: nft-input-gw | gw | policy-nft-rule | a rule on the gateway drops UDP port 53 to the gateway itself
fault_nft_input_gw() {
	nft_table "$1" gw 'inet fwinput' \
		'chain input { type filter hook input priority 0; policy accept; iifname "vx100" udp dport 53 drop; }'
}

#: nft-fib-gw | gw | policy-nft-rule | a rule on the gateway drops what comes in where its source is not routed to, which holds for vm1
fault_nft_fib_gw() {
	local verb=add
	[ "$1" = on ] || verb=del
	nft_table "$1" gw 'inet fwfib' \
		'chain pre { type filter hook prerouting priority 0; fib saddr . iif oif missing udp dport 53 drop; }'
	at gw ip route $verb 10.0.1.1/32 dev ext0
	at gw ip -6 route $verb fd01::1/128 dev ext0
}

#: nfqueue-gw | gw | policy-nfqueue | an iptables (nft) rule on the gateway hands UDP port 53 to a queue that nobody reads
fault_nfqueue_gw() {
	if [ "$1" = on ]; then
		at gw iptables-nft -I FORWARD -p udp --dport 53 -j NFQUEUE --queue-num 5
		at gw ip6tables-nft -I FORWARD -p udp --dport 53 -j NFQUEUE --queue-num 5
	else
		nft_table off gw 'ip filter' ''
		nft_table off gw 'ip6 filter' ''
	fi
}

# wait_queue NODE QUEUE: until somebody reads that queue of netfilter; a second at most
wait_queue() {
	local n
	for ((n = 0; n < 100; n++)); do
		! at "$1" grep -q "^ *$2 " /proc/net/netfilter/nfnetlink_queue || return 0
		sleep 0.01
	done
	die "nobody came to read queue $2 of $1"
}

#: nfqueue-drops-gw | gw | policy-nfqueue | a program on the gateway that reads netfilter's queue drops UDP port 53
fault_nfqueue_drops_gw() {
	background "$1" gw "$FAULTS_DIR/../nfqueue-drop" 5
	[ "$1" = off ] || wait_queue gw 5
	fault_nfqueue_gw "$1"
}
