// SPDX-License-Identifier: BSD-3-Clause
/* The words of the contract for small enums: kinds of VFD, states of a trace, ends of a packet's path. */
#include <errno.h>
#include <string.h>

#include "core/result.h"

const char *vt_kind_name(enum vt_kind kind)
{
	switch (kind) {
	case VT_KIND_VSWITCH:
		return "vswitch";
	case VT_KIND_VROUTER:
		return "vrouter";
	}
	return "unknown";
}

int vt_kind_parse(const char *name, enum vt_kind *kind)
{
	for (enum vt_kind k = VT_KIND_VSWITCH; k <= VT_KIND_VROUTER; k++)
		if (!strcmp(name, vt_kind_name(k))) {
			*kind = k;
			return 0;
		}
	return -EINVAL;
}

const char *vt_state_name(enum vt_state state)
{
	switch (state) {
	case VT_NEW:
		return "new";
	case VT_READY:
		return "ready";
	case VT_TRACING:
		return "tracing";
	case VT_ANALYZING:
		return "analyzing";
	case VT_DONE:
		return "done";
	case VT_CANCELLED:
		return "cancelled";
	case VT_FAILED:
		return "failed";
	}
	return "unknown";
}

int vt_state_parse(const char *name, enum vt_state *state)
{
	for (enum vt_state s = VT_NEW; s <= VT_FAILED; s++)
		if (!strcmp(name, vt_state_name(s))) {
			*state = s;
			return 0;
		}
	return -EINVAL;
}

bool vt_state_final(enum vt_state state)
{
	return state == VT_DONE || state == VT_CANCELLED || state == VT_FAILED;
}

const char *vt_end_name(enum vt_end end)
{
	switch (end) {
	case VT_DELIVERED:
		return "delivered";
	case VT_DROPPED:
		return "dropped";
	case VT_LOST:
		return "lost";
	case VT_UNFINISHED:
		return "unfinished";
	}
	return "unknown";
}
