/* What code compiled for profiling measures: one record per kernel or library call and place in the source.
 *
 * Records are found by open addressing over an index of slots; they themselves stay in order of first use. */
#include "runtime/rt/internal.h"

#include "runtime/rt/dtype.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    FIRST_SLOTS = 64,
    DENSITY_FROM = 1 << 16,    /* elements: smaller operands are not looked at */
    DENSITY_SAMPLES = 1 << 20, /* of larger ones, evenly spread */
};

struct gmxrt_profile {
    gmxrt_profile_site *sites;
    size_t count, capacity;
    uint32_t *slots; /* 1 + index of a site; 0: free */
    size_t slot_count;
};

int64_t gmxrt_profile_begin(gmxrt_ctx *ctx) {
    (void)ctx;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int32_t gmxrt_profile_start(gmxrt_ctx *ctx) {
    if (!ctx->profile) {
        ctx->profile = calloc(1, sizeof *ctx->profile);
    }
    return ctx->profile == NULL;
}

void profile_free(struct gmxrt_profile *profile) {
    if (profile) {
        free(profile->sites);
        free(profile->slots);
        free(profile);
    }
}

const gmxrt_profile_site *gmxrt_profile_sites(const gmxrt_ctx *ctx, size_t *count) {
    *count = ctx->profile ? ctx->profile->count : 0;
    return ctx->profile ? ctx->profile->sites : NULL;
}

static size_t slot_of(const struct gmxrt_profile *p, uint64_t key, uint64_t span) {
    uint64_t hash = (key ^ span * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    size_t at = (size_t)(hash >> 17) & (p->slot_count - 1);
    for (;; at = (at + 1) & (p->slot_count - 1)) {
        const gmxrt_profile_site *site = p->slots[at] ? &p->sites[p->slots[at] - 1] : NULL;
        if (!site || (site->key == key && site->span == span)) {
            return at;
        }
    }
}

/* Room for one more site; false: no memory. */
static bool make_room(struct gmxrt_profile *p) {
    if (p->count < p->capacity) {
        return true;
    }
    size_t capacity = p->capacity ? 2 * p->capacity : FIRST_SLOTS / 2;
    gmxrt_profile_site *sites = realloc(p->sites, capacity * sizeof *sites);
    if (!sites) {
        return false;
    }
    p->sites = sites;
    uint32_t *slots = calloc(2 * capacity, sizeof *slots);
    if (!slots) {
        return false;
    }
    free(p->slots);
    p->slots = slots;
    p->slot_count = 2 * capacity;
    p->capacity = capacity;
    for (size_t i = 0; i < p->count; i++) {
        p->slots[slot_of(p, p->sites[i].key, p->sites[i].span)] = (uint32_t)i + 1;
    }
    return true;
}

/* The record of a place; NULL when nothing is kept. */
static gmxrt_profile_site *site_of(gmxrt_ctx *ctx, uint64_t key, uint64_t span) {
    struct gmxrt_profile *p = ctx->profile;
    if (!p || !make_room(p)) {
        return NULL;
    }
    size_t slot = slot_of(p, key, span);
    if (!p->slots[slot]) {
        p->sites[p->count] = (gmxrt_profile_site){.key = key, .span = span, .density = 1};
        p->slots[slot] = (uint32_t)++p->count;
    }
    return &p->sites[p->slots[slot] - 1];
}

void gmxrt_profile_end(gmxrt_ctx *ctx, int64_t begin, const char *name, uint64_t key, uint64_t span,
                       int32_t kind, double flops, double bytes_read, double bytes_written) {
    int64_t taken = gmxrt_profile_begin(ctx) - begin;
    gmxrt_profile_site *site = site_of(ctx, key, span);
    if (!site) {
        return;
    }
    site->name = name;
    site->kind = kind & 0xff;
    site->dtype = kind >> 8;
    site->least_nanoseconds =
        !site->calls || taken < site->least_nanoseconds ? taken : site->least_nanoseconds;
    site->calls++;
    site->nanoseconds += taken;
    site->flops += flops;
    site->bytes_read += bytes_read;
    site->bytes_written += bytes_written;
}

/* ---- density ----------------------------------------------------------------------------------- */

static const char *element_at(const gmxrt_view *view, int64_t index) {
    int64_t offset = 0;
    for (int32_t k = view->rank; k-- > 0;) {
        offset += index % view->shape[k] * view->strides[k];
        index /= view->shape[k];
    }
    return (const char *)view->data + offset * rt_dtype_bytes(view->dtype);
}

/* Zero of either sign. */
static bool is_zero(const char *element, int32_t dtype) {
    float single;
    double number;
    switch (dtype) {
    case RT_f32:
        memcpy(&single, element, sizeof single);
        return single == 0;
    case RT_f64:
        memcpy(&number, element, sizeof number);
        return number == 0;
    default:
        for (int64_t i = 0; i < rt_dtype_bytes(dtype); i++) {
            if (element[i]) {
                return false;
            }
        }
        return true;
    }
}

void gmxrt_profile_operand(gmxrt_ctx *ctx, uint64_t key, uint64_t span, const gmxrt_view *operand) {
    gmxrt_profile_site *site = site_of(ctx, key, span);
    int64_t size = view_size(operand);
    if (!site || site->calls || size < DENSITY_FROM) {
        return;
    }
    int64_t step = 1 + (size - 1) / DENSITY_SAMPLES, seen = 0, kept = 0;
    step += step > 1 && step % 2 == 0; /* odd: not only one column of a matrix with a power of two of them */
    for (int64_t i = 0; i < size; i += step) {
        seen++;
        kept += !is_zero(element_at(operand, i), operand->dtype);
    }
    double density = (double)kept / (double)seen;
    if (density < site->density) {
        site->density = density;
        site->operand_size = size;
    }
}
