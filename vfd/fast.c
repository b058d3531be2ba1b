// SPDX-License-Identifier: BSD-3-Clause
/*
 * The fast path: a burst is parsed, its flows are looked up, and each packet goes the way of its entry. Whether
 * anything in a burst is traced is one test: the numbers of task sets of all entries and the colours of all tunnel
 * packets together. Every packet that is freed here goes through drop().
 */
#include <rte_ethdev.h>
#include <string.h>
#include <unistd.h>

#include "vfd/device.h"

#define BURST      FLOWS_BURST
#define IDLE_TURNS 64 /* empty rounds over all ports until the worker sleeps a little */
#define IDLE_US    50

struct burst {
	struct device *device;
	const struct tables *tables;
	uint32_t epoch;
	unsigned int port, n; /* n: IP packets, which are below */
	bool traced;
	struct rte_mbuf *mbufs[BURST];
	struct packet packets[BURST];
	struct flow_key keys[BURST];
	struct flow_entry *entries[BURST];
};

static const struct port_config *port_of(const struct burst *burst, unsigned int port)
{
	return &tables_config(burst->tables)->ports[port];
}

/* The packet as VTrace wants it: at a port it is in its tunnel, or not. */
static struct vdg_packet seen_at(const struct packet *packet, unsigned int port, bool encapsulated)
{
	struct vdg_packet seen = {.ip = packet->ip,
	                          .captured = packet->ip_length,
	                          .port = port + 1,
	                          .vni = packet->flow.vni,
	                          .segments = 1,
	                          .encapsulated = encapsulated};

	if (encapsulated) {
		memcpy(seen.outer_src, packet->outer_src, 16);
		memcpy(seen.outer_dst, packet->outer_dst, 16);
	}
	return seen;
}

static void drop(struct burst *burst, struct rte_mbuf *mbuf, const struct packet *packet, unsigned int hop,
                 enum drop reason, uint32_t why)
{
	struct vdg_packet seen;

	count(&burst->device->drops[reason]);
	if (hop) {
		seen = seen_at(packet, burst->port, false);
		vdg_drop(burst->device->worker, hop, &seen, why);
	}
	rte_pktmbuf_free(mbuf);
}

/* Hands a packet to a port; hop: it has been logged as having left. */
static void transmit(struct burst *burst, struct rte_mbuf *mbuf, const struct packet *packet, unsigned int port,
                     unsigned int hop, bool encapsulated)
{
	struct device_port *out = &burst->device->ports[port];
	struct vdg_packet seen;

	if (rte_eth_tx_burst(out->dpdk, 0, &mbuf, 1) == 1) {
		count(&out->out);
		return;
	}
	count(&burst->device->drops[DROP_QUEUE_FULL]);
	if (hop) {
		seen = seen_at(packet, port, encapsulated);
		vdg_drop_after_out(burst->device->worker, hop, &seen,
		                   vdg_why(burst->device->vdg, drop_infos[DROP_QUEUE_FULL].code, "QUEUE_FULL",
		                           "transmit", "the transmit queue of the port is full"));
	}
	rte_pktmbuf_free(mbuf);
}

static void to_port(struct burst *burst, struct rte_mbuf *mbuf, struct packet *packet, struct flow_entry *entry,
                    unsigned int hop)
{
	const struct port_config *out = port_of(burst, entry->port);
	struct vdg_packet seen;

	if (packet->ip_length > out->mtu) {
		drop(burst, mbuf, packet, hop, DROP_TOO_BIG, entry->why);
		return;
	}
	rte_pktmbuf_adj(mbuf, (uint16_t)(packet->frame - rte_pktmbuf_mtod(mbuf, uint8_t *)));
	memcpy(packet->frame, entry->mac, 6);
	if (hop) {
		seen = seen_at(packet, entry->port, false);
		vdg_out(burst->device->worker, hop, &seen);
	}
	transmit(burst, mbuf, packet, entry->port, hop, false);
}

