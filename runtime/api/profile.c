/* What a profiled session measured, as text: a table of operations, and warnings with suggestions.
 *
 * Columns and suggestions are tables: a new one is a row. */
#include "ir/text.h"
#include "runtime/api/internal.h"
#include "runtime/api/limits.h"
#include "runtime/api/products.h"
#include "runtime/api/record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef gmxrt_profile_site Site;

typedef struct Report {
    gmx_session *session;
    Arena *arena;
    Site **sites; /* the longest first */
    size_t count;
    double seconds; /* all of them together */
    MachineLimits limits;
    bool has_limits;
    IrText text;
} Report;

enum { ROWS = 50, WARNED_CALLS = 100, SPARSE_SIZE = 1 << 16 };
static const double short_call = 20e-6, short_share = 0.1; /* suggestions: batch */
static const double copy_share = 0.3, sparse_density = 0.1;
static const double noise_seconds = 1e-4; /* less in all: nothing is concluded from it */

static double seconds_of(const Site *site) {
    return 1e-9 * (double)site->nanoseconds;
}

/* ---- shares of the limits ------------------------------------------------------------------------------ */

static double memory_seconds(const Report *r, const Site *site) {
    return site->bytes_read / r->limits.read + site->bytes_written / r->limits.write;
}

static double compute_seconds(const Report *r, const Site *site) {
    bool wide = site->dtype == DTYPE_f64 || site->dtype == DTYPE_c128 || site->dtype == DTYPE_i64;
    return site->flops / (wide ? r->limits.f64 : r->limits.f32);
}

/* ---- columns ------------------------------------------------------------------------------------------- */

static const char *place_of(const Report *r, const Site *site) {
    SourcePlace place = source_place(&r->session->sources, (uint32_t)site->span);
    return place.file ? arena_format(r->arena, "%s:%u", place.file->name, place.line) : "-";
}

static const char *column_name(const Report *r, const Site *site) {
    (void)r;
    return site->name;
}

static const char *column_calls(const Report *r, const Site *site) {
    return arena_format(r->arena, "%lld", (long long)site->calls);
}

static const char *column_time(const Report *r, const Site *site) {
    return arena_format(r->arena, "%.3f", 1e3 * seconds_of(site));
}

static const char *column_share(const Report *r, const Site *site) {
    return arena_format(r->arena, "%.1f%%", r->seconds > 0 ? 100 * seconds_of(site) / r->seconds : 0);
}

static const char *rate(const Report *r, double amount, double seconds) {
    return seconds > 0 ? arena_format(r->arena, "%.3f", 1e-9 * amount / seconds) : "-";
}

static const char *column_flops(const Report *r, const Site *site) {
    return rate(r, site->flops, seconds_of(site));
}

static const char *column_bytes(const Report *r, const Site *site) {
    return rate(r, site->bytes_read + site->bytes_written, seconds_of(site));
}

static const char *column_limit(const Report *r, const Site *site) {
    double seconds = seconds_of(site);
    if (!r->has_limits || seconds <= 0)
        return "-";
    double memory = memory_seconds(r, site), compute = compute_seconds(r, site);
    return arena_format(r->arena, "%.0f%% %s", 100 * fmax(memory, compute) / seconds,
                        compute > memory ? "flops" : "bytes");
}

typedef struct Column {
    const char *title;
    bool is_text; /* to the left */
    const char *(*value)(const Report *r, const Site *site);
} Column;

static const Column columns[] = {{"operation", true, column_name}, {"where", true, place_of},
                                 {"calls", false, column_calls},   {"time ms", false, column_time},
                                 {"share", false, column_share},   {"GFLOP/s", false, column_flops},
                                 {"GB/s", false, column_bytes},    {"of limit", false, column_limit}};

enum { COLUMNS = sizeof columns / sizeof *columns };

