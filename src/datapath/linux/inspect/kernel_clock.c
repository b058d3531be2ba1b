// SPDX-License-Identifier: BSD-3-Clause
/* See kernel_clock.h. */
#include "datapath/linux/inspect/kernel_clock.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"

/* timens_offsets is about the namespace for children: another one than ours between unshare and fork (or exec, 6.3). */
static bool is_ours(void)
{
	struct stat ours, childrens;

	return !stat("/proc/self/ns/time", &ours) && !stat("/proc/self/ns/time_for_children", &childrens) &&
	       ours.st_ino == childrens.st_ino;
}

int64_t kernel_clock_shift_ns(void)
{
	FILE *file = is_ours() ? fopen("/proc/self/timens_offsets", "re") : NULL;
	int64_t seconds = 0, ns = 0;

	if (!file)
		return 0; /* a kernel without time namespaces: before 5.6, or built so */
	if (fscanf(file, "monotonic %" SCNd64 " %" SCNd64, &seconds, &ns) != 2)
		seconds = ns = 0;
	fclose(file);
	return seconds * (int64_t)VT_SECOND_NS + ns;
}
