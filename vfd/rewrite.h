/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Headers of tenants' packets changed in place, with their checksums: a hop less to live, NAT.
 */
#ifndef VFD_REWRITE_H
#define VFD_REWRITE_H

#include "device.h"

/* One hop less to live. */
void rewrite_hop(struct packet *p);

/* As the translation of p->entry says; and back to what p->key has, for an error to the sender that quotes it. */
void rewrite_nat(struct worker *w, struct packet *p);
void rewrite_back(struct packet *p);

#endif