static void write_cells(Report *r, const char *const cells[COLUMNS], const size_t widths[COLUMNS]) {
    for (int i = 0; i < COLUMNS; i++) {
        const char *end = i + 1 < COLUMNS ? "  " : "\n";
        ir_text_append(&r->text, columns[i].is_text
                                     ? arena_format(r->arena, "%-*s%s", (int)widths[i], cells[i], end)
                                     : arena_format(r->arena, "%*s%s", (int)widths[i], cells[i], end));
    }
}

static void write_table(Report *r) {
    const char *cells[ROWS + 1][COLUMNS];
    size_t widths[COLUMNS] = {0}, rows = r->count < ROWS ? r->count : ROWS;
    for (size_t row = 0; row <= rows; row++)
        for (int i = 0; i < COLUMNS; i++) {
            cells[row][i] = row ? columns[i].value(r, r->sites[row - 1]) : columns[i].title;
            size_t width = strlen(cells[row][i]);
            widths[i] = width > widths[i] ? width : widths[i];
        }
    for (size_t row = 0; row <= rows; row++)
        write_cells(r, cells[row], widths);
    if (rows < r->count)
        ir_text_append(&r->text, arena_format(r->arena, "and %zu more\n", r->count - rows));
    ir_text_append(&r->text, arena_format(r->arena, "kernels and calls %.3f ms of %.3f ms running\n",
                                          1e3 * r->seconds, 1e3 * r->session->run_seconds));
    if (r->has_limits)
        ir_text_append(
            &r->text, arena_format(r->arena,
                                   "limits of this machine with %d threads: read %.1f GB/s, write %.1f GB/s, "
                                   "f32 %.0f GFLOP/s, f64 %.0f GFLOP/s\n",
                                   r->limits.threads, 1e-9 * r->limits.read, 1e-9 * r->limits.write,
                                   1e-9 * r->limits.f32, 1e-9 * r->limits.f64));
}

/* ---- suggestions --------------------------------------------------------------------------------------- */

/* What could be done about an operation, or NULL. */
typedef const char *(*Suggestion)(const Report *r, const Site *site);

static const char *suggest_sparse(const Report *r, const Site *site) {
    if (site->operand_size <= SPARSE_SIZE || site->density >= sparse_density)
        return NULL;
    return arena_format(r->arena,
                        "only %.2g %% of the %lld elements of an operand are not zero: declare it sparse",
                        100 * site->density, (long long)site->operand_size);
}

static const char *suggest_batch(const Report *r, const Site *site) {
    double seconds = seconds_of(site), each = seconds / (double)site->calls;
    if (site->calls < WARNED_CALLS || each > short_call || seconds < short_share * r->seconds)
        return NULL;
    return arena_format(r->arena, "%lld calls of %.1f us each: batch these", (long long)site->calls,
                        1e6 * each);
}

static const char *suggest_copy(const Report *r, const Site *site) {
    bool copies = site->flops == 0 && site->bytes_read > 0 &&
                  (site->kind == GMXRT_PROFILE_KERNEL || !strcmp(site->name, "concat"));
    if (!copies || seconds_of(site) < copy_share * r->seconds)
        return NULL;
    return arena_format(r->arena, "this copy dominates: %.0f %% of the time, and it computes nothing",
                        100 * seconds_of(site) / r->seconds);
}

static const Suggestion suggestions[] = {suggest_sparse, suggest_batch, suggest_copy};

/* ---- comparing with earlier runs ----------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (hash ^ bits) * UINT64_C(0x9e3779b97f4a7c15);
}

/* What ran, the work of one call, and the number of threads. */
static uint64_t record_key(const Site *site) {
    double calls = (double)site->calls;
    uint64_t hash = mix(site->key, floor(site->flops / calls));
    hash = mix(hash, floor((site->bytes_read + site->bytes_written) / calls));
    return mix(hash, gmxrt_get_threads());
}

static void warn_if_slow(Report *r, const Record *record, const Site *site) {
    double each = seconds_of(site) / (double)site->calls, percentile;
    size_t runs;
    if (!record_is_slow(record, record_key(site), each, &percentile, &runs))
        return;
    ir_text_append(&r->text,
                   arena_format(r->arena,
                                "warning: %s (%s) took %.4g ms a call, %.1f times the 90th percentile of its "
                                "last %zu runs (%.4g ms)\n",
                                site->name, place_of(r, site), 1e3 * each, each / percentile, runs,
                                1e3 * percentile));
}

