// SPDX-License-Identifier: BSD-3-Clause
/* VXLAN packets that no device of this host takes: unknown VNI, or no VXLAN socket at all. */
#include <stdio.h>
#include <string.h>

#include "datapath/linux/inspect/inspectors.h"

#define VNI_LIST 256 /* bytes of the list of devices; more are cut: the evidence stays one line */

struct vni_list {
	uint32_t vni;
	struct rtnl_link has_vni; /* the device with this VNI, if any */
	char text[VNI_LIST];
	unsigned int count, left_out;
};

static void vni_list_add(void *arg, const struct rtnl_link *link)
{
	struct vni_list *list = arg;
	size_t used = strlen(list->text);

	if (strcmp(link->kind, "vxlan"))
		return;
	if (link->vni == list->vni)
		list->has_vni = *link;
	list->count++;
	if (sizeof(list->text) - used < 64) {
		list->left_out++;
		return;
	}
	snprintf(list->text + used, sizeof(list->text) - used, "%s%s VNI %u port %u%s", used ? ", " : "", link->name,
	         link->vni, link->port, link->flags & IFF_UP ? "" : " down");
}

static void vni_list_end(struct vni_list *list)
{
	size_t used = strlen(list->text);

	if (list->left_out)
		snprintf(list->text + used, sizeof(list->text) - used, " and %u more", list->left_out);
	if (!list->count)
		snprintf(list->text, sizeof(list->text), "none");
}

int vni_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct vni_list list = {.vni = drop->rec->vni};

	rtnl_links(rt, vni_list_add, &list);
	vni_list_end(&list);
	if (list.has_vni.ifindex && !(list.has_vni.flags & IFF_UP))
		return drop_found(finding, VT_CAUSE_VNI_UNKNOWN, "VNI %u is not served here: its device %s is down",
		                  drop->rec->vni, list.has_vni.name);
	return drop_found(finding, VT_CAUSE_VNI_UNKNOWN, "no vxlan device here takes VNI %u (vxlan devices: %s)",
	                  drop->rec->vni, list.text);
}

int vni_socket_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct vni_list list = {.vni = drop->rec->vni};

	rtnl_links(rt, vni_list_add, &list);
	vni_list_end(&list);
	return drop_found(finding, VT_CAUSE_VTEP_MISSING,
	                  "no VXLAN socket takes the encapsulated packets (VNI %u; vxlan devices: %s)", drop->rec->vni,
	                  list.text);
}

/*
 * The frame was for another MAC address. If it is for another tunnel end point too, a switch of the underlay flooded it
 * and this host is right to drop its copy: what became of the packet itself is not known here.
 */
int vni_flooded_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct fib_key key = drop_fib_key(drop);
	struct fib_answer answer;

	key.iif = 0;
	key.src = NULL;
	if (fib_lookup(rt, &key, &answer) < 0 || answer.local)
		return 0;
	finding->no_loss = true;
	return 1;
}
