// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bytes of fixed byte order: a buffer that grows while it is written, and a reader that cannot run over the end. Both
 * keep the first failure in themselves, so that a whole message is written or read first and checked once.
 */
#ifndef VT_BASE_BUF_H
#define VT_BASE_BUF_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct vt_buf {
	uint8_t *data; /* from malloc; the owner of the buffer frees it with vt_buf_done() or takes it over */
	size_t len, size;
	bool failed; /* memory ran out; what was written since is lost */
};

/* Makes room for `more` bytes behind len; false (and failed) without memory. All writers below call it. */
bool vt_buf_reserve(struct vt_buf *buf, size_t more);
void vt_buf_done(struct vt_buf *buf); /* frees and zeroes */

static inline void vt_buf_put(struct vt_buf *buf, const void *bytes, size_t len)
{
	if (buf->size - buf->len < len && !vt_buf_reserve(buf, len))
		return;
	if (len)
		memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
}

static inline void vt_buf_u8(struct vt_buf *buf, uint8_t value)
{
	vt_buf_put(buf, &value, 1);
}

static inline void vt_buf_le16(struct vt_buf *buf, uint16_t value)
{
	value = htole16(value);
	vt_buf_put(buf, &value, 2);
}

static inline void vt_buf_le32(struct vt_buf *buf, uint32_t value)
{
	value = htole32(value);
	vt_buf_put(buf, &value, 4);
}

static inline void vt_buf_le64(struct vt_buf *buf, uint64_t value)
{
	value = htole64(value);
	vt_buf_put(buf, &value, 8);
}

struct vt_reader {
	const uint8_t *at, *end;
	bool failed; /* something was read past the end; all further reads give 0 and leave `at` alone */
};

static inline const void *vt_read_bytes(struct vt_reader *r, size_t len)
{
	const uint8_t *bytes = r->at;

	if (r->failed || (size_t)(r->end - r->at) < len) {
		r->failed = true;
		return NULL;
	}
	r->at += len;
	return bytes;
}

static inline uint8_t vt_read_u8(struct vt_reader *r)
{
	const uint8_t *bytes = vt_read_bytes(r, 1);

	return bytes ? *bytes : 0;
}

static inline uint16_t vt_read_le16(struct vt_reader *r)
{
	const void *bytes = vt_read_bytes(r, 2);
	uint16_t value = 0;

	if (bytes)
		memcpy(&value, bytes, 2);
	return le16toh(value);
}

static inline uint32_t vt_read_le32(struct vt_reader *r)
{
	const void *bytes = vt_read_bytes(r, 4);
	uint32_t value = 0;

	if (bytes)
		memcpy(&value, bytes, 4);
	return le32toh(value);
}

static inline uint64_t vt_read_le64(struct vt_reader *r)
{
	const void *bytes = vt_read_bytes(r, 8);
	uint64_t value = 0;

	if (bytes)
		memcpy(&value, bytes, 8);
	return le64toh(value);
}

#endif