/* Writes the tunnel's headers in front of the tenant's frame: VXLAN over UDP over IPv4, no UDP checksum. */
static void write_tunnel(uint8_t *to, const struct port_config *out, const struct flow_entry *entry,
                         const struct packet *packet, uint32_t frame_length, uint8_t dscp)
{
	uint8_t *ip = to + ETHER_SIZE, *udp = ip + IPV4_SIZE, *vxlan = udp + UDP_SIZE;
	const struct vdg_flow *flow = &packet->flow;
	uint32_t spread = 0; /* the flow's, so that the underlay may balance by it */

	memset(to, 0, TUNNEL_SIZE);
	memcpy(to, entry->next_mac, 6);
	memcpy(to + 6, out->mac, 6);
	put16(to + 12, 0x0800);
	ip[0] = 0x45;
	ip[1] = (uint8_t)(dscp << 2);
	put16(ip + 2, IPV4_SIZE + UDP_SIZE + VXLAN_SIZE + frame_length);
	put16(ip + 6, 0x4000); /* not to be cut */
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, out->address + 12, 4);
	memcpy(ip + 16, entry->vtep + 12, 4);
	put16(ip + 10, ip_checksum(ip, IPV4_SIZE));
	for (unsigned int i = 0; i < 16; i++)
		spread = spread * 31 + (uint32_t)(flow->src[i] ^ flow->dst[i]);
	spread = spread * 31 + (uint32_t)(flow->sport ^ flow->dport);
	put16(udp, 49152 + spread % 16384);
	put16(udp + 2, VXLAN_PORT);
	put16(udp + 4, UDP_SIZE + VXLAN_SIZE + frame_length);
	vxlan[0] = 8;
	vxlan[4] = (uint8_t)(entry->vni >> 16);
	vxlan[5] = (uint8_t)(entry->vni >> 8);
	vxlan[6] = (uint8_t)entry->vni;
}

static void to_tunnel(struct burst *burst, struct rte_mbuf *mbuf, struct packet *packet, struct flow_entry *entry,
                      unsigned int hop)
{
	const struct port_config *out = port_of(burst, entry->port);
	uint32_t frame_length = ETHER_SIZE + packet->ip_length;
	struct vdg_packet seen;
	uint8_t dscp = 0, *to;

	if (TUNNEL_SIZE + packet->ip_length > out->mtu) {
		drop(burst, mbuf, packet, hop, DROP_TOO_BIG_UNDERLAY, entry->why);
		return;
	}
	rte_pktmbuf_adj(mbuf, (uint16_t)(packet->frame - rte_pktmbuf_mtod(mbuf, uint8_t *)));
	rte_pktmbuf_trim(mbuf, (uint16_t)(mbuf->pkt_len - frame_length)); /* Ethernet's padding */
	memcpy(packet->frame, entry->mac, 6);
	to = (uint8_t *)rte_pktmbuf_prepend(mbuf, TUNNEL_SIZE);
	if (!to) {
		drop(burst, mbuf, packet, hop, DROP_NO_MEMORY, 0);
		return;
	}
	if (hop) {
		memcpy(packet->outer_src, out->address, 16);
		memcpy(packet->outer_dst, entry->vtep, 16);
		packet->flow.vni = entry->vni;
		seen = seen_at(packet, entry->port, true);
		dscp = vdg_out(burst->device->worker, hop, &seen);
	}
	write_tunnel(to, out, entry, packet, frame_length, dscp);
	transmit(burst, mbuf, packet, entry->port, hop, true);
}

/* The packet's hop here, 0: it is not traced. */
static unsigned int trace_in(struct burst *burst, const struct packet *packet, const struct flow_entry *entry)
{
	unsigned int hop = packet->encapsulated ? vdg_hop_of_dscp(packet->dscp) : 0;
	struct vdg_packet seen;

	if (!entry->set && !hop)
		return 0;
	seen = seen_at(packet, burst->port, packet->encapsulated);
	return vdg_in(burst->device->worker, entry->set, hop, &seen);
}

static void forward(struct burst *burst, unsigned int i)
{
	struct flow_entry *entry = burst->entries[i];
	struct packet *packet = &burst->packets[i];
	unsigned int hop = burst->traced ? trace_in(burst, packet, entry) : 0;

	entry->packets++;
	switch ((enum flow_action)entry->action) {
	case FLOW_PORT:
		to_port(burst, burst->mbufs[i], packet, entry, hop);
		break;
	case FLOW_TUNNEL:
		to_tunnel(burst, burst->mbufs[i], packet, entry, hop);
		break;
	case FLOW_DROP:
		drop(burst, burst->mbufs[i], packet, hop, (enum drop)entry->drop, entry->why);
		break;
	}
}

/* Back through the tunnel that it came by: the outer headers change sides, and need no UDP checksum. */
static void turn_round(uint8_t *frame, const struct port_config *port)
{
	uint8_t *ip = frame + ETHER_SIZE, address[4];

	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, port->mac, 6);
	memcpy(address, ip + 12, 4);
	memcpy(ip + 12, ip + 16, 4);
	memcpy(ip + 16, address, 4);
	put16(ip + (ip[0] & 15) * 4 + 6, 0);
}

