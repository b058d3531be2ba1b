// SPDX-License-Identifier: BSD-3-Clause
/* Any bytes as a batch: refused with a reason, or what was read survives being sent again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vt_batch *batch = NULL, *again = NULL;
	struct vt_err err = {0};
	size_t encoded_size = 0;
	uint8_t *encoded = NULL;
	int ret;

	ret = vt_wire_decode(data, size, &batch, &err);
	if (ret) {
		fuzz_check((ret == -EBADMSG || ret == -EPROTONOSUPPORT) && err.text[0]);
		return 0;
	}
	ret = vt_wire_encode(batch, &encoded, &encoded_size, &err);
	fuzz_check(!ret || ret == -EMSGSIZE); /* "unexplained" can be longer than the unknown code it stands for */
	if (!ret) {
		fuzz_check(!vt_wire_decode(encoded, encoded_size, &again, &err));
		fuzz_check(!strcmp(batch->node, again->node) && batch->kind == again->kind &&
		           batch->boot == again->boot && batch->number == again->number &&
		           batch->n_items == again->n_items);
		fuzz_check(!memcmp(batch->items, again->items, batch->n_items * sizeof(*batch->items)));
	}
	free(encoded);
	vt_batch_free(batch);
	vt_batch_free(again);
	return 0;
}
