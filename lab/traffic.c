/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Traffic with exact counts, for the lab, the demo and the tests.
 *
 * One run is one mode: a sender that prints how much it sent, or a receiver that prints `ready` once it listens and at
 * its end how much came, each payload checked byte for byte. Every datagram differs from every other (magic, seed,
 * sequence number, then bytes that follow from both), so that nothing is counted twice and nothing damaged passes.
 * Everything is bounded by -c (count) and -t (seconds); SIGTERM ends a receiver early and it still prints its counts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAGIC        0x56544c31u /* "VTL1" */
#define HEAD         12          /* magic, seed, sequence number */
#define SIZE_MAX_UDP 65000       /* below what one UDP datagram can hold in both families */
#define SEQ_MAX      (1u << 20)  /* limit of -c: the receiver keeps a bit for each */
#define CHUNK        65536       /* bytes per write of a TCP stream */

struct options {
	uint32_t count;       /* -c: datagrams to send, or to receive before ending; connections for TCP receivers */
	uint32_t rate;        /* -r: datagrams a second, 0 as fast as possible */
	uint64_t size;        /* -s: payload bytes of a datagram, or of the whole TCP stream */
	uint32_t seed;        /* -S: makes the payloads of one sender differ from another's */
	int seconds;          /* -t: receivers end after this long */
	const char *src_port; /* -p: local port, NULL any */
};

struct tally {
	uint64_t packets, bytes, distinct, bad;
	uint8_t seen[SEQ_MAX / 8];
};

static volatile sig_atomic_t stopped;

static void on_stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static int fail(const char *what, const char *on)
{
	fprintf(stderr, "lab-traffic: %s %s: %s\n", what, on, strerror(errno));
	return 1;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The payload of datagram seq: all of it follows from seed, seq and len. */
static void payload_make(uint8_t *buf, size_t len, uint32_t seed, uint32_t seq)
{
	uint32_t head[3] = {htonl(MAGIC), htonl(seed), htonl(seq)};
	uint32_t x = (seed * 2654435761u) ^ (seq + 0x9e3779b9u);

	memcpy(buf, head, HEAD);
	for (size_t i = HEAD; i < len; i++) {
		x = x * 1664525u + 1013904223u;
		buf[i] = (uint8_t)(x >> 24);
	}
}

static void tally_datagram(struct tally *t, const uint8_t *buf, size_t len)
{
	static uint8_t want[SIZE_MAX_UDP];
	uint32_t head[3];
	uint32_t seq;

	t->packets++;
	t->bytes += len;
	if (len < HEAD || len > sizeof(want)) {
		t->bad++;
		return;
	}
	memcpy(head, buf, HEAD);
	seq = ntohl(head[2]);
	payload_make(want, len, ntohl(head[1]), seq);
	if (memcmp(want, buf, len) != 0 || seq >= SEQ_MAX) {
		t->bad++;
		return;
	}
	if (!(t->seen[seq / 8] & (1u << (seq % 8))))
		t->distinct++;
	t->seen[seq / 8] |= (uint8_t)(1u << (seq % 8));
}

/* A socket connected to host:port from the local port asked for; -1 with a message. */
static int socket_to(const char *host, const char *port, int type, const struct options *opt)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = type}, *to, *from;
	int one = 1, fd = -1;

	if (getaddrinfo(host, port, &hints, &to) != 0) {
		errno = EINVAL;
		fail("address", host);
		return -1;
	}
	fd = socket(to->ai_family, type | SOCK_CLOEXEC, 0);
	if (fd >= 0 && opt->src_port) {
		hints.ai_family = to->ai_family;
		hints.ai_flags |= AI_PASSIVE;
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (getaddrinfo(NULL, opt->src_port, &hints, &from) == 0) {
			if (bind(fd, from->ai_addr, from->ai_addrlen) < 0)
				fail("bind to port", opt->src_port);
			freeaddrinfo(from);
		}
	}
	if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen) < 0) {
		fail("connect to", host);
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(to);
	return fd;
}

/* A bound (and for TCP listening) socket on every address of both families; -1 with a message. */
static int socket_on(const char *port, int type)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), one = 1, zero = 0, buf = 8 << 20;

	if (fd < 0)
		return fail("socket", port), -1;
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buf, sizeof(buf));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0)) {
		fail("listen on port", port);
		close(fd);
		return -1;
	}
	puts("ready");
	fflush(stdout);
	return fd;
}

/* Waits for fd to be readable. Returns false once the time is over or a signal came. */
static bool wait_readable(int fd, uint64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (!stopped) {
		uint64_t now = now_ms();

		if (now >= deadline_ms)
			return false;
		if (poll(&p, 1, (int)(deadline_ms - now)) > 0)
			return true;
	}
	return false;
}

