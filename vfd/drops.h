/* SPDX-License-Identifier: BSD-3-Clause */
/* Why packets are dropped: every packet that is freed without being sent has one of these reasons. */
#ifndef VFD_DROPS_H
#define VFD_DROPS_H

/* name; VTrace's code (docs/causes.md); the place in the device */
#define VFD_DROPS(X)                                                            \
	X(NOT_IP, "protocol-unsupported", "parse")                              \
	X(NOT_FOR_US, "unexplained", "parse: underlay")                         \
	X(VNI_UNKNOWN, "vni-unknown", "slow path: networks")                    \
	X(NO_ROUTE, "route-missing", "slow path: routes")                       \
	X(BLACKHOLE, "route-blackhole", "slow path: routes")                    \
	X(NO_VIA, "neighbour-failed", "slow path: routes")                      \
	X(POLICY_RULE, "policy-group-rule", "slow path: security groups")       \
	X(POLICY_DEFAULT, "policy-group-default", "slow path: security groups") \
	X(SAME_PORT, "port-blocked", "slow path: places")                       \
	X(NO_UNDERLAY, "vtep-unroutable", "slow path: underlay")                \
	X(NO_NEIGHBOUR, "vtep-neighbour-failed", "slow path: neighbours")       \
	X(TOO_BIG, "mtu-exceeded", "fast path: port")                           \
	X(TOO_BIG_UNDERLAY, "underlay-mtu", "fast path: tunnel")                \
	X(QUEUE_FULL, "queue-full", "transmit")                                 \
	X(NO_MEMORY, "out-of-memory", "fast path")

enum drop {
#define DROP_ENUM(name, code, site) DROP_##name,
	VFD_DROPS(DROP_ENUM)
#undef DROP_ENUM
	    DROPS
};

struct drop_info {
	const char *name, *code, *site;
};
extern const struct drop_info drop_infos[DROPS];

#endif
