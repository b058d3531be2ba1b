// SPDX-License-Identifier: BSD-3-Clause
/*
 * BPF programs at netfilter's hooks. The kernel drops what they say in nf_hook_slow(), as it does for everybody who has
 * a hook there; so this is asked last, when the others that can be asked cannot have done it.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datapath/linux/inspect/inspectors.h"
#include "datapath/linux/inspect/nf_links.h"
#include "datapath/linux/inspect/suspects.h"
#include "nf_links.skel.h"

#define LINKS_MAX 256 /* read at a time */

static const char *hook_name(uint32_t hook)
{
	static const char *const names[] = {"prerouting", "input", "forward", "output", "postrouting"};

	return hook < sizeof(names) / sizeof(names[0]) ? names[hook] : "unknown";
}

static void link_suspect(const struct nf_link *link, uint32_t netns, uint32_t family, struct suspects *suspects)
{
	char name[48];

	if (link->netns == netns && link->family == family && !program_is_ours(link->program))
		suspects_add(suspects, "BPF program %s at hook %s (priority %d)",
		             program_name(link->program, name, sizeof(name)), hook_name(link->hook), link->priority);
}

/* The links of this namespace and family; false if the kernel cannot list them. */
static bool links_suspect(uint32_t family, struct suspects *suspects)
{
	struct nf_links_bpf *skel = nf_links_bpf__open_and_load();
	struct nf_link links[LINKS_MAX];
	int link = -1, fd = -1;
	struct stat netns;
	ssize_t n = -1;

	if (skel && !stat("/proc/thread-self/ns/net", &netns))
		link = bpf_link_create(bpf_program__fd(skel->progs.list), 0, BPF_TRACE_ITER, NULL);
	if (link >= 0)
		fd = bpf_iter_create(link);
	while (fd >= 0 && (n = read(fd, links, sizeof(links))) > 0) {
		for (size_t i = 0; i < (size_t)n / sizeof(links[0]); i++)
			link_suspect(&links[i], (uint32_t)netns.st_ino, family, suspects);
	}
	if (fd >= 0)
		close(fd);
	if (link >= 0)
		close(link);
	nf_links_bpf__destroy(skel);
	return fd >= 0 && n == 0;
}

/* Others that may drop at a hook and are not asked: IPVS, SELinux; and ebtables-legacy where there are bridges. */
static bool others_may_have(struct rtnl *rt, const struct drop *drop)
{
	FILE *file = fopen("/sys/fs/selinux/enforce", "re");
	bool enforced = file && fgetc(file) == '1';
	struct rtnl_link link;

	if (file)
		fclose(file);
	return enforced || !access("/proc/thread-self/net/ip_vs", F_OK) ||
	       rtnl_link(rt, drop->rec->ifindex, &link) < 0 || link.bridge_port;
}

int nf_programs_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	uint32_t family = drop_fib_key(drop).family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;
	enum vt_cause cause = drop_is_outer(drop) ? VT_CAUSE_UNDERLAY_FILTERED : VT_CAUSE_POLICY_BPF;
	struct suspects suspects = {0};
	char more[32] = "";

	if (strcmp(drop->function, "nf_hook_slow") || !links_suspect(family, &suspects) || !suspects.count)
		return 0;
	if (others_may_have(rt, drop))
		return drop_unsure(finding, "perhaps %s, one of %u such here", suspects.names[0], suspects.count);
	if (suspects.count == 1)
		return drop_found(finding, cause, "%s dropped the packet", suspects.names[0]);
	if (suspects.count > 2)
		snprintf(more, sizeof(more), "; and %u more", suspects.count - 2);
	return drop_found(finding, cause, "one of these dropped the packet: %s; %s%s", suspects.names[0],
	                  suspects.names[1], more);
}
