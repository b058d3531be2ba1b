// SPDX-License-Identifier: BSD-3-Clause
/*
 * The one table of causes: code, class, what it means, what proves it, what to do next. It feeds the enum here, the
 * JSON, `vtrace explain`, GET /v1/causes and docs/causes.md. The rows are in core/cause_table.h (X-macro
 * VT_CAUSE_TABLE). Codes and classes are fixed by the contract and never change meaning.
 */
#ifndef VT_CORE_CAUSE_H
#define VT_CORE_CAUSE_H

#include <stddef.h>
#include "core/cause_table.h"

enum vt_cause_class {
	VT_CLASS_RATE_LIMIT = 1,
	VT_CLASS_SECURITY_POLICY,
	VT_CLASS_TENANT_CONFIG,
	VT_CLASS_UNSUPPORTED,
	VT_CLASS_UNKNOWN,
	VT_CLASS_INFRASTRUCTURE,
	VT_CLASS_HOST_RESOURCE,
	VT_CLASS_ENDPOINT,
	VT_CLASS_MALFORMED,
};

enum vt_cause {
	VT_CAUSE_NONE = 0,
#define X(id, name, class, meaning, evidence, next_step) VT_CAUSE_##id,
	VT_CAUSE_TABLE(X)
#undef X
	    VT_CAUSE_COUNT
};

struct vt_cause_info {
	const char *code; /* "policy-nft-rule" */
	enum vt_cause_class class;
	const char *meaning;   /* a sentence: what happened to the packet */
	const char *evidence;  /* a sentence: what VTrace saw that makes it say so */
	const char *next_step; /* a sentence that names the command to look with; %n node, %d device are replaced */
};

/* NULL for VT_CAUSE_NONE and numbers out of range. */
const struct vt_cause_info *vt_cause_info(enum vt_cause cause);
enum vt_cause vt_cause_by_code(const char *code);           /* VT_CAUSE_NONE if there is no such code */
const char *vt_cause_class_name(enum vt_cause_class class); /* "security-policy" */

/* Writes the next step for a place, with node and device filled in; always NUL-terminated. */
void vt_cause_next_step(enum vt_cause cause, const char *node, const char *device, char *buf, size_t size);

#endif
