// SPDX-License-Identifier: BSD-3-Clause
/*
 * Rule texts through libnftables; see nft_rule.h. A chain is asked for by name. Names that are words of nft's language
 * cannot be written there (nft itself cannot list such a chain alone); then the table or the whole ruleset is searched.
 */
#include "datapath/linux/inspect/nft_rule.h"

#include <ctype.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULES_KEPT   64  /* rules that drop coloured packets at the same time; the oldest is asked for again */
#define NAME_MAX_NFT 256 /* NFT_NAME_MAXLEN */

struct rule_kept {
	bool used;
	uint8_t family;
	char table[NAME_MAX_NFT], chain[NAME_MAX_NFT];
	uint64_t handle;
	struct nft_rule rule;
};

struct nft_rules {
	struct nft_ctx *ctx;
	unsigned int next;
	struct rule_kept kept[RULES_KEPT];
};

int nft_rules_open(struct nft_rules **ret, struct vt_err *err)
{
	struct nft_rules *rules = calloc(1, sizeof(*rules));

	if (rules)
		rules->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!rules || !rules->ctx || nft_ctx_buffer_output(rules->ctx) || nft_ctx_buffer_error(rules->ctx)) {
		nft_rules_close(rules);
		return vt_fail(err, ENOMEM, "open libnftables: out of memory");
	}
	/* no counters, so that a rule always reads the same; no elements of named sets, which may be many */
	nft_ctx_output_set_flags(rules->ctx, NFT_CTX_OUTPUT_HANDLE | NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE);
	*ret = rules;
	return 0;
}

void nft_rules_close(struct nft_rules *rules)
{
	if (!rules)
		return;
	if (rules->ctx)
		nft_ctx_free(rules->ctx);
	free(rules);
}

void nft_rules_forget(struct nft_rules *rules)
{
	for (unsigned int i = 0; i < RULES_KEPT; i++)
		rules->kept[i].used = false;
}

const char *nft_family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_ARP:
		return "arp";
	case NFPROTO_NETDEV:
		return "netdev";
	case NFPROTO_BRIDGE:
		return "bridge";
	}
	return "unknown";
}

/* The next word of a rule's text outside of quotes, or NULL; *ret_len is its length. */
static const char *word_next(const char **text, size_t *ret_len)
{
	const char *at = *text;

	for (;;) {
		at += strspn(at, " \t{},");
		if (*at != '"')
			break;
		at++;
		at += strcspn(at, "\"");
		at += *at == '"';
	}
	*ret_len = strcspn(at, " \t{},\"");
	*text = at + *ret_len;
	return *ret_len ? at : NULL;
}

static bool word_is(const char *word, size_t len, const char *want)
{
	return len == strlen(want) && !memcmp(word, want, len);
}

bool nft_rule_text_limits(const char *text)
{
	const char *word, *before = "";
	size_t len, before_len = 0;

	while ((word = word_next(&text, &len))) {
		if (word_is(word, len, "limit") || word_is(word, len, "quota"))
			return true;
		if (word_is(word, len, "count") && word_is(before, before_len, "ct"))
			return true;
		/* matches of iptables that nft cannot translate: "xt match hashlimit" */
		if (word_is(before, before_len, "match") &&
		    (word_is(word, len, "hashlimit") || word_is(word, len, "limit") || word_is(word, len, "connlimit")))
			return true;
		before = word;
		before_len = len;
	}
	return false;
}

/*
 * The line that ends in "# handle N", without it and without indentation. Lines that open a block carry the handle of a
 * table or chain and are passed over.
 */
static bool listing_find(const char *listing, uint64_t handle, char *buf, size_t size)
{
	char mark[40];
	size_t mark_len = (size_t)snprintf(mark, sizeof(mark), " # handle %llu", (unsigned long long)handle);

	for (const char *line = listing; *line; line += line[0] == '\n') {
		size_t len = strcspn(line, "\n"), text_len, indent = strspn(line, "\t ");

		if (len > mark_len + indent && !memcmp(line + len - mark_len, mark, mark_len) &&
		    line[len - mark_len - 1] != '{') {
			text_len = len - mark_len - indent;
			snprintf(buf, size, "%.*s", (int)text_len, line + indent);
			if (text_len >= size)
				memcpy(buf + size - 4, "...", 4);
			return true;
		}
		line += len;
	}
	return false;
}

/* Where the table begins in a listing of the whole ruleset, cut behind its end; the listing itself for a single table.
 */
