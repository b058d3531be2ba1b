// SPDX-License-Identifier: BSD-3-Clause
/* Internal to the filter: addresses and prefixes as people write them. */
#ifndef VT_CORE_FILTER_ADDRESS_H
#define VT_CORE_FILTER_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

struct filter_address {
	uint8_t bytes[16];  /* IPv4-mapped */
	uint8_t family;     /* 4 or 6 */
	unsigned int given; /* bits that were written: 8 to 32 for IPv4, 128 for IPv6 */
};

/* Reads an address; with `shorten`, "10" and "10.1" stand for 10.0.0.0 and 10.1.0.0, as in tcpdump. False: it is none.
 */
bool filter_address_parse(const char *text, bool shorten, struct filter_address *ret);

/* Reads the digits behind the slash; -1 if they are no prefix length of `family`. */
int filter_prefix_length(const char *digits, uint8_t family);

/* Clears the bits behind the first `length` of 128; returns whether any of them was set. */
bool filter_clear_host_bits(uint8_t bytes[16], unsigned int length);

#endif
