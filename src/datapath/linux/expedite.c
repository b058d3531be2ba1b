// SPDX-License-Identifier: BSD-3-Clause
/*
 * See expedite.h. A lock keeps two agents on one kernel from taking each other's 1 for the value to
 * restore. The guard knows by shared memory whether a time is open, so that it costs nothing to begin one.
 */
#include "datapath/linux/expedite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SWITCH "/sys/kernel/rcu_expedited"
/* Not the switch itself: each network namespace that `ip netns exec` enters has a sysfs, and so inodes, of its own. */
#define LOCK       "/run/vtrace.lock"
#define LOCK_TRIES 100 /* of 1 ms: many times what attaching to a large host takes */

struct expedite {
	int knob;
	int lock;
	int alive; /* our end of the pipe by which the guard sees us end */
	pid_t guard;
	bool *changed; /* shared with the guard: the switch is at 1 and was at 0 */
};

static void set(int knob, char value)
{
	ssize_t ignored = pwrite(knob, &value, 1, 0);

	(void)ignored;
}

/* Runs until the other end of `parent` is closed, that is, until we have ended in whatever way. */
static _Noreturn void guard_run(int parent, const bool *changed)
{
	char byte;
	int knob;

	prctl(PR_SET_NAME, "vtrace-guard");
	signal(SIGINT, SIG_IGN); /* from a terminal they come to us both */
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (parent != 0)
		dup2(parent, 0);
	syscall(SYS_close_range, 1, ~0U, 0);
	while (read(0, &byte, 1) > 0)
		;
	if (__atomic_load_n(changed, __ATOMIC_ACQUIRE)) {
		knob = open(SWITCH, O_RDWR | O_CLOEXEC);
		set(knob, '0');
	}
	_exit(0);
}

static bool guard_start(struct expedite *e)
{
	int ends[2];

	e->changed = mmap(NULL, sizeof(bool), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (e->changed == MAP_FAILED)
		return false;
	if (pipe2(ends, O_CLOEXEC)) {
		munmap(e->changed, sizeof(bool));
		return false;
	}
	e->guard = fork();
	if (!e->guard) {
		close(ends[1]);
		guard_run(ends[0], e->changed);
	}
	close(ends[0]);
	e->alive = ends[1];
	return true;
}

static void close_files(struct expedite *e)
{
	if (e->knob >= 0)
		close(e->knob);
	if (e->lock >= 0)
		close(e->lock);
}

struct expedite *expedite_open(void)
{
	struct expedite *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->knob = open(SWITCH, O_RDWR | O_CLOEXEC);
	e->lock = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (e->knob >= 0 && e->lock >= 0 && guard_start(e))
		return e;
	close_files(e);
	free(e);
	return NULL;
}

void expedite_close(struct expedite *e)
{
	if (!e)
		return;
	close(e->alive);
	if (e->guard > 0)
		waitpid(e->guard, NULL, 0);
	munmap(e->changed, sizeof(bool));
	close_files(e);
	free(e);
}

/* Another agent needs some milliseconds. One that was stopped in the middle must not stop us: then we go slowly. */
static bool lock_soon(int lock)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (!flock(lock, LOCK_EX | LOCK_NB))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

void expedite_begin(struct expedite *e)
{
	char value = '1';

	if (!e || e->guard < 0 || !lock_soon(e->lock))
		return;
	if (pread(e->knob, &value, 1, 0) != 1 || value != '0')
		return; /* the administrator has set it for good */
	__atomic_store_n(e->changed, true, __ATOMIC_RELEASE);
	set(e->knob, '1');
}

void expedite_end(struct expedite *e)
{
	if (!e)
		return;
	if (*e->changed)
		set(e->knob, '0');
	__atomic_store_n(e->changed, false, __ATOMIC_RELEASE);
	flock(e->lock, LOCK_UN);
}
