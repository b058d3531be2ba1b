/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device's configuration: one JSON file, read into tables that never change. A reload reads another one; flow
 * entries are compiled from these tables in the slow path (slow.c).
 */
#ifndef VFD_CONFIG_H
#define VFD_CONFIG_H

#include "addr.h"

#include <stddef.h>

#define PORTS_MAX        64
#define WORKERS_MAX      8
#define NAME_LEN         32 /* with NUL */
#define VM_ADDRS_MAX     8
#define VM_GROUPS_MAX    8
#define GATEWAY_MAX      4
#define STATICS_MAX      64
#define NAT_ADDRS_MAX    16
#define NAT_IDLE_MIN     11      /* seconds: longer than a flow entry, which points to its translation, is used */
#define FLOWS_DEFAULT    262144  /* entries of a worker's flow cache: 48 MB */
#define FLOWS_MAX        4194304 /* 770 MB */
#define NEW_FLOWS        200000  /* a second: an eighth of a worker that does nothing else */
#define CONFIG_ERROR_MAX 512

enum port_kind {
	PORT_VM,
	PORT_UNDERLAY,
};

struct port_config {
	char name[16];
	enum port_kind kind;
	char vdev[256]; /* DPDK's words: "net_af_packet0,iface=eth0" */
	struct mac mac; /* of the underlay's end; with has_mac false the device's own */
	bool has_mac;
	uint16_t mtu;
};

struct static_neighbour {
	struct addr addr;
	struct mac mac;
};

/* Where tunnels end: the underlay port's addresses. */
struct vtep_config {
	unsigned int port;
	struct prefix net[2]; /* of the VTEP's addresses: IPv4, IPv6; len 0 where there is none */
	struct addr addr[2], gateway[2];
	bool has[2], has_gateway[2];
	uint16_t udp_port;
	struct static_neighbour statics[STATICS_MAX];
	size_t nstatics;
};

struct rule {
	char name[NAME_LEN];
	bool in; /* direction, seen from the VM */
	bool allow;
	int priority;       /* the lowest number is asked first */
	uint8_t proto;      /* 0: any */
	struct prefix peer; /* the other side; len 0: any */
	uint16_t lo, hi;    /* destination port, or ICMP type */
};

struct group {
	char name[NAME_LEN];
	struct rule *rules; /* by priority */
	size_t nrules;
};

struct vm {
	unsigned int port;
	struct mac mac;
	struct addr addrs[VM_ADDRS_MAX];
	size_t naddrs;
	unsigned int groups[VM_GROUPS_MAX];
	size_t ngroups;                /* 0: the VM's traffic is not filtered */
	uint64_t rate_bps, burst;      /* bits a second, bytes; 0: no limit */
	uint64_t flow_bps, flow_burst; /* the same for each flow */
};

enum route_kind {
	ROUTE_VM,
	ROUTE_REMOTE,
	ROUTE_VPC,
	ROUTE_BLACKHOLE,
	ROUTE_UNREACHABLE,
	ROUTE_PROHIBIT,
	ROUTE_SERVICE,
};

struct route {
	struct prefix prefix;
	enum route_kind kind;
	size_t vm;        /* of the same VPC */
	struct addr vtep; /* ROUTE_REMOTE */
	struct mac mac;   /* of the remote VM; with has_mac false the VPC's gateway's is used */
	bool has_mac;
	size_t vpc;             /* ROUTE_VPC: looked up there once more */
	char service[NAME_LEN]; /* ROUTE_SERVICE: none of them is in this device */
};

enum nat_kind {
	NAT_SOURCE,
	NAT_DESTINATION,
};

/* Translation between the VPC that has the rule, inside, and another one, outside. */
struct nat_rule {
	char name[NAME_LEN];
	enum nat_kind kind;
	size_t outside;                    /* VPC */
	struct addr public[NAT_ADDRS_MAX]; /* addresses outside: of a pool; NAT_DESTINATION: one */
	size_t npublic;
	uint16_t lo, hi;      /* ports outside; NAT_DESTINATION: one */
	struct prefix prefix; /* inside: senders that are translated; NAT_DESTINATION: the receiver */
	uint16_t port;        /* NAT_DESTINATION: the receiver's */
	uint8_t proto;        /* NAT_DESTINATION: TCP or UDP; else 0: all that can be translated */
	uint32_t idle_ms;     /* without a packet, then a translation ends */
};

struct vpc {
	char name[NAME_LEN];
	uint32_t vni;
	struct mac gateway_mac;
	struct addr gateway[GATEWAY_MAX];
	size_t ngateway;
	struct vm *vms;
	size_t nvms;
	struct route *routes; /* longest prefix first */
	size_t nroutes;
	struct rte_rib6 *tree; /* of the routes, where they are many: route.h */
	struct nat_rule *nats; /* the first that fits counts */
	size_t nnats;
};

struct config {
	unsigned int workers, flows; /* flows: of each worker */
	uint32_t new_flows;          /* that a port may begin in a second */
	struct port_config ports[PORTS_MAX];
	size_t nports;
	bool has_vtep;
	struct vtep_config vtep;
	struct group *groups;
	size_t ngroups;
	struct vpc *vpcs;
	size_t nvpcs;
};

/* NULL, and error (CONFIG_ERROR_MAX bytes) names the line, or the path of the field, and what is wrong with it. */
struct config *config_load(const char *path, char *error);
void config_free(struct config *config);

const struct vpc *config_vpc_of_vni(const struct config *config, uint32_t vni); /* or NULL */
const struct vm *config_vm_of_port(const struct config *config, unsigned int port,
                                   const struct vpc **vpc);                      /* or NULL */
const struct route *config_route(const struct vpc *vpc, const struct addr *dst); /* or NULL */

#endif
