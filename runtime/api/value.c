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

static ElabSlot *slot_of(gmx_session *s, const char *name, gmxrt_tensor *tensor) {
    ElabSlot *slot = elab_slot_new(s->elaborator, name ? intern_text(&s->names, name) : NULL,
                                   (Dtype)tensor->dtype, (uint32_t)tensor->rank);
    gmxrt_tensor_retain(tensor);
    program_set_tensor(s, slot, tensor);
    return slot;
}

gmx_status gmx_set(gmx_session *session, const char *name, gmx_tensor *value) {
    SESSION_ENTER(session, name && value);
    elab_bind_slot(session->elaborator, intern_text(&session->names, name),
                   slot_of(session, name, inner(value)));
    return session_end(session);
}

static gmxrt_tensor *tensor_of_value(gmx_session *s, const Value *value) {
    if (value->kind == VALUE_SLOT && value->slot->tensor) {
        gmxrt_tensor_retain(value->slot->tensor);
        return value->slot->tensor;
    }
    if (value->kind == VALUE_SLOT && value->slot->data) {
        gmxrt_tensor *tensor =
            gmxrt_tensor_new(s->ctx, value->slot->dtype, (int32_t)value->slot->rank, value->slot->shape, 0);
        int64_t bytes = tensor ? gmxrt_tensor_size(tensor) * dtype_info[value->slot->dtype].bytes : 0;
        if (bytes)
            memcpy(tensor->data, value->slot->data, (size_t)bytes);
        return tensor;
    }
    if (value->kind != VALUE_CONSTANT)
        return NULL;
    gmxrt_tensor *tensor = gmxrt_tensor_new(s->ctx, value->dtype, 0, NULL, 0);
    if (tensor)
        memcpy(tensor->data, &value->bits, dtype_info[value->dtype].bytes);
    return tensor;
}

gmx_status gmx_get(gmx_session *session, const char *name, gmx_tensor **out) {
    SESSION_ENTER(session, name && out);
    Value value;
    if (!elab_find_global(session->elaborator, intern_text(&session->names, name), &value)) {
        diag_error(&session->sink, DIAG_E0110, (Span){0}, "there is no `%s`", name);
        return session_end(session);
    }
    gmxrt_tensor *tensor = tensor_of_value(session, &value);
    session_collect_run_errors(session);
    if (tensor)
        *out = (gmx_tensor *)tensor;
    else if (!session->sink.error_count)
        diag_error(&session->sink, DIAG_E0201, (Span){0}, "`%s` is %s, not a tensor", name,
                   elab_type_text(session->elaborator, value));
    return session_end(session);
}

/* ---- calls
 * ---------------------------------------------------------------------------------------------------- */

static void take_results(gmx_session *s, const Value *value, const char *function, gmx_tensor **results,
                         size_t count) {
    const Value *items = value->kind == VALUE_TUPLE ? value->tuple->items : value;
    size_t have = value->kind == VALUE_TUPLE ? value->tuple->count : value->kind == VALUE_UNIT ? 0 : 1;
    if (have != count) {
        diag_error(&s->sink, DIAG_E0204, (Span){0}, "`%s` gives %zu values, %zu were asked for", function,
                   have, count);
        return;
    }
    gmxrt_tensor **made = ARENA_ARRAY(&s->report, gmxrt_tensor *, count + 1);
    for (size_t i = 0; i < count; i++) {
        made[i] = tensor_of_value(s, &items[i]);
        session_collect_run_errors(s);
        if (made[i])
            continue;
        if (!s->sink.error_count)
            diag_error(&s->sink, DIAG_E0201, (Span){0}, "value %zu of `%s` is no tensor", i, function);
        while (i-- > 0)
            gmxrt_tensor_release(made[i]);
        return;
    }
    for (size_t i = 0; i < count; i++)
        results[i] = (gmx_tensor *)made[i];
}

/* A function compiled for one combination of arguments, so that further calls go straight to the code. */
struct CallEntry {
    const char *key;
    uint64_t generation;
    CompiledFunction code;
    uint32_t parameter_count, result_count;
    int32_t *arguments; /* per parameter: the argument's number, or -1 */
    ElabSlot **slots;   /* where it is -1: a global */
};

/* What a function is specialised for: dtypes, ranks, contiguity, extents of 1; and the sizes that a
 * declared type spells (sizes_fit). */
static const char *call_key(Arena *arena, const char *function, gmx_tensor *const *arguments, size_t count) {
    char *key = arena_alloc(arena, strlen(function) + 2 + count * (GMX_MAX_RANK + 4));
    char *p = key + sprintf(key, "%s(", function);
    for (size_t i = 0; i < count; i++) {
        const gmxrt_tensor *t = inner_const(arguments[i]);
        *p++ = (char)('A' + t->dtype);
        for (int32_t k = 0; k < t->rank; k++)
            *p++ = t->shape[k] == 1 ? '1' : 'n';
        *p++ = gmxrt_tensor_is_contiguous(t) ? 'c' : 's';
    }
    return key;
}

