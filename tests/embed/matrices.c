/* Sparse matrices and graphs over the host's arrays: no copy, released once, checked before they are
 * believed. */
#include "support.h"

static int releases;

static void count_release(void *owner) {
    *(int *)owner += 1;
}

static gmx_tensor *lent(gmx_session *session, void *data, gmx_dtype dtype, int64_t count) {
    gmx_tensor *tensor = NULL;
    CHECK_OK(session,
             gmx_tensor_wrap(session, data, dtype, 1, &count, NULL, count_release, &releases, &tensor));
    if (!tensor)
        exit(finish());
    return tensor;
}

/* [[0, 2, 0], [0, 0, 0], [1, 0, 3], [0, 4, 0]] */
static int64_t starts[] = {0, 1, 1, 3, 4};
static int32_t columns[] = {1, 0, 2, 1};
static float values[] = {2, 1, 3, 4};

static void test_matrix(void) {
    gmx_session *session = open_session(0);
    releases = 0;
    gmx_tensor *parts[] = {lent(session, starts, GMX_I64, 5), lent(session, columns, GMX_I32, 4),
                           lent(session, values, GMX_F32, 4)};
    CHECK_OK(session, gmx_set_csr(session, "a", 4, 3, parts[0], parts[1], parts[2]));
    for (int i = 0; i < 3; i++)
        gmx_tensor_release(parts[i]);
    CHECK(eval_number(session, "f64(nnz(a))") == 4, "nnz(a)");
    CHECK(eval_number(session, "sum(f64(a @ f32([1, 10, 100])) * [1.0, 2.0, 3.0, 4.0])") == 20 + 903 + 160,
          "a @ x");
    CHECK(eval_number(session, "f64(sum(a.T @ f32([1, 2, 3, 4])))") == 3 + 18 + 9, "a.T @ x");
    CHECK(eval_number(session, "f64(a[2, 2])") == 3, "a[2, 2]");
    CHECK(releases == 0, "released while `a` holds them");
    values[3] = 5; /* what is lent is seen */
    CHECK(eval_number(session, "f64(sum(a))") == 11, "the values were copied");
    values[3] = 4;
    gmx_session_close(session);
    CHECK(releases == 3, "released %d times", releases);
}

/* Without values: a graph, with an edge from each row to its columns; indices of 64 bits. */
static void test_graph(void) {
    gmx_session *session = open_session(0);
    int32_t narrow[] = {0, 2, 3, 3};
    int64_t wide[] = {1, 2, 2};
    gmx_tensor *parts[] = {lent(session, narrow, GMX_I32, 4), lent(session, wide, GMX_I64, 3)};
    CHECK_OK(session, gmx_set_csr(session, "g", 3, 3, parts[0], parts[1], NULL));
    CHECK(eval_number(session, "sum([sum(1.0 * (u + 1) for u -> v in g) for v in g] * [1.0, 10.0, 100.0])") ==
              310,
          "sums over the edges into a node");
    CHECK(eval_number(session, "sum(g.adj @ [1.0, 10.0, 100.0])") == 210, "g.adj @ x");
    gmx_tensor_release(parts[0]);
    gmx_tensor_release(parts[1]);
    gmx_session_close(session);
}

static void refuse(int64_t rows, int64_t width, int64_t *first, int64_t first_count, int32_t *second,
                   int64_t second_count, const char *code) {
    gmx_session *session = open_session(0);
    gmx_tensor *parts[] = {lent(session, first, GMX_I64, first_count),
                           lent(session, second, GMX_I32, second_count),
                           lent(session, values, GMX_F32, second_count)};
    CHECK(gmx_set_csr(session, "a", rows, width, parts[0], parts[1], parts[2]) == GMX_ERROR, "it was taken");
    CHECK(!strcmp(gmx_errcode(session), code), "%s: %s", code, gmx_errmsg(session));
    gmx_tensor *value = NULL;
    CHECK(gmx_eval(session, "a", &value) != GMX_OK, "the name is bound");
    for (int i = 0; i < 3; i++)
        gmx_tensor_release(parts[i]);
    gmx_session_close(session);
}

static void test_refused(void) {
    refuse(3, 3, starts, 5, columns, 4, "E0301");                             /* starts for 4 rows */
    refuse(4, 2, starts, 5, columns, 4, "E0302");                             /* column 2 of 2 */
    refuse(4, 3, (int64_t[]){0, 1, 1, 3, 3}, 5, columns, 4, "E0204");         /* does not reach the end */
    refuse(4, 3, (int64_t[]){1, 1, 1, 3, 4}, 5, columns, 4, "E0204");         /* does not begin at 0 */
    refuse(4, 3, (int64_t[]){0, 3, 1, 3, 4}, 5, columns, 4, "E0204");         /* descends */
    refuse(4, 3, (int64_t[]){0, INT64_MAX, 1, 3, 4}, 5, columns, 4, "E0204"); /* beyond the entries */
    refuse(4, 3, starts, 5, (int32_t[]){1, 2, 0, 1}, 4, "E0204");             /* a row is not sorted */
    refuse(4, 3, starts, 5, (int32_t[]){1, 2, 2, 1}, 4, "E0204");             /* an entry twice */
    refuse(4, 3, starts, 5, (int32_t[]){1, -1, 2, 1}, 4, "E0302");            /* a negative column */
    refuse(-1, 3, starts, 5, columns, 4, "E0301");
}

int main(void) {
    test_matrix();
    test_graph();
    test_refused();
    return finish();
}
