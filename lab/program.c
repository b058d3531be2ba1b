/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attaches a program of programs.bpf.c to a device, or to a netfilter hook, of the network namespace it runs in, for
 * lab/fault:
 *     lab-program HOOK DEVICE PROGRAM [PORT]       HOOK: tcx-ingress tcx-egress bpf-ingress bpf-egress xdp-generic
 * xdp-native lab-program off DEVICE lab-program netfilter HOOK PROGRAM [PORT]    HOOK: input forward It ends at once;
 * the program stays until `off`, or until the device goes. At a netfilter hook it stays as long as the process does
 * whose number is printed.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lab/programs.skel.h"

#define TCX_INGRESS         46 /* BPF_TCX_INGRESS: kernel 6.6, which the headers of Debian 12 lack */
#define TCX_EGRESS          47
#define NETFILTER           45 /* BPF_NETFILTER: kernel 6.4 */
#define PROG_TYPE_NETFILTER 32
#define NETFILTER_PRIORITY  (-128) /* before filters, behind mangle */
#define PROGRAMS_MAX        64     /* of one hook, the kernel's limit */

static int fail(const char *what, const char *on, int error)
{
	fprintf(stderr, "lab-program: %s %s: %s\n", what, on, strerror(error));
	return 1;
}

/* A filter with direct action at the qdisc clsact, each in front of those that are there. */
static int attach_filter(int fd, int ifindex, bool egress)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = fd);
	int ret = bpf_tc_hook_create(&hook);

	return ret && ret != -EEXIST ? ret : bpf_tc_attach(&hook, &opts);
}

static int attach(const char *hook, int ifindex, int fd)
{
	if (!strcmp(hook, "tcx-ingress"))
		return bpf_prog_attach(fd, ifindex, TCX_INGRESS, 0);
	if (!strcmp(hook, "tcx-egress"))
		return bpf_prog_attach(fd, ifindex, TCX_EGRESS, 0);
	if (!strcmp(hook, "bpf-ingress"))
		return attach_filter(fd, ifindex, false);
	if (!strcmp(hook, "bpf-egress"))
		return attach_filter(fd, ifindex, true);
	if (!strcmp(hook, "xdp-generic"))
		return bpf_xdp_attach(ifindex, fd, XDP_FLAGS_SKB_MODE, NULL);
	if (!strcmp(hook, "xdp-native"))
		return bpf_xdp_attach(ifindex, fd, XDP_FLAGS_DRV_MODE, NULL);
	return -EINVAL;
}

/* For both IP versions. The links go with the process that has them. */
static int attach_netfilter(int fd, const char *hook)
{
	struct {
		__u32 prog_fd, target, attach_type, flags, family, hook;
		__s32 priority;
		__u32 netfilter_flags;
	} attr = {.prog_fd = (__u32)fd, .attach_type = NETFILTER, .priority = NETFILTER_PRIORITY};
	static const __u32 families[] = {2, 10}; /* NFPROTO_IPV4, NFPROTO_IPV6 */

	if (strcmp(hook, "input") && strcmp(hook, "forward"))
		return -EINVAL;
	attr.hook = !strcmp(hook, "input") ? 1 : 2;
	for (int i = 0; i < 2; i++) {
		attr.family = families[i];
		attr.priority = NETFILTER_PRIORITY;
		while (syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr)) < 0) {
			if (errno != EBUSY || attr.priority == 0)
				return -errno;
			attr.priority++; /* each has one of its own */
		}
	}
	return 0;
}

/* The child keeps the links; whoever started us goes on. */
static int stay(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid > 0) {
		printf("%d\n", (int)pid);
		return 0;
	}
	if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
		exit(1);
	for (;;)
		pause();
}

/* Kernels before 6.4 have no netfilter programs, and libbpf 1.1 no name for them. */
static void load_only(struct programs_bpf *skel, struct bpf_program *wanted, bool netfilter)
{
	struct bpf_program *program;

	bpf_object__for_each_program (program, skel->obj)
		bpf_program__set_autoload(program, program == wanted);
	if (netfilter) {
		bpf_program__set_type(wanted, PROG_TYPE_NETFILTER);
		bpf_program__set_expected_attach_type(wanted, NETFILTER);
	}
}

static int load_and_attach(const char *hook, const char *device, int ifindex, const char *name, const char *port)
{
	struct programs_bpf *skel = programs_bpf__open();
	struct bpf_program *program = skel ? bpf_object__find_program_by_name(skel->obj, name) : NULL;
	int ret = program ? 0 : -ENOENT;

	if (!ret) {
		skel->rodata->port = (unsigned short)atoi(port);
		load_only(skel, program, !ifindex);
		ret = programs_bpf__load(skel);
	}
	if (!ret)
		ret = ifindex ? attach(hook, ifindex, bpf_program__fd(program))
		              : attach_netfilter(bpf_program__fd(program), device);
	if (!ret && !ifindex)
		ret = stay();
	programs_bpf__destroy(skel);
	return ret ? fail(hook, device, -ret) : 0;
}

static bool is_of_the_lab(int fd)
{
	static const char *const names[] = {"drop_port", "steal_port", "accept_port", "erase_port", "idle"};
	struct bpf_prog_info info = {0};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(info.name, names[i]))
			return true;
	return false;
}

static void detach_tcx(int ifindex, int type)
{
	__u32 ids[PROGRAMS_MAX];
	LIBBPF_OPTS(bpf_prog_query_opts, opts, .prog_ids = ids, .prog_cnt = PROGRAMS_MAX);

	if (bpf_prog_query_opts(ifindex, type, &opts))
		return;
	for (__u32 i = 0; i < opts.prog_cnt; i++) {
		int fd = bpf_prog_get_fd_by_id(ids[i]);

		if (fd < 0)
			continue;
		if (is_of_the_lab(fd))
			bpf_prog_detach2(fd, ifindex, type);
		close(fd);
	}
}

/* A hook that was not in use makes no error: `off` mends whatever there is. */
static void detach_all(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	libbpf_set_print(NULL);
	detach_tcx(ifindex, TCX_INGRESS);
	detach_tcx(ifindex, TCX_EGRESS);
	bpf_tc_hook_destroy(&hook);
	bpf_xdp_detach(ifindex, XDP_FLAGS_SKB_MODE, NULL);
	bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL);
}

int main(int argc, char **argv)
{
	bool netfilter = argc > 2 && !strcmp(argv[1], "netfilter");
	int ifindex = argc > 2 && !netfilter ? (int)if_nametoindex(argv[2]) : 0;

	if (argc > 2 && !netfilter && !ifindex)
		return fail("find device", argv[2], errno);
	if (argc == 3 && !strcmp(argv[1], "off")) {
		detach_all(ifindex);
		return 0;
	}
	if (argc == 4 || argc == 5)
		return load_and_attach(argv[1], argv[2], ifindex, argv[3], argc == 5 ? argv[4] : "53");
	fprintf(stderr, "usage: lab-program HOOK DEVICE PROGRAM [PORT] | lab-program off DEVICE\n"
	                "       lab-program netfilter HOOK PROGRAM [PORT]\n");
	return 2;
}
