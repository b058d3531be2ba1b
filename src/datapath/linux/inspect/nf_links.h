/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* What the BPF iterator of nf_links.bpf.c writes, one a link; shared with it. */
#ifndef VT_DATAPATH_LINUX_INSPECT_NF_LINKS_H
#define VT_DATAPATH_LINUX_INSPECT_NF_LINKS_H

struct nf_link {
	__u32 netns;    /* inode number of its network namespace */
	__u32 program;  /* id */
	__u32 family;   /* NFPROTO_IPV4 or NFPROTO_IPV6 */
	__u32 hook;     /* NF_INET_* */
	__s32 priority; /* among the hook's others */
};

#endif
