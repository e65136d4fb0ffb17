/* The module mmdet_kdrank.ops._native: pair sums of rows of logits in plain memory.
 *
 * It takes addresses and strides and knows neither torch nor NumPy, so that one build serves every
 * version of them and, by CPython's limited API, of Python.
 */
#define _GNU_SOURCE /* RTLD_DEFAULT */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030A0000
#include <Python.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

#include "steep.h"

typedef struct {
    const float *data;
    int64_t row, column; /* strides, in elements */
} matrix;

typedef struct {
    matrix student, teacher;
    const uint8_t *mask; /* contiguous, or NULL */
    int64_t rows, columns;
    float k;
    enum phi phi_student, phi_teacher;
    float *ab, *aa, *bb, *grad_ab, *grad_aa; /* contiguous; aa, bb and grad_aa NULL without norms */
    int instructions;
} task;

/* k (max - min) up to which panel.h's exponentials hold. */
static const float LARGEST_RANGE = 40.0f;
/* From here on each cell of a row has a saturated pair, with the lowest or the highest. */
static const float SATURATED_RANGE = 18.0f;

/* Copies rows [first, first + count) into lanes; idle lanes and masked cells are harmless values.
 * Returns 0 where the row is finite, NaN where not. */
INLINE lanes load(const task *x, matrix m, int64_t first, int64_t count, lanes *to,
                  const lanes *valid, lanes *low, lanes *high) {
    lanes broken = {0};
    const float inf = __builtin_inff();
    *low = broken + inf;
    *high = broken - inf;
    for (int64_t c = 0; c < x->columns; c++) {
        const float *from = m.data + first * m.row + c * m.column;
        lanes value = {0};
        for (int64_t l = 0; l < count; l++) value[l] = from[l * m.row];
        if (valid) value = select_lanes(valid[c] > 0, value, (lanes){0});
        ilanes used = valid ? valid[c] > 0 : (ilanes){0} - 1;
        broken += value * 0.0f;
        *low = select_lanes(used & (value < *low), value, *low);
        *high = select_lanes(used & (value > *high), value, *high);
        to[c] = value;
    }
    /* A row without a valid column. */
    ilanes empty = *low > *high;
    *low = select_lanes(empty, (lanes){0}, *low);
    *high = select_lanes(empty, (lanes){0}, *high);
    return broken;
}

/* exp(2 k (x - mid-range)), of valid cells. */
INLINE void exponentiate(lanes *x, int64_t columns, float k, lanes low, lanes high) {
    dlanes middle =
        (__builtin_convertvector(low, dlanes) + __builtin_convertvector(high, dlanes)) * 0.5;
    for (int64_t c = 0; c < columns; c++) {
        lanes inside = select_lanes(x[c] < low, low, select_lanes(x[c] > high, high, x[c]));
        x[c] = exp_of_double((__builtin_convertvector(inside, dlanes) - middle) * (2.0 * k));
    }
}

INLINE void add_variant(panel *p, float k, variant v) {
    add_pairs(p, k, v);
    finish(p, k, v);
}

INLINE void dispatch_flags(panel *p, const task *x, variant v) {
    const int norms = x->aa != NULL, masked = x->mask != NULL;
    v.norms = v.masked = 0;
    if (!norms && !masked) add_variant(p, x->k, v);
    v.norms = 1;
    if (norms && !masked) add_variant(p, x->k, v);
    v.masked = 1;
    if (norms && masked) add_variant(p, x->k, v);
    v.norms = 0;
    if (!norms && masked) add_variant(p, x->k, v);
}

/* To the columns whose indices are the low bits of `keys`, or in order. */
INLINE void store(const lanes *from, const ilanes *keys, float *to, int64_t first, int64_t count,
                  int64_t columns) {
    const int32_t index = (1 << index_bits(columns)) - 1;
    for (int64_t c = 0; c < columns; c++)
        for (int64_t l = 0; l < count; l++)
            to[(first + l) * columns + (keys ? keys[c][l] & index : c)] = from[c][l];
}

