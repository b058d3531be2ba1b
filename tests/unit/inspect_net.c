// SPDX-License-Identifier: BSD-3-Clause
/* Namespace, packets and records for the tests of the inspectors; see inspect_net.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "datapath/linux/inspect/reasons.h"
#include "datapath/linux/inspect/symbols.h"
#include "inspect_net.h"

#define PAYLOAD 60

bool net_enter(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return false;
	/* so that /sys and /proc/sys of commands show the new namespace, and only to us */
	mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return mount("sysfs", "/sys", "sysfs", 0, NULL) == 0;
}

void net_run(const char *fmt, ...)
{
	char command[2048];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

int net_count(const char *command)
{
	FILE *pipe = popen(command, "r");
	int c, lines = 0;

	assert_non_null(pipe);
	while ((c = fgetc(pipe)) != EOF)
		lines += c == '\n';
	pclose(pipe);
	return lines;
}

uint64_t net_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void mac_of(const char *device, uint8_t mac[6])
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	assert_int_equal(ioctl(fd, SIOCGIFHWADDR, &request), 0);
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	close(fd);
}

static void address_of(const char *text, uint8_t address[16])
{
	memset(address, 0, 16);
	if (inet_pton(AF_INET6, text, address) == 1)
		return;
	address[10] = address[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, text, address + 12), 1);
}

static uint16_t ip_checksum(const void *header)
{
	const uint8_t *at = header;
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(at[i] << 8 | at[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t) ~((sum & 0xffff) + (sum >> 16)));
}

/* IP and UDP header at `at` for `payload` bytes behind them; returns their size. */
static size_t put_headers(uint8_t *at, const char *src, const char *dst, int sport, int dport, size_t payload)
{
	struct udphdr udp = {.uh_sport = htons((uint16_t)sport),
	                     .uh_dport = htons((uint16_t)dport),
	                     .uh_ulen = htons((uint16_t)(sizeof(udp) + payload))};
	struct ip6_hdr ip6 = {.ip6_plen = udp.uh_ulen, .ip6_nxt = IPPROTO_UDP, .ip6_hlim = 64};
	struct iphdr ip = {.version = 4,
	                   .ihl = 5,
	                   .ttl = 64,
	                   .protocol = IPPROTO_UDP,
	                   .id = htons(7),
	                   .tot_len = htons((uint16_t)(sizeof(ip) + sizeof(udp) + payload))};

	if (inet_pton(AF_INET, src, &ip.saddr) == 1) {
		inet_pton(AF_INET, dst, &ip.daddr);
		ip.check = ip_checksum(&ip);
		memcpy(at, &ip, sizeof(ip));
		memcpy(at + sizeof(ip), &udp, sizeof(udp));
		return sizeof(ip) + sizeof(udp);
	}
	ip6.ip6_vfc = 0x60; /* shares its memory with what is set above */
	inet_pton(AF_INET6, src, &ip6.ip6_src);
	inet_pton(AF_INET6, dst, &ip6.ip6_dst);
	memcpy(at, &ip6, sizeof(ip6));
	memcpy(at + sizeof(ip6), &udp, sizeof(udp));
	return sizeof(ip6) + sizeof(udp);
}

static size_t put_ethernet(uint8_t *at, const char *to_device, const char *src)
{
	struct ether_header ethernet = {.ether_shost = {2, 0, 0, 0, 0, 1},
	                                .ether_type = htons(strchr(src, ':') ? ETHERTYPE_IPV6 : ETHERTYPE_IP)};

	mac_of(to_device, ethernet.ether_dhost);
	memcpy(at, &ethernet, sizeof(ethernet));
	return sizeof(ethernet);
}

static void put_on_wire(const char *device, const uint8_t *frame, size_t size)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(device), .sll_halen = 6};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	assert_true(fd >= 0);
	/* ENOBUFS: the device's queueing discipline dropped it */
	if (sendto(fd, frame, size, 0, (struct sockaddr *)&to, sizeof(to)) != (ssize_t)size)
		assert_int_equal(errno, ENOBUFS);
	close(fd);
}

void net_send_udp(const char *device, const char *to_device, const char *src, const char *dst, int sport, int dport)
{
	uint8_t frame[256] = {0};
	size_t n = put_ethernet(frame, to_device, src);

	n += put_headers(frame + n, src, dst, sport, dport, PAYLOAD);
	put_on_wire(device, frame, n + PAYLOAD);
}

void net_send_vxlan(const char *device, const char *to_device, const char *outer_src, const char *outer_dst,
                    const char *src, const char *dst, int sport, int dport)
{
	uint8_t frame[256] = {0}, inner[256] = {0}, vxlan[8] = {0x08, 0, 0, 0, 0, 0, 100, 0};
	size_t inner_size = put_ethernet(inner, to_device, src), n;

	inner_size += put_headers(inner + inner_size, src, dst, sport, dport, PAYLOAD) + PAYLOAD;
	n = put_ethernet(frame, to_device, outer_src);
	n += put_headers(frame + n, outer_src, outer_dst, 50000, 4789, sizeof(vxlan) + inner_size);
	memcpy(frame + n, vxlan, sizeof(vxlan));
	memcpy(frame + n + sizeof(vxlan), inner, inner_size);
	put_on_wire(device, frame, n + sizeof(vxlan) + inner_size);
}

struct vt_log net_drop(const char *reason, const char *function, const char *device, const char *src, const char *dst,
                       int sport, int dport)
{
	struct vt_log log = {.rec = {.version = VT_RECORD_VERSION, .loc = VT_LOC_ERROR, .hop = 1, .segments = 1}};
	struct vt_flow *flow = &log.rec.flow;
	struct reasons *reasons;
	struct symbols *symbols;
	int number;

	assert_int_equal(reasons_open(&reasons, NULL), 0);
	assert_int_equal(symbols_open(&symbols, NULL), 0);
	number = reasons_number(reasons, reason);
	log.rec.site = symbols_address(symbols, function);
	reasons_close(reasons);
	symbols_close(symbols);
	if (number < 0 || !log.rec.site)
		fail_msg("this kernel has no drop reason %s or no function %s", reason, function);
	log.rec.reason = (uint32_t)number;
	log.rec.site += 0x10;
	log.rec.ifindex = if_nametoindex(device);
	snprintf(log.device, sizeof(log.device), "%s", device);
	address_of(src, flow->src);
	address_of(dst, flow->dst);
	flow->family = strchr(src, ':') ? 6 : 4;
	flow->proto = IPPROTO_UDP;
	flow->sport = (uint16_t)sport;
	flow->dport = (uint16_t)dport;
	log.rec.time_ns = net_now();
	log.rec.length = (flow->family == 6 ? 40 : 20) + 8 + PAYLOAD;
	return log;
}

bool net_wait(struct inspect *in)
{
	struct pollfd fd = {.fd = inspect_fd(in), .events = POLLIN};

	return poll(&fd, 1, 2000) == 1;
}

static void take(void *arg, const struct vt_log *log)
{
	*(struct vt_log *)arg = *log;
}

struct vt_log net_answer(struct inspect *in, const struct vt_log *log)
{
	struct vt_log answer = {0};
	int n = 0;

	inspect_drop(in, log, NULL, net_now());
	while (!n) {
		assert_true(net_wait(in));
		n = inspect_poll(in, take, &answer, net_now());
	}
	assert_int_equal(n, 1);
	assert_int_equal(inspect_busy(in), 0);
	return answer;
}
