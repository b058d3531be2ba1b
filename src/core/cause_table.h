// SPDX-License-Identifier: BSD-3-Clause
/*
 * The rows of the table of causes, one a code: X(ID, code, class, meaning, evidence, next step).
 *
 * They are written for the operator who is looking for a lost packet at night: the meaning says what happened to it,
 * the evidence what VTrace saw that makes it say so, the next step which command shows the fault and what would mend
 * it. One line each. %n is the node and %d the device of the cause, %% a percent sign. Codes never change meaning; new
 * ones go to the end of their class.
 */
#ifndef VT_CORE_CAUSE_TABLE_H
#define VT_CORE_CAUSE_TABLE_H

/* clang-format off */
#define VT_CAUSE_TABLE(X) \
	/* security-policy: somebody decided that this packet may not pass */ \
	X(POLICY_NFT_RULE, "policy-nft-rule", VT_CLASS_SECURITY_POLICY, \
	  "An nftables rule (or an iptables-nft or ebtables-nft rule) dropped or rejected the packet.", \
	  "The kernel's nftables trace of this very packet ended in that rule; its table, chain, handle and text are given.", \
	  "On node %n run `nft -a list ruleset`, find the rule by its handle, and change it or add an accept in front of it if the flow is wanted.") \
	X(POLICY_NFT_DEFAULT, "policy-nft-default", VT_CLASS_SECURITY_POLICY, \
	  "No nftables rule accepted the packet, so the chain's default policy dropped it.", \
	  "The nftables trace of this very packet ran to the end of a base chain whose policy is drop.", \
	  "On node %n run `nft -a list ruleset`, look at the chain named in the evidence, and add an accept rule for the flow if it is wanted.") \
	X(POLICY_IPTABLES, "policy-iptables", VT_CLASS_SECURITY_POLICY, \
	  "A rule or policy of iptables, ip6tables or ebtables dropped the packet.", \
	  "The nftables trace of this very packet ended in a rule of iptables-nft; or, for iptables-legacy, netfilter dropped it and the counter of the rule that is given moved.", \
	  "On node %n run `iptables-save -c` or `iptables-legacy-save -c`, as the evidence says (IPv6: ip6tables), and find the rule; its counter grows while the flow runs.") \
	X(POLICY_BPF, "policy-bpf", VT_CLASS_SECURITY_POLICY, \
	  "A BPF program or a tc filter told the kernel to drop the packet.", \
	  "The kernel's drop reason is that of a tc, XDP, cgroup or socket program, or netfilter dropped it where only a program can have; the one there that may drop is named, or all of them.", \
	  "On node %n run `bpftool prog show id ID` with the id of the evidence, `tc filter show dev %d ingress` (and `egress`), `bpftool net show dev %d`, `bpftool link show`, and ask the program's owner (CNI, firewall agent).") \
	X(POLICY_PORT_LOCKED, "policy-port-locked", VT_CLASS_SECURITY_POLICY, \
	  "The bridge port is locked and the packet's source MAC address is not allowed on it.", \
	  "The bridge dropped the packet at a port with `locked on`, and the forwarding table has no entry of that MAC at that port.", \
	  "On node %n run `bridge -d link show dev %d` and `bridge fdb show dev %d`; allow the MAC with `bridge fdb add MAC dev %d master static` or unlock the port.") \
	X(POLICY_IPSEC, "policy-ipsec", VT_CLASS_SECURITY_POLICY, \
	  "An IPsec policy of the node blocks the packet, or asks for a protection that it does not have.", \
	  "The kernel's drop reason is that of its IPsec (xfrm) policy check.", \
	  "On node %n run `ip xfrm policy show` and `ip -s xfrm state show`: find the policy whose selector fits the packet, and its direction (in, fwd, out).") \
	X(POLICY_NFQUEUE, "policy-nfqueue", VT_CLASS_SECURITY_POLICY, \
	  "A rule hands the packet to a program in user space (NFQUEUE), which dropped it or was not there to take it.", \
	  "The kernel dropped it where it takes a program's verdict; or where it queues packets for user space, and no program of the node reads such a queue.", \
	  "On node %n run `nft -a list ruleset | grep -i queue`, `iptables-save | grep NFQUEUE` and `cat /proc/net/netfilter/nfnetlink_queue`: ask the firewall or IPS that reads the queue, or start it, or let the rule bypass it.") \
	X(POLICY_SPOOF, "policy-spoof", VT_CLASS_SECURITY_POLICY, \
	  "The VM sent with a source MAC or IP address that is not its own, which its port does not let in.", \
	  "The device's configuration of that port has other addresses; the packet's and, for a MAC, the VM's are given.", \
	  "On node %n run `vtrace-vfd ctl PATH show tables` and compare with `ip addr show` in the VM behind %d: add the address to the VM's in the device's configuration, or correct the VM.") \
	X(POLICY_GROUP_RULE, "policy-group-rule", VT_CLASS_SECURITY_POLICY, \
	  "A rule of a security group denies the packet.", \
	  "The device asked the VM's security groups, and this rule decided; group, rule, direction, priority and port are given.", \
	  "On node %n look at that rule in the device's configuration; change it, or add an allow rule with a lower priority number if the flow is wanted.") \
	X(POLICY_GROUP_DEFAULT, "policy-group-default", VT_CLASS_SECURITY_POLICY, \
	  "No rule of the VM's security groups allows the packet, and what is not allowed is denied.", \
	  "The device asked the VM's security groups and none of their rules fits the packet, nor does it answer a flow that was allowed; direction and port are given.", \
	  "On node %n look at the security groups of the VM at that port in the device's configuration, and add an allow rule for the flow if it is wanted.") \
	\
	/* rate-limit: more packets came than were agreed */ \
	X(LIMIT_QDISC, "limit-qdisc", VT_CLASS_RATE_LIMIT, \
	  "A shaper or policer on the device dropped the packet: more was sent than its rate lets through.", \
	  "The kernel dropped it with a queue's or a filter's reason on that device; the policer, or the shaper and the class whose drop counter moved at that time, are given.", \
	  "On node %n run `tc -s qdisc show dev %d`, `tc -s class show dev %d` and `tc -s filter show dev %d ingress`: `dropped` grows; raise rate, burst or limit there, or slow the sender down.") \
	X(LIMIT_NFT_RULE, "limit-nft-rule", VT_CLASS_RATE_LIMIT, \
	  "An nftables rule with a rate limit, quota or connection count dropped the packet because the limit was used up.", \
	  "The nftables trace of this very packet ended in a rule that has a limit, quota or ct count, or in the drop behind such a rule.", \
	  "On node %n run `nft -a list ruleset`, find the rule by its handle, and compare its limit with what the flow sends.") \
	X(LIMIT_PORT, "limit-port", VT_CLASS_RATE_LIMIT, \
	  "The VM sent more than the rate limit of its port allows.", \
	  "The device's meter of that port found the packet over the limit; rate and burst are given.", \
	  "On node %n compare the rate in the evidence with what the VM behind %d sends; raise `rate` in the device's configuration, or slow the sender down.") \
	X(LIMIT_FLOW, "limit-flow", VT_CLASS_RATE_LIMIT, \
	  "The flow sent more than the rate limit for each flow of its VM allows.", \
	  "The device's meter of that flow found the packet over the limit; flow, rate and burst are given.", \
	  "On node %n compare the rate in the evidence with what the flow sends; raise `flow_rate` of the VM behind %d in the device's configuration, or slow the sender down.") \
	\
	/* tenant-config: routes, addresses and ports of the tenant's networks */ \
	X(ROUTE_MISSING, "route-missing", VT_CLASS_TENANT_CONFIG, \
	  "The node has no route to the packet's destination.", \
	  "The kernel's routing dropped the packet, and looking the route up the same way gives `network unreachable`.", \
	  "On node %n run `ip route get DST from SRC iif %d` and `ip rule show`; add the missing route with `ip route add NET via GATEWAY` to the table in use.") \
	X(ROUTE_BLACKHOLE, "route-blackhole", VT_CLASS_TENANT_CONFIG, \
	  "The route to the destination is a blackhole: it throws packets away without telling the sender.", \
	  "The packet's route carries the error of a blackhole route, and the lookup names that route.", \
	  "On node %n run `ip route show table all type blackhole`; delete that route, or add a more specific one for this destination.") \
	X(ROUTE_UNREACHABLE, "route-unreachable", VT_CLASS_TENANT_CONFIG, \
	  "The route to the destination is of the type unreachable: the sender gets `host unreachable`.", \
	  "The packet's route carries the error of an unreachable route, and the lookup names that route.", \
	  "On node %n run `ip route show table all type unreachable`; delete that route, or add a more specific one for this destination.") \
	X(ROUTE_PROHIBIT, "route-prohibit", VT_CLASS_TENANT_CONFIG, \
	  "The route to the destination is of the type prohibit: the sender gets `administratively prohibited`.", \
	  "The packet's route carries the error of a prohibit route or rule, and the lookup names it.", \
	  "On node %n run `ip route show table all type prohibit` and `ip rule show`; delete the one that applies, or add a more specific route.") \
	X(FORWARDING_OFF, "forwarding-off", VT_CLASS_TENANT_CONFIG, \
	  "The packet should be routed onwards, but forwarding is switched off on the node or on the device it came in by.", \
	  "The kernel's routing dropped the packet, and the forwarding switch of that device is 0.", \
	  "On node %n run `sysctl net.ipv4.conf.%d.forwarding net.ipv6.conf.%d.forwarding net.ipv4.ip_forward`, and set the one that is 0 to 1.") \
	X(RP_FILTER, "rp-filter", VT_CLASS_TENANT_CONFIG, \
	  "Reverse path filtering dropped the packet: the way back to its source does not go through the device it came in by.", \
	  "The kernel's drop reason is its reverse path check, and rp_filter is on for that device.", \
	  "On node %n run `ip route get SRC` and `sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.%d.rp_filter`; mend the route back, or set both to 2 (loose) if the paths really differ.") \
	X(MARTIAN_SOURCE, "martian-source", VT_CLASS_TENANT_CONFIG, \
	  "The packet's source address can never be right on this device: loopback, broadcast, multicast, zero, or the node's own.", \
	  "The kernel's check of the source address dropped the packet.", \
	  "Look at the source address in the path: mend the sender's configuration or the NAT that wrote it; on node %n `ip addr show` tells whether the node owns that address.") \
	X(NEIGHBOUR_FAILED, "neighbour-failed", VT_CLASS_TENANT_CONFIG, \
	  "Nobody answered ARP or neighbour discovery for the next hop, so the packet could not be sent.", \
	  "The kernel gave the waiting packet up when the neighbour entry failed; the entry is named.", \
	  "On node %n run `ip neigh show dev %d`: the entry is FAILED; check that the VM with that address runs, has this address, and is reachable at layer 2.") \
	X(WRONG_MAC, "wrong-mac", VT_CLASS_TENANT_CONFIG, \
	  "The packet reached an interface whose MAC address is not the packet's destination, so the receiver threw it away.", \
	  "The kernel dropped it as meant for another host.", \
	  "Compare `ip link show dev %d` on node %n with the sender's `ip neigh show`: a stale or static neighbour entry, or a changed VM MAC, is the usual reason.") \
	X(MTU_EXCEEDED, "mtu-exceeded", VT_CLASS_TENANT_CONFIG, \
	  "The packet is larger than the MTU of the device it should leave by, and may not be fragmented.", \
	  "The kernel dropped it for its size; packet length and MTU are given.", \
	  "On node %n run `ip link show dev %d`; raise its MTU, or lower the VM's (VXLAN needs 50 bytes, over IPv6 70), and let ICMP `fragmentation needed` through.") \
	X(TTL_EXPIRED, "ttl-expired", VT_CLASS_TENANT_CONFIG, \
	  "The packet's TTL (hop limit) ran out: the sender set it too low or the packet goes round in a loop.", \
	  "The kernel dropped it where it forwards packets because TTL or hop limit had reached its end.", \
	  "Look for the same node twice in the path: if there is a loop, `ip route get DST` on node %n and its neighbours shows who points back; if not, raise the sender's TTL.") \
	X(PORT_DOWN, "port-down", VT_CLASS_TENANT_CONFIG, \
	  "The port that leads to the destination is down, so the bridge or the kernel had nowhere to send the packet.", \
	  "The packet was dropped for want of a port, and the port or its peer is down or without carrier.", \
	  "On node %n run `ip -d link show dev %d`; bring it up with `ip link set %d up`, and check that the VM runs and its NIC is up.") \
	X(PORT_ISOLATED, "port-isolated", VT_CLASS_TENANT_CONFIG, \
	  "Both bridge ports are isolated, and isolated ports may not talk to each other.", \
	  "The bridge dropped the packet, and the ports of source and destination have `isolated on`.", \
	  "On node %n run `bridge -d link show`; if the two VMs may talk, `bridge link set dev %d isolated off` on one of the ports.") \
	X(PORT_BLOCKED, "port-blocked", VT_CLASS_TENANT_CONFIG, \
	  "The bridge port does not forward: spanning tree state, hairpin off or flooding off keeps the packet from it.", \
	  "The bridge dropped the packet at a port whose state or flags, as given, forbid it to pass.", \
	  "On node %n run `bridge -d link show dev %d`: state must be forwarding; see flood, mcast_flood and hairpin, and set what is missing with `bridge link set dev %d ...`.") \
	X(NAT_UNMAPPED, "nat-unmapped", VT_CLASS_TENANT_CONFIG, \
	  "The packet came from outside for a public address of the NAT, and nothing inside is mapped to its port.", \
	  "The device has neither a running translation nor a dnat rule for this address, port and protocol; the rule with that address is given.", \
	  "On node %n run `vtrace-vfd ctl PATH show nat`: if a service is meant, add a dnat rule for it; if it is an answer, its translation has ended, see `idle`.") \
	X(PORT_MISSING, "port-missing", VT_CLASS_TENANT_CONFIG, \
	  "The bridge has no port for the packet to go to: the receiver's port is not there.", \
	  "The bridge knew no port for the frame's address, and had none to flood it to but the one where it came in.", \
	  "On node %n run `bridge link show` and look for the receiver's port: was the VM stopped or moved, or its port never put into bridge %d? If it moved, the sender's VXLAN forwarding table is out of date.") \
	\
	/* infrastructure: VTEPs, tunnels, the underlay and the provider's own rules */ \
	X(FDB_MISSING, "fdb-missing", VT_CLASS_INFRASTRUCTURE, \
	  "The VXLAN device does not know behind which VTEP the destination MAC lives, and has no default to flood to.", \
	  "The VXLAN device dropped the packet for want of a target, and its forwarding table has no entry for that MAC.", \
	  "On node %n run `bridge fdb show dev %d`; add the entry with `bridge fdb append MAC dev %d dst VTEP`, and ask the controller why it did not.") \
	X(VNI_UNKNOWN, "vni-unknown", VT_CLASS_INFRASTRUCTURE, \
	  "The packet arrived in the tunnel with a VNI that no VXLAN device of the receiver has.", \
	  "The kernel's VXLAN receiver dropped it because it found no device for that VNI.", \
	  "On node %n run `ip -d link show type vxlan` and compare the ids with the packet's VNI: create the missing network there, or correct the sender's VNI or VTEP.") \
	X(VTEP_MISSING, "vtep-missing", VT_CLASS_INFRASTRUCTURE, \
	  "The packet arrived in the tunnel, but nothing on the receiver listens on that tunnel port.", \
	  "The kernel found no socket for the outer UDP port: the VXLAN device is missing, down, or on another port.", \
	  "On node %n run `ip -d link show type vxlan` and `ss -lnu`; bring the VXLAN device up, or make dstport equal on both ends.") \
	X(VTEP_UNROUTABLE, "vtep-unroutable", VT_CLASS_INFRASTRUCTURE, \
	  "The node has no way to the remote VTEP: no route to its underlay address, or the underlay link is down.", \
	  "The tunnel dropped the packet when it looked up the route to the VTEP; address and lookup result are given.", \
	  "On node %n run `ip route get VTEP` with the outer destination of the path, and `ip link show` for the underlay NIC; mend the route or the link.") \
	X(VTEP_NEIGHBOUR_FAILED, "vtep-neighbour-failed", VT_CLASS_INFRASTRUCTURE, \
	  "The remote VTEP (or the underlay router to it) did not answer ARP or neighbour discovery.", \
	  "The kernel gave up the encapsulated packet when the neighbour entry on the underlay device failed.", \
	  "On node %n run `ip neigh show dev %d`: the entry is FAILED; check that the other host is up and that both are in the same underlay segment.") \
	X(UNDERLAY_LOST, "underlay-lost", VT_CLASS_INFRASTRUCTURE, \
	  "The encapsulated packet left this node and never reached the next one.", \
	  "The `out` record is there, the next node was complete and watching, and it has no `in` record of the packet.", \
	  "From node %n run `ping -M do -s 1472 -I %d VTEP` and `mtr -u -P 4789 VTEP`, look at the switch counters between both ends, and check that the underlay keeps the outer DSCP.") \
	X(UNDERLAY_MTU, "underlay-mtu", VT_CLASS_INFRASTRUCTURE, \
	  "The encapsulated packet is larger than the MTU of the underlay and may not be fragmented.", \
	  "Tenant packet plus tunnel headers exceed the MTU of the underlay device or path; both sizes are given.", \
	  "On node %n run `ip link show dev %d` and `ip route get VTEP`; raise the underlay MTU by 50 bytes (IPv6: 70) over the VMs', or lower the VMs' MTU.") \
	X(UNDERLAY_FILTERED, "underlay-filtered", VT_CLASS_INFRASTRUCTURE, \
	  "A firewall rule of the provider dropped the encapsulated packet: it matched the tunnel's outer header, not the tenant's.", \
	  "Netfilter or a BPF program dropped the packet while it was encapsulated; the rule is given where it could be read.", \
	  "On node %n run `nft -a list ruleset` and look for rules on UDP port 4789 or the VTEPs' addresses; let the tunnel's traffic between the VTEPs pass.") \
	X(UNDERLAY_ECN, "underlay-ecn", VT_CLASS_INFRASTRUCTURE, \
	  "The underlay marked the tunnel's packet as having met congestion, though the tenant's flow does not do ECN: it counts as dropped.", \
	  "The kernel's drop reason is that of its check of both headers' ECN bits when it takes a packet out of the tunnel.", \
	  "Capture on node %n with `tcpdump -v -i %d udp port 4789`: `tos` shows the bits; find the switch or shaper that marks packets whose outer header is not ECN-capable, and the congestion behind it.") \
	\
	/* host-resource: queues, memory and tables of the node */ \
	X(CONNTRACK_FULL, "conntrack-full", VT_CLASS_HOST_RESOURCE, \
	  "The connection tracking table is full, so the first packet of a new flow was dropped.", \
	  "Netfilter dropped it without a rule while the number of tracked connections was at its limit; both numbers are given.", \
	  "On node %n run `sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max`; raise the limit, and see with `conntrack -L` who fills the table.") \
	X(NAT_POOL_EXHAUSTED, "nat-pool-exhausted", VT_CLASS_HOST_RESOURCE, \
	  "The NAT has no free address and port for a new flow, so its packets were dropped.", \
	  "The device looked for a free port of the rule's public addresses and found none; rule, addresses and ports are given.", \
	  "On node %n run `vtrace-vfd ctl PATH show nat` to see who uses the ports; give the rule more addresses or ports, or a shorter `idle`.") \
	X(QUEUE_FULL, "queue-full", VT_CLASS_HOST_RESOURCE, \
	  "A queue of the host was full: its reader (VM, NIC or CPU) takes packets more slowly than they come.", \
	  "The kernel's drop reason is that of a full ring, backlog, neighbour queue, or a queueing discipline without a rate at that device.", \
	  "On node %n run `ip -s -s link show dev %d`, `tc -s qdisc show dev %d` and read `/proc/net/softnet_stat`; see whether the VM or a CPU is stalled or overloaded, and raise txqueuelen or netdev_max_backlog if bursts are normal.") \
	X(OUT_OF_MEMORY, "out-of-memory", VT_CLASS_HOST_RESOURCE, \
	  "The kernel had no memory for the packet.", \
	  "The kernel's drop reason is that of a failed allocation or a memory limit of the protocol.", \
	  "On node %n run `free -m`, `dmesg | tail` and `sysctl net.ipv4.udp_mem net.ipv4.tcp_mem`; find what uses the memory up.") \
	\
	/* endpoint: the VM or its socket */ \
	X(NO_LISTENER, "no-listener", VT_CLASS_ENDPOINT, \
	  "The packet arrived, but no program listens on the destination port.", \
	  "The receiver's kernel found no socket for the packet.", \
	  "In the VM behind %d on node %n run `ss -lntu`: start the service, or have it listen on this address and port (not on 127.0.0.1 only).") \
	X(SOCKET_FULL, "socket-full", VT_CLASS_ENDPOINT, \
	  "The receiving socket's buffer or accept queue is full: the program does not keep up.", \
	  "The receiver's kernel dropped the packet at the socket with that reason.", \
	  "In the VM behind %d on node %n run `ss -lnmtu` and `nstat -az UdpRcvbufErrors TcpExtListenOverflows`; speed the program up, or raise net.core.rmem_max or somaxconn.") \
	X(PORT_UNREACHABLE, "port-unreachable", VT_CLASS_ENDPOINT, \
	  "The receiver refused the packet and said so: ICMP `port unreachable` came back.", \
	  "The packet left by that port, and an ICMP error that quotes it came in there; hosts limit how many they send, so some refused packets count as delivered.", \
	  "In the VM behind %d on node %n run `ss -lntu` and look at its own firewall with `nft list ruleset` (a reject rule answers the same way).") \
	X(ENDPOINT_FILTERED, "endpoint-filtered", VT_CLASS_ENDPOINT, \
	  "The packet arrived, and the receiver's own packet filter dropped or refused it.", \
	  "The kernel dropped it inside the VM's network namespace by a packet filter, or the VM answered ICMP `administratively prohibited`.", \
	  "In the VM behind %d on node %n run `nft -a list ruleset`, `iptables-save -c` and `bpftool net`: the rule is there, not in the network.") \
	X(ADDRESS_MISSING, "address-missing", VT_CLASS_ENDPOINT, \
	  "The packet arrived at a VM that does not have its destination address and does not route.", \
	  "The VM's kernel dropped it because the address is none of its own and forwarding is off there.", \
	  "In the VM behind %d on node %n run `ip addr show`: add the address, or correct the sender, the NAT or the route that leads to this VM.") \
	\
	/* malformed: the packet itself is broken */ \
	X(CHECKSUM_BAD, "checksum-bad", VT_CLASS_MALFORMED, \
	  "A checksum of the packet is wrong, so the receiver threw it away.", \
	  "The kernel's drop reason is a failed IP, UDP, TCP or ICMP checksum.", \
	  "Find where it breaks: `tcpdump -vv -i %d` on node %n names bad checksums; try `ethtool -K DEVICE tx off` on the sending side, then check NICs, memory and whoever rewrites the packet.") \
	X(HEADER_BAD, "header-bad", VT_CLASS_MALFORMED, \
	  "A header of the packet is cut short or has impossible values.", \
	  "The kernel's drop reason is that of a header that it could not accept.", \
	  "On node %n run `tcpdump -vvv -XX -i %d` with the trace's filter and look at lengths and versions; the sender or whoever rewrites the packet is at fault.") \
	X(FRAGMENT_MISSING, "fragment-missing", VT_CLASS_MALFORMED, \
	  "A fragment came without the first one of its datagram, which alone tells the ports, so it was thrown away.", \
	  "The device waited for the first fragment, as long as the evidence says, and it did not come there.", \
	  "Trace the flow with its ports to see where first fragments go; look at node %n's MTUs (`ip link show dev %d`), and have the sender use smaller packets.") \
	\
	/* unsupported */ \
	X(ACTION_UNSUPPORTED, "action-unsupported", VT_CLASS_UNSUPPORTED, \
	  "The device's configuration asks for something to be done with the packet that the device cannot do.", \
	  "The device found the route or rule that decides, and has no such action or service; both are given.", \
	  "On node %n look at that route in the device's configuration: correct it, or move the flow to a device that has the service.") \
	X(PROTOCOL_UNSUPPORTED, "protocol-unsupported", VT_CLASS_UNSUPPORTED, \
	  "The node has no handler for the packet's protocol or extension header.", \
	  "The kernel's drop reason is an unknown or unhandled protocol.", \
	  "Look at the protocol in the path's flow: load the kernel module that handles it on node %n, or use a protocol that the network carries.") \
	\
	/* unknown */ \
	X(VANISHED_IN_NODE, "vanished-in-node", VT_CLASS_UNKNOWN, \
	  "The packet entered this node and neither left it nor was seen being dropped.", \
	  "The `in` record is there, the node's records are complete, and there is no `out` and no drop of the packet; or a tc filter was seen keeping it, which may send it on later.", \
	  "On node %n look for what takes packets away silently: `tc filter show dev %d ingress` and `egress` (mirred, stolen), `bpftool net`, XDP programs, NFQUEUE, user-space forwarders.") \
	X(UNEXPLAINED, "unexplained", VT_CLASS_UNKNOWN, \
	  "The kernel dropped the packet, and VTrace has no certain explanation: reason and site are all that is known.", \
	  "The drop itself was witnessed; its raw reason and the kernel function are given.", \
	  "On node %n look at the raw reason and site, at `dmesg | tail`, `nstat -az | grep -i -e drop -e err` and `ip -s link show dev %d`; please report the case, so that it gets a name.")
/* clang-format on */

#endif