static void pace(const struct timespec *start, uint32_t seq, uint32_t rate)
{
	uint64_t at = (uint64_t)start->tv_nsec + (uint64_t)seq * 1000000000ull / rate;
	struct timespec ts = {start->tv_sec + (time_t)(at / 1000000000), (long)(at % 1000000000)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* Datagrams over a connected socket. Errors that answer an earlier datagram (port unreachable …) do not end it. */
static uint32_t send_datagrams(int fd, const struct options *opt)
{
	static uint8_t buf[SIZE_MAX_UDP];
	struct timespec start;
	uint32_t sent = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (uint32_t seq = 0; seq < opt->count && !stopped; seq++) {
		int tries = 3; /* each pending error of the socket costs one */

		if (opt->rate)
			pace(&start, seq, opt->rate);
		payload_make(buf, opt->size, opt->seed, seq);
		while (tries-- > 0) {
			if (send(fd, buf, opt->size, 0) == (ssize_t)opt->size) {
				sent++;
				break;
			}
		}
	}
	return sent;
}

static int mode_udp_send(char **arg, const struct options *opt)
{
	int fd = socket_to(arg[0], arg[1], SOCK_DGRAM, opt);
	uint32_t sent;

	if (fd < 0)
		return 1;
	sent = send_datagrams(fd, opt);
	printf("sent %u\n", sent);
	close(fd);
	return sent == opt->count ? 0 : 1;
}

/* Sends each datagram and waits for its echo (a second at most) before the next. */
static int mode_udp_ask(char **arg, const struct options *opt)
{
	static uint8_t buf[SIZE_MAX_UDP], back[SIZE_MAX_UDP];
	int fd = socket_to(arg[0], arg[1], SOCK_DGRAM, opt);
	uint32_t answered = 0;

	if (fd < 0)
		return 1;
	for (uint32_t seq = 0; seq < opt->count && !stopped; seq++) {
		payload_make(buf, opt->size, opt->seed, seq);
		if (send(fd, buf, opt->size, 0) < 0)
			continue;
		if (wait_readable(fd, now_ms() + 1000) && recv(fd, back, sizeof(back), 0) == (ssize_t)opt->size &&
		    memcmp(buf, back, opt->size) == 0)
			answered++;
	}
	printf("sent %u answered %u\n", opt->count, answered);
	close(fd);
	return answered == opt->count ? 0 : 1;
}

static int mode_udp_receive(char **arg, const struct options *opt, bool echo)
{
	static struct tally tally;
	static uint8_t buf[65536];
	uint64_t deadline = now_ms() + (uint64_t)opt->seconds * 1000;
	int fd = socket_on(arg[0], SOCK_DGRAM);

	if (fd < 0)
		return 1;
	for (bool more = true; tally.packets < opt->count;) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		ssize_t n;

		more = more && wait_readable(fd, deadline); /* once it is over, what has come already still counts */
		n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
		if (n < 0 && !more)
			break;
		if (n < 0)
			continue;
		tally_datagram(&tally, buf, (size_t)n);
		if (echo)
			sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
	printf("received %lu bytes %lu distinct %lu bad %lu\n", (unsigned long)tally.packets,
	       (unsigned long)tally.bytes, (unsigned long)tally.distinct, (unsigned long)tally.bad);
	close(fd);
	return 0;
}

/* Holds a socket with the smallest buffer there is and never reads: what is more than that is dropped. */
static int mode_udp_hold(char **arg, const struct options *opt)
{
	uint64_t deadline = now_ms() + (uint64_t)opt->seconds * 1000;
	int fd = socket_on(arg[0], SOCK_DGRAM), least = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)) < 0)
		return 1;
	while (!stopped && now_ms() < deadline)
		poll(NULL, 0, (int)(deadline - now_ms()));
	close(fd);
	return 0;
}

static int mode_udp_sink(char **arg, const struct options *opt)
{
	return mode_udp_receive(arg, opt, false);
}

static int mode_udp_echo(char **arg, const struct options *opt)
{
	return mode_udp_receive(arg, opt, true);
}

/* A stream of opt->size bytes; ends when the receiver has closed, so that `sent` means received too. */
static int mode_tcp_send(char **arg, const struct options *opt)
{
	static uint8_t buf[CHUNK];
	int fd = socket_to(arg[0], arg[1], SOCK_STREAM, opt);
	uint64_t sent = 0;

	if (fd < 0)
		return 1;
	payload_make(buf, sizeof(buf), opt->seed, 0);
	while (sent < opt->size) {
		uint64_t offset = sent % CHUNK, want = opt->size - sent;
		ssize_t n = send(fd, buf + offset, want < CHUNK - offset ? want : CHUNK - offset, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return fail("send to", arg[0]);
		if (n > 0)
			sent += (uint64_t)n;
	}
	shutdown(fd, SHUT_WR);
	while (wait_readable(fd, now_ms() + (uint64_t)opt->seconds * 1000) && recv(fd, buf, sizeof(buf), 0) > 0)
		continue;
	printf("sent %lu\n", (unsigned long)sent);
	close(fd);
	return 0;
}

/* One connection to its end; with echo, what comes is sent back. Returns the bytes that did not match the stream. */
static uint64_t serve_stream(int fd, uint64_t deadline_ms, bool echo, uint64_t *bytes)
{
	static uint8_t buf[CHUNK], want[CHUNK];
	uint64_t at = 0, bad = 0;
	uint32_t head[3];

	while (wait_readable(fd, deadline_ms)) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n <= 0)
			break;
		if (at == 0 && n >= HEAD) {
			memcpy(head, buf, HEAD);
			payload_make(want, sizeof(want), ntohl(head[1]), 0);
		}
		for (ssize_t i = 0; i < n; i++)
			bad += buf[i] != want[(at + (uint64_t)i) % CHUNK];
		at += (uint64_t)n;
		if (echo && send(fd, buf, (size_t)n, MSG_NOSIGNAL) < 0)
			break;
	}
	*bytes += at;
	return bad;
}

