/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration of vtrace-vfd: one JSON file, read and checked as a whole; docs/vfd.md has an example and every
 * member. Addresses are 16 bytes as on the wire, IPv4 ones mapped into IPv6; prefix lengths are of the mapped address
 * (96 + n).
 */
#ifndef VFD_CONFIG_H
#define VFD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CONFIG_NAME_MAX  16  /* of ports: a device's name */
#define CONFIG_TEXT_MAX  160 /* of names of networks and groups, and of what evidence quotes */
#define CONFIG_VDEV_MAX  256
#define CONFIG_PORTS_MAX 64
#define CONFIG_LIST_MAX  65536 /* networks, places, routes, rules, neighbours: of each */

enum port_kind { PORT_VM = 1, PORT_UNDERLAY };

struct port_config {
	char name[CONFIG_NAME_MAX];
	char vdev[CONFIG_VDEV_MAX]; /* of DPDK, with its arguments: "net_af_packet0,iface=vm1" */
	enum port_kind kind;
	uint8_t mac[6];
	uint16_t mtu;        /* bytes of IP packet that it takes */
	uint8_t address[16]; /* UNDERLAY: our tunnel end */
	int network;         /* VM: index */
	int group;           /* VM: index of its security group, -1: none, and everything may pass */
};

struct network_config {
	char name[CONFIG_TEXT_MAX];
	uint32_t vni;
};

/* Where an address of a network is: at a port of ours, or behind a tunnel end. */
struct place_config {
	int network, port; /* port -1: behind `vtep` */
	uint8_t address[16], mac[6], vtep[16];
};

/* Where packets go for which no place is known. */
struct route_config {
	int network;
	bool blackhole; /* else to `via`, an address of the network */
	uint8_t prefix[16], length, via[16];
	char text[CONFIG_TEXT_MAX]; /* "10.9.0.0/16 blackhole in network blue" */
};

/* Of the rules of a group and direction that fit, the one with the lowest priority decides; none: deny in, allow out.
 */
struct rule_config {
	int group;
	unsigned int priority;
	bool allow, out;
	uint8_t proto;              /* 0: any */
	uint8_t prefix[16], length; /* of the other side */
	uint16_t first, last;       /* destination ports, with a protocol that has them */
	char text[CONFIG_TEXT_MAX]; /* "group web priority 10: deny in udp ports 53-53 from 10.0.1.0/24" */
};

struct neighbour_config {
	uint8_t address[16], mac[6]; /* of the underlay */
};

struct config {
	unsigned int n_ports, n_networks, n_places, n_routes, n_rules, n_groups, n_neighbours;
	struct port_config ports[CONFIG_PORTS_MAX];
	struct network_config *networks;
	struct place_config *places;
	struct route_config *routes;
	struct rule_config *rules; /* by priority */
	char (*groups)[CONFIG_TEXT_MAX];
	struct neighbour_config *neighbours;
	int underlay; /* index of the underlay's port */
};

/* -errno; `err` names the file with line and column, or the member, such as "ports[1].mac". */
int config_read(const char *path, struct config **ret, struct vt_err *err);
void config_free(struct config *config);

#endif
