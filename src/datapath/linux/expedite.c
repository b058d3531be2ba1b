// SPDX-License-Identifier: BSD-3-Clause
/* See expedite.h. A lock on the switch keeps two agents on one kernel from taking each other's 1 for the value to restore. */
#include "datapath/linux/expedite.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Closes all descriptors from 3 on but two. */
static void close_others(unsigned int a, unsigned int b)
{
	unsigned int low = a < b ? a : b, high = a < b ? b : a;

	if (low > 3)
		syscall(SYS_close_range, 3, low - 1, 0);
	if (high > low + 1)
		syscall(SYS_close_range, low + 1, high - 1, 0);
	syscall(SYS_close_range, high + 1, ~0U, 0);
}

static void set(int knob, char value)
{
	ssize_t ignored = pwrite(knob, &value, 1, 0);

	(void)ignored;
}

/* The child: waits until the parent has closed its end of the pipe or is no more. After fork(), so only system calls. */
static void guard(int knob, int parent)
{
	char byte;

	/* Nothing else of the parent's may live on in here, least of all BPF links. */
	close_others(knob, parent);
	while (read(parent, &byte, 1) > 0)
		;
	set(knob, '0');
	_exit(0);
}

void expedite_begin(struct expedite *e)
{
	int ends[2];
	char value = '1';

	e->knob = open("/sys/kernel/rcu_expedited", O_RDWR | O_CLOEXEC);
	if (e->knob < 0)
		return;
	if (flock(e->knob, LOCK_EX) || pread(e->knob, &value, 1, 0) != 1 || value != '0' || pipe2(ends, O_CLOEXEC)) {
		close(e->knob);
		e->knob = -1;
		return;
	}
	e->child = fork();
	if (!e->child) {
		close(ends[1]);
		guard(e->knob, ends[0]);
	}
	close(ends[0]);
	e->alive = ends[1];
	if (e->child > 0)
		set(e->knob, '1');
}

void expedite_end(struct expedite *e)
{
	if (e->knob < 0)
		return;
	set(e->knob, '0');
	close(e->alive);
	if (e->child > 0)
		waitpid(e->child, NULL, 0);
	close(e->knob);
	e->knob = -1;
}
