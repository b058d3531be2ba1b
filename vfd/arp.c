// SPDX-License-Identifier: BSD-3-Clause
/*
 * ARP (RFC 826): VMs learn the MAC addresses of all places of their network from us, whoever asks through a tunnel
 * those of our VMs, the underlay's hosts our own. Nothing is flooded.
 */
#include <string.h>

#include "vfd/device.h"

#define ARP_REQUEST 1
#define ARP_REPLY   2

static void map(uint8_t to[16], const uint8_t *from)
{
	memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	memcpy(to + 12, from, 4);
}

bool arp_answer(const struct tables *tables, unsigned int port, int network, uint8_t *frame, uint32_t length)
{
	const struct port_config *in = &tables_config(tables)->ports[port];
	uint8_t *arp = frame + ETHER_SIZE, wanted[16], asking[10];
	const struct place_config *place = NULL;
	const uint8_t *mac = in->mac;

	if (length < ETHER_SIZE + 28 || get16(arp + 2) != 0x0800 || get16(arp + 6) != ARP_REQUEST)
		return false;
	map(wanted, arp + 24);
	if (network < 0) {
		if (memcmp(wanted, in->address, 16) != 0)
			return false;
	} else {
		place = tables_place(tables, network, wanted);
		/* who is asked through a tunnel speaks for its own VMs only */
		if (!place || place->port == (int)port || (in->kind == PORT_UNDERLAY && place->port < 0))
			return false;
		mac = place->mac;
	}
	memcpy(asking, arp + 8, 10); /* MAC and address of who asks */
	put16(arp + 6, ARP_REPLY);
	memcpy(arp + 8, mac, 6);
	memmove(arp + 14, arp + 24, 4);
	memcpy(arp + 18, asking, 10);
	memcpy(frame, asking, 6);
	memcpy(frame + 6, mac, 6);
	return true;
}
