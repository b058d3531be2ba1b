# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Faults of IPsec policies; sourced by lab/fault.

#: ipsec-block-gw | gw | policy-ipsec | an IPsec policy on the gateway blocks UDP from vm1 to vm3
fault_ipsec_block_gw() {
	if [ "$1" = on ]; then
		at gw ip xfrm policy add src 10.0.1.1/32 dst 10.0.2.3/32 proto udp dir fwd action block
		at gw ip xfrm policy add src fd01::1/128 dst fd02::3/128 proto udp dir fwd action block
	else
		at gw ip xfrm policy delete src 10.0.1.1/32 dst 10.0.2.3/32 proto udp dir fwd
		at gw ip xfrm policy delete src fd01::1/128 dst fd02::3/128 proto udp dir fwd
	fi
}

#: ipsec-block-out-gw | gw | policy-ipsec | an IPsec policy on the gateway blocks DNS from vm1 to vm3 on its way out, one for all others lets it pass
fault_ipsec_block_out_gw() {
	local source target
	for source in 10.0.1.1/32 fd01::1/128; do
		target=10.0.2.3/32
		[ "$source" = 10.0.1.1/32 ] || target=fd02::3/128
		if [ "$1" = on ]; then
			at gw ip xfrm policy add src $source dst $target proto udp dport 53 dir out action block priority 7
			at gw ip xfrm policy add src $source dst $target dir out action allow priority 9
		else
			at gw ip xfrm policy delete src $source dst $target proto udp dport 53 dir out
			at gw ip xfrm policy delete src $source dst $target dir out
		fi
	done
}

#: ipsec-underlay-b | b | underlay-filtered | an IPsec policy on host b takes the tunnel of host a only if it is encrypted
fault_ipsec_underlay_b() {
	local selector
	selector=(src "$(vtep a)" dst "$(vtep b)" proto udp dport "$VXLAN_PORT" dir in)
	if [ "$1" = on ]; then
		at b ip xfrm policy add "${selector[@]}" tmpl proto esp mode transport level required
	else
		at b ip xfrm policy delete "${selector[@]}"
	fi
}
