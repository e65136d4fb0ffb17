/* Pair sums of one panel where the exponentials of panel.h would overflow: steep ranks.
 *
 * There most pairs are saturated: from k (s_j - s_i) = 9 on a = tanh(k (s_j - s_i)) is 1 in float32
 * and its slope, at most 6e-8, is taken as 0. With the signs sigma and tau of an
 * order of the row by student and by teacher,
 *
 *     a b = sigma tau + (a - sigma) b + sigma (b - tau)
 *
 * The first term sums to the valid pairs less twice the inversions, counted by comparing ranks. The
 * second and all derivatives need the pairs that are near each other on the student's side alone,
 * the third those near on the teacher's: runs of neighbours in a sorted row. So each lane is sorted
 * by student, and that order by teacher. Any order of ties does, as they are near.
 *
 * A near pair i < j of a sorted row takes the identity of panel.h with powers of two that are split
 * into a mantissa and an exponent, p = m 2^n, and scaled by 2^-n_j. With h = p_i / (p_i + p_j) and
 * g = 1 - h = p_j / (p_i + p_j),
 *
 *     a - sigma = -2 h        1 - a^2 = 4 h g        a = g - h
 *
 * Masked cells, idle lanes and broken rows are sorted to the end of both orders, each far from all
 * others: no loop over pairs knows of them.
 */
#ifndef KDRANK_STEEP_H
#define KDRANK_STEEP_H

#include "panel.h"

typedef int16_t slanes __attribute__((vector_size(2 * LANES)));

/* A row as mantissas in [0.7, 1.5] and exponents. */
typedef struct {
    lanes *m;
    ilanes *n;
} powers;

/* Scratch of a panel; arrays of C vectors. */
typedef struct {
    ilanes *by_student, *by_teacher; /* sort keys */
    lanes *used, *value; /* 1 or 0 */
    powers student, teacher, sorted; /* in the student's order twice, in the teacher's own */
    slanes *rank;
} steep_scratch;

enum { STEEP_VECTORS = 11 };

/* That scratch in STEEP_VECTORS times C vectors. */
INLINE steep_scratch steep_scratch_at(lanes *memory, int64_t columns) {
    ilanes *integers = (ilanes *)(memory + 5 * columns);
    return (steep_scratch){.used = memory,
                           .value = memory + columns,
                           .student = {memory + 2 * columns, integers},
                           .teacher = {memory + 3 * columns, integers + columns},
                           .sorted = {memory + 4 * columns, integers + 2 * columns},
                           .by_student = integers + 3 * columns,
                           .by_teacher = integers + 4 * columns,
                           .rank = (slanes *)(integers + 5 * columns)};
}

enum {
    /* exp(2 k d) = 2^n beyond which tanh(k d) is 1, and one for the rounding of exponents. */
    NEAR = 27,
    /* Exponents between cells that are to be far from each other. */
    APART = 64,
    /* Ranks are compared in 16 bits. That is a fifth of a soft pair's time: a count in
     * O(C log C), which branches lane by lane, would pay from thousands of classes on. */
    MAX_STEEP_COLUMNS = INT16_MAX
};

/* Bits for the index of a column. */
INLINE int index_bits(int64_t columns) { return 64 - __builtin_clzll((uint64_t)columns - 1); }

/* The k (max - min) up to which two logits that share a sort key are near each other: float32's
 * spacing and the steps of a key are then at most half a power of two. */
INLINE float steepest_range(int64_t columns) {
    int bits = 31 - index_bits(columns);
    return (float)(1 << (bits < 24 ? bits : 24)) / 8;
}

/* Columns by value, as integers that hold the index too; those that are not used, last. */
INLINE void make_keys(const lanes *x, const lanes *used, int64_t columns, lanes low, lanes high,
                      ilanes *keys) {
    const int bits = index_bits(columns);
    const int32_t last = (1 << (31 - bits)) - 1;
    lanes range = high - low;
    lanes scale = select_lanes(range > 0, (lanes){0} + (float)last * 0.9999f, (lanes){0}) /
                  select_lanes(range > 0, range, (lanes){0} + 1.0f);
    for (int64_t c = 0; c < columns; c++) {
        ilanes step = __builtin_convertvector((x[c] - low) * scale, ilanes);
        step = select_ints(used[c] > 0, step, (ilanes){0} + last);
        keys[c] = (step << bits) | (int32_t)c;
    }
}

/* Batcher's merge exchange (Knuth, 5.2.2 M), of each lane. */
INLINE void sort_lanes(ilanes *keys, int64_t columns) {
    int64_t top = 1;
    while (2 * top < columns) top *= 2;
    for (int64_t p = top; p > 0; p /= 2)
        for (int64_t q = top, r = 0, d = p;; d = q - p, q /= 2, r = p) {
            /* Runs of p columns that start where bit p is that of r. */
            for (int64_t start = r; start < columns - d; start += 2 * p) {
                int64_t end = start + p < columns - d ? start + p : columns - d;
                int32_t *restrict a = (int32_t *)(keys + start);
                int32_t *restrict b = (int32_t *)(keys + start + d);
                for (int64_t x = 0; x < (end - start) * LANES; x++) {
                    int32_t low = a[x] < b[x] ? a[x] : b[x], high = a[x] < b[x] ? b[x] : a[x];
                    a[x] = low;
                    b[x] = high;
                }
            }
            if (q == p) break;
        }
}

