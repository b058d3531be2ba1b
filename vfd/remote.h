/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Remote tunnel ends and their MAC addresses on the underlay: asked for by ARP or neighbour discovery, packets wait
 * meanwhile. Entries stay as long as the device runs, flow entries point to them.
 */
#ifndef VFD_REMOTE_H
#define VFD_REMOTE_H

#include "device.h"

#define REMOTES_MAX 1024
#define PARKED_MAX  64    /* packets that wait for one remote end: an answer may take some milliseconds */
#define ASK_MS      1000  /* between two questions */
#define ASKS_MAX    3     /* then it has failed, and is asked for again after ASK_MS */
#define KNOWN_MS    30000 /* then it is asked again, in use meanwhile */

enum remote_state {
	REMOTE_ASKING,
	REMOTE_KNOWN,
	REMOTE_FAILED,
};

struct parked {
	struct packet packet;
	struct flow_entry entry;
};

struct remote {
	struct addr vtep, hop; /* its address; the one to ask for: itself or the underlay's gateway */
	struct mac mac;
	bool fixed; /* from the configuration */
	_Atomic enum remote_state state;
	uint32_t asked_ms, known_ms;
	unsigned int asks;
	uint32_t drop;
	struct parked parked[PARKED_MAX];
	unsigned int nparked;
};

struct remotes *remotes_new(void);
void remotes_free(struct remotes *remotes);

/* NULL, and *ret_why says why: there is no way to this address. */
struct remote *remote_get(struct worker *w, const struct addr *vtep, const char **ret_why);

/* Parks a packet until the remote's MAC is known, or drops it. */
void remote_park(struct worker *w, struct remote *r, struct packet *p);

void remote_learn(struct worker *w, const struct addr *addr, const uint8_t *mac);
void remotes_forget(struct remotes *remotes); /* any thread: all are asked for anew */
void remotes_tick(struct worker *w);          /* one worker calls it, some times a second */

#endif