static void suggest(Report *r, const Site *site) {
    for (size_t k = 0; k < sizeof suggestions / sizeof *suggestions; k++) {
        const char *text = suggestions[k](r, site);
        if (text)
            ir_text_append(
                &r->text, arena_format(r->arena, "hint: %s (%s): %s\n", site->name, place_of(r, site), text));
    }
}

static void write_warnings(Report *r, const Record *record) {
    for (size_t i = 0; i < r->count; i++) {
        if (seconds_of(r->sites[i]) < noise_seconds)
            continue;
        warn_if_slow(r, record, r->sites[i]);
        suggest(r, r->sites[i]);
    }
}

static void remember(Report *r, const char *directory) {
    RecordSample *samples = ARENA_ARRAY(r->arena, RecordSample, r->count + 1);
    for (size_t i = 0; i < r->count; i++)
        samples[i] = record_sample(record_key(r->sites[i]),
                                   seconds_of(r->sites[i]) / (double)r->sites[i]->calls, (int64_t)time(NULL));
    if (r->count)
        record_add(directory, samples, r->count);
}

/* ---- the report ---------------------------------------------------------------------------------------- */

static int compare_time(const void *left, const void *right) {
    const Site *a = *(const Site *const *)left, *b = *(const Site *const *)right;
    if (a->nanoseconds != b->nanoseconds)
        return a->nanoseconds > b->nanoseconds ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* Adds what was measured at the same place in another call. */
static void merge(Site *into, const Site *site) {
    into->calls += site->calls;
    into->nanoseconds += site->nanoseconds;
    into->flops += site->flops;
    into->bytes_read += site->bytes_read;
    into->bytes_written += site->bytes_written;
    if (site->least_nanoseconds < into->least_nanoseconds)
        into->least_nanoseconds = site->least_nanoseconds;
    if (site->density < into->density) {
        into->density = site->density;
        into->operand_size = site->operand_size;
    }
}

static void add_site(Report *r, const Site *site) {
    uint32_t place = source_origin(&r->session->sources, (uint32_t)site->span);
    r->seconds += seconds_of(site);
    for (size_t i = 0; i < r->count; i++)
        if (r->sites[i]->key == site->key && (uint32_t)r->sites[i]->span == place) {
            merge(r->sites[i], site);
            return;
        }
    Site *copy = ARENA_NEW(r->arena, Site);
    *copy = *site;
    copy->span = place;
    r->sites[r->count++] = copy;
}

static Report begin_report(gmx_session *s) {
    size_t count;
    const Site *sites = gmxrt_profile_sites(s->ctx, &count);
    Report r = {.session = s, .arena = &s->report, .text = {.arena = &s->report}};
    r.sites = ARENA_ARRAY(r.arena, Site *, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (sites[i].calls) /* else it failed */
            add_site(&r, &sites[i]);
    }
    qsort(r.sites, r.count, sizeof *r.sites, compare_time);
    return r;
}

gmx_status gmx_profile(gmx_session *session, int what, const char **out) {
    SESSION_ENTER(session, out != NULL && session->options.profile);
    Report r = begin_report(session);
    const char *directory = session_cache_directory(session);
    if (what & GMX_PROFILE_MEASURE)
        session->ctx->product_choice = products_measure(directory);
    if ((what & GMX_PROFILE_TABLE) && r.count) {
        r.has_limits = limits_get(session->ctx, directory, what & GMX_PROFILE_MEASURE, &r.limits);
        write_table(&r);
    }
    Record record = record_load(directory);
    arena_defer(r.arena, free, record.samples);
    if (what & GMX_PROFILE_WARNINGS)
        write_warnings(&r, &record);
    if (!session->is_remembered)
        remember(&r, directory);
    session->is_remembered = true;
    *out = ir_text_finish(&r.text);
    return session_end(session);
}
