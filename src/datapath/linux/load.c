// SPDX-License-Identifier: BSD-3-Clause
/* Loads the BPF object and gives its parts names; see load.h. */
#include "datapath/linux/load.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "datapath/linux/vtrace.skel.h"

#define PROG_TYPE_NETFILTER 32 /* kernel 6.4; libbpf 1.1 has no name for it */
#define ATTACH_NETFILTER    45

struct load {
	struct vtrace_bpf *skel;
	struct ring_buffer *ring;
	struct slot *slots;
	size_t slots_size;
	bool has_local_in, has_taken;
	load_record_fn on_record;
	void *arg;
};

static int on_ring(void *ctx, void *data, size_t size)
{
	const struct drop_event *event = data; /* as far as it goes */
	struct load *l = ctx;

	if (size >= sizeof(*event))
		l->on_record(l->arg, &event->rec, &event->context);
	else if (size >= sizeof(event->rec))
		l->on_record(l->arg, &event->rec, NULL);
	return 0;
}

/* libbpf explains itself at length on stderr; what the user needs is in our one line. */
static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return getenv("VTRACE_LIBBPF_LOG") ? vfprintf(stderr, fmt, args) : 0;
}

static int kernel_check(struct vt_err *err)
{
	struct utsname uts;
	unsigned int major = 0, minor = 0;

	uname(&uts);
	sscanf(uts.release, "%u.%u", &major, &minor);
	if (major < 5 || (major == 5 && minor < 17))
		return vt_fail(err, ENOTSUP,
		               "kernel %s is too old: VTrace needs 5.17, the first to say why it drops a packet",
		               uts.release);
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return vt_fail(err, ENOTSUP,
		               "this kernel has no BTF (/sys/kernel/btf/vmlinux): use one built with "
		               "CONFIG_DEBUG_INFO_BTF");
	return 0;
}

/* Linux 6.5 and later say which code consumed a packet; programs that ask older ones cannot be loaded. */
static bool kernel_says_who_consumed(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *type;
	bool says = false;
	int id;

	if (!btf)
		return false;
	id = btf__find_by_name_kind(btf, "btf_trace_consume_skb", BTF_KIND_TYPEDEF);
	if (id > 0) {
		type = btf__type_by_id(btf, btf__type_by_id(btf, id)->type); /* pointer */
		type = btf__type_by_id(btf, type->type);
		says = btf_is_func_proto(type) && btf_vlen(type) >= 3; /* data, skb, location */
	}
	btf__free(btf);
	return says;
}

static int open_skeleton(struct load *l, bool local_in)
{
	struct stat st;
	int ret;

	l->skel = vtrace_bpf__open();
	if (!l->skel)
		return -errno;
	stat("/proc/thread-self/ns/net", &st);
	l->skel->bss->config.netns = st.st_ino;
	bpf_program__set_type(l->skel->progs.on_local_in, PROG_TYPE_NETFILTER);
	bpf_program__set_expected_attach_type(l->skel->progs.on_local_in, ATTACH_NETFILTER);
	bpf_program__set_autoload(l->skel->progs.on_local_in, local_in);
	l->has_taken = kernel_says_who_consumed();
	bpf_program__set_autoload(l->skel->progs.on_consume_skb, l->has_taken);
	ret = vtrace_bpf__load(l->skel);
	if (ret) {
		vtrace_bpf__destroy(l->skel);
		l->skel = NULL;
	}
	l->has_local_in = !ret && local_in;
	return ret;
}

static int load_skeleton(struct load *l, struct vt_err *err)
{
	int ret;

	libbpf_set_print(quiet);
	ret = open_skeleton(l, true);
	if (ret && ret != -EPERM)
		ret = open_skeleton(l, false); /* kernels before 6.4 */
	if (ret == -EPERM || ret == -EACCES)
		return vt_fail(err, -ret,
		               "load the BPF programs: not permitted (run as root, or with CAP_BPF, CAP_PERFMON and "
		               "CAP_NET_ADMIN)");
	if (ret)
		return vt_fail(err, -ret, "load the BPF programs: %s (VTRACE_LIBBPF_LOG=1 shows the kernel's reasons)",
		               strerror(-ret));
	return 0;
}

static int map_memory(struct load *l, struct vt_err *err)
{
	l->slots_size = RULE_SLOTS_MAX * sizeof(struct slot);
	l->slots = mmap(NULL, l->slots_size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(l->skel->maps.slots), 0);
	if (l->slots == MAP_FAILED) {
		l->slots = NULL;
		return vt_fail(err, errno, "map the BPF table of tasks: %s", strerror(errno));
	}
	l->ring = ring_buffer__new(bpf_map__fd(l->skel->maps.records), on_ring, l, NULL);
	if (!l->ring)
		return vt_fail(err, errno, "map the BPF ring of records: %s", strerror(errno));
	return 0;
}

