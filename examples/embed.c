// SPDX-License-Identifier: BSD-3-Clause
/*
 * The smallest forwarding device with VTrace inside: one worker moves packets from a ring to another, by way of a flow
 * table, and a rule drops telnet. docs/embedding.md goes through it.
 *
 *     cc -pthread embed.c $(pkg-config --cflags --libs libvdg) -o embed
 *     ./embed /run/toy.sock &
 *     vtrace run --datapath vfd:/run/toy.sock "udp and dst port 23"
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <vtrace/vdg.h>

#define RING  256 /* packets */
#define BURST 32
#define FLOWS 64

enum { PORT_IN = 1, PORT_OUT = 2 };

struct ring {
	atomic_uint head, tail;
	uint8_t packets[RING][60];
};

struct flow {
	unsigned int epoch; /* of the device, when the entry was made; older entries are made anew */
	uint16_t dport, set;
	bool drop;
	uint32_t why;
};

struct device {
	struct vdg *vdg;
	struct ring in, out;
	struct flow flows[FLOWS]; /* the worker's */
	atomic_uint epoch;
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	ended = number;
}

static void ring_put(struct ring *ring, const uint8_t packet[60])
{
	unsigned int head = ring->head;

	if (head - ring->tail == RING)
		return;
	memcpy(ring->packets[head % RING], packet, 60);
	ring->head = head + 1;
}

static bool ring_get(struct ring *ring, uint8_t packet[60])
{
	unsigned int tail = ring->tail;

	if (tail == ring->head)
		return false;
	memcpy(packet, ring->packets[tail % RING], 60);
	ring->tail = tail + 1;
	return true;
}

/* Control thread: tasks came or went, so flows have to be looked at again. */
static void on_changed(void *arg, const struct vdg *vdg)
{
	struct device *device = arg;

	(void)vdg; /* a device with a large table would ask vdg_concerned() for each flow */
	device->epoch++;
}

static uint16_t read16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* Slow path: decides what happens to the packets of a flow, and whether they are traced. */
static void flow_make(struct device *device, struct vdg_worker *worker, const uint8_t *ip, struct flow *flow)
{
	struct vdg_flow key = {.src = {[10] = 0xff, [11] = 0xff}, .dst = {[10] = 0xff, [11] = 0xff}, .family = 4};

	flow->epoch = device->epoch; /* before the tasks are looked at: if they change now the entry is old already */
	memcpy(key.src + 12, ip + 12, 4);
	memcpy(key.dst + 12, ip + 16, 4);
	key.proto = ip[9];
	key.sport = read16(ip + 20);
	key.dport = flow->dport = read16(ip + 22);
	flow->set = vdg_match(worker, &key);
	flow->drop = key.dport == 23;
	if (flow->drop)
		flow->why = vdg_why(device->vdg, "policy-acl-rule", "ACL_DENY", "embed.c:flow_make",
		                    "rule 1: deny udp any any eq 23");
}

/* Fast path. */
static void forward(struct device *device, struct vdg_worker *worker, const uint8_t ip[60])
{
	struct flow *flow = &device->flows[read16(ip + 22) % FLOWS];
	struct vdg_packet packet = {.ip = ip, .captured = 60, .port = PORT_IN, .segments = 1};
	unsigned int hop = 0;

	if (flow->epoch != device->epoch || flow->dport != read16(ip + 22))
		flow_make(device, worker, ip, flow);
	if (flow->set)
		hop = vdg_in(worker, flow->set, 0, &packet);
	if (flow->drop) {
		if (hop)
			vdg_drop(worker, hop, &packet, flow->why);
		return;
	}
	packet.port = PORT_OUT;
	if (hop)
		vdg_out(worker, hop, &packet); /* in a tunnel: what it returns is the outer header's DSCP, if not 0 */
	ring_put(&device->out, ip);
}

static void *run_worker(void *arg)
{
	struct device *device = arg;
	struct vdg_worker *worker = vdg_worker(device->vdg, 0);
	uint8_t packet[60];
	int n;

	while (!ended) {
		vdg_turn(worker);
		for (n = 0; n < BURST && ring_get(&device->in, packet); n++)
			forward(device, worker, packet);
		if (!n) {
			vdg_idle(worker);
			usleep(100);
		}
	}
	vdg_idle(worker);
	return NULL;
}

/* A sender in front of the device and a receiver behind it, so that there is something to see. */
static void traffic(struct device *device, uint16_t number)
{
	uint8_t packet[60] = {0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x10, 0, 0, 0, 0, 40};

	packet[4] = (uint8_t)(number >> 8);
	packet[5] = (uint8_t)number;
	packet[23] = number % 2 ? 23 : 53;
	ring_put(&device->in, packet);
	while (ring_get(&device->out, packet))
		;
}

int main(int argc, char **argv)
{
	static struct device device = {.epoch = 1};
	struct vdg_config config = {
	    .name = "embed", .version = "1", .workers = 1, .changed = on_changed, .arg = &device};
	char error[VDG_ERROR_MAX];
	pthread_t thread;

	if (argc != 2) {
		fprintf(stderr, "usage: embed SOCKET\n");
		return 2;
	}
	config.socket = argv[1];
	if (vdg_open(&device.vdg, &config, error)) {
		fprintf(stderr, "embed: %s\n", error);
		return 1;
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	vdg_port(device.vdg, PORT_IN, "in0");
	vdg_port(device.vdg, PORT_OUT, "out0");
	pthread_create(&thread, NULL, run_worker, &device);
	printf("ready: %s\n", config.socket);
	fflush(stdout);
	for (uint16_t number = 0; !ended; number++) {
		struct pollfd fd = {.fd = vdg_fd(device.vdg), .events = POLLIN};

		poll(&fd, 1, 1);
		vdg_poll(device.vdg);
		traffic(&device, number);
	}
	pthread_join(thread, NULL);
	vdg_close(device.vdg);
	return 0;
}
