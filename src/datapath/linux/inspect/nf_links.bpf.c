// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * Lists the BPF programs at netfilter's hooks (links, kernel 6.4) with the network namespace that each is in, which no
 * other interface tells: a BPF iterator over all links of the machine. It is run once a question (nf_programs.c) and
 * hooks nothing.
 */
#include "datapath/linux/bpf/vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "datapath/linux/inspect/nf_links.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum bpf_link_type { BPF_LINK_TYPE_NETFILTER = 10 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct bpf_prog_aux {
	__u32 id;
};
struct bpf_prog {
	struct bpf_prog_aux *aux;
};
struct bpf_link {
	enum bpf_link_type type;
	struct bpf_prog *prog;
};
struct nf_hook_ops {
	__u8 pf;
	unsigned int hooknum;
	int priority;
};
struct bpf_nf_link {
	struct bpf_link link;
	struct nf_hook_ops hook_ops;
	struct net *net;
};
struct seq_file {
	unsigned long count;
};
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__bpf_link {
	struct bpf_iter_meta *meta;
	struct bpf_link *link;
};
#pragma clang attribute pop

SEC("iter/bpf_link")
int list(struct bpf_iter__bpf_link *ctx)
{
	struct bpf_nf_link *link = (struct bpf_nf_link *)ctx->link;
	struct nf_link line = {};

	if (!link || BPF_CORE_READ(link, link.type) != BPF_LINK_TYPE_NETFILTER)
		return 0;
	line.netns = BPF_CORE_READ(link, net, ns.inum);
	line.program = BPF_CORE_READ(link, link.prog, aux, id);
	line.family = BPF_CORE_READ(link, hook_ops.pf);
	line.hook = BPF_CORE_READ(link, hook_ops.hooknum);
	line.priority = BPF_CORE_READ(link, hook_ops.priority);
	bpf_seq_write(ctx->meta->seq, &line, sizeof(line));
	return 0;
}
