/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses and prefixes: IPv6 as on the wire, IPv4 mapped into it (::ffff:a.b.c.d), so that tables know one form only.
 */
#ifndef VFD_ADDR_H
#define VFD_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ADDR_TEXT_MAX 52 /* an IPv6 address, slash and length, NUL */

struct addr {
	uint8_t b[16];
};

struct prefix {
	struct addr addr; /* bits behind len are 0 */
	uint8_t len;      /* 0 .. 128; an IPv4 prefix's is 96 more than it says */
};

struct mac {
	uint8_t b[6];
};

static inline bool addr_is4(const struct addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(a->b, mapped, 12);
}

static inline struct addr addr_of4(const void *bytes)
{
	struct addr a = {.b = {[10] = 0xff, [11] = 0xff}};

	memcpy(a.b + 12, bytes, 4);
	return a;
}

static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static inline bool addr_among(const struct addr *list, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal(&list[i], a))
			return true;
	return false;
}

static inline bool mac_equal(const void *a, const void *b)
{
	return !memcmp(a, b, 6);
}

bool prefix_has(const struct prefix *p, const struct addr *a);

/* false: not one. A prefix without a length is one address. */
bool addr_parse(const char *text, struct addr *ret_addr);
bool prefix_parse(const char *text, struct prefix *ret_prefix);
bool mac_parse(const char *text, struct mac *ret_mac);

/* Write into buf (ADDR_TEXT_MAX bytes) and return it. */
const char *addr_text(const struct addr *a, char *buf);
const char *prefix_text(const struct prefix *p, char *buf);
const char *mac_text(const void *mac, char *buf);

#endif
