/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses and prefixes from text and to text, see addr.h.
 */
#include "addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

bool prefix_has(const struct prefix *p, const struct addr *a)
{
	unsigned int bytes = p->len / 8, bits = p->len % 8;

	if (memcmp(p->addr.b, a->b, bytes))
		return false;
	return !bits || (p->addr.b[bytes] ^ a->b[bytes]) >> (8 - bits) == 0;
}

bool addr_parse(const char *text, struct addr *ret_addr)
{
	uint8_t four[4];

	if (inet_pton(AF_INET, text, four) == 1) {
		*ret_addr = addr_of4(four);
		return true;
	}
	return inet_pton(AF_INET6, text, ret_addr->b) == 1;
}

static void prefix_trim(struct prefix *p)
{
	for (unsigned int bit = p->len; bit < 128; bit++)
		p->addr.b[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
}

bool prefix_parse(const char *text, struct prefix *ret_prefix)
{
	char copy[ADDR_TEXT_MAX], *slash, *end = "";
	unsigned long max, len;

	if (strlen(text) >= sizeof(copy))
		return false;
	strcpy(copy, text);
	slash = strchr(copy, '/');
	if (slash)
		*slash++ = 0;
	if (!addr_parse(copy, &ret_prefix->addr))
		return false;
	max = addr_is4(&ret_prefix->addr) ? 32 : 128;
	len = slash ? strtoul(slash, &end, 10) : max;
	if (*end || (slash && (*slash < '0' || *slash > '9')) || len > max)
		return false;
	ret_prefix->len = (uint8_t)(len + 128 - max);
	prefix_trim(ret_prefix);
	return true;
}

bool mac_parse(const char *text, struct mac *ret_mac)
{
	int used = 0;
	uint8_t *b = ret_mac->b;

	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", b, b + 1, b + 2, b + 3, b + 4, b + 5, &used) ==
	           6 &&
	       used == 17 && !text[used];
}

const char *addr_text(const struct addr *a, char *buf)
{
	if (addr_is4(a))
		return inet_ntop(AF_INET, a->b + 12, buf, ADDR_TEXT_MAX);
	return inet_ntop(AF_INET6, a->b, buf, ADDR_TEXT_MAX);
}

const char *prefix_text(const struct prefix *p, char *buf)
{
	bool four = addr_is4(&p->addr) && p->len >= 96;

	addr_text(&p->addr, buf);
	snprintf(buf + strlen(buf), ADDR_TEXT_MAX - strlen(buf), "/%d", four ? p->len - 96 : p->len);
	return buf;
}

const char *mac_text(const void *mac, char *buf)
{
	const uint8_t *b = mac;

	snprintf(buf, ADDR_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
	return buf;
}