INLINE void run_panel(const task *x, panel *p, steep_scratch *scratch, int64_t first,
                      int64_t count) {
    if (x->mask)
        for (int64_t c = 0; c < x->columns; c++) {
            p->valid[c] = (lanes){0};
            for (int64_t l = 0; l < count; l++)
                p->valid[c][l] = x->mask[(first + l) * x->columns + c] != 0;
        }
    const lanes *valid = x->mask ? p->valid : NULL;
    lanes low_s, high_s, low_t, high_t;
    lanes broken = load(x, x->student, first, count, p->student, valid, &low_s, &high_s) +
                   load(x, x->teacher, first, count, p->teacher, valid, &low_t, &high_t);
    const int soft = x->phi_student == PHI_TANH && x->phi_teacher == PHI_TANH;
    const int norms = x->aa != NULL;
    const float steepest = steepest_range(x->columns);
    ilanes sound = broken == 0;
    const int whole = !any_lane(~sound);
    for (int64_t l = count; l < LANES; l++) sound[l] = 0;
    /* The squares of a row without a saturated pair would be a small difference of large sums. */
    const float least = norms ? SATURATED_RANGE : 0.0f;
    const ilanes *order = NULL;
    if (soft && whole && within(low_s, high_s, x->k, 0, LARGEST_RANGE, sound) &&
        within(low_t, high_t, x->k, 0, LARGEST_RANGE, sound)) {
        exponentiate(p->student, x->columns, x->k, low_s, high_s);
        exponentiate(p->teacher, x->columns, x->k, low_t, high_t);
        dispatch_flags(p, x, (variant){EXPONENTIALS, PHI_TANH, PHI_TANH, 0, 0});
    } else if (soft && x->columns <= MAX_STEEP_COLUMNS &&
               within(low_s, high_s, x->k, least, steepest, sound) &&
               within(low_t, high_t, x->k, least, steepest, sound)) {
        for (int64_t c = 0; c < x->columns; c++)
            scratch->used[c] =
                select_lanes(sound, valid ? valid[c] : (lanes){0} + 1.0f, (lanes){0});
        if (norms)
            add_steep_pairs(p, scratch, x->k, low_s, high_s, low_t, high_t, 1);
        else
            add_steep_pairs(p, scratch, x->k, low_s, high_s, low_t, high_t, 0);
        finish(p, x->k, (variant){LOGITS, PHI_TANH, PHI_TANH, norms, 0});
        order = scratch->by_student;
    } else if (x->phi_student == PHI_SIGN) {
        dispatch_flags(p, x, (variant){LOGITS, PHI_SIGN, PHI_SIGN, 0, 0});
    } else if (x->phi_teacher == PHI_SIGN) {
        dispatch_flags(p, x, (variant){LOGITS, PHI_TANH, PHI_SIGN, 0, 0});
    } else {
        dispatch_flags(p, x, (variant){LOGITS, PHI_TANH, PHI_TANH, 0, 0});
    }
    p->ab += broken;
    for (int64_t l = 0; l < count; l++) {
        x->ab[first + l] = p->ab[l];
        if (x->aa) x->aa[first + l] = p->aa[l], x->bb[first + l] = p->bb[l];
    }
    store(p->grad_ab, order, x->grad_ab, first, count, x->columns);
    if (x->aa) store(p->grad_aa, order, x->grad_aa, first, count, x->columns);
}

/* The same code for each instruction set; chosen when it runs, since a wheel travels. By hand:
 * target_clones is GCC's alone, and tells AMD's processors from Intel's in older versions of it. */
typedef void runner(const task *, panel *, steep_scratch *, int64_t, int64_t);

static void run_plain(const task *x, panel *p, steep_scratch *s, int64_t first, int64_t count) {
    run_panel(x, p, s, first, count);
}

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static void run_avx2(const task *x, panel *p, steep_scratch *s,
                                                         int64_t first, int64_t count) {
    run_panel(x, p, s, first, count);
}

__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma"))) static void run_avx512(
    const task *x, panel *p, steep_scratch *s, int64_t first, int64_t count) {
    run_panel(x, p, s, first, count);
}
#endif

enum instructions { PLAIN, AVX2, AVX512 };

