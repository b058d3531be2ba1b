/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfd-traffic: what is around the devices where there are neither VMs nor network cards: the VMs, which send and count
 * UDP datagrams, and the underlay, a hub. All are ends of memif on one socket, numbered: the underlay's first, then the
 * VMs. Needs no privileges. It prints `ready:` once devices can connect, and `connected:` once all have.
 *
 * It obeys lines on standard input, and answers each with one; it ends with its input, or by
 * SIGTERM:
 *   send VM MAC ADDRESS PORT COUNT SIZE     UDP to the address by way of the MAC    -> "sent COUNT"
 *   received VM                             datagrams for the VM since it was asked -> "received COUNT"
 */
#include "ports.h"

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FLAG_DF      0x4000
#define SIZE_MAX_UDP 1400   /* bytes of payload: fits every MTU that the devices take */
#define SOURCE       4000   /* UDP port */
#define POLL_NS      50000  /* pause between two looks at the ports */
#define PACE_NS      100000 /* between two datagrams: a memif's ring of 512 never fills */
#define LEAVE_MS     1000
#define LINE_SIZE    256

struct guest {
	char name[16];
	struct mac mac;
	struct addr addr;
	uint64_t received;
};

struct traffic {
	struct device dev;    /* its ports: the underlay's, then the VMs' */
	struct config config; /* of which only the ports count here */
	unsigned int wires, nvms;
	struct guest vms[PORTS_MAX];
	uint16_t ip_id;
	bool connected;
};

static const char usage_text[] = "usage: vfd-traffic --socket PATH [--wires N] [--vm NAME,MAC,ADDRESS]...\n"
                                 "  --socket PATH            where devices connect by memif (role client)\n"
                                 "  --wires N                ends of the underlay, ids 0 to N - 1\n"
                                 "  --vm NAME,MAC,ADDRESS    a VM (IPv4); ids from N on\n";

/* "vm1,02:00:00:00:01:01,10.0.1.1" */
static bool vm_parse(const char *text, struct guest *ret)
{
	char mac[18], addr[ADDR_TEXT_MAX];

	return sscanf(text, "%15[^,],%17[^,],%51s", ret->name, mac, addr) == 3 && mac_parse(mac, &ret->mac) &&
	       addr_parse(addr, &ret->addr) && addr_is4(&ret->addr);
}

static bool options_parse(int argc, char **argv, struct traffic *t, const char **ret_socket)
{
	static const struct option words[] = {{"socket", required_argument, NULL, 's'},
	                                      {"wires", required_argument, NULL, 'w'},
	                                      {"vm", required_argument, NULL, 'v'},
	                                      {0}};
	int word;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		if (word == 's')
			*ret_socket = optarg;
		else if (word == 'w')
			t->wires = (unsigned int)strtoul(optarg, NULL, 10);
		else if (word != 'v' || t->nvms == PORTS_MAX || !vm_parse(optarg, &t->vms[t->nvms++]))
			return false;
	}
	return *ret_socket && optind == argc && t->wires <= PORTS_MAX && t->wires + t->nvms <= PORTS_MAX;
}

static void ports_name(struct traffic *t, const char *socket)
{
	t->config.nports = t->wires + t->nvms;
	for (unsigned int i = 0; i < t->config.nports; i++) {
		struct port_config *p = &t->config.ports[i];

		snprintf(p->name, sizeof(p->name), "memif%u", i);
		snprintf(p->vdev, sizeof(p->vdev), "net_memif%u,role=server,id=%u,socket-abstract=no,socket=%s", i, i,
		         socket);
	}
}

static volatile sig_atomic_t stopped;

static void on_stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static void transmit(struct traffic *t, unsigned int port, struct rte_mbuf *m)
{
	if (!rte_eth_tx_burst(t->dev.ports[port].dpdk, 0, &m, 1))
		rte_pktmbuf_free(m); /* nobody at that end: as on a wire */
}

/* To all other ends of the underlay, as a hub does. */
static void repeat(struct traffic *t, unsigned int from, struct rte_mbuf *m)
{
	for (unsigned int i = 0; i < t->wires; i++) {
		struct rte_mbuf *copy = i == from ? NULL : rte_pktmbuf_copy(m, t->dev.pool, 0, UINT32_MAX);

		if (copy)
			transmit(t, i, copy);
	}
}

static void take(struct guest *vm, const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(eth + 1);

	if (m->data_len >= sizeof(*eth) + sizeof(*ip) && eth->ether_type == htons(RTE_ETHER_TYPE_IPV4) &&
	    ip->next_proto_id == IPPROTO_UDP && !memcmp(&ip->dst_addr, vm->addr.b + 12, 4))
		vm->received++;
}

static void ports_serve(struct traffic *t)
{
	struct rte_mbuf *mbufs[BURST];
	unsigned int n;

	for (unsigned int i = 0; i < t->dev.nports; i++) {
		n = rte_eth_rx_burst(t->dev.ports[i].dpdk, 0, mbufs, BURST);
		for (unsigned int k = 0; k < n; k++) {
			if (i < t->wires)
				repeat(t, i, mbufs[k]);
			else
				take(&t->vms[i - t->wires], mbufs[k]);
		}
		rte_pktmbuf_free_bulk(mbufs, n);
	}
}

static unsigned int count_connected(const struct traffic *t)
{
	struct rte_eth_link link;
	unsigned int count = 0;

	for (unsigned int i = 0; i < t->dev.nports; i++)
		count += !rte_eth_link_get_nowait(t->dev.ports[i].dpdk, &link) && link.link_status;
	return count;
}

