// SPDX-License-Identifier: BSD-3-Clause
/* The inspectors that table.c puts in order; what they may answer is in drop.h. One file each. */
#ifndef VT_DATAPATH_LINUX_INSPECT_INSPECTORS_H
#define VT_DATAPATH_LINUX_INSPECT_INSPECTORS_H

#include "datapath/linux/inspect/drop.h"

/* route.c: the route or rule that decided, by the error of the packet's route */
int route_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int route_forwarding_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int route_rpfilter_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int route_martian_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);

/* mtu.c: too big for the next device */
int mtu_routed_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int mtu_bridged_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int mtu_fragment6_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);

/* qdisc.c: the queueing discipline of the device */
int qdisc_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);

/* fdb.c: the forwarding table of a vxlan device, and the tunnel end points in it */
int fdb_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int fdb_remote_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);

/* neigh.c: a neighbour that does not answer */
int neigh_failed_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int neigh_queue_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);

/* vni.c: vxlan devices of this host */
int vni_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int vni_socket_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int vni_flooded_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);

/* programs.c: BPF programs and tc filters of the device */
int programs_ingress_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int programs_egress_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int programs_xdp_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int programs_taken_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding); /* DROP_TAKEN */

/* ipsec.c: policies of IPsec; forward6 is for the place where the kernel says nothing of them */
int ipsec_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int ipsec_forward6_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);

/* nfqueue.c: queues of packet filters to user space */
int nfqueue_full_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int nfqueue_verdict_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);

/* nf_programs.c: BPF programs at netfilter's hooks; not in the table, traceless.c asks it last */
int nf_programs_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);

/* port.c: state of the device itself */
int port_down_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int port_mac_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);

/* bridge.c: which port of a bridge did not take the frame, and why */
int port_blocked_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);
int bridge_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);

#endif
