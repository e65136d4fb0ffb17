/* Sixteen rows side by side, one a lane, and the exponential of such a vector.
 *
 * A lane is a row and not a class: no sum runs across lanes, no width of class axis leaves a
 * remainder, and the loops over pairs are those of one row. The vectors are the compiler's own
 * (GCC and Clang), which lowers them to the registers at hand: one of AVX-512, two of AVX2, four of
 * SSE or NEON.
 */
#ifndef KDRANK_LANES_H
#define KDRANK_LANES_H

#include <stdint.h>

enum { LANES = 16 };

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t ilanes __attribute__((vector_size(4 * LANES)));
typedef double dlanes __attribute__((vector_size(8 * LANES)));

/* Everything is inlined into the one function that is compiled for each instruction set. */
#define INLINE static inline __attribute__((always_inline))

/* Where the mask is set (all bits) a, else b. */
INLINE lanes select_lanes(ilanes mask, lanes a, lanes b) {
    return (lanes)((mask & (ilanes)a) | (~mask & (ilanes)b));
}

INLINE ilanes select_ints(ilanes mask, ilanes a, ilanes b) { return (mask & a) | (~mask & b); }

INLINE int any_lane(ilanes mask) {
    int32_t any = 0;
    for (int l = 0; l < LANES; l++) any |= mask[l];
    return any;
}

/* Whether k (high - low) lies within [least, most] in the lanes `used`; not so where it is NaN. */
INLINE int within(lanes low, lanes high, float k, float least, float most, ilanes used) {
    lanes range = k * (high - low);
    return !any_lane(used & ~((range >= least) & (range <= most)));
}

INLINE lanes abs_lanes(lanes x) { return (lanes)((ilanes)x & 0x7fffffff); }

/* -1, 0 or 1; 0 for NaN. */
INLINE lanes sign_lanes(lanes x) { return __builtin_convertvector((x < 0) - (x > 0), lanes); }

/* 2^n e^r for |r| <= ln(2) / 2 and -126 <= n <= 127. Taylor's polynomial of degree 7; its remainder
 * is 5e-9. */
INLINE lanes scaled_exp(lanes r, ilanes n) {
    lanes y = r * (1.0f / 5040) + (1.0f / 720);
    y = y * r + (1.0f / 120);
    y = y * r + (1.0f / 24);
    y = y * r + (1.0f / 6);
    y = y * r + 0.5f;
    y = y * r + 1.0f;
    y = y * r + 1.0f;
    return y * (lanes)((n + 127) << 23);
}

/* Adding and subtracting 1.5 times the last power of two that has unit spacing rounds to integers. */
#define ROUND_FLOAT 12582912.0f
#define ROUND_DOUBLE 6755399441055744.0

/* e^y for |y| <= 87, the argument in double: the ratio of two results is then right to a few units
 * in the last place, which differences of near-ties depend on. */
INLINE lanes exp_of_double(dlanes y) {
    dlanes n = (y * 1.4426950408889634 + ROUND_DOUBLE) - ROUND_DOUBLE;
    lanes r = __builtin_convertvector(y - n * 0.6931471805599453, lanes);
    return scaled_exp(r, __builtin_convertvector(n, ilanes));
}

/* e^-z for z >= 0; e^-87 beyond 87 and for NaN. */
INLINE lanes exp_of_negative(lanes z) {
    z = select_lanes(z < 87.0f, z, (lanes){0} + 87.0f);
    lanes n = (z * -1.44269504f + ROUND_FLOAT) - ROUND_FLOAT;
    /* ln 2 in two parts, the first short enough for n * part to be exact. */
    lanes r = (-z - n * 0.693359375f) + n * 2.12194440e-4f;
    return scaled_exp(r, __builtin_convertvector(n, ilanes));
}

#endif
