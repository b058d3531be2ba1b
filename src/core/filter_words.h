// SPDX-License-Identifier: BSD-3-Clause
/* Internal to the filter: what to tell a user about a word that the filter language does not have. */
#ifndef VT_CORE_FILTER_WORDS_H
#define VT_CORE_FILTER_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* What to write instead of `word` (`len` bytes); never NULL. *ret_known: the word exists in pcap-filter, but not here.
 */
const char *filter_word_hint(const char *word, size_t len, bool *ret_known);

#endif
