// SPDX-License-Identifier: BSD-3-Clause
/* What the device is: its ports and addresses, as the agent tells the server. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "vdg/state.h"

static struct port *port_find(const struct vdg *vdg, uint32_t number)
{
	struct port *port;

	HASH_FIND(hh, vdg->ports, &number, sizeof(number), port);
	return port;
}

const char *node_port_name(const struct vdg *vdg, uint32_t number)
{
	const struct port *port = port_find(vdg, number);

	return port ? port->name : "";
}

static void port_forget(struct vdg *vdg, struct port *port)
{
	HASH_DEL(vdg->ports, port);
	free(port);
}

/* Room for one more: the names of ports that went are kept only while there is enough. */
static bool port_room(struct vdg *vdg)
{
	struct port *port, *next;

	if (HASH_COUNT(vdg->ports) < PORTS_MAX)
		return true;
	HASH_ITER (hh, vdg->ports, port, next)
		if (port->gone)
			port_forget(vdg, port);
	return HASH_COUNT(vdg->ports) < PORTS_MAX;
}

int vdg_port(struct vdg *vdg, uint32_t number, const char *name)
{
	struct port *port = port_find(vdg, number);

	if (port && !port->gone)
		return -EEXIST;
	if (!port) {
		if (!port_room(vdg))
			return -ENOSPC;
		port = calloc(1, sizeof(*port));
		if (!port)
			return -ENOMEM;
		port->number = number;
		HASH_ADD(hh, vdg->ports, number, sizeof(port->number), port);
	}
	port->gone = false;
	vt_text_copy(port->name, sizeof(port->name), name);
	vt_text_clean(port->name);
	vdg->node.devices++;
	vdg->node_changed = true;
	return 0;
}

void vdg_port_gone(struct vdg *vdg, uint32_t number)
{
	struct port *port = port_find(vdg, number);

	if (!port || port->gone)
		return;
	port->gone = true;
	vdg->node.devices--;
	vdg->node_changed = true;
}

static int address_find(const struct vdg *vdg, const uint8_t address[16])
{
	for (uint32_t i = 0; i < vdg->node.n_addrs; i++)
		if (!memcmp(vdg->node.addrs[i], address, 16))
			return (int)i;
	return -ENOENT;
}

int vdg_address(struct vdg *vdg, const uint8_t address[16])
{
	if (address_find(vdg, address) >= 0)
		return -EEXIST;
	if (vdg->node.n_addrs == VT_NODE_ADDRS_MAX)
		return -ENOSPC;
	memcpy(vdg->node.addrs[vdg->node.n_addrs++], address, 16);
	vdg->node_changed = true;
	return 0;
}

void vdg_address_gone(struct vdg *vdg, const uint8_t address[16])
{
	int at = address_find(vdg, address);

	if (at < 0)
		return;
	memmove(vdg->node.addrs[at], vdg->node.addrs[--vdg->node.n_addrs], 16);
	memset(vdg->node.addrs[vdg->node.n_addrs], 0, 16);
	vdg->node_changed = true;
}

void node_done(struct vdg *vdg)
{
	struct port *port, *next;

	HASH_ITER (hh, vdg->ports, port, next)
		port_forget(vdg, port);
}