/* Do the arguments have the sizes that the code takes as constants? */
static bool sizes_fit(const CallEntry *call, gmx_tensor *const *arguments) {
    for (uint32_t i = 0; i < call->parameter_count; i++) {
        const ElabSlot *slot = call->slots[i];
        for (uint32_t k = 0; call->arguments[i] >= 0 && k < slot->rank; k++)
            if (slot->fixed_axes >> k & 1 &&
                inner_const(arguments[call->arguments[i]])->shape[k] != slot->shape[k])
                return false;
    }
    return true;
}

static CallEntry *find_call(const gmx_session *s, const char *key, gmx_tensor *const *arguments) {
    for (uint32_t i = 0; i < s->calls.count; i++)
        if (s->calls.items[i]->generation == s->generation && !strcmp(s->calls.items[i]->key, key) &&
            sizes_fit(s->calls.items[i], arguments))
            return s->calls.items[i];
    return NULL;
}

static void run_call(gmx_session *s, const CallEntry *call, gmx_tensor *const *arguments,
                     gmx_tensor **results) {
    gmxrt_tensor *parameters[64];
    for (uint32_t i = 0; i < call->parameter_count; i++)
        parameters[i] =
            call->arguments[i] >= 0 ? inner(arguments[call->arguments[i]]) : call->slots[i]->tensor;
    gmxrt_tensor *made[64] = {0};
    if (!call->code(s->ctx, parameters, made))
        memcpy(results, made, call->result_count * sizeof *results);
    session_collect_run_errors(s);
}

/* Keeps the unit that has just run for the next call with such arguments. */
static void remember_call(gmx_session *s, const char *key, const Value *values, size_t count,
                          const Value *result) {
    const ElabUnit *unit = s->last_unit;
    const Value *items = result->kind == VALUE_TUPLE ? result->tuple->items : result;
    uint32_t results = result->kind == VALUE_TUPLE ? result->tuple->count : 1;
    if (!s->last_code || unit->has_token || unit->effects.count || unit->parameters.count > 64 ||
        results > 64 || results != unit->results.count)
        return;
    for (uint32_t i = 0; i < results; i++)
        if (items[i].kind != VALUE_SLOT || items[i].slot != unit->results.items[i].slot)
            return;
    CallEntry *call = ARENA_NEW(&s->arena, CallEntry);
    *call = (CallEntry){.key = arena_copy_text(&s->arena, key, strlen(key)),
                        .generation = s->generation,
                        .code = s->last_code,
                        .parameter_count = unit->parameters.count,
                        .result_count = results,
                        .arguments = ARENA_ARRAY(&s->arena, int32_t, unit->parameters.count),
                        .slots = ARENA_ARRAY(&s->arena, ElabSlot *, unit->parameters.count)};
    for (uint32_t i = 0; i < unit->parameters.count; i++) {
        call->slots[i] = unit->parameters.items[i].slot;
        call->arguments[i] = -1;
        for (size_t k = 0; k < count; k++)
            if (values[k].slot == call->slots[i])
                call->arguments[i] = (int32_t)k;
    }
    vec_push(&s->arena, &s->calls, call);
}

static void compile_call(gmx_session *s, const char *function, const char *key, gmx_tensor *const *arguments,
                         size_t count, gmx_tensor **results, size_t result_count) {
    uint32_t kept = s->slots.count;
    program_open_unit(s);
    Value *values = ARENA_ARRAY(&s->report, Value, count + 1);
    for (size_t i = 0; i < count; i++) {
        values[i] = value_of_kind(VALUE_SLOT);
        values[i].slot = slot_of(s, NULL, inner(arguments[i]));
    }
    ElabOutcome outcome =
        elab_call_global(s->elaborator, intern_text(&s->names, function), values, (uint32_t)count);
    if (program_run_unit(s) && outcome.ok && !s->sink.error_count) {
        take_results(s, outcome.value, function, results, result_count);
        if (!s->sink.error_count)
            remember_call(s, key, values, count, outcome.value);
    }
    while (s->slots.count > kept) { /* arguments and results of this call only */
        ElabSlot *slot = s->slots.items[--s->slots.count];
        gmxrt_tensor_release(slot->tensor);
        slot->tensor = NULL;
    }
}

gmx_status gmx_call(gmx_session *session, const char *function, gmx_tensor *const *arguments,
                    size_t argument_count, gmx_tensor **results, size_t result_count) {
    SESSION_ENTER(session, function && (arguments || !argument_count) && (results || !result_count));
    for (size_t i = 0; i < argument_count; i++)
        if (!arguments[i])
            return session_misuse(session, "an argument is NULL");
    const char *key = call_key(&session->report, function, arguments, argument_count);
    const CallEntry *call = find_call(session, key, arguments);
    if (call && call->result_count == result_count)
        run_call(session, call, arguments, results);
    else
        compile_call(session, function, key, arguments, argument_count, results, result_count);
    return session_end(session);
}

gmx_status gmx_call1(gmx_session *session, const char *function, gmx_tensor *argument, gmx_tensor **out) {
    return gmx_call(session, function, &argument, 1, out, 1);
}
