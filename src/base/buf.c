// SPDX-License-Identifier: BSD-3-Clause
/* A growing buffer; see buf.h. */
#include "base/buf.h"

#include <stdlib.h>

#define BUF_FIRST_SIZE 4096 /* a batch of a few records; doubled as needed */

bool vt_buf_reserve(struct vt_buf *buf, size_t more)
{
	size_t size = buf->size ? buf->size : BUF_FIRST_SIZE;
	uint8_t *data;

	if (buf->failed || more > SIZE_MAX / 4) {
		buf->failed = true;
		return false;
	}
	if (buf->size - buf->len >= more)
		return true;
	while (size - buf->len < more)
		size *= 2;
	data = realloc(buf->data, size);
	if (!data) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->size = size;
	return true;
}

void vt_buf_done(struct vt_buf *buf)
{
	free(buf->data);
	memset(buf, 0, sizeof(*buf));
}
