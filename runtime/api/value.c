/* Tensors and names of a session, and calls of its functions. */
#include "runtime/api/internal.h"

#include <stdio.h>

static gmxrt_tensor *inner(gmx_tensor *tensor) {
    return (gmxrt_tensor *)tensor;
}

static const gmxrt_tensor *inner_const(const gmx_tensor *tensor) {
    return (const gmxrt_tensor *)tensor;
}

_Static_assert((int)GMX_BOOL == (int)DTYPE_bool && (int)GMX_F64 == (int)DTYPE_f64 &&
                   (int)GMX_BF16 == (int)DTYPE_bf16 && (int)GMX_C64 == (int)DTYPE_c64 &&
                   (int)GMX_C128 == (int)DTYPE_c128 && (int)GMX_I64 == (int)DTYPE_i64 &&
                   (int)GMX_MAX_RANK == (int)GMXRT_MAX_RANK,
               "gmx_dtype follows ir/dtypes.def");

/* ---- tensors ------------------------------------------------------------------------------------------- */

static const char *bad_shape(gmx_dtype dtype, int rank, const int64_t *shape) {
    if ((unsigned)dtype > GMX_C128)
        return "the dtype is not one of gmx_dtype";
    if (rank < 0 || rank > GMX_MAX_RANK)
        return "the rank is outside 0 … 16";
    for (int k = 0; k < rank; k++)
        if (!shape || shape[k] < 0)
            return "an extent is negative";
    return gmxrt_bytes_of((int32_t)dtype, rank, shape) < 0 ? "the tensor is larger than memory can address"
                                                           : NULL;
}

gmx_status gmx_tensor_new(gmx_session *session, gmx_dtype dtype, int rank, const int64_t *shape,
                          gmx_tensor **out) {
    SESSION_ENTER(session, out);
    const char *bad = bad_shape(dtype, rank, shape);
    if (bad)
        return session_misuse(session, bad);
    gmxrt_tensor *tensor = gmxrt_tensor_new(session->ctx, (int32_t)dtype, rank, shape, 0);
    session_collect_run_errors(session);
    if (tensor)
        *out = (gmx_tensor *)tensor;
    return session_end(session);
}

/* The addresses that strides reach, in elements from data: *low <= 0 <= *high; false on overflow. */
static bool reach(int rank, const int64_t *shape, const int64_t *strides, int64_t *low, int64_t *high) {
    *low = *high = 0;
    for (int k = 0; k < rank; k++) {
        int64_t span;
        if (shape[k] == 0)
            return *low = *high = 0, true;
        if (__builtin_mul_overflow(shape[k] - 1, strides[k], &span) ||
            __builtin_add_overflow(span < 0 ? *low : *high, span, span < 0 ? low : high))
            return false;
    }
    return true;
}

static gmx_status wrap(gmx_session *session, void *data, gmx_dtype dtype, int rank, const int64_t *shape,
                       const int64_t *strides, void (*release)(void *owner), void *owner, gmx_tensor **out) {
    const char *bad = bad_shape(dtype, rank, shape);
    int64_t packed[GMX_MAX_RANK], low, high, size = 1;
    if (bad)
        return session_misuse(session, bad);
    for (int k = rank; k-- > 0;) {
        packed[k] = size; /* may wrap only where another extent is 0 */
        size = (int64_t)((uint64_t)size * (uint64_t)shape[k]);
    }
    if (!strides)
        strides = packed;
    if (!data && size)
        return session_misuse(session, "data is NULL");
    int64_t width = dtype_info[dtype].bytes;
    if (!reach(rank, shape, strides, &low, &high) || high > INT64_MAX / 2 / width - 1 ||
        low < -(INT64_MAX / 2 / width))
        return session_misuse(session, "the strides reach beyond memory");
    uintptr_t alignment =
        dtype_info[dtype_part((Dtype)dtype)].bytes; /* C aligns complex numbers as their parts */
    if (size && (uintptr_t)data % alignment)
        return session_misuse(session, "data is not aligned to its element size");
    gmxrt_buffer *buffer =
        gmxrt_buffer_lend(session->ctx, (char *)data + low * width, (high - low + 1) * width, release, owner);
    gmxrt_tensor *tensor =
        buffer ? gmxrt_tensor_make(session->ctx, buffer, data, (int32_t)dtype, rank, shape, strides) : NULL;
    if (buffer && !tensor)
        gmxrt_buffer_disown(buffer); /* the host keeps its memory */
    gmxrt_buffer_release(buffer);
    session_collect_run_errors(session);
    if (tensor)
        *out = (gmx_tensor *)tensor;
    return session_end(session);
}

gmx_status gmx_tensor_wrap(gmx_session *session, void *data, gmx_dtype dtype, int rank, const int64_t *shape,
                           const int64_t *strides, void (*release)(void *owner), void *owner,
                           gmx_tensor **out) {
    SESSION_ENTER(session, out);
    return wrap(session, data, dtype, rank, shape, strides, release, owner, out);
}

void gmx_tensor_retain(gmx_tensor *tensor) {
    gmxrt_tensor_retain(inner(tensor));
}

void gmx_tensor_release(gmx_tensor *tensor) {
    gmxrt_tensor_release(inner(tensor));
}

gmx_dtype gmx_tensor_dtype(const gmx_tensor *tensor) {
    return (gmx_dtype)inner_const(tensor)->dtype;
}

int gmx_tensor_rank(const gmx_tensor *tensor) {
    return inner_const(tensor)->rank;
}

const int64_t *gmx_tensor_shape(const gmx_tensor *tensor) {
    return inner_const(tensor)->shape;
}

const int64_t *gmx_tensor_strides(const gmx_tensor *tensor) {
    return inner_const(tensor)->strides;
}

