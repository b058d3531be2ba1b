// SPDX-License-Identifier: BSD-3-Clause
/* The reasons of drops that a device told, each once; a record has a reason's number. Any thread adds, none waits to
 * read. */
#ifndef VT_VDG_WHYS_H
#define VT_VDG_WHYS_H

#include <stdint.h>

#include "core/log.h"

struct why {
	enum vt_cause cause;
	char reason[VT_REASON_MAX];
	char site[VT_SITE_MAX];
	char evidence[VT_EVIDENCE_MAX];
};

struct whys;

struct whys *whys_new(void); /* NULL without memory */
void whys_free(struct whys *whys);
uint32_t whys_add(struct whys *whys, const struct why *why); /* `why` without stray bytes behind its texts; 0: full */
const struct why *whys_get(const struct whys *whys, uint32_t number); /* NULL for 0 and numbers that were not given */
unsigned int whys_count(const struct whys *whys);

#endif
