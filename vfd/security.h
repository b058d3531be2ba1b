/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Security groups: stateful, default deny. What a rule let through makes a session, and a session lets the answers
 * through. Asked in the slow path only; entries of flows come by again every FLOW_MS and keep their session alive.
 */
#ifndef VFD_SECURITY_H
#define VFD_SECURITY_H

#include "device.h"

#define SESSIONS_MAX 65536
#define SESSION_MS   120000 /* without a packet */
#define SWEEP_MS     1000   /* between two looks for those that have ended */

struct judgement {
	const char *code, *reason, *site;
	char evidence[200];
};

struct sessions *sessions_new(void);
void sessions_free(struct sessions *sessions);

/* `in`: to the VM, otherwise from it. False: *ret_why says who forbids it. */
bool security_allows(struct worker *w, const struct vm *vm, const struct vpc *vpc, bool in, const struct flow_key *key,
                     struct judgement *ret_why);

#endif
