// SPDX-License-Identifier: BSD-3-Clause
/*
 * Questions about routing: the routing rules and the routes of one type that cover an address, and the kernel's own
 * lookup.
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_FIB_H
#define VT_DATAPATH_LINUX_INSPECT_FIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/linux/inspect/rtnl.h"

#define FIB_TABLES_MAX 8 /* tables with a covering route of the wanted type; more are not told apart anyway */

struct fib_key {
	uint8_t family;           /* AF_INET or AF_INET6 */
	const uint8_t *src, *dst; /* 4 or 16 bytes, network order; src may be NULL */
	uint32_t iif, oif, mark;  /* 0: none */
	const char *iif_name;     /* for rules that name it; "" if unknown */
};

struct fib_route {
	uint32_t table;
	uint8_t prefix_len;
	uint8_t prefix[16];
};

/* The longest route of `type` (RTN_*) covering key->dst in each table; returns how many tables, or -errno. */
int fib_routes(struct rtnl *rt, const struct fib_key *key, uint8_t type, struct fib_route routes[FIB_TABLES_MAX]);

/* "blackhole 10.0.2.0/24 in table main" */
void fib_route_text(const struct fib_key *key, uint8_t type, const struct fib_route *route, char *buf, size_t size);

enum fib_match { FIB_NO_MATCH, FIB_MATCH, FIB_MAY_MATCH };

/*
 * The first rule with this action (FR_ACT_*) that matches the key, by what can be known of the packet. FIB_MAY_MATCH:
 * one with selectors we cannot judge (mark, ports, TOS, ...). Its text goes to buf: "rule 100: from 10.0.0.1
 * unreachable".
 */
enum fib_match fib_rule(struct rtnl *rt, const struct fib_key *key, uint8_t action, char *buf, size_t size);

/* "0: local, 32766: main, 32767: default": the rules that look up tables, in order; cut at the end if there are many.
 */
void fib_rules_text(struct rtnl *rt, uint8_t family, char *buf, size_t size);

#define FIB_RULE_TEXT      128 /* bytes of a rule in words: two IPv6 prefixes and an interface */
#define FIB_CANDIDATE_TEXT 240 /* a route and the rule that chose it */
#define FIB_CANDIDATES     2   /* that are named; evidence is one line, and more are counted */

#define FIB_DECISION_TEXT (FIB_CANDIDATES * FIB_CANDIDATE_TEXT + 48)

/* What may have stopped a packet, by the rules and tables as they are now. */
struct fib_decision {
	unsigned int count; /* rules and routes that may have been it, in the kernel's order */
	bool certain;       /* the last of them matches the packet whatever its mark or ports are */
	char text[FIB_CANDIDATES][FIB_CANDIDATE_TEXT];
};

/*
 * Which routes of `type` and rules with `action` (FR_ACT_UNSPEC: no such rules) may have decided, given that one did:
 * the walk ends at the first that certainly matches.
 */
void fib_decide(struct rtnl *rt, const struct fib_key *key, uint8_t type, uint8_t action,
                struct fib_decision *decision);

/* "prohibit 10.0.0.0/8 in table main", "one of these: …; …; 2 more"; nothing if there is none. */
void fib_decision_text(const struct fib_decision *decision, char *buf, size_t size);

/* The route type and the rule action that give a route this error (positive errno); false: none does. */
bool fib_error_cause(int error, uint8_t *ret_type, uint8_t *ret_action);

/* ": throw 10.0.2.0/24 in table main": the throw routes that cover key->dst, or nothing. */
void fib_thrown_text(struct rtnl *rt, const struct fib_key *key, char *buf, size_t size);

size_t fib_address_size(uint8_t family);
bool fib_prefix_covers(const uint8_t *prefix, unsigned int len, const uint8_t *address);
void fib_table_text(uint32_t table, char *buf, size_t size);

struct fib_answer {
	uint32_t oif;
	bool local; /* an address of this host */
	bool has_gateway;
	uint8_t gateway[16]; /* of gateway_family */
	uint8_t gateway_family;
	uint32_t mtu; /* of the route, 0: the device's */
};

/* The kernel's lookup, as a packet that came in through key->iif (or is sent from here, if that is 0). -errno as it
 * says. */
int fib_lookup(struct rtnl *rt, const struct fib_key *key, struct fib_answer *answer);

#endif