/* The cells of x in the order of sorted keys. */
INLINE void reorder(const lanes *x, const ilanes *keys, int64_t columns, lanes *to) {
    const int32_t index = (1 << index_bits(columns)) - 1;
    const float *from = (const float *)x;
    const int32_t *key = (const int32_t *)keys;
    float *out = (float *)to;
    for (int64_t c = 0; c < columns; c++)
        for (int64_t l = 0; l < LANES; l++)
            out[c * LANES + l] = from[(int64_t)(key[c * LANES + l] & index) * LANES + l];
}

/* exp(2 k (x - low)) of sorted cells; from position `valid` of its lane on, one far from all. */
INLINE void split_powers(const lanes *x, ilanes valid, int64_t columns, float k, lanes low,
                         powers to) {
    const dlanes origin = __builtin_convertvector(low, dlanes);
    for (int64_t c = 0; c < columns; c++) {
        dlanes y = (__builtin_convertvector(x[c], dlanes) - origin) * (2.8853900817779268 * k);
        dlanes n = (y + ROUND_DOUBLE) - ROUND_DOUBLE;
        lanes r = __builtin_convertvector((y - n) * 0.6931471805599453, lanes);
        ilanes unused = valid <= (int32_t)c;
        to.m[c] = select_lanes(unused, (lanes){0} + 1.0f, scaled_exp(r, (ilanes){0}));
        to.n[c] = select_ints(unused, (ilanes){0} + (1 << 24) + (int32_t)c * APART,
                              __builtin_convertvector(n, ilanes));
    }
}

/* 2^(e - 127) for e <= 254, and 0 for e < 0. */
INLINE lanes power_of_two(ilanes e) { return (lanes)((e & (e > 0)) << 23); }

/* The first column whose lanes are all far above column i; it never falls as i rises. */
INLINE int64_t reach(const ilanes *n, int64_t i, int64_t from, int64_t columns) {
    while (from < columns && any_lane(n[from] - n[i] <= NEAR)) from++;
    return from;
}

/* Cell i and its derivatives, held in registers while j runs. */
typedef struct {
    lanes ms, mt, ab, aa;
    ilanes ns, nt; /* plus 127 */
} steep_cell;

INLINE steep_cell steep_load(const steep_scratch *x, const panel *p, int64_t i, int norms) {
    return (steep_cell){.ms = x->student.m[i], .mt = x->teacher.m[i],
                        .ab = p->grad_ab[i], .aa = norms ? p->grad_aa[i] : (lanes){0},
                        .ns = x->student.n[i] + 127, .nt = x->teacher.n[i] + 127};
}

INLINE void steep_store(const steep_cell *cell, panel *p, int64_t i, int norms) {
    p->grad_ab[i] = cell->ab;
    if (norms) p->grad_aa[i] = cell->aa;
}

/* A pair i < j in the student's order: (sigma - a) b / 2, (1 - a^2) / 4, and both derivatives
 * without the factor k. */
INLINE void add_near_student(steep_cell *i, steep_cell *j, int norms, sums *total) {
    /* Beyond 2^60 the teacher's pair is saturated, and no product below overflows. */
    ilanes et = i->nt - (j->nt - 127);
    et = select_ints(et < 187, et, (ilanes){0} + 187);
    lanes pi = i->ms * power_of_two(i->ns - (j->ns - 127));
    lanes qi = i->mt * power_of_two(et);
    lanes P = pi + j->ms, Q = qi + j->mt;
    lanes r = 1.0f / (P * Q);
    lanes inverse = r * Q;
    lanes h = pi * inverse, g = j->ms * inverse;
    lanes b = (j->mt - qi) * (r * P);
    lanes hg = h * g;
    lanes slope = 4.0f * hg, gab = slope * b;
    total->ab += h * b;
    j->ab += gab;
    i->ab -= gab;
    if (norms) {
        lanes gaa = slope * (g - h);
        total->aa += hg;
        j->aa += gaa;
        i->aa -= gaa;
    }
}

/* A pair i < j in the teacher's order: sigma (tau - b) / 2, (1 - b^2) / 4. */
INLINE void add_near_teacher(lanes mi, ilanes ni, ilanes ri, lanes mj, ilanes nj, ilanes rj,
                             int norms, sums *total) {
    lanes qi = mi * power_of_two(ni - nj);
    lanes inverse = 1.0f / (qi + mj);
    lanes h = qi * inverse;
    total->ab += (lanes)((ilanes)h ^ ((rj - ri) & INT32_MIN));
    if (norms) total->bb += h * (mj * inverse);
}