static char *listing_table(char *listing, uint8_t family, const char *table)
{
	char head[NAME_MAX_NFT + 32], *at, *end;

	snprintf(head, sizeof(head), "table %s %s {", nft_family_name(family), table);
	for (at = listing; (at = strstr(at, head)); at++) {
		if (at != listing && at[-1] != '\n')
			continue;
		end = strstr(at, "\n}");
		if (end)
			*end = '\0';
		return at;
	}
	return NULL;
}

/* iptables-nft's tables are told by their name and by a chain named like a hook of iptables. */
static bool table_has_iptables_chains(struct nft_rules *rules, uint8_t family, const char *table)
{
	static const char *const hooks[] = {"\tchain INPUT {", "\tchain FORWARD {", "\tchain OUTPUT {",
	                                    "\tchain PREROUTING {", "\tchain POSTROUTING {"};
	char command[32], *listing, *at;
	const char *output;
	bool found = false;

	snprintf(command, sizeof(command), "list chains %s", nft_family_name(family));
	if (nft_run_cmd_from_buffer(rules->ctx, command))
		return false;
	output = nft_ctx_get_output_buffer(rules->ctx);
	listing = output ? strdup(output) : NULL;
	at = listing ? listing_table(listing, family, table) : NULL;
	for (size_t i = 0; at && i < sizeof(hooks) / sizeof(hooks[0]); i++)
		found = found || strstr(at, hooks[i]);
	free(listing);
	return found;
}

/* `warnings` are nft's on listing the chain: it only warns where rules have matches that it cannot print. */
static bool table_is_iptables(struct nft_rules *rules, uint8_t family, const char *table, const char *warnings)
{
	static const char *const tables[] = {"filter", "nat", "mangle", "raw", "security", "broute"};

	if (warnings && strstr(warnings, "is managed by iptables-nft"))
		return true;
	if (family != NFPROTO_IPV4 && family != NFPROTO_IPV6 && family != NFPROTO_BRIDGE)
		return false;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (!strcmp(table, tables[i]))
			return table_has_iptables_chains(rules, family, table);
	}
	return false;
}

/* The listing with the rule in it, allocated, or NULL. */
static char *listing_get(struct nft_rules *rules, uint8_t family, const char *table, const char *chain)
{
	const char *name = nft_family_name(family);
	char command[2 * NAME_MAX_NFT + 64];
	const char *output;

	snprintf(command, sizeof(command), "list chain %s %s %s", name, table, chain);
	if (nft_run_cmd_from_buffer(rules->ctx, command)) {
		snprintf(command, sizeof(command), "list table %s %s", name, table);
		if (nft_run_cmd_from_buffer(rules->ctx, command) && nft_run_cmd_from_buffer(rules->ctx, "list ruleset"))
			return NULL;
	}
	output = nft_ctx_get_output_buffer(rules->ctx);
	return output ? strdup(output) : NULL;
}

static void rule_ask(struct nft_rules *rules, struct rule_kept *kept)
{
	char *listing = listing_get(rules, kept->family, kept->table, kept->chain);
	char *table = listing ? listing_table(listing, kept->family, kept->table) : NULL;

	if (table) {
		if (kept->handle && listing_find(table, kept->handle, kept->rule.text, sizeof(kept->rule.text)))
			kept->rule.limits = nft_rule_text_limits(kept->rule.text);
		kept->rule.iptables =
		    table_is_iptables(rules, kept->family, kept->table, nft_ctx_get_error_buffer(rules->ctx));
	}
	free(listing);
}

const struct nft_rule *nft_rules_get(struct nft_rules *rules, uint8_t family, const char *table, const char *chain,
                                     uint64_t handle)
{
	struct rule_kept *kept;

	for (unsigned int i = 0; i < RULES_KEPT; i++) {
		kept = &rules->kept[i];
		if (kept->used && kept->handle == handle && kept->family == family && !strcmp(kept->table, table) &&
		    !strcmp(kept->chain, chain))
			return &kept->rule;
	}
	kept = &rules->kept[rules->next++ % RULES_KEPT];
	memset(kept, 0, sizeof(*kept));
	kept->used = true;
	kept->family = family;
	kept->handle = handle;
	snprintf(kept->table, sizeof(kept->table), "%s", table);
	snprintf(kept->chain, sizeof(kept->chain), "%s", chain);
	rule_ask(rules, kept);
	return &kept->rule;
}
