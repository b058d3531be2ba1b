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
