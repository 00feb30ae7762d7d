/* Structs of layers in compiled libraries: allocated and filled, loaded, saved and given back. */
#include "runtime/rt/internal.h"

#include "runtime/rt/aot.h"

#include <stdlib.h>
#include <string.h>

enum { MEMBER_ALIGNMENT = 64 };

static gmxrt_view view_of_member(const gmxrt_library_value *value, const int64_t *extents, void *data) {
    gmxrt_view view = {.data = data, .dtype = value->dtype, .rank = value->rank};
    int64_t stride = 1;
    for (int32_t k = value->rank; k-- > 0;) {
        view.shape[k] = extents[k];
        view.strides[k] = stride;
        stride *= extents[k] > 0 ? extents[k] : 1; /* checked by gmxrt_bytes_of when it was allocated */
    }
    return view;
}

static void free_members(const gmxrt_library_struct *type, void **members) {
    for (int64_t i = 0; i < type->count; i++) {
        free(members[i]);
        members[i] = NULL;
    }
}

void gmxrt_library_struct_free(const gmxrt_library_struct *type, void **members) {
    if (members) {
        free_members(type, members);
    }
}

static int32_t allocate_members(gmxrt_ctx *ctx, const gmxrt_library_struct *type, void **members) {
    const int64_t *extents = type->extents;
    memset(members, 0, (size_t)type->count * sizeof *members);
    for (int64_t i = 0; i < type->count; i++) {
        const gmxrt_library_value *value = &type->values[i];
        int64_t bytes = gmxrt_bytes_of(value->dtype, value->rank, extents);
        extents += value->rank;
        if (bytes < 0 || posix_memalign(&members[i], MEMBER_ALIGNMENT, (size_t)(bytes ? bytes : 1))) {
            members[i] = NULL;
            free_members(type, members);
            return gmxrt_fail(ctx, RT_E0306, 0, "memory for `%s` of `%s` cannot be had", type->paths[i],
                              type->type);
        }
    }
    return 0;
}

int32_t gmxrt_library_struct_init(const gmxrt_library_struct *type, void **members, int64_t seed) {
    gmxrt_ctx *ctx = gmxrt_library_enter();
    if (!ctx) {
        return 1;
    }
    void **addresses = calloc((size_t)type->count + 1, sizeof *addresses);
    if (!members) {
        gmxrt_fail(ctx, RT_E0301, 0, "the struct for `%s` is NULL", type->type);
    } else if (!addresses) {
        gmxrt_fail(ctx, RT_E0306, 0, "memory cannot be had");
    } else {
        allocate_members(ctx, type, members);
    }
    int32_t failed = gmxrt_library_leave(ctx);
    if (!failed) {
        addresses[0] = &seed;
        memcpy(addresses + 1, members, (size_t)type->count * sizeof *members);
        failed = gmxrt_library_call(type->init, NULL, type->extents, addresses);
        if (failed) {
            free_members(type, members);
        }
    }
    free(addresses);
    return failed;
}

/* ---- files -------------------------------------------------------------------------------------- */

static const gmxrt_array *find_array(const gmxrt_arrays *arrays, const char *path) {
    for (int64_t i = 0; i < arrays->count; i++) {
        if (strcmp(arrays->items[i].name, path) == 0) {
            return &arrays->items[i];
        }
    }
    return NULL;
}

static int32_t fill_member(gmxrt_ctx *ctx, const gmxrt_library_struct *type, int64_t i, const char *path,
                           const gmxrt_arrays *arrays, const gmxrt_view *to) {
    const gmxrt_array *array = find_array(arrays, type->paths[i]);
    if (!array) {
        return gmxrt_fail(ctx, RT_E0403, 0, "`%.300s` has nothing for `%s` of `%s`", path, type->paths[i],
                          type->type);
    }
    bool fits = array->dtype == to->dtype && array->rank == to->rank;
    for (int32_t k = 0; fits && k < to->rank; k++) {
        fits = array->shape[k] == to->shape[k];
    }
    if (!fits) {
        return gmxrt_fail(ctx, RT_E0403, 0, "`%s` in `%.300s` has another type or shape than in `%s`",
                          type->paths[i], path, type->type);
    }
    gmxrt_view from = gmxrt_view_of(array->tensor);
    return gmxrt_copy(ctx, &from, to, 0);
}

int32_t gmxrt_library_struct_load(const gmxrt_library_struct *type, void **members, const char *path) {
    gmxrt_ctx *ctx = gmxrt_library_enter();
    gmxrt_arrays arrays = {0};
    if (!ctx) {
        return 1;
    }
    if (!members || !path) {
        gmxrt_fail(ctx, RT_E0301, 0, "the %s for `%s` is NULL", members ? "path" : "struct", type->type);
    } else if (!gmxrt_file_load(ctx, path, false, &arrays, 0)) {
        const int64_t *extents = type->extents;
        int32_t failed = allocate_members(ctx, type, members), is_allocated = !failed;
        for (int64_t i = 0; i < type->count && !failed; i++) {
            gmxrt_view to = view_of_member(&type->values[i], extents, members[i]);
            failed = fill_member(ctx, type, i, path, &arrays, &to);
            extents += type->values[i].rank;
        }
        if (failed && is_allocated) {
            free_members(type, members);
        }
        gmxrt_arrays_free(&arrays);
    }
    return gmxrt_library_leave(ctx);
}

int32_t gmxrt_library_struct_save(const gmxrt_library_struct *type, void *const *members, const char *path) {
    gmxrt_ctx *ctx = gmxrt_library_enter();
    if (!ctx) {
        return 1;
    }
    gmxrt_view *views = calloc((size_t)type->count, sizeof *views);
    const int64_t *extents = type->extents;
    int32_t failed = 0;
    if (!members || !path) {
        failed =
            gmxrt_fail(ctx, RT_E0301, 0, "the %s for `%s` is NULL", members ? "path" : "struct", type->type);
    } else if (!views) {
        failed = gmxrt_fail(ctx, RT_E0306, 0, "memory cannot be had");
    }
    for (int64_t i = 0; i < type->count && !failed; i++) {
        views[i] = view_of_member(&type->values[i], extents, members[i]);
        extents += type->values[i].rank;
        if (!members[i]) {
            failed = gmxrt_fail(ctx, RT_E0301, 0, "`%s` is NULL", type->values[i].name);
        }
    }
    if (!failed && !gmxrt_file_can_save(ctx, path, true, 0)) {
        gmxrt_file_save(ctx, path, type->count, type->paths, views, 0);
    }
    free(views);
    return gmxrt_library_leave(ctx);
}
