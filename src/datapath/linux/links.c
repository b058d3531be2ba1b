// SPDX-License-Identifier: BSD-3-Clause
/*
 * bpf(2) link creation for hooks that libbpf 1.1 (Debian 12) does not know: it can go when libbpf 1.3 is the oldest
 * supported. The structures are the kernel's UAPI of the versions named in links.h, with only the members used here.
 */
#include "datapath/linux/links.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/types.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CMD_LINK_CREATE    28
#define ATTACH_NETFILTER   45
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS  47
#define MPROG_BEFORE       (1U << 3) /* BPF_F_BEFORE without an anchor: first of all */
#define HOOK_LOCAL_IN      1

/* Ours among the filters of a device: a priority that nobody picks by chance. */
#define CLSACT_PRIORITY 0x5654
#define CLSACT_HANDLE   0x5654

struct link_create {
	__u32 prog_fd;
	__u32 target;
	__u32 attach_type;
	__u32 flags;
	union {
		struct {
			__u32 relative_fd;
			__u32 pad;
			__u64 expected_revision;
		} tcx;
		struct {
			__u32 family;
			__u32 hook;
			__s32 priority;
			__u32 flags;
		} netfilter;
	};
	__u64 rest[4];
};

static int link_create(struct link_create *attr)
{
	int fd = syscall(SYS_bpf, CMD_LINK_CREATE, attr, sizeof(*attr));

	return fd < 0 ? -errno : fd;
}

int link_tcx(int prog_fd, int ifindex, enum link_direction direction)
{
	struct link_create attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_fd = prog_fd;
	attr.target = ifindex;
	attr.attach_type = direction == LINK_INGRESS ? ATTACH_TCX_INGRESS : ATTACH_TCX_EGRESS;
	attr.flags = MPROG_BEFORE;
	return link_create(&attr);
}

int link_local_in(int prog_fd, int family)
{
	struct link_create attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_fd = prog_fd;
	attr.attach_type = ATTACH_NETFILTER;
	attr.netfilter.family = family;
	attr.netfilter.hook = HOOK_LOCAL_IN;
	attr.netfilter.priority = INT_MAX - 1; /* the last one that the kernel lets programs have */
	return link_create(&attr);
}

static struct bpf_tc_hook clsact_hook(int ifindex, enum link_direction direction)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
	            .attach_point = direction == LINK_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS);

	return hook;
}

int link_clsact(int prog_fd, int ifindex, enum link_direction direction)
{
	struct bpf_tc_hook hook = clsact_hook(ifindex, direction);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY, .prog_fd = prog_fd,
	            .flags = BPF_TC_F_REPLACE);
	int ret = bpf_tc_hook_create(&hook);

	if (ret && ret != -EEXIST)
		return ret;
	return bpf_tc_attach(&hook, &opts);
}

void unlink_clsact(int ifindex, enum link_direction direction)
{
	struct bpf_tc_hook hook = clsact_hook(ifindex, direction);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY);

	bpf_tc_detach(&hook, &opts);
}