static int mode_tcp_receive(char **arg, const struct options *opt, bool echo)
{
	uint64_t deadline = now_ms() + (uint64_t)opt->seconds * 1000, bytes = 0, bad = 0;
	int listener = socket_on(arg[0], SOCK_STREAM);
	uint32_t served = 0;

	if (listener < 0)
		return 1;
	while (served < opt->count && wait_readable(listener, deadline)) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			continue;
		bad += serve_stream(fd, deadline, echo, &bytes);
		served++;
		close(fd);
	}
	printf("received %u bytes %lu bad %lu\n", served, (unsigned long)bytes, (unsigned long)bad);
	close(listener);
	return 0;
}

static int mode_tcp_sink(char **arg, const struct options *opt)
{
	return mode_tcp_receive(arg, opt, false);
}

static int mode_tcp_echo(char **arg, const struct options *opt)
{
	return mode_tcp_receive(arg, opt, true);
}

/* Packets of any IP protocol by number; the kernel adds the IP header. */
static int mode_raw_send(char **arg, const struct options *opt)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM}, *to;
	uint32_t sent = 0;
	int fd;

	if (getaddrinfo(arg[0], NULL, &hints, &to) != 0) {
		errno = EINVAL;
		return fail("address", arg[0]);
	}
	fd = socket(to->ai_family, SOCK_RAW | SOCK_CLOEXEC, atoi(arg[1]));
	if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen) < 0) {
		freeaddrinfo(to);
		return fail("raw socket to", arg[0]);
	}
	freeaddrinfo(to);
	sent = send_datagrams(fd, opt);
	printf("sent %u\n", sent);
	close(fd);
	return sent == opt->count ? 0 : 1;
}

static const struct mode {
	const char *name;
	int args;
	uint32_t count; /* what -c is if it is not given */
	const char *help;
	int (*run)(char **arg, const struct options *opt);
} modes[] = {
    {"udp-send", 2, 1, "ADDR PORT", mode_udp_send},
    {"udp-ask", 2, 1, "ADDR PORT   (waits for each echo)", mode_udp_ask},
    {"udp-sink", 1, SEQ_MAX, "PORT", mode_udp_sink},
    {"udp-hold", 1, 1, "PORT", mode_udp_hold},
    {"udp-echo", 1, SEQ_MAX, "PORT", mode_udp_echo},
    {"tcp-send", 2, 1, "ADDR PORT   (-s: bytes of the stream)", mode_tcp_send},
    {"tcp-sink", 1, 1, "PORT", mode_tcp_sink},
    {"tcp-echo", 1, 1, "PORT", mode_tcp_echo},
    {"raw-send", 2, 1, "ADDR PROTO", mode_raw_send},
};

static int usage(FILE *to)
{
	fputs("usage: lab-traffic MODE ARGS [-c COUNT] [-r PER_SECOND] [-s SIZE] [-S SEED] [-p SOURCE_PORT] [-t "
	      "SECONDS]\n",
	      to);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		fprintf(to, "  %-9s %s\n", modes[i].name, modes[i].help);
	return to == stdout ? 0 : 2;
}

static bool parse_options(int argc, char **argv, struct options *opt)
{
	int c;

	while ((c = getopt(argc, argv, "c:r:s:S:p:t:")) != -1) {
		switch (c) {
		case 'c':
			opt->count = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			opt->rate = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 's':
			opt->size = strtoull(optarg, NULL, 10);
			break;
		case 'S':
			opt->seed = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			opt->src_port = optarg;
			break;
		case 't':
			opt->seconds = atoi(optarg);
			break;
		default:
			return false;
		}
	}
	return opt->count <= SEQ_MAX && opt->seconds > 0;
}

int main(int argc, char **argv)
{
	struct options opt = {.size = 64, .seconds = 30};
	struct sigaction stop = {.sa_handler = on_stop};
	const struct mode *mode = NULL;

	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			mode = &modes[i];
	if (!mode || !parse_options(argc - 1, argv + 1, &opt) || argc - 1 - optind != mode->args)
		return usage(stderr);
	if (!opt.count)
		opt.count = mode->count;
	if (mode->run != mode_tcp_send && (opt.size < HEAD || opt.size > SIZE_MAX_UDP))
		return usage(stderr);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	return mode->run(argv + 1 + optind, &opt);
}
