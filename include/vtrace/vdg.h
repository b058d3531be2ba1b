/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libvdg: VTrace inside a user-space forwarding device (VFD), the paper's "VFD data generation" (section 4).
 *
 * The device keeps its fast path as it is: whether a flow is traced is decided where its flow entry is made, in the
 * slow path, and kept in the entry as a number. No task: that number is 0, the fast path tests the numbers of a burst
 * together, once, and that is all that tracing costs. docs/embedding.md shows the whole in ten calls.
 *
 * control thread: vdg_open(); vdg_poll() whenever vdg_fd() is readable (it has a timer of its own, and is quiet without
 * tasks) or, where nobody waits for descriptors, every few milliseconds; vdg_close(). Everything about tasks happens in
 * vdg_poll().
 *
 * each worker: vdg_turn() before each burst; vdg_match() in the slow path; vdg_in(), vdg_out(), vdg_drop() for packets
 * of flows with a number other than 0, and for packets that come in coloured.
 *
 * Thread safety: a struct vdg_worker belongs to one thread; no call of a worker blocks, allocates or takes a lock.
 * Everything else is the control thread's. Numbers are in host byte order, addresses as on the wire, IPv4 ones mapped
 * into IPv6 (::ffff:a.b.c.d).
 */
#ifndef VTRACE_VDG_H
#define VTRACE_VDG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VDG_ERROR_MAX   256 /* bytes of an error's text, with its NUL */
#define VDG_WORKERS_MAX 64
#define VDG_TASKS_MAX   10000 /* more than an agent asks for (256) */
#define VDG_MATCHES_MAX 512   /* tasks that want one flow, each direction of a task counted */
#define VDG_SETS_MAX    4096  /* different sets of tasks that flows match at a time */
#define VDG_WHYS_MAX    65536 /* different reasons of drops */
#define VDG_HOP_MAX     15

/*
 * The colour on the wire: the outer header's DSCP, from the pool that RFC 2474 leaves for local use (xxxx11). Hop n is
 * the code point (n << 2) | 3. ECN bits are not touched.
 */
static inline unsigned int vdg_hop_of_dscp(uint8_t dscp) /* 0: not coloured */
{
	return (dscp & 3) == 3 && dscp > 3 ? dscp >> 2 : 0;
}
static inline uint8_t vdg_dscp_of_hop(unsigned int hop)
{
	return (uint8_t)(hop << 2 | 3);
}

/* A flow as slow paths have it. ICMP: sport is the echo id (else 0), dport type << 8 | code. No ports: both 0. */
struct vdg_flow {
	uint8_t src[16], dst[16];
	uint16_t sport, dport;
	uint8_t proto;  /* IP protocol */
	uint8_t family; /* 4 or 6 */
	uint32_t vni;   /* of the tenant's network, 0: none */
};

/* A tenant's packet, from its IP header on, and where it is. */
struct vdg_packet {
	const void *ip;    /* the tenant's IP header: behind the tunnel's headers where there are any */
	uint32_t captured; /* bytes at `ip`: 100 do for everything, fewer only if the packet has no more */
	uint32_t port;     /* a port's number, see vdg_port() */
	uint32_t vni;      /* 0: none */
	uint16_t segments; /* of one that stands for several (TSO); else 1 */
	bool encapsulated; /* at this port it is inside a tunnel, whose ends are: */
	uint8_t outer_src[16], outer_dst[16];
	/* vdg_in(): NULL, or the flow that vdg_match() was asked with where NAT makes it another one than the packet's.
	 */
	const struct vdg_flow *flow;
};

struct vdg;
struct vdg_worker;

struct vdg_config {
	const char *socket;  /* that `vtrace agent --datapath vfd:PATH` connects to; made, and removed */
	const char *name;    /* of the kind of device, "vtrace-vfd"; shown as the node's datapath */
	const char *version; /* of the device */
	unsigned int workers;
	unsigned int ring; /* records that a worker's ring holds; 0: 65536; rounded up to a power of two */
	/*
	 * Flows change their number: called from vdg_poll() when tasks were installed or removed, before that counts as
	 * done. It must not call vdg_poll(). The device lets each flow for which vdg_concerned() is true pass the slow
	 * path once more (or all, if it would rather not look): entries of such flows must not be used any more by the
	 * time that each worker has called vdg_turn() twice.
	 */
	void (*changed)(void *arg, const struct vdg *vdg);
	void *arg; /* for changed() */
};

