// SPDX-License-Identifier: BSD-3-Clause
/*
 * Keeps attachments in step with the devices; see attach.h. A device that disappears while we attach is no error: its
 * notification is under way.
 */
#include "datapath/linux/attach.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct attachment {
	int ifindex;
	enum device_role role;
	int fd[2];   /* tcx links by direction, -1 */
	bool clsact; /* attached by clsact instead */
	bool wanted; /* mark of a sync */
	bool fresh;  /* made by the last sync */
};

struct attach {
	struct expedite *expedite;
	struct attach_programs programs;
	bool clsact;
	struct attachment *list;
	size_t n, capacity;
	struct bpf_link *drop, *taken;
	int local_in[2]; /* IPv4, IPv6; -1 */
};

struct attach *attach_new(const struct attach_programs *programs, const struct devices *devices,
                          struct expedite *expedite, bool force_clsact)
{
	struct attach *at = calloc(1, sizeof(*at));
	const struct device_info *dev;
	size_t n;

	if (!at)
		return NULL;
	at->programs = *programs;
	at->expedite = expedite;
	at->clsact = force_clsact;
	at->local_in[0] = at->local_in[1] = -1;
	dev = devices_all(devices, &n);
	for (size_t i = 0; i < n; i++)
		if (dev[i].role != DEVICE_INNER)
			for (int direction = 0; direction < 2; direction++)
				unlink_clsact(dev[i].ifindex, direction);
	return at;
}

static void detach(struct attachment *a)
{
	for (int direction = 0; direction < 2; direction++) {
		if (a->fd[direction] >= 0)
			close(a->fd[direction]);
		if (a->clsact)
			unlink_clsact(a->ifindex, direction);
	}
}

void attach_clear(struct attach *at)
{

	if (!attach_count(at))
		return;
	expedite_begin(at->expedite);
	for (size_t i = 0; i < at->n; i++)
		detach(&at->list[i]);
	at->n = 0;
	bpf_link__destroy(at->drop);
	bpf_link__destroy(at->taken);
	at->drop = at->taken = NULL;
	for (int i = 0; i < 2; i++) {
		if (at->local_in[i] >= 0)
			close(at->local_in[i]);
		at->local_in[i] = -1;
	}
	expedite_end(at->expedite);
}

void attach_free(struct attach *at)
{
	if (!at)
		return;
	attach_clear(at);
	free(at->list);
	free(at);
}

unsigned int attach_count(const struct attach *at)
{
	unsigned int n = 0;

	for (size_t i = 0; i < at->n; i++)
		n += (at->programs.ingress[at->list[i].role] != NULL) + (at->programs.egress[at->list[i].role] != NULL);
	return n + (at->drop != NULL) + (at->taken != NULL) + (at->local_in[0] >= 0) + (at->local_in[1] >= 0);
}

static int attach_direction(struct attach *at, struct attachment *a, enum link_direction direction)
{
	const struct bpf_program *prog =
	    direction == LINK_INGRESS ? at->programs.ingress[a->role] : at->programs.egress[a->role];
	int fd;

	if (!prog)
		return 0;
	if (!at->clsact) {
		fd = link_tcx(bpf_program__fd(prog), a->ifindex, direction);
		if (fd >= 0)
			a->fd[direction] = fd;
		if (fd != -EINVAL)
			return fd < 0 ? fd : 0;
		at->clsact = true; /* the kernel is older than 6.6 */
	}
	a->clsact = true;
	return link_clsact(bpf_program__fd(prog), a->ifindex, direction);
}

static const char *attach_advice(int code)
{
	if (code == EPERM || code == EACCES)
		return " (VTrace needs root, or CAP_BPF and CAP_NET_ADMIN)";
	if (code == EMFILE)
		return " (two a device are needed: raise the agent's limit, LimitNOFILE= of its unit)";
	return "";
}

