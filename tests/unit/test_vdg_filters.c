// SPDX-License-Identifier: BSD-3-Clause
/* libvdg's search of filters says what asking each of them says, whatever came and went; and the limits of sets. */
#include "vdg_fixture.h"

#include "vdg/filters.h"
#include "vdg/sets.h"

static unsigned int random_below(unsigned int *seed, unsigned int n)
{
	return (unsigned int)rand_r(seed) % n;
}

/* Few values of each field, so that flows match several filters; many shapes, more than there is room for. */
static struct vt_filter random_filter(unsigned int *seed)
{
	static const char *const protos[] = {"", "udp", "tcp", "icmp"};
	char text[VT_FILTER_MAX] = "", word[64];
	struct vt_filter filter;
	struct vt_err err = {0};

	snprintf(text, sizeof(text), "%s", protos[random_below(seed, 4)]);
	if (random_below(seed, 2)) {
		unsigned int len = 20 + random_below(seed, 13);

		snprintf(word, sizeof(word), "%ssrc net 10.0.%u.0/%u", *text ? " and " : "",
		         len >= 24 ? random_below(seed, 4) : 0, len < 24 ? len : 24);
		strcat(text, word);
	}
	if (random_below(seed, 2)) {
		snprintf(word, sizeof(word), "%sdst host 10.0.0.%u", *text ? " and " : "", random_below(seed, 4));
		strcat(text, word);
	}
	if (random_below(seed, 2) && !strstr(text, "icmp")) {
		snprintf(word, sizeof(word), "%sdst port %u", *text ? " and " : "", 1 + random_below(seed, 3));
		strcat(text, word);
	}
	if (random_below(seed, 3) == 0) {
		snprintf(word, sizeof(word), "%svni %u", *text ? " and " : "", 1 + random_below(seed, 2));
		strcat(text, word);
	}
	if (!*text)
		strcpy(text, "udp");
	if (vt_filter_parse(text, &filter, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return filter;
}

static struct vt_flow random_flow(unsigned int *seed)
{
	static const uint8_t protos[] = {17, 6, 1};
	struct vt_flow flow = {.family = 4,
	                       .proto = protos[random_below(seed, 3)],
	                       .sport = (uint16_t)random_below(seed, 3),
	                       .dport = (uint16_t)(1 + random_below(seed, 3))};

	flow.src[10] = flow.src[11] = flow.dst[10] = flow.dst[11] = 0xff;
	flow.src[12] = flow.dst[12] = 10;
	flow.src[14] = (uint8_t)random_below(seed, 5);
	flow.dst[15] = (uint8_t)random_below(seed, 5);
	return flow;
}

struct model {
	struct filters *filters;
	struct vt_filter list[300];
	enum { ABSENT, SEEN, HIDDEN } state[300];
};

static void change(struct model *m, unsigned int *seed)
{
	unsigned int at = random_below(seed, 300);

	switch (m->state[at]) {
	case ABSENT:
		m->list[at] = random_filter(seed);
		filters_add(m->filters, at, &m->list[at]);
		m->state[at] = SEEN;
		break;
	case SEEN:
		filters_hide(m->filters, at);
		m->state[at] = HIDDEN;
		break;
	case HIDDEN:
		filters_free(m->filters, at);
		m->state[at] = ABSENT;
		break;
	}
}

static unsigned int compare(struct model *m, unsigned int *seed)
{
	struct vt_flow flow = random_flow(seed);
	uint32_t vni = 1 + random_below(seed, 2);
	uint16_t got[300];
	unsigned int n = filters_match(m->filters, &flow, vni, got, 300), wanted = 0;

	for (unsigned int i = 0; i < 300; i++)
		if (m->state[i] == SEEN && vt_filter_match(&m->list[i], &flow, vni)) {
			assert_true(wanted < n);
			assert_int_equal(got[wanted++], i);
		}
	assert_int_equal(n, wanted);
	return n;
}

static void test_as_one_by_one(void **state)
{
	struct model m = {.filters = calloc(1, sizeof(*m.filters))};
	unsigned int seed = 1, found = 0, shapes = 0;

	(void)state;
	for (unsigned int round = 0; round < 2000; round++) {
		change(&m, &seed);
		for (unsigned int i = 0; i < 20; i++)
			found += compare(&m, &seed);
		if (round % 500 == 499)
			for (unsigned int i = 0; i < FILTERS_SHAPES; i++)
				shapes += m.filters->shapes[i].held > 0;
	}
	assert_true(found > 10000);
	assert_true(shapes > 2 * FILTERS_SHAPES); /* the room for shapes was used up */
	free(m.filters);
}

/* A search that is at a hidden filter goes on where that one led. */
static void test_hidden_leads_on(void **state)
{
	struct filters *filters = calloc(1, sizeof(*filters));
	struct vt_filter same;
	struct vt_err err = {0};
	struct vt_flow flow = {.family = 4, .proto = 17, .dport = 1};
	uint16_t got[4];

	(void)state;
	assert_int_equal(vt_filter_parse("udp and dst port 1", &same, &err), 0);
	for (unsigned int i = 0; i < 3; i++)
		filters_add(filters, i, &same);
	filters_hide(filters, 1);
	assert_int_equal(filters->entries[1].next, 1); /* number 0 */
	assert_int_equal(filters_match(filters, &flow, 0, got, 4), 2);
	assert_int_equal(got[0], 0);
	assert_int_equal(got[1], 2);
	assert_int_equal(filters_match(filters, &flow, 0, got, 1), 2); /* more than there is room for */
	free(filters);
}

static void test_sets_full(void **state)
{
	struct sets *sets = calloc(1, sizeof(*sets));
	uint16_t slots[2] = {0, 1}, first;

	(void)state;
	first = sets_intern(sets, slots, 2);
	assert_int_not_equal(first, 0);
	assert_int_equal(sets_intern(sets, slots, 2), first);
	for (slots[1] = 2; slots[1] <= VDG_SETS_MAX; slots[1]++)
		assert_int_not_equal(sets_intern(sets, slots, 2), 0);
	assert_int_equal(sets_intern(sets, slots, 2), 0); /* no room for another one; those that are there are found */
	assert_int_equal(sets_intern(sets, slots, 1), 0);
	slots[1] = 1;
	assert_int_equal(sets_intern(sets, slots, 2), first);
	assert_int_equal(sets_get(sets, first)->n, 2);
	sets_kill(sets, 1, 2);
	assert_null(sets_get(sets, first));
	assert_int_equal(sets->n, VDG_SETS_MAX); /* somebody may still look at it */
	sets_bury(sets, 1, 2);
	assert_int_equal(sets->n, VDG_SETS_MAX - 1);
	assert_int_not_equal(sets_intern(sets, slots, 1), 0);
	free(sets);
}

static uint64_t lost(struct device *d)
{
	struct vdg_stats stats;

	pthread_mutex_lock(&d->lock);
	vdg_stats(d->vdg, &stats);
	pthread_mutex_unlock(&d->lock);
	return stats.lost;
}

/* A flow that more tasks want than a set holds is not traced, and that is told. */
static void test_too_many_want_a_flow(void **state)
{
	struct device *d = device_new(1, 0);

	(void)state;
	agent_open(d);
	for (uint32_t i = 1; i <= VDG_MATCHES_MAX; i++)
		arm(d, i, "udp and dst port 53", false, 1);
	assert_int_not_equal(match(d, 0, 1, 53), 0);
	arm(d, VDG_MATCHES_MAX + 1, "udp", false, 1);
	assert_int_equal(match(d, 0, 1, 53), 0);
	assert_int_not_equal(match(d, 0, 1, 54), 0);
	assert_int_equal(lost(d), 1);
	device_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_as_one_by_one),
	    cmocka_unit_test(test_hidden_leads_on),
	    cmocka_unit_test(test_sets_full),
	    cmocka_unit_test(test_too_many_want_a_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