/* The widest that the machine has, up to a limit. */
static runner *widest(enum instructions limit) {
    (void)limit;
#ifdef __x86_64__
    if (limit >= AVX512 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return run_avx512;
    if (limit >= AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return run_avx2;
#endif
    return run_plain;
}

/* A call and how far it is; the threads at it take the next panel until there is none. */
typedef struct {
    const task *task;
    int64_t next;
    int failed;
} job;

static void run_job(void *argument) {
    job *j = argument;
    const task *x = j->task;
    const int64_t columns = x->columns;
    void *memory = NULL;
    if (posix_memalign(&memory, sizeof(lanes),
                       (5 + STEEP_VECTORS) * (size_t)columns * sizeof(lanes))) {
        __atomic_store_n(&j->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    lanes *buffer = memory;
    panel p = {.columns = columns,
               .student = buffer,
               .teacher = buffer + columns,
               .valid = buffer + 2 * columns,
               .grad_ab = buffer + 3 * columns,
               .grad_aa = buffer + 4 * columns};
    steep_scratch scratch = steep_scratch_at(buffer + 5 * columns, columns);
    runner *run = widest(x->instructions);
    int64_t first;
    while ((first = __atomic_fetch_add(&j->next, LANES, __ATOMIC_RELAXED)) < x->rows)
        run(x, &p, &scratch, first, x->rows - first < LANES ? x->rows - first : LANES);
    free(memory);
}

/* GNU's interface of OpenMP, which other implementations of it have too. */
typedef void parallel(void (*function)(void *), void *data, unsigned threads, unsigned flags);

enum { MAX_THREADS = 256 };

static void *run_job_in_thread(void *argument) {
    run_job(argument);
    return NULL;
}

/* Torch's own OpenMP threads, where the process has some: for milliseconds after an operation they
 * wait for the next one without giving up their cores, so that other threads find none. Found by
 * name, since torch's library of OpenMP is none that could be linked to. */
static int run_task(const task *x, int threads) {
    job j = {x, 0, 0};
    parallel *openmp = (parallel *)dlsym(RTLD_DEFAULT, "GOMP_parallel");
    if (threads <= 1) {
        run_job(&j);
    } else if (openmp) {
        openmp(run_job, &j, (unsigned)threads, 0);
    } else {
        pthread_t handles[MAX_THREADS];
        int started = 0;
        if (threads > MAX_THREADS) threads = MAX_THREADS;
        while (started < threads - 1 &&
               !pthread_create(&handles[started], NULL, run_job_in_thread, &j))
            started++;
        run_job(&j);
        while (started > 0) pthread_join(handles[--started], NULL);
    }
    return j.failed;
}

#define ADDRESS(x) ((void *)(uintptr_t)(x))

static PyObject *pair_sums(PyObject *self, PyObject *arguments) {
    unsigned long long student, teacher, mask, ab, aa, bb, grad_ab, grad_aa;
    long long rows, columns, student_row, student_column, teacher_row, teacher_column;
    int phi_student, phi_teacher, threads, instructions, failed;
    float k;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "(LL)(KLL)(KLL)Kfiiii(KKKKK)", &rows, &columns, &student,
                          &student_row, &student_column, &teacher, &teacher_row, &teacher_column,
                          &mask, &k, &phi_student, &phi_teacher, &threads, &instructions, &ab, &aa,
                          &bb, &grad_ab, &grad_aa))
        return NULL;
    task x = {.student = {ADDRESS(student), student_row, student_column},
              .teacher = {ADDRESS(teacher), teacher_row, teacher_column},
              .mask = ADDRESS(mask),
              .rows = rows,
              .columns = columns,
              .k = k,
              .phi_student = phi_student,
              .phi_teacher = phi_teacher,
              .ab = ADDRESS(ab),
              .aa = ADDRESS(aa),
              .bb = ADDRESS(bb),
              .grad_ab = ADDRESS(grad_ab),
              .grad_aa = ADDRESS(grad_aa),
              .instructions = instructions};
    Py_BEGIN_ALLOW_THREADS;
    failed = run_task(&x, threads);
    Py_END_ALLOW_THREADS;
    if (failed) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"pair_sums", pair_sums, METH_VARARGS,
     "pair_sums((rows, columns), student, teacher, mask, k, phi_student, phi_teacher, threads, "
     "instructions, (ab, aa, bb, grad_ab, grad_aa)): matrices as (address, row stride, column stride), the rest "
     "as addresses, 0 for none."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_native", NULL, -1, methods,
                                    NULL,                  NULL,      NULL, NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&module); }
