// SPDX-License-Identifier: BSD-3-Clause
/* Scripts in memory and from files; see script.h. */
#include "datapath/fake/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/result.h"

int script_node(struct script *script, const char *name)
{
	for (unsigned int i = 0; i < script->n_nodes; i++)
		if (!strcmp(script->nodes[i], name))
			return (int)i;
	if (script->n_nodes == SCRIPT_NODES_MAX)
		return -ENOSPC;
	snprintf(script->nodes[script->n_nodes], VT_NODE_MAX, "%s", name);
	return (int)script->n_nodes++;
}

int script_add(struct script *script, const char *node, const struct vt_log *log)
{
	int index = script_node(script, node);

	if (index < 0)
		return index;
	if (script->n_lines == script->room) {
		size_t room = script->room ? 2 * script->room : 64;
		struct script_line *grown;

		if (script->n_lines == SCRIPT_LINES_MAX)
			return -ENOSPC;
		grown = realloc(script->lines, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		script->lines = grown;
		script->room = room;
	}
	script->lines[script->n_lines++] = (struct script_line){.node = (unsigned int)index, .log = *log};
	return 0;
}

static int script_line(struct script *script, const char *path, size_t number, const char *text, struct vt_err *err)
{
	char node[VT_NODE_MAX] = "";
	json_error_t at;
	json_t *json = json_loads(text, 0, &at);
	struct vt_log log;
	uint64_t boot;
	int ret = 0;

	if (!json)
		return vt_fail(err, EBADMSG, "%s line %zu: %s", path, number, at.text);
	if (json_object_get(json, "packet_id") && json_object_get(json, "loc")) {
		ret = vt_log_from_json(json, &log, node, &boot, err);
		if (ret < 0)
			vt_fail_in(err, "%s line %zu", path, number);
		else
			ret = script_add(script, node, &log);
		if (ret == -ENOSPC)
			vt_fail(err, ENOSPC, "%s line %zu: more than %d records or %d nodes", path, number,
			        SCRIPT_LINES_MAX, SCRIPT_NODES_MAX);
		else if (ret == -ENOMEM)
			vt_fail(err, ENOMEM, "%s line %zu: out of memory", path, number);
	}
	json_decref(json);
	return ret;
}

int script_load(struct script *script, const char *path, struct vt_err *err)
{
	FILE *file = fopen(path, "re");
	size_t number = 0, room = 0;
	char *text = NULL;
	int ret = 0;

	if (!file)
		return vt_fail(err, errno, "cannot read the record file %s: %s", path, strerror(errno));
	while (!ret && getline(&text, &room, file) >= 0) {
		number++;
		if (text[strspn(text, " \t\r\n")])
			ret = script_line(script, path, number, text, err);
	}
	if (!ret && ferror(file))
		ret = vt_fail(err, EIO, "reading the record file %s failed after line %zu", path, number);
	free(text);
	fclose(file);
	return ret;
}

void script_done(struct script *script)
{
	free(script->lines);
	*script = (struct script){0};
}
