// SPDX-License-Identifier: BSD-3-Clause
/*
 * Words that people know from tcpdump and that our subset of pcap-filter does not have, each with what to write
 * instead. A user who gets one of these texts should not need the manual.
 */
#include "core/filter_words.h"

#include <ctype.h>
#include <string.h>

static const struct {
	const char *word, *hint;
} hints[] = {
    {"or", "a filter is one flow: trace each alternative on its own"},
    {"||", "a filter is one flow: trace each alternative on its own"},
    {"not", "say what the packets have, not what they lack"},
    {"!", "say what the packets have, not what they lack"},
    {"(", "parentheses are not needed: join the parts with \"and\""},
    {")", "parentheses are not needed: join the parts with \"and\""},
    {"host", "write \"src host A\" or \"dst host A\""},
    {"net", "write \"src net P\" or \"dst net P\""},
    {"port", "write \"src port N\" or \"dst port N\""},
    {"portrange", "write \"src port N\" or \"dst port N\", one port at a time"},
    {"mask", "write the network with its prefix length, as in \"src net 10.0.0.0/8\""},
    {"ether", "frames are not matched by their MAC addresses: write \"src host A\" or \"dst host A\""},
    {"wlan", "frames are not matched by their MAC addresses: write \"src host A\" or \"dst host A\""},
    {"gateway", "write \"src host A\" or \"dst host A\""},
    {"vlan", "a tenant network is named by its VXLAN id: write \"vni N\""},
    {"vxlan", "write \"vni N\" for the network and the tenant's own addresses and ports beside it"},
    {"geneve", "write \"vni N\" for the network and the tenant's own addresses and ports beside it"},
    {"mpls", "a tenant network is named by its VXLAN id: write \"vni N\""},
    {"broadcast", "write \"dst host A\" with the broadcast address"},
    {"multicast", "write \"dst host A\" with the group's address"},
    {"arp", "only IP packets are traced: write \"ip\" or \"ip6\""},
    {"rarp", "only IP packets are traced: write \"ip\" or \"ip6\""},
    {"ah", "write \"proto 51\""},
    {"esp", "write \"proto 50\""},
    {"gre", "write \"proto 47\""},
    {"igmp", "write \"proto 2\""},
    {"igrp", "write \"proto 9\""},
    {"pim", "write \"proto 103\""},
    {"vrrp", "write \"proto 112\""},
    {"carp", "write \"proto 112\""},
    {"icmpv6", "write \"icmp6\""},
    {"ipv4", "write \"ip\""},
    {"ipv6", "write \"ip6\""},
    {"less", "packets are not matched by their length"},
    {"greater", "packets are not matched by their length"},
    {"len", "packets are not matched by their length"},
    {"inbound", "packets are traced from where they enter the overlay: write \"src host A\""},
    {"outbound", "packets are traced from where they enter the overlay: write \"src host A\""},
    {"ifname", "packets are not matched by device: write \"src host A\" or \"dst host A\""},
    {"protochain", "write \"proto N\""},
};

static const char known_words[] =
    "the words are: src|dst host A, src|dst net P, src|dst port N, tcp, udp, icmp, icmp6, sctp, "
    "ip, ip6, proto N, vni N, and";

static const char *const own_words[] = {"src",   "dst",  "host", "net", "port",  "tcp", "udp", "icmp",
                                        "icmp6", "sctp", "ip",   "ip6", "proto", "vni", "and"};

static bool is_own_word(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(own_words) / sizeof(own_words[0]); i++)
		if (strlen(own_words[i]) == len && !strncasecmp(own_words[i], word, len))
			return true;
	return false;
}

/* "10.0.0.1", "10.0.0.0/8", "2001:db8::1": only what an address is made of, and a dot or colon in it. */
static bool looks_like_address(const char *word, size_t len)
{
	return strspn(word, "0123456789abcdefABCDEF.:/") >= len && (memchr(word, '.', len) || memchr(word, ':', len));
}

const char *filter_word_hint(const char *word, size_t len, bool *ret_known)
{
	*ret_known = true;
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strlen(hints[i].word) == len && !strncmp(hints[i].word, word, len))
			return hints[i].hint;
	*ret_known = false;
	if (looks_like_address(word, len))
		return "write \"src host A\" or \"dst host A\" in front of an address";
	if (memchr(word, '[', len))
		return "bytes of a packet cannot be tested";
	if (len && isupper((unsigned char)word[0]) && is_own_word(word, len))
		return "the words of a filter are in lower case";
	return known_words;
}