int load_open(struct load **ret_load, uint32_t mark_mask, struct vt_err *err)
{
	struct load *l = calloc(1, sizeof(*l));
	int ret = kernel_check(err);

	if (!l)
		return vt_fail(err, ENOMEM, "load the BPF programs: out of memory");
	if (!ret)
		ret = load_skeleton(l, err);
	if (!ret)
		ret = map_memory(l, err);
	if (ret) {
		load_close(l);
		return ret;
	}
	l->skel->bss->config.mark_mask = mark_mask;
	*ret_load = l;
	return 0;
}

void load_close(struct load *l)
{
	if (!l)
		return;
	ring_buffer__free(l->ring);
	if (l->slots)
		munmap(l->slots, l->slots_size);
	vtrace_bpf__destroy(l->skel);
	free(l);
}

void load_programs(const struct load *l, struct attach_programs *programs)
{
	memset(programs, 0, sizeof(*programs));
	programs->ingress[DEVICE_TENANT] = l->skel->progs.ingress_tenant;
	programs->egress[DEVICE_TENANT] = l->skel->progs.egress_tenant;
	programs->ingress[DEVICE_OUTSIDE] = l->skel->progs.ingress_outside;
	programs->egress[DEVICE_OUTSIDE] = l->skel->progs.egress_outside;
	programs->ingress[DEVICE_L3] = l->skel->progs.ingress_l3;
	programs->egress[DEVICE_L3] = l->skel->progs.egress_l3;
	programs->egress[DEVICE_GROUPED] = l->skel->progs.egress_grouped;
	programs->drop = l->skel->progs.on_kfree_skb;
	programs->taken = l->has_taken ? l->skel->progs.on_consume_skb : NULL;
	programs->local_in = l->has_local_in ? l->skel->progs.on_local_in : NULL;
}

struct bpf_config *load_config(const struct load *l)
{
	return &l->skel->bss->config;
}

struct slot *load_slots(const struct load *l)
{
	return l->slots;
}

int load_rules_fd(const struct load *l)
{
	return bpf_map__fd(l->skel->maps.rules);
}

int load_wake_fd(const struct load *l)
{
	return bpf_map__fd(l->skel->maps.records);
}

void load_device(struct load *l, int ifindex, uint32_t vni, bool leaf)
{
	struct device dev = {.vni = vni, .leaf = leaf};

	bpf_map_update_elem(bpf_map__fd(l->skel->maps.devices), &ifindex, &dev, BPF_ANY);
}

/* Takes out the devices that are gone: the table would fill up on a host where containers come and go. */
static void forget_devices(int map, const struct devices *devices)
{
	int key, next;
	bool more = !bpf_map_get_next_key(map, NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(map, &key, &next);
		if (!devices_find(devices, key))
			bpf_map_delete_elem(map, &key);
	}
}

static void add_port(uint8_t *ports, uint16_t port)
{
	ports[port / 8] |= 1 << (port % 8);
}

void load_devices(struct load *l, const struct devices *devices)
{
	uint8_t ports[sizeof(l->skel->bss->config.vxlan_ports)] = {0};
	const struct device_info *dev;
	size_t n;

	add_port(ports, 4789); /* IANA's; packets for it are a tunnel's also where the VXLAN device is missing */
	add_port(ports, 8472); /* Linux's own default */
	dev = devices_all(devices, &n);
	for (size_t i = 0; i < n; i++) {
		if (dev[i].vxlan_port)
			add_port(ports, dev[i].vxlan_port);
		load_device(l, dev[i].ifindex, dev[i].vni, device_role_is_leaf(dev[i].role));
	}
	forget_devices(bpf_map__fd(l->skel->maps.devices), devices);
	memcpy(l->skel->bss->config.vxlan_ports, ports, sizeof(ports));
}

void load_drain(struct load *l, load_record_fn fn, void *arg)
{
	l->on_record = fn;
	l->arg = arg;
	ring_buffer__consume(l->ring);
}

uint64_t load_lost(const struct load *l)
{
	const struct bpf_counters *counters = &l->skel->bss->counters;
	struct bpf_prog_info info;
	__u32 size = sizeof(info);

	memset(&info, 0, sizeof(info));
	bpf_obj_get_info_by_fd(bpf_program__fd(l->skel->progs.on_kfree_skb), &info, &size);
	return __atomic_load_n(&counters->lost_ring, __ATOMIC_RELAXED) +
	       __atomic_load_n(&counters->unparsed, __ATOMIC_RELAXED) + info.recursion_misses;
}
