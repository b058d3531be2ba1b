// SPDX-License-Identifier: BSD-3-Clause
/*
 * The forwarding code of vtrace-vfd compiled without VTrace (VFD_TRACE 0), as one function that bench-vfd gives the
 * same device to as to the code with VTrace: the two differ in nothing but the code.
 */
#include "bench/untraced.h"

__attribute__((visibility("default"))) unsigned int worker_turn_untraced(struct worker *w)
{
	return worker_turn(w);
}
