/* Pair sums of one panel: C classes of sixteen rows.
 *
 * tanh(k (x - y)) = (p_x - p_y) / (p_x + p_y) with p_x = exp(2 k (x - m)) for any m: one exponential
 * a logit instead of one tanh a pair. With P = p_i + p_j for the student, Q = q_i + q_j for the
 * teacher and r = 1 / (P Q), the only division of a pair,
 *
 *     a = (p_i - p_j) / P                     b = (q_i - q_j) / Q
 *     a b = (p_i - p_j) u,                    u = (q_i - q_j) r = b / P
 *     (1 - a^2) b = 4 p_i p_j w,              w = u Q r = b / P^2
 *
 * so that the derivative of class i is 4 k p_i sum_j p_j w_ij, and that of class j the same with the
 * other sign. The powers of p that occur lie in [e^-80, e^80] for k (max - min) <= 40 on each side.
 * Past that, where float32 ends at e^88, steep.h sorts the rows. What it refuses (the widest ranges,
 * and the sign on one side) takes an exponential a pair.
 *
 * Rows that are not finite are marked by the caller.
 */
#ifndef KDRANK_PANEL_H
#define KDRANK_PANEL_H

#include "lanes.h"

enum phi { PHI_TANH, PHI_SIGN };
enum values { EXPONENTIALS, LOGITS };

/* The columns of a panel and its results; arrays of C vectors. */
typedef struct {
    int64_t columns;
    lanes *student, *teacher; /* exponentials or logits */
    lanes *valid;             /* 1 or 0 */
    lanes *grad_ab, *grad_aa; /* without the factors that finish() applies */
    lanes ab, aa, bb;
} panel;

/* What is compiled apart: known to the compiler in each copy of the loops. */
typedef struct {
    enum values values;
    enum phi student, teacher;
    int norms, masked;
} variant;

typedef struct {
    lanes ab, aa, bb;
} sums;

/* phi(k d), and its derivative by k d. */
INLINE lanes phi_of(enum phi phi, lanes d, float k, lanes *slope) {
    if (phi == PHI_SIGN) {
        *slope = (lanes){0};
        return sign_lanes(d);
    }
    lanes e = exp_of_negative(2 * k * abs_lanes(d));
    lanes inverse = 1.0f / (1.0f + e);
    *slope = 4.0f * e * inverse * inverse;
    return sign_lanes(d) * (1.0f - e) * inverse;
}

/* Adds the pair (i, j) to the sums and to the derivatives of i and j. */
INLINE void add_pair(variant v, float k, lanes si, lanes ti, lanes vi, lanes sj, lanes tj, lanes vj,
                     sums *total, lanes *abi, lanes *abj, lanes *aai, lanes *aaj) {
    lanes ds = si - sj, dt = ti - tj;
    lanes ab, aa, bb, gab, gaa;
    if (v.values == EXPONENTIALS) {
        lanes P = si + sj, Q = ti + tj;
        lanes r = 1.0f / (P * Q);
        lanes u = dt * r, inverse = r * Q;
        if (v.masked) u *= vi * vj;
        ab = ds * u;
        gab = u * inverse;
        if (v.norms) {
            lanes a = ds * inverse, b = u * P;
            if (v.masked) a *= vi * vj;
            aa = a * a;
            bb = b * b;
            gaa = a * inverse * inverse;
        }
    } else {
        lanes slope, unused;
        lanes a = phi_of(v.student, ds, k, &slope);
        lanes b = phi_of(v.teacher, dt, k, &unused);
        if (v.masked) a *= vi * vj, b *= vi * vj;
        ab = a * b;
        gab = slope * b;
        if (v.norms) {
            aa = a * a;
            bb = b * b;
            gaa = slope * a;
        }
    }
    /* The factor of each side: the other's exponential, or none. */
    int factors = v.values == EXPONENTIALS;
    total->ab += ab;
    *abi += factors ? sj * gab : gab;
    *abj -= factors ? si * gab : gab;
    if (v.norms) {
        total->aa += aa;
        total->bb += bb;
        *aai += factors ? sj * gaa : gaa;
        *aaj -= factors ? si * gaa : gaa;
    }
}

/* Classes i that are held in registers while j runs: loads and stores of j serve as many pairs. */
enum { BLOCK = 4 };

/* All pairs of a panel. */
INLINE void add_pairs(panel *x, float k, variant v) {
    const lanes *s = x->student, *t = x->teacher, *valid = x->valid;
    lanes *ab = x->grad_ab, *aa = x->grad_aa;
    const lanes one = (lanes){0} + 1.0f;
    lanes none = {0};
    dlanes sum_ab = {0}, sum_aa = {0}, sum_bb = {0};
    for (int64_t c = 0; c < x->columns; c++) {
        ab[c] = none;
        if (v.norms) aa[c] = none;
    }
    for (int64_t i = 0; i < x->columns; i += BLOCK) {
        int64_t end = i + BLOCK < x->columns ? i + BLOCK : x->columns;
        sums block = {none, none, none};
        for (int64_t b = i; b < end; b++)
            for (int64_t c = b + 1; c < end; c++)
                add_pair(v, k, s[b], t[b], v.masked ? valid[b] : one, s[c], t[c],
                         v.masked ? valid[c] : one, &block, &ab[b], &ab[c],
                         v.norms ? &aa[b] : &none, v.norms ? &aa[c] : &none);
        if (end - i == BLOCK) {
            lanes si[BLOCK], ti[BLOCK], vi[BLOCK], abi[BLOCK], aai[BLOCK];
            for (int b = 0; b < BLOCK; b++) {
                si[b] = s[i + b], ti[b] = t[i + b], abi[b] = ab[i + b];
                vi[b] = v.masked ? valid[i + b] : one;
                aai[b] = v.norms ? aa[i + b] : none;
            }
            for (int64_t j = end; j < x->columns; j++) {
                lanes sj = s[j], tj = t[j], vj = v.masked ? valid[j] : one;
                lanes abj = ab[j], aaj = v.norms ? aa[j] : none;
                for (int b = 0; b < BLOCK; b++)
                    add_pair(v, k, si[b], ti[b], vi[b], sj, tj, vj, &block, &abi[b], &abj, &aai[b],
                             &aaj);
                ab[j] = abj;
                if (v.norms) aa[j] = aaj;
            }
            for (int b = 0; b < BLOCK; b++) {
                ab[i + b] = abi[b];
                if (v.norms) aa[i + b] = aai[b];
            }
        }
        /* Sums of up to C^2 / 2 terms, most of one sign, would lose digits in float32. */
        sum_ab += __builtin_convertvector(block.ab, dlanes);
        if (v.norms) {
            sum_aa += __builtin_convertvector(block.aa, dlanes);
            sum_bb += __builtin_convertvector(block.bb, dlanes);
        }
    }
    x->ab = __builtin_convertvector(sum_ab, lanes);
    x->aa = __builtin_convertvector(sum_aa, lanes);
    x->bb = __builtin_convertvector(sum_bb, lanes);
}

/* The factors that all pairs of a class share: 4 k p_i, or k; twice that for the square. */
INLINE void finish(panel *x, float k, variant v) {
    for (int64_t c = 0; c < x->columns; c++) {
        lanes factor = (lanes){0} + k;
        if (v.values == EXPONENTIALS) factor *= 4.0f * x->student[c];
        x->grad_ab[c] *= factor;
        if (v.norms) x->grad_aa[c] *= 2.0f * factor;
    }
}

#endif
