// SPDX-License-Identifier: BSD-3-Clause
/* The tasks of an agent, a plain array: commands are rare, a few hundred entries are searched in a microsecond. */
#include "agent/task_table.h"

#include <string.h>

struct task_entry *task_table_find(struct task_table *table, uint32_t id)
{
	for (unsigned int i = 0; i < table->n; i++)
		if (table->entries[i].id == id)
			return &table->entries[i];
	return NULL;
}

struct task_entry *task_table_add(struct task_table *table, uint32_t id)
{
	struct task_entry *entry;

	if (table->n == TASK_TABLE_MAX)
		return NULL;
	entry = &table->entries[table->n++];
	*entry = (struct task_entry){.id = id};
	return entry;
}

void task_table_remove(struct task_table *table, struct task_entry *entry)
{
	memmove(entry, entry + 1, (size_t)(table->entries + --table->n - entry) * sizeof(*entry));
}