static int attach_device(struct attach *at, const struct device_info *dev, struct vt_err *err)
{
	struct attachment *a;
	int ret = 0;

	if (at->n == at->capacity) {
		size_t capacity = at->capacity ? 2 * at->capacity : 64;

		a = reallocarray(at->list, capacity, sizeof(*a));
		if (!a)
			return vt_fail(err, ENOMEM, "attach to %s: out of memory", dev->name);
		at->list = a;
		at->capacity = capacity;
	}
	a = &at->list[at->n];
	*a = (struct attachment){
	    .ifindex = dev->ifindex, .role = dev->role, .fd = {-1, -1}, .wanted = true, .fresh = true};
	for (int direction = 0; direction < 2 && !ret; direction++)
		ret = attach_direction(at, a, direction);
	if (!ret) {
		at->n++;
		return 0;
	}
	detach(a);
	if (ret == -ENODEV)
		return 0;
	return vt_fail(err, -ret, "attach to device %s: %s%s", dev->name, strerror(-ret), attach_advice(-ret));
}

static struct attachment *find(struct attach *at, int ifindex)
{
	for (size_t i = 0; i < at->n; i++)
		if (at->list[i].ifindex == ifindex)
			return &at->list[i];
	return NULL;
}

static int attach_inside(struct attach *at, const struct devices *devices, bool filters, struct vt_err *err)
{
	static const int families[2] = {NFPROTO_IPV4, NFPROTO_IPV6};

	if (!at->drop) {
		at->drop = bpf_program__attach(at->programs.drop);
		if (!at->drop)
			return vt_fail(err, errno, "attach to the kernel's kfree_skb tracepoint: %s", strerror(errno));
	}
	/* Every packet that ends well pays for this one. */
	if (!at->taken && at->programs.taken && filters) {
		at->taken = bpf_program__attach(at->programs.taken);
		if (!at->taken)
			return vt_fail(err, errno, "attach to the kernel's consume_skb tracepoint: %s",
			               strerror(errno));
	}
	/* Every packet to the node itself pays for this hook, so only nodes that tenants can talk to have it. */
	for (int i = 0; i < 2 && at->programs.local_in && devices_has_tenant_addr(devices); i++)
		if (at->local_in[i] < 0)
			at->local_in[i] = link_local_in(bpf_program__fd(at->programs.local_in), families[i]);
	return 0;
}

/* Attaches to leaves that are not yet attached, marks all that are still there. */
static int attach_new_devices(struct attach *at, const struct devices *devices, struct vt_err *err)
{
	const struct device_info *dev;
	size_t n;
	int ret = 0;

	for (size_t i = 0; i < at->n; i++)
		at->list[i].wanted = at->list[i].fresh = false;
	dev = devices_all(devices, &n);
	for (size_t i = 0; i < n && !ret; i++) {
		struct attachment *a = dev[i].role == DEVICE_INNER ? NULL : find(at, dev[i].ifindex);

		if (a && a->role == dev[i].role)
			a->wanted = true;
		else if (dev[i].role != DEVICE_INNER)
			ret = attach_device(at, &dev[i], err);
	}
	return ret;
}

static void detach_old_devices(struct attach *at)
{
	for (size_t i = 0; i < at->n;) {
		if (at->list[i].wanted) {
			i++;
			continue;
		}
		detach(&at->list[i]);
		at->list[i] = at->list[--at->n];
	}
}

static int count_fresh(const struct attach *at)
{
	int n = 0;

	for (size_t i = 0; i < at->n; i++)
		n += at->list[i].fresh;
	return n;
}

unsigned int attach_unseen(const struct attach *at, const struct devices *devices)
{
	unsigned int n = 0;

	for (size_t i = 0; i < at->n; i++) {
		const struct device_info *dev = at->list[i].fresh ? devices_find(devices, at->list[i].ifindex) : NULL;

		/* what a VM sent before is not coloured, so nothing will be missed of it */
		n += dev && device_role_is_leaf(dev->role) &&
		     (dev->out || (dev->in && at->list[i].role != DEVICE_TENANT));
	}
	return n;
}

int attach_sync(struct attach *at, const struct devices *devices, bool filters, struct vt_err *err)
{
	int ret;

	expedite_begin(at->expedite);
	ret = attach_new_devices(at, devices, err);
	if (!ret) {
		detach_old_devices(at);
		ret = attach_inside(at, devices, filters, err);
	}
	expedite_end(at->expedite);
	return ret < 0 ? ret : count_fresh(at);
}