/* True if the frame asked for a MAC address and was answered. */
static bool answered(struct burst *burst, struct rte_mbuf *mbuf, struct packet *packet)
{
	const struct port_config *in = port_of(burst, burst->port);
	int network = in->kind == PORT_VM ? in->network : -1;

	if (packet->type != PACKET_ARP)
		return false;
	if (packet->encapsulated)
		network = tables_network(burst->tables, packet->flow.vni);
	if (packet->encapsulated && (network < 0 || rte_pktmbuf_mtod(mbuf, uint8_t *)[ETHER_SIZE] >> 4 != 4))
		return false;
	if (!arp_answer(burst->tables, burst->port, network, packet->frame, packet->captured))
		return false;
	if (packet->encapsulated)
		turn_round(rte_pktmbuf_mtod(mbuf, uint8_t *), in);
	transmit(burst, mbuf, packet, burst->port, 0, false);
	return true;
}

/* Keeps what is to be forwarded, packed; answers ARP, and drops the rest. */
static void take(struct burst *burst, struct rte_mbuf *mbuf)
{
	const struct port_config *in = port_of(burst, burst->port);
	struct packet *packet = &burst->packets[burst->n];
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);

	packet->encapsulated = false;
	if (in->kind == PORT_VM)
		packet_parse(frame, mbuf->data_len, packet);
	else
		packet_parse_underlay(frame, mbuf->data_len, packet);
	if (in->kind == PORT_UNDERLAY && packet->encapsulated && memcmp(packet->outer_dst, in->address, 16) != 0) {
		drop(burst, mbuf, packet, 0, DROP_NOT_FOR_US, 0);
		return;
	}
	if (answered(burst, mbuf, packet))
		return;
	if (packet->type != PACKET_IP || (in->kind == PORT_UNDERLAY && !packet->encapsulated)) {
		drop(burst, mbuf, packet, 0, packet->type == PACKET_IP ? DROP_NOT_FOR_US : DROP_NOT_IP, 0);
		return;
	}
	if (in->kind == PORT_VM)
		packet->flow.vni = tables_config(burst->tables)->networks[in->network].vni;
	memset(&burst->keys[burst->n], 0, sizeof(burst->keys[0]));
	burst->keys[burst->n].flow = packet->flow;
	burst->keys[burst->n].port = burst->port;
	burst->mbufs[burst->n++] = mbuf;
}

/* One burst of one port; returns how many frames came. */
static unsigned int port_turn(struct device *device, struct burst *burst, unsigned int port)
{
	struct rte_mbuf *mbufs[BURST];
	unsigned int n = rte_eth_rx_burst(device->ports[port].dpdk, 0, mbufs, BURST), marks = 0;

	burst->port = port;
	burst->n = 0;
	for (unsigned int i = 0; i < n; i++) {
		count(&device->ports[port].in);
		take(burst, mbufs[i]);
	}
	flows_get(device->flows, burst->keys, burst->n, burst->entries);
	for (unsigned int i = 0; i < burst->n; i++) {
		struct flow_entry *entry = burst->entries[i];

		if (entry->epoch != burst->epoch)
			slow_path(device, burst->tables, &burst->keys[i], burst->epoch, entry);
		marks |= entry->set | (burst->packets[i].encapsulated ? vdg_hop_of_dscp(burst->packets[i].dscp) : 0);
	}
	burst->traced = marks && device->worker;
	for (unsigned int i = 0; i < burst->n; i++)
		forward(burst, i);
	return n;
}

void *fast_path(void *arg)
{
	struct device *device = arg;
	static struct burst burst;
	unsigned int idle = 0;

	burst.device = device;
	while (!atomic_load_explicit(&device->stopping, memory_order_relaxed)) {
		unsigned int got = 0;

		while (atomic_load_explicit(&device->hold, memory_order_acquire) && !atomic_load(&device->stopping)) {
			if (device->worker)
				vdg_idle(device->worker);
			atomic_store_explicit(&device->held, true, memory_order_release);
			usleep(IDLE_US);
		}
		atomic_store_explicit(&device->held, false, memory_order_release);
		atomic_fetch_add_explicit(&device->bursts, 1, memory_order_release);
		if (device->worker)
			vdg_turn(device->worker);
		burst.epoch = atomic_load_explicit(&device->epoch, memory_order_acquire);
		burst.tables = atomic_load_explicit(&device->tables, memory_order_acquire);
		for (unsigned int port = 0; port < device->n_ports; port++)
			got += port_turn(device, &burst, port);
		idle = got ? 0 : idle + 1;
		if (idle < IDLE_TURNS)
			continue;
		if (device->worker)
			vdg_idle(device->worker);
		usleep(IDLE_US);
	}
	return NULL;
}