/* -errno; `error` (VDG_ERROR_MAX bytes, may be NULL) says what failed, on what. The socket is made with mode 0600. */
int vdg_open(struct vdg **ret, const struct vdg_config *config, char *error);
void vdg_close(struct vdg *vdg); /* workers must have stopped */

/* Ports and addresses of the device, as they come and go; a port's name has at most 15 characters. -ENOSPC, -EEXIST. */
int vdg_port(struct vdg *vdg, uint32_t number, const char *name);
void vdg_port_gone(struct vdg *vdg, uint32_t number);
int vdg_address(struct vdg *vdg, const uint8_t address[16]); /* a tunnel end of this device */
void vdg_address_gone(struct vdg *vdg, const uint8_t address[16]);

int vdg_fd(const struct vdg *vdg);
void vdg_poll(struct vdg *vdg);
bool vdg_busy(const struct vdg *vdg); /* there are tasks, or an agent waits for workers: vdg_poll() has work soon */

/* In changed(): whether the number of this flow may differ from what it was. */
bool vdg_concerned(const struct vdg *vdg, const struct vdg_flow *flow);

/*
 * A reason of drops, once for each that the device may tell apart; the same number for the same words. `code` is one of
 * docs/causes.md ("policy-port-locked"; "unexplained"), `site` the place in the device, `evidence` one line of fact:
 * the rule, route, limit. 0 (which drops may be told with, as unexplained) for an unknown code or past VDG_WHYS_MAX.
 * Any thread may call it; it takes a lock, so it is for where flow entries are made.
 */
uint32_t vdg_why(struct vdg *vdg, const char *code, const char *reason, const char *site, const char *evidence);

struct vdg_worker *vdg_worker(struct vdg *vdg, unsigned int number); /* 0 .. workers - 1 */

/*
 * A worker is between two bursts: it holds nothing of what it read of tasks before, and has made all records of the
 * packets that it took in. Costs a load and a store. While a worker sleeps, or is not there, it must be vdg_idle(), or
 * no task can be installed, ended or removed (the agent gives up after a second). Each is idle until it turns first.
 */
void vdg_turn(struct vdg_worker *worker);
void vdg_idle(struct vdg_worker *worker);

/*
 * Slow path: the number of the set of tasks that want this flow, for the flow entry; 0: none, or more than VDG_SETS_MAX
 * or VDG_MATCHES_MAX (counted as lost). Only flows that come from a port of tenants or from outside, not in a tunnel,
 * are asked for; but where NAT translates what comes in, and no task wants it as it came, the translated flow is asked
 * for too, wherever it came from: answers are found by the flow that a task names.
 */
uint16_t vdg_match(struct vdg_worker *worker, const struct vdg_flow *flow);

/*
 * Fast path. vdg_in() for a packet that enters: `set` from its flow entry, and `hop` 0 if it came uncoloured (then it
 * is coloured if some task of the set has budget left; not if it came encapsulated, for its first device did not want
 * it, unless NAT translates it here, packet->flow, which that one could not know), else the hop of its outer DSCP.
 * Returns the packet's hop in this device, 0 if it is not traced: the others are for packets with a hop only. vdg_out()
 * returns the DSCP for the outer header where it leaves encapsulated: the next hop's, 0 (leave it) where it does not,
 * or past the last hop.
 */
unsigned int vdg_in(struct vdg_worker *worker, uint16_t set, unsigned int hop, const struct vdg_packet *packet);
uint8_t vdg_out(struct vdg_worker *worker, unsigned int hop, const struct vdg_packet *packet);
void vdg_local(struct vdg_worker *worker, unsigned int hop, const struct vdg_packet *packet); /* taken by the device */
void vdg_drop(struct vdg_worker *worker, unsigned int hop, const struct vdg_packet *packet, uint32_t why);

/*
 * After vdg_in() said 0 for a set: whether it will go on to do so until changed() is called, as the budgets of all its
 * tasks are used up. The device may then put 0 into the flow's entry, which makes it like any other.
 */
bool vdg_spent(struct vdg_worker *worker, uint16_t set);

/* A drop behind vdg_out(), by a queue or a driver, at the same port: it takes the `out` back. */
void vdg_drop_after_out(struct vdg_worker *worker, unsigned int hop, const struct vdg_packet *packet, uint32_t why);

struct vdg_stats {
	unsigned int tasks, sets, whys;
	bool agent;        /* an agent is connected */
	uint64_t records;  /* made */
	uint64_t lost;     /* found their ring full, or were made for an agent that went */
	uint64_t unparsed; /* packets with a hop that could not be read: no record could be made */
};
void vdg_stats(const struct vdg *vdg, struct vdg_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
