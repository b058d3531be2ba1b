// SPDX-License-Identifier: BSD-3-Clause
/*
 * Filters into the tuple space; see rules.h. Masks keep their index while a rule uses them; an index without rules is a
 * hole that the next new mask fills, and holes at the end are cut off. The programs may look while we change: a key is
 * in the table before its mask is counted in, and goes after, so that they see a rule whole or not at all.
 */
#include "datapath/linux/rules.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "keys of IPv4 packets are put together little-endian in match.h");

struct rule {
	struct rule_key key;
	unsigned int slot;
	bool wants_vni;
	uint8_t proto;
	bool any_proto;
};

struct rules {
	struct bpf_config *config;
	int map;
	unsigned int mask_users[RULE_MASKS_MAX];
	unsigned int proto_users[256], vni_users;
	struct rule list[RULE_KEYS_MAX];
	size_t n;
};

struct rules *rules_new(struct bpf_config *config, int map_fd)
{
	struct rules *r = calloc(1, sizeof(*r));

	if (r) {
		r->config = config;
		r->map = map_fd;
	}
	return r;
}

void rules_free(struct rules *r)
{
	free(r);
}

static void prefix_mask(unsigned int length, __u64 mask[2])
{
	uint8_t bytes[16] = {0};

	for (unsigned int bit = 0; bit < length; bit++)
		bytes[bit / 8] |= 0x80 >> (bit % 8);
	memcpy(mask, bytes, 16);
}

static struct rule_key mask_of(const struct vt_filter *f)
{
	struct rule_key mask;

	memset(&mask, 0, sizeof(mask));
	if (f->fields & VT_FILTER_SRC)
		prefix_mask(f->src_len, mask.src);
	if (f->fields & VT_FILTER_DST)
		prefix_mask(f->dst_len, mask.dst);
	mask.sport = f->fields & VT_FILTER_SPORT ? 0xffff : 0;
	mask.dport = f->fields & VT_FILTER_DPORT ? 0xffff : 0;
	mask.vni = f->fields & VT_FILTER_VNI ? 0xffffffff : 0;
	mask.proto = f->fields & VT_FILTER_PROTO ? 0xff : 0;
	mask.family = f->family ? 0xff : 0;
	return mask;
}

static struct rule_key key_of(const struct vt_filter *f, unsigned int mask)
{
	struct rule_key key;

	memset(&key, 0, sizeof(key));
	memcpy(key.src, f->src, 16);
	memcpy(key.dst, f->dst, 16);
	key.sport = f->sport;
	key.dport = f->dport;
	key.vni = f->vni;
	key.proto = f->proto;
	key.family = f->family;
	key.mask = mask;
	return key;
}

/* Index of the mask, a new one if there is none like it; -1 if all are taken. */
static int mask_index(struct rules *r, const struct rule_key *mask)
{
	int hole = -1;

	for (int i = 0; i < RULE_MASKS_MAX; i++) {
		if (!r->mask_users[i] && hole < 0)
			hole = i;
		if (r->mask_users[i] && !memcmp(&r->config->masks[i], mask, sizeof(*mask)))
			return i;
	}
	if (hole >= 0)
		r->config->masks[hole] = *mask;
	return hole;
}

/* Sets or clears a slot's bit in a key's value; the key goes with its last bit. */
static int set_bit(struct rules *r, const struct rule_key *key, unsigned int slot, bool on)
{
	struct rule_slots value;
	uint64_t any = 0;

	memset(&value, 0, sizeof(value));
	bpf_map_lookup_elem(r->map, key, &value);
	if (on)
		value.bits[slot / 64] |= 1ULL << (slot % 64);
	else
		value.bits[slot / 64] &= ~(1ULL << (slot % 64));
	for (size_t i = 0; i < RULE_SLOTS_MAX / 64; i++)
		any |= value.bits[i];
	if (!any)
		return bpf_map_delete_elem(r->map, key);
	return bpf_map_update_elem(r->map, key, &value, BPF_ANY);
}

/* What the programs test before they look anything up. */
static void update_config(struct rules *r)
{
	struct bpf_config *config = r->config;
	unsigned int n = RULE_MASKS_MAX;

	for (int i = 0; i < 256; i++)
		config->want_proto[i] = r->proto_users[i] > 0 ? WANT_TASK : 0;
	/* while anything is traced, ICMP errors may speak of it */
	config->want_proto[IPPROTO_ICMP] |= WANT_ERRORS;
	config->want_proto[IPPROTO_ICMPV6] |= WANT_ERRORS;
	config->want_vni = r->vni_users > 0;
	while (n && !r->mask_users[n - 1])
		n--;
	__atomic_store_n(&config->n_masks, n, __ATOMIC_RELEASE);
}

static void count_users(struct rules *r, const struct rule *rule, int by)
{
	r->mask_users[rule->key.mask] += by;
	r->vni_users += rule->wants_vni ? by : 0;
	for (int i = 0; i < 256; i++)
		r->proto_users[i] += rule->any_proto || rule->proto == i ? by : 0;
}

static bool has_rule(const struct rules *r, const struct rule_key *key, unsigned int slot)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->list[i].slot == slot && !memcmp(&r->list[i].key, key, sizeof(*key)))
			return true;
	return false;
}

int rules_add(struct rules *r, const struct vt_filter *filter, unsigned int slot, struct vt_err *err)
{
	struct rule_key mask = mask_of(filter), key;
	int index = mask_index(r, &mask);
	struct rule *rule;

	if (index < 0)
		return vt_fail(err, ENOSPC,
		               "this node has %d different shapes of filter in use, the limit (wait for traces to end)",
		               RULE_MASKS_MAX);
	key = key_of(filter, index);
	if (has_rule(r, &key, slot))
		return 0;
	if (r->n == RULE_KEYS_MAX)
		return vt_fail(err, ENOSPC, "this node has %d rules in use, the limit (wait for traces to end)",
		               RULE_KEYS_MAX);
	rule = &r->list[r->n];
	*rule = (struct rule){.key = key,
	                      .slot = slot,
	                      .wants_vni = filter->fields & VT_FILTER_VNI,
	                      .proto = filter->proto,
	                      .any_proto = !(filter->fields & VT_FILTER_PROTO)};
	if (set_bit(r, &rule->key, slot, true))
		return vt_fail(err, errno, "add a rule to the BPF table: %s", strerror(errno));
	r->n++;
	count_users(r, rule, 1);
	update_config(r);
	return 0;
}

void rules_remove(struct rules *r, unsigned int slot)
{
	for (size_t i = 0; i < r->n;) {
		struct rule gone = r->list[i];

		if (gone.slot != slot) {
			i++;
			continue;
		}
		r->list[i] = r->list[--r->n];
		count_users(r, &gone, -1);
		update_config(r);
		set_bit(r, &gone.key, slot, false);
	}
}