static void say_connected(struct traffic *t)
{
	if (count_connected(t) < t->dev.nports)
		return;
	t->connected = true;
	printf("connected: %u ports\n", t->dev.nports);
}

/* One datagram; its payload is its number, so that no two are alike. */
static bool send_one(struct traffic *t, const struct guest *vm, const struct mac *by, const struct addr *dst,
                     uint16_t port, uint16_t size)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(t->dev.pool);
	struct rte_ether_hdr *eth;
	struct rte_ipv4_hdr *ip;
	struct rte_udp_hdr *udp;
	uint16_t unit = (uint16_t)(vm - t->vms + t->wires);

	if (!m)
		return false;
	eth =
	    (struct rte_ether_hdr *)rte_pktmbuf_append(m, (uint16_t)(sizeof(*eth) + sizeof(*ip) + sizeof(*udp) + size));
	memset(eth, 0, m->data_len);
	memcpy(&eth->dst_addr, by->b, 6);
	memcpy(&eth->src_addr, vm->mac.b, 6);
	eth->ether_type = htons(RTE_ETHER_TYPE_IPV4);
	ip = (struct rte_ipv4_hdr *)(eth + 1);
	udp = (struct rte_udp_hdr *)(ip + 1);
	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
	                            .total_length = htons((uint16_t)(sizeof(*ip) + sizeof(*udp) + size)),
	                            .packet_id = htons(++t->ip_id),
	                            .fragment_offset = htons(FLAG_DF),
	                            .time_to_live = 64,
	                            .next_proto_id = IPPROTO_UDP};
	memcpy(&ip->src_addr, vm->addr.b + 12, 4);
	memcpy(&ip->dst_addr, dst->b + 12, 4);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	*udp = (struct rte_udp_hdr){
	    .src_port = htons(SOURCE), .dst_port = htons(port), .dgram_len = htons((uint16_t)(sizeof(*udp) + size))};
	if (size >= sizeof(t->ip_id))
		memcpy(udp + 1, &t->ip_id, sizeof(t->ip_id));
	udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
	if (rte_eth_tx_burst(t->dev.ports[unit].dpdk, 0, &m, 1))
		return true;
	rte_pktmbuf_free(m);
	return false;
}

static void nap(long ns)
{
	nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static unsigned int send_all(struct traffic *t, const struct guest *vm, const char *by_text, const char *dst_text,
                             unsigned int port, unsigned int count, unsigned int size)
{
	unsigned int sent = 0;
	struct addr dst;
	struct mac by;

	if (!mac_parse(by_text, &by) || !addr_parse(dst_text, &dst) || !addr_is4(&dst) || port > 65535 ||
	    size > SIZE_MAX_UDP)
		return 0;
	for (unsigned int i = 0; i < count; i++) {
		sent += send_one(t, vm, &by, &dst, (uint16_t)port, (uint16_t)size);
		ports_serve(t);
		nap(PACE_NS);
	}
	return sent;
}

static struct guest *vm_find(struct traffic *t, const char *name)
{
	for (unsigned int i = 0; i < t->nvms; i++)
		if (!strcmp(t->vms[i].name, name))
			return &t->vms[i];
	return NULL;
}

static void obey(struct traffic *t, const char *line)
{
	char name[16], by[18], dst[ADDR_TEXT_MAX];
	unsigned int port, count, size;
	struct guest *vm;

	if (sscanf(line, "received %15s", name) == 1 && (vm = vm_find(t, name))) {
		printf("received %" PRIu64 "\n", vm->received);
		vm->received = 0;
	} else if (sscanf(line, "send %15s %17s %51s %u %u %u", name, by, dst, &port, &count, &size) == 6 &&
	           (vm = vm_find(t, name))) {
		printf("sent %u\n", send_all(t, vm, by, dst, port, count, size));
	} else {
		printf("not understood: %s\n", line);
	}
}

/*
 * The devices are to go first, while nobody looks at the ports here: DPDK's memif unmaps the rings of an end that
 * leaves from another thread than the one that reads them (22.11).
 */
static void await_leave(const struct traffic *t)
{
	for (int ms = 0; ms < LEAVE_MS && count_connected(t); ms++)
		nap(1000000);
}

/* Until the input ends, or SIGTERM. */
static void serve(struct traffic *t)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	char line[LINE_SIZE];
	size_t used = 0;

	while (!stopped) {
		ssize_t n =
		    ppoll(&input, 1, &pause, NULL) == 1 ? read(STDIN_FILENO, line + used, sizeof(line) - 1 - used) : -1;

		if (!n)
			return;
		used += n > 0 ? (size_t)n : 0;
		line[used] = 0;
		for (char *end; (end = strchr(line, '\n')); used = strlen(line)) {
			*end = 0;
			obey(t, line);
			memmove(line, end + 1, strlen(end + 1) + 1);
		}
		if (used == sizeof(line) - 1)
			used = 0; /* a line without end is none */
		if (!t->connected)
			say_connected(t);
		ports_serve(t);
	}
}

int main(int argc, char **argv)
{
	static struct traffic t;
	const char *socket = NULL;
	char error[512];
	int status;

	setlinebuf(stdout);
	if (!options_parse(argc, argv, &t, &socket)) {
		fputs(usage_text, stderr);
		return 2;
	}
	ports_name(&t, socket);
	status = ports_init(&t.dev, &t.config, error, sizeof(error)) ? 1 : 0;
	if (status) {
		fprintf(stderr, "vfd-traffic: %s\n", error);
	} else {
		signal(SIGTERM, on_stop);
		printf("ready: %u ports\n", t.dev.nports);
		serve(&t);
		await_leave(&t);
	}
	ports_done(&t.dev);
	return status;
}
