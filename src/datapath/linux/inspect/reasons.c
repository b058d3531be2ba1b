// SPDX-License-Identifier: BSD-3-Clause
/* Drop reasons from BTF; see reasons.h. The BTF itself (5 MB) is not kept, only the names. */
#include "datapath/linux/inspect/reasons.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_PREFIX "SKB_DROP_REASON_"
#define REASONS_MAX   1024 /* core reasons; 6.18 has 128, and from 65536 on other subsystems number theirs */
#define REASON_NAME   48   /* longest name in 6.18 is 35 characters */

struct reasons {
	unsigned int count;
	char names[][REASON_NAME];
};

static const char *reason_strip(const char *name)
{
	size_t n = strlen(REASON_PREFIX);

	return strncmp(name, REASON_PREFIX, n) ? name : name + n;
}

static struct reasons *reasons_from(const struct btf *btf, const struct btf_type *type)
{
	const struct btf_enum *value = btf_enum(type);
	struct reasons *reasons;
	unsigned int count = 0;

	for (unsigned int i = 0; i < btf_vlen(type); i++) {
		if ((uint32_t)value[i].val < REASONS_MAX && (uint32_t)value[i].val >= count)
			count = (uint32_t)value[i].val + 1;
	}
	reasons = calloc(1, sizeof(*reasons) + count * sizeof(reasons->names[0]));
	if (!reasons)
		return NULL;
	reasons->count = count;
	for (unsigned int i = 0; i < btf_vlen(type); i++) {
		if ((uint32_t)value[i].val < count)
			snprintf(reasons->names[value[i].val], REASON_NAME, "%s",
			         reason_strip(btf__name_by_offset(btf, value[i].name_off)));
	}
	return reasons;
}

int reasons_open(struct reasons **ret, struct vt_err *err)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id;

	if (!btf)
		return vt_fail(
		    err, errno ? errno : ENOENT,
		    "read BTF of the running kernel: %s (needs /sys/kernel/btf/vmlinux, CONFIG_DEBUG_INFO_BTF)",
		    strerror(errno));
	id = btf__find_by_name_kind(btf, "skb_drop_reason", BTF_KIND_ENUM);
	if (id < 0) {
		btf__free(btf);
		return vt_fail(err, ENOENT,
		               "find enum skb_drop_reason in the kernel's BTF: not there (needs kernel 5.17)");
	}
	*ret = reasons_from(btf, btf__type_by_id(btf, id));
	btf__free(btf);
	if (!*ret)
		return vt_fail(err, ENOMEM, "keep the names of drop reasons: out of memory");
	return 0;
}

void reasons_close(struct reasons *reasons)
{
	free(reasons);
}

void reasons_name(const struct reasons *reasons, uint32_t number, char *buf, size_t size)
{
	if (number < reasons->count && reasons->names[number][0])
		snprintf(buf, size, "%s", reasons->names[number]);
	else
		snprintf(buf, size, "REASON_0x%x", number);
}

int reasons_number(const struct reasons *reasons, const char *name)
{
	for (unsigned int i = 0; i < reasons->count; i++) {
		if (!strcmp(reasons->names[i], name))
			return (int)i;
	}
	return -ENOENT;
}
