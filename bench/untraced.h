// SPDX-License-Identifier: BSD-3-Clause
/* A worker's turn by the forwarding code that has no VTrace in it. */
#ifndef BENCH_UNTRACED_H
#define BENCH_UNTRACED_H

#include "vfd/device.h"

unsigned int worker_turn_untraced(struct worker *w); /* worker_turn() */

#endif
