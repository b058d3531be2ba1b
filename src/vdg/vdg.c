// SPDX-License-Identifier: BSD-3-Clause
/* A device from vdg_open() to vdg_close(); see vtrace/vdg.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "vdg/state.h"

#define RING_DEFAULT 65536 /* records of 152 bytes: 10 MB a worker, of which only what was used is there */
#define RING_MAX     (1 << 24)
#define WAIT_NS      VT_MSEC_NS       /* while somebody waits for the workers to turn */
#define DRAIN_NS     (2 * VT_MSEC_NS) /* while tasks are installed: adds at most 2 ms to a verdict */

static int failed(char *error, int code, const char *text)
{
	if (error)
		vt_text_copy(error, VDG_ERROR_MAX, text);
	return -code;
}

static int check_config(const struct vdg_config *config, char *error)
{
	if (!config->workers || config->workers > VDG_WORKERS_MAX)
		return failed(error, EINVAL, "a device has 1 to 64 workers");
	if (config->ring > RING_MAX)
		return failed(error, EINVAL, "a ring has at most 16777216 records");
	if (!config->socket)
		return failed(error, EINVAL, "a device needs the name of a socket");
	return 0;
}

static bool worker_init(struct vdg *vdg, struct vdg_worker *worker, unsigned int size)
{
	worker->vdg = vdg;
	worker->ring.mask = size - 1;
	worker->ring.entries = calloc(size, sizeof(*worker->ring.entries));
	turn_idle(&worker->turn); /* until it begins to turn */
	return worker->ring.entries;
}

static bool open_memory(struct vdg *vdg, const struct vdg_config *config)
{
	unsigned int size = 1;

	while (size < (config->ring ? config->ring : RING_DEFAULT))
		size *= 2;
	vdg->path = strdup(config->socket);
	vdg->whys = whys_new();
	vdg->items = calloc(VT_BATCH_ITEMS_MAX, sizeof(*vdg->items));
	vdg->workers = aligned_alloc(64, config->workers * sizeof(*vdg->workers));
	if (!vdg->path || !vdg->whys || !vdg->items || !vdg->workers || !tasks_init(&vdg->tasks))
		return false;
	memset(vdg->workers, 0, config->workers * sizeof(*vdg->workers));
	vdg->config.workers = config->workers; /* so that vdg_close() frees what there is */
	for (unsigned int i = 0; i < config->workers; i++)
		if (!worker_init(vdg, &vdg->workers[i], size))
			return false;
	return true;
}

static void copy_name(char *to, size_t size, const char *from)
{
	vt_text_copy(to, size, from ? from : "");
	vt_text_clean(to);
}

int vdg_open(struct vdg **ret, const struct vdg_config *config, char *error)
{
	struct vdg *vdg;
	int code = check_config(config, error);

	if (code)
		return code;
	vdg = aligned_alloc(64, sizeof(*vdg));
	if (!vdg)
		return failed(error, ENOMEM, "out of memory");
	memset(vdg, 0, sizeof(*vdg));
	vdg->link.listener = vdg->link.agent = vdg->link.epoll = vdg->link.timer = -1;
	vdg->config.changed = config->changed;
	vdg->config.arg = config->arg;
	copy_name(vdg->node.datapath, sizeof(vdg->node.datapath), config->name);
	copy_name(vdg->node.version, sizeof(vdg->node.version), config->version);
	code = open_memory(vdg, config) ? link_open(vdg, error) : failed(error, ENOMEM, "out of memory");
	if (code)
		vdg_close(vdg);
	else
		*ret = vdg;
	return code;
}

void vdg_close(struct vdg *vdg)
{
	if (!vdg)
		return;
	link_close(vdg);
	node_done(vdg);
	whys_free(vdg->whys);
	tasks_done(&vdg->tasks);
	for (unsigned int i = 0; i < vdg->config.workers; i++)
		free(vdg->workers[i].ring.entries);
	free(vdg->workers);
	free(vdg->items);
	free(vdg->path);
	free(vdg);
}

int vdg_fd(const struct vdg *vdg)
{
	return vdg->link.epoll;
}

static uint64_t next_tick(const struct vdg *vdg)
{
	if (control_waits(vdg))
		return WAIT_NS;
	return atomic_load(&vdg->tasks.n) ? DRAIN_NS : 0;
}

void vdg_poll(struct vdg *vdg)
{
	link_accept(vdg);
	control_run(vdg);
	drain_rings(vdg);
	link_flush(vdg);
	link_tick(vdg, next_tick(vdg));
}

bool vdg_busy(const struct vdg *vdg)
{
	return next_tick(vdg) != 0;
}

struct vdg_worker *vdg_worker(struct vdg *vdg, unsigned int number)
{
	return number < vdg->config.workers ? &vdg->workers[number] : NULL;
}

uint32_t vdg_why(struct vdg *vdg, const char *code, const char *reason, const char *site, const char *evidence)
{
	struct why why = {.cause = code ? vt_cause_by_code(code) : VT_CAUSE_NONE};

	if (!why.cause)
		return 0;
	copy_name(why.reason, sizeof(why.reason), reason);
	copy_name(why.site, sizeof(why.site), site);
	copy_name(why.evidence, sizeof(why.evidence), evidence);
	return whys_add(vdg->whys, &why);
}

void vdg_stats(const struct vdg *vdg, struct vdg_stats *stats)
{
	*stats = (struct vdg_stats){.tasks = atomic_load(&vdg->tasks.n),
	                            .sets = atomic_load(&vdg->tasks.sets->n),
	                            .whys = whys_count(vdg->whys),
	                            .agent = vdg->greeted,
	                            .lost = drain_lost(vdg)};
	for (unsigned int i = 0; i < vdg->config.workers; i++) {
		const struct vdg_worker *worker = &vdg->workers[i];
		uint64_t unparsed = atomic_load_explicit(&worker->unparsed, memory_order_relaxed);

		stats->records += atomic_load_explicit(&worker->ring.head, memory_order_relaxed);
		stats->unparsed += unparsed;
		stats->lost -= unparsed;
	}
}
