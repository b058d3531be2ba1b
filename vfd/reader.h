/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads JSON by path, so that an error can name the field: "ports[1].mac: …". The first error stays; later reads give
 * zeroes.
 */
#ifndef VFD_READER_H
#define VFD_READER_H

#include "addr.h"

#include <jansson.h>
#include <stddef.h>

struct reader {
	char *error; /* of the caller, empty while all is well */
	size_t size;
};

struct node {
	struct reader *reader;
	json_t *json; /* NULL: the field is not there */
	char path[160];
};

void node_fail(const struct node *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool reader_failed(const struct reader *r);

struct node node_field(const struct node *n, const char *key);
struct node node_item(const struct node *n, size_t i);
size_t node_count(const struct node *n, size_t max); /* of an array's items; 0 if it is not there */

/* Fails on fields that are not among these words, a typing error mostly. `keys` ends with NULL. */
void node_only(const struct node *n, const char *const *keys);

/* `must`: fails where the field is missing, otherwise what *ret holds stays. False if it is missing or wrong. */
bool node_text(const struct node *n, const char *key, bool must, char *ret, size_t size);
bool node_number(const struct node *n, const char *key, bool must, uint64_t min, uint64_t max, uint64_t *ret);
bool node_addr(const struct node *n, const char *key, bool must, struct addr *ret);
bool node_prefix(const struct node *n, const char *key, bool must, struct prefix *ret);
bool node_mac(const struct node *n, const char *key, bool must, struct mac *ret);
int node_choice(const struct node *n, const char *key, const char *const *words); /* its index; must be there */

#endif
