// SPDX-License-Identifier: BSD-3-Clause
/* Chance, from one seed: xorshift128+ seeded by splitmix64. The same seed gives the same run on every machine. */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
	uint64_t a, b;
};

static inline uint64_t random_mix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static inline void random_init(struct random *r, uint64_t seed)
{
	r->a = random_mix(&seed);
	r->b = random_mix(&seed) | 1;
}

static inline uint64_t random_next(struct random *r)
{
	uint64_t x = r->a, y = r->b;

	r->a = y;
	x ^= x << 23;
	r->b = x ^ y ^ x >> 17 ^ y >> 26;
	return r->b + y;
}

/* 0 .. n - 1; n > 0. */
static inline uint32_t random_below(struct random *r, uint32_t n)
{
	return (uint32_t)((random_next(r) >> 32) * n >> 32);
}

/* Both ends included. */
static inline uint64_t random_between(struct random *r, uint64_t low, uint64_t high)
{
	return low + random_next(r) % (high - low + 1);
}

static inline bool random_one_in(struct random *r, uint32_t n)
{
	return random_below(r, n) == 0;
}

static inline bool random_percent(struct random *r, uint32_t percent)
{
	return random_below(r, 100) < percent;
}

#endif
