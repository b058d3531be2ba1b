/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads JSON by path, see reader.h.
 */
#include "reader.h"

#include <stdarg.h>
#include <stdio.h>

bool reader_failed(const struct reader *r)
{
	return r->error[0];
}

void node_fail(const struct node *n, const char *fmt, ...)
{
	struct reader *r = n->reader;
	va_list args;
	int used;

	if (reader_failed(r))
		return;
	used = snprintf(r->error, r->size, "%s: ", n->path[0] ? n->path : "file");
	va_start(args, fmt);
	vsnprintf(r->error + used, r->size - (size_t)used, fmt, args);
	va_end(args);
}

struct node node_field(const struct node *n, const char *key)
{
	struct node field = {.reader = n->reader, .json = json_object_get(n->json, key)};

	snprintf(field.path, sizeof(field.path), "%.120s%s%.36s", n->path, n->path[0] ? "." : "", key);
	return field;
}

struct node node_item(const struct node *n, size_t i)
{
	struct node item = {.reader = n->reader, .json = json_array_get(n->json, i)};

	snprintf(item.path, sizeof(item.path), "%.130s[%zu]", n->path, i);
	return item;
}

size_t node_count(const struct node *n, size_t max)
{
	if (!n->json)
		return 0;
	if (!json_is_array(n->json)) {
		node_fail(n, "must be a list");
		return 0;
	}
	if (json_array_size(n->json) > max) {
		node_fail(n, "has %zu items, at most %zu are possible", json_array_size(n->json), max);
		return 0;
	}
	return json_array_size(n->json);
}

void node_only(const struct node *n, const char *const *keys)
{
	const char *key;
	json_t *value;

	if (!json_is_object(n->json)) {
		node_fail(n, "must be an object");
		return;
	}
	json_object_foreach (n->json, key, value) {
		const char *const *known = keys;

		while (*known && strcmp(*known, key))
			known++;
		if (!*known) {
			struct node field = node_field(n, key);

			node_fail(&field, "is not known here");
		}
	}
}

static const char *text_of(const struct node *field, bool must)
{
	if (!field->json) {
		if (must)
			node_fail(field, "is missing");
		return NULL;
	}
	if (!json_is_string(field->json))
		node_fail(field, "must be a text");
	return json_string_value(field->json);
}

bool node_text(const struct node *n, const char *key, bool must, char *ret, size_t size)
{
	struct node field = node_field(n, key);
	const char *text = text_of(&field, must);

	if (!text)
		return false;
	if (!*text || strlen(text) >= size) {
		node_fail(&field, "must have 1 to %zu characters", size - 1);
		return false;
	}
	strcpy(ret, text);
	return true;
}

bool node_number(const struct node *n, const char *key, bool must, uint64_t min, uint64_t max, uint64_t *ret)
{
	struct node field = node_field(n, key);
	json_int_t value = json_integer_value(field.json);

	if (!field.json) {
		if (must)
			node_fail(&field, "is missing");
		return false;
	}
	if (!json_is_integer(field.json) || value < 0 || (uint64_t)value < min || (uint64_t)value > max) {
		node_fail(&field, "must be a number from %llu to %llu", (unsigned long long)min,
		          (unsigned long long)max);
		return false;
	}
	*ret = (uint64_t)value;
	return true;
}

bool node_addr(const struct node *n, const char *key, bool must, struct addr *ret)
{
	struct node field = node_field(n, key);
	const char *text = text_of(&field, must);

	if (text && !addr_parse(text, ret))
		node_fail(&field, "'%s' is not an IP address", text);
	return text && !reader_failed(n->reader);
}

bool node_prefix(const struct node *n, const char *key, bool must, struct prefix *ret)
{
	struct node field = node_field(n, key);
	const char *text = text_of(&field, must);

	if (text && !prefix_parse(text, ret))
		node_fail(&field, "'%s' is not an IP prefix", text);
	return text && !reader_failed(n->reader);
}

bool node_mac(const struct node *n, const char *key, bool must, struct mac *ret)
{
	struct node field = node_field(n, key);
	const char *text = text_of(&field, must);

	if (text && !mac_parse(text, ret))
		node_fail(&field, "'%s' is not a MAC address", text);
	return text && !reader_failed(n->reader);
}

int node_choice(const struct node *n, const char *key, const char *const *words)
{
	struct node field = node_field(n, key);
	const char *text = text_of(&field, true);
	char list[128] = "";

	if (!text)
		return 0;
	for (int i = 0; words[i]; i++) {
		if (!strcmp(words[i], text))
			return i;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "", words[i]);
	}
	node_fail(&field, "'%s' is none of: %s", text, list);
	return 0;
}