int64_t gmx_tensor_size(const gmx_tensor *tensor) {
    return gmxrt_tensor_size(inner_const(tensor));
}

const void *gmx_tensor_data(const gmx_tensor *tensor) {
    return inner_const(tensor)->data;
}

void *gmx_tensor_mutable_data(gmx_tensor *tensor) {
    return inner(tensor)->data;
}

/* The one array of a file; NULL after an error was set. */
static gmxrt_tensor *load_one(gmx_session *session, const char *path) {
    gmxrt_arrays arrays;
    if (gmxrt_file_load(session->ctx, path, false, &arrays, 0))
        return NULL;
    gmxrt_tensor *tensor = arrays.count == 1 ? arrays.items[0].tensor : NULL;
    gmxrt_tensor_retain(tensor);
    if (!tensor)
        gmxrt_fail(session->ctx, DIAG_E0204, 0, "`%.300s` holds %lld arrays, one was asked for", path,
                   (long long)arrays.count);
    gmxrt_arrays_free(&arrays);
    return tensor;
}

gmx_status gmx_load(gmx_session *session, const char *path, gmx_tensor **out) {
    SESSION_ENTER(session, path && out);
    gmxrt_tensor *tensor = load_one(session, path);
    session_collect_run_errors(session);
    if (tensor)
        *out = (gmx_tensor *)tensor;
    return session_end(session);
}

gmx_status gmx_save(gmx_session *session, gmx_tensor *tensor, const char *path) {
    SESSION_ENTER(session, tensor && path);
    gmxrt_view view = gmxrt_view_of(inner(tensor));
    gmxrt_file_save(session->ctx, path, 1, NULL, &view, 0);
    session_collect_run_errors(session);
    return session_end(session);
}

/* ---- names ------------------------------------------------------------------------------------------------
 */

/* Code that was compiled for one tensor takes the other. */
static bool is_alike(const ElabSlot *slot, const gmxrt_tensor *tensor) {
    bool alike = slot->tensor && slot->dtype == (Dtype)tensor->dtype &&
                 slot->rank == (uint32_t)tensor->rank &&
                 slot->is_contiguous == gmxrt_tensor_is_contiguous(tensor);
    for (uint32_t k = 0; alike && k < slot->rank; k++)
        alike = (slot->shape[k] == 1) == (tensor->shape[k] == 1);
    return alike;
}

gmx_status gmx_set(gmx_session *session, const char *name, gmx_tensor *value) {
    SESSION_ENTER(session, name && value);
    Value old;
    Name interned = intern_text(&session->names, name);
    gmxrt_tensor *tensor = inner(value);
    ElabSlot *slot = NULL;
    gmxrt_tensor_retain(tensor);
    if (elab_find_global(session->elaborator, interned, &old) && old.kind == VALUE_SLOT && !old.is_weak &&
        is_alike(old.slot, tensor) && session_uses(session, old.slot) == 1)
        slot = old.slot; /* nothing but the name holds it, and compiled calls may go on reading it */
    if (!slot) {
        slot = elab_slot_new(session->elaborator, interned, (Dtype)tensor->dtype, (uint32_t)tensor->rank);
        elab_bind_global(session->elaborator, interned, (Value){.kind = VALUE_SLOT, .slot = slot});
        session->generation++;
    }
    session_set_tensor(session, slot, tensor);
    session_sweep(session);
    return session_end(session);
}

static Value csr_value(gmx_session *session, gmxrt_tensor *pattern, gmxrt_tensor *values) {
    Value entries = session_slot_of(session, pattern, true);
    if (values)
        return elab_sparse_of(session->elaborator, entries, session_slot_of(session, values, false));
    return elab_graph_of(session->elaborator, entries);
}

gmx_status gmx_set_csr(gmx_session *session, const char *name, int64_t rows, int64_t columns,
                       gmx_tensor *starts, gmx_tensor *indices, gmx_tensor *values) {
    SESSION_ENTER(session, name && starts && indices);
    const gmxrt_tensor *given = values ? inner(values) : NULL;
    if (given &&
        (given->rank != 1 || inner(indices)->rank != 1 || given->shape[0] != inner(indices)->shape[0]))
        return session_misuse(session, "the values are not one for each index");
    if (!given && rows != columns)
        return session_misuse(session, "a matrix without values is a graph, and square");
    gmxrt_buffer *made = NULL;
    gmxrt_tensor *pattern = NULL;
    if (!gmxrt_pattern_lend(session->ctx, rows, columns, inner(starts), inner(indices), &made, 0))
        pattern = gmxrt_pattern_tensor(session->ctx, made);
    gmxrt_buffer_release(made);
    session_collect_run_errors(session);
    if (pattern) {
        elab_bind_global(session->elaborator, intern_text(&session->names, name),
                         csr_value(session, pattern, values ? inner(values) : NULL));
        session->generation++;
        session_sweep(session);
    }
    gmxrt_tensor_release(pattern);
    return session_end(session);
}

gmx_status gmx_get(gmx_session *session, const char *name, gmx_tensor **out) {
    SESSION_ENTER(session, name && out);
    Value value;
    if (!elab_find_global(session->elaborator, intern_text(&session->names, name), &value)) {
        diag_error(&session->sink, DIAG_E0110, (Span){0}, "there is no `%s`", name);
        return session_end(session);
    }
    gmxrt_tensor *tensor = session_tensor_of(session, &value);
    session_collect_run_errors(session);
    if (tensor)
        *out = (gmx_tensor *)tensor;
    else if (!session->sink.error_count)
        diag_error(&session->sink, DIAG_E0201, (Span){0}, "`%s` is %s, not a tensor", name,
                   elab_type_text(session->elaborator, value));
    return session_end(session);
}
