// SPDX-License-Identifier: BSD-3-Clause
/* Addresses and prefixes of the filter language; see filter_address.h. */
#include "core/filter_address.h"

#include <netinet/in.h>
#include <string.h>

#include "base/text.h"
#include "core/task.h"

bool filter_address_parse(const char *text, bool shorten, struct filter_address *ret)
{
	char full[INET6_ADDRSTRLEN + 8];
	unsigned int dots = 0;

	*ret = (struct filter_address){.family = 6, .given = 128};
	if (strchr(text, ':'))
		return !vt_addr_parse(text, ret->bytes);
	vt_text_copy(full, INET6_ADDRSTRLEN, text);
	for (const char *s = full; *s; s++)
		dots += *s == '.';
	ret->family = 4;
	ret->given = 8 * (dots + 1);
	if (shorten)
		for (; dots < 3; dots++)
			strcat(full, ".0");
	return !vt_addr_parse(full, ret->bytes);
}

int filter_prefix_length(const char *digits, uint8_t family)
{
	unsigned int max = family == 4 ? 32 : 128, value = 0;

	if (!*digits || strlen(digits) > 3 || strspn(digits, "0123456789") != strlen(digits))
		return -1;
	for (; *digits; digits++)
		value = value * 10 + (unsigned int)(*digits - '0');
	return value <= max ? (int)value : -1;
}

bool filter_clear_host_bits(uint8_t bytes[16], unsigned int length)
{
	bool any = false;

	for (unsigned int bit = length; bit < 128; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> (bit % 8));

		any = any || (bytes[bit / 8] & mask);
		bytes[bit / 8] &= (uint8_t)~mask;
	}
	return any;
}