/* Pairs i < j with rank i above rank j, of distinct ranks. */
INLINE ilanes count_inversions(const slanes *rank, int64_t columns) {
    ilanes total = {0};
    int64_t i = 0;
    for (; i + BLOCK <= columns; i += BLOCK) {
        slanes above[BLOCK] = {{0}};
        for (int b = 0; b < BLOCK; b++)
            for (int c = b + 1; c < BLOCK; c++) above[b] -= rank[i + b] > rank[i + c];
        for (int64_t j = i + BLOCK; j < columns; j++) {
            slanes other = rank[j];
            for (int b = 0; b < BLOCK; b++) above[b] -= rank[i + b] > other;
        }
        for (int b = 0; b < BLOCK; b++) total += __builtin_convertvector(above[b], ilanes);
    }
    for (; i < columns; i++)
        for (int64_t j = i + 1; j < columns; j++)
            total -= __builtin_convertvector(rank[i] > rank[j], ilanes);
    return total;
}

/* The near pairs of the student, and those of the teacher. */
INLINE void add_near_pairs(panel *p, const steep_scratch *x, int norms, dlanes *ab, dlanes *aa,
                           dlanes *bb) {
    const int64_t columns = p->columns;
    int64_t stop_s = 0, stop_t = 0;
    for (int64_t i = 0; i < columns; i++) {
        sums row = {{0}, {0}, {0}};
        stop_s = reach(x->student.n, i, stop_s, columns);
        steep_cell cell = steep_load(x, p, i, norms);
        for (int64_t j = i + 1; j < stop_s; j++) {
            steep_cell other = steep_load(x, p, j, norms);
            add_near_student(&cell, &other, norms, &row);
            steep_store(&other, p, j, norms);
        }
        steep_store(&cell, p, i, norms);
        stop_t = reach(x->sorted.n, i, stop_t, columns);
        const lanes m = x->sorted.m[i];
        const ilanes n = x->sorted.n[i] + 127, r = x->by_teacher[i];
        for (int64_t j = i + 1; j < stop_t; j++)
            add_near_teacher(m, n, r, x->sorted.m[j], x->sorted.n[j], x->by_teacher[j], norms,
                             &row);
        /* In double, as in add_pairs(). */
        *ab += __builtin_convertvector(row.ab, dlanes);
        if (norms) {
            *aa += __builtin_convertvector(row.aa, dlanes);
            *bb += __builtin_convertvector(row.bb, dlanes);
        }
    }
}

/* All pairs of a panel among the cells that are used. Derivatives come in the student's order. */
INLINE void add_steep_pairs(panel *p, steep_scratch *x, float k, lanes low_s,
                            lanes high_s, lanes low_t, lanes high_t, int norms) {
    const int64_t columns = p->columns;
    const lanes none = {0};
    ilanes valid = {0};
    for (int64_t c = 0; c < columns; c++) valid -= x->used[c] > 0;

    make_keys(p->student, x->used, columns, low_s, high_s, x->by_student);
    sort_lanes(x->by_student, columns);
    reorder(p->student, x->by_student, columns, x->value);
    split_powers(x->value, valid, columns, k, low_s, x->student);
    /* The teacher in the student's order; the index in its keys is then the student's rank. */
    reorder(p->teacher, x->by_student, columns, x->value);
    split_powers(x->value, valid, columns, k, low_t, x->teacher);
    for (int64_t c = 0; c < columns; c++)
        x->used[c] = select_lanes(valid > (int32_t)c, none + 1.0f, none);
    make_keys(x->value, x->used, columns, low_t, high_t, x->by_teacher);
    sort_lanes(x->by_teacher, columns);
    reorder(x->teacher.m, x->by_teacher, columns, x->sorted.m);
    reorder((lanes *)x->teacher.n, x->by_teacher, columns, (lanes *)x->sorted.n);

    const int32_t index = (1 << index_bits(columns)) - 1;
    for (int64_t c = 0; c < columns; c++) {
        x->by_teacher[c] &= index;
        x->rank[c] = __builtin_convertvector(x->by_teacher[c], slanes);
        p->grad_ab[c] = none;
        if (norms) p->grad_aa[c] = none;
    }

    dlanes near_ab = {0}, near_aa = {0}, near_bb = {0};
    add_near_pairs(p, x, norms, &near_ab, &near_aa, &near_bb);
    ilanes inversions = count_inversions(x->rank, columns);
    dlanes count = __builtin_convertvector(valid, dlanes);
    dlanes pairs = count * (count - 1) * 0.5;
    p->ab = __builtin_convertvector(
        pairs - 2 * (near_ab + __builtin_convertvector(inversions, dlanes)), lanes);
    p->aa = __builtin_convertvector(pairs - 4 * near_aa, lanes);
    p->bb = __builtin_convertvector(pairs - 4 * near_bb, lanes);
}

#endif
