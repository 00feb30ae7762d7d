/* Reading the directory of a ZIP archive (APPNOTE 6.3), ZIP64 included.
 *
 * Sizes and places are taken from the directory at the end and compared with the file: a directory that
 * does not fit, entries outside the file, over each other or over the directory are errors.  Encrypted
 * entries, methods other than stored and deflated, and archives in parts are not read. */
#include "runtime/rt/internal.h"

#include "runtime/rt/zip.h"

#include <stdlib.h>
#include <string.h>

enum {
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    ENTRY_BYTES = 46,
    LOCAL_BYTES = 30,
    COMMENT_MAX = 65535,
    EXTRA_ZIP64 = 1,
    FLAG_ENCRYPTED = 1,
    METHOD_STORED = 0,
    METHOD_DEFLATED = 8,
};

static uint32_t get16(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8;
}
static uint32_t get32(const uint8_t *at) {
    return get16(at) | get16(at + 2) << 16;
}
static uint64_t get64(const uint8_t *at) {
    return get32(at) | (uint64_t)get32(at + 4) << 32;
}

static bool fail_directory(const DataFile *file, const char *what) {
    return data_fail_damaged(file, "the directory of `%.300s` is damaged: %s", file->path, what);
}

typedef struct Directory {
    uint64_t offset, bytes, count;
    int64_t limit; /* where the records behind it begin */
} Directory;

/* The record at the very end, which a comment may follow; -1: none. */
static int64_t find_end(const DataFile *file, const uint8_t *tail, int64_t length) {
    for (int64_t at = length - END_BYTES; at >= 0; at--) {
        if (get32(tail + at) == 0x06054b50 && at + END_BYTES + get16(tail + at + 20) == length) {
            return file->bytes - length + at;
        }
    }
    return -1;
}

/* The ZIP64 record, where a locator stands before the end record at `end`. */
static bool read_end64(const DataFile *file, int64_t end, Directory *directory) {
    uint8_t locator[LOCATOR_BYTES], record[END64_BYTES];
    if (end < LOCATOR_BYTES) {
        return true;
    }
    if (!data_read(file, locator, LOCATOR_BYTES, end - LOCATOR_BYTES)) {
        return false;
    }
    if (get32(locator) != 0x07064b50) {
        return true;
    }
    uint64_t at = get64(locator + 8), latest = (uint64_t)(end - LOCATOR_BYTES);
    if (latest < END64_BYTES || at > latest - END64_BYTES) {
        return fail_directory(file, "its ZIP64 record lies outside the file");
    }
    if (!data_read(file, record, END64_BYTES, (int64_t)at)) {
        return false;
    }
    if (get32(record) != 0x06064b50) {
        return fail_directory(file, "its ZIP64 record is not where it should be");
    }
    if (get32(record + 16) != 0 || get32(record + 20) != 0 || get32(locator + 4) != 0) {
        gmxrt_fail(file->ctx, RT_E0403, file->span, "`%.300s` is one part of an archive", file->path);
        return false;
    }
    *directory = (Directory){get64(record + 48), get64(record + 40), get64(record + 32), (int64_t)at};
    return true;
}

/* No end record: the file was cut, or is of another kind. */
static bool fail_no_end(const DataFile *file) {
    char magic[2] = {0};
    if (file->bytes == 0) {
        return data_fail_damaged(file, "`%.300s` is empty", file->path);
    }
    if (!data_read(file, magic, file->bytes < 2 ? file->bytes : 2, 0)) {
        return false;
    }
    if (magic[0] == 'P' && magic[1] == 'K') {
        return fail_directory(file, "its end is missing");
    }
    gmxrt_fail(file->ctx, RT_E0403, file->span, "`%.300s` is not a .npz file: it is no ZIP archive",
               file->path);
    return false;
}

static bool find_directory(const DataFile *file, Directory *directory) {
    int64_t length = file->bytes < END_BYTES + COMMENT_MAX ? file->bytes : END_BYTES + COMMENT_MAX;
    uint8_t *tail = malloc((size_t)length + 1), record[END_BYTES];
    if (!tail) {
        gmxrt_fail(file->ctx, RT_E0306, file->span, "no memory to read `%.300s`", file->path);
        return false;
    }
    bool ok = data_read(file, tail, length, file->bytes - length);
    int64_t end = ok ? find_end(file, tail, length) : -1;
    if (end >= 0) {
        memcpy(record, tail + (end - (file->bytes - length)), END_BYTES);
    }
    free(tail);
    if (end < 0) {
        return ok && fail_no_end(file);
    }
    if (get16(record + 4) != 0 && get16(record + 4) != 0xFFFF) {
        gmxrt_fail(file->ctx, RT_E0403, file->span, "`%.300s` is one part of an archive", file->path);
        return false;
    }
    *directory = (Directory){get32(record + 16), get32(record + 12), get16(record + 10), end};
    return read_end64(file, end, directory);
}

/* The fields that a ZIP64 extra replaces, in their order; those that are all ones in the entry. */
static bool read_extra64(const DataFile *file, const uint8_t *extra, int64_t length, uint64_t *fields[3]) {
    static const char *const missing = "a ZIP64 field is missing";
    while (length >= 4) {
        int64_t size = get16(extra + 2);
        if (size > length - 4) {
            return fail_directory(file, "an extra field does not fit");
        }
        if (get16(extra) == EXTRA_ZIP64) {
            const uint8_t *at = extra + 4, *end = at + size;
            for (int i = 0; i < 3; i++) {
                if (*fields[i] != 0xFFFFFFFF) {
                    continue;
                }
                if (end - at < 8) {
                    return fail_directory(file, missing);
                }
                *fields[i] = get64(at);
                at += 8;
            }
            return true;
        }
        extra += 4 + size;
        length -= 4 + size;
    }
    for (int i = 0; i < 3; i++) {
        if (*fields[i] == 0xFFFFFFFF) {
            return fail_directory(file, missing);
        }
    }
    return true;
}

/* One entry of the directory at `at`; *next is where the following one begins. */
static bool read_entry(const DataFile *file, const Directory *directory, const uint8_t *at,
                       const uint8_t *end, ZipEntry *entry, const uint8_t **next) {
    if (end - at < ENTRY_BYTES || get32(at) != 0x02014b50) {
        return fail_directory(file, "an entry is missing");
    }
    int64_t name = get16(at + 28), extra = get16(at + 30), comment = get16(at + 32);
    if (name + extra + comment > end - at - ENTRY_BYTES) {
        return fail_directory(file, "an entry does not fit");
    }
    uint64_t packed = get32(at + 20), bytes = get32(at + 24), place = get32(at + 42);
    char quote[DATA_QUOTE_MAX];
    if (!read_extra64(file, at + ENTRY_BYTES + name, extra, (uint64_t *[3]){&bytes, &packed, &place})) {
        return false;
    }
    *entry = (ZipEntry){.name = (const char *)at + ENTRY_BYTES, .name_length = name, .crc = get32(at + 16)};
    data_quote(quote, entry->name, name);
    uint32_t method = get16(at + 10);
    if ((get16(at + 8) & FLAG_ENCRYPTED) || (method != METHOD_STORED && method != METHOD_DEFLATED)) {
        gmxrt_fail(file->ctx, RT_E0403, file->span,
                   "`%s` in `%.300s` is encrypted or packed in a way (%u) that GMX does not read", quote,
                   file->path, method);
        gmxrt_set_hint(file->ctx, "numpy.savez and numpy.savez_compressed write archives that are read");
        return false;
    }
    entry->is_deflated = method == METHOD_DEFLATED;
    if (place > directory->offset || directory->offset - place < LOCAL_BYTES ||
        packed > directory->offset - place - LOCAL_BYTES || bytes > INT64_MAX) {
        return data_fail_damaged(file, "`%s` lies outside of `%.300s`", quote, file->path);
    }
    if (!entry->is_deflated && packed != bytes) {
        return data_fail_damaged(file, "`%s` in `%.300s` has two sizes, %llu and %llu", quote, file->path,
                                 (unsigned long long)packed, (unsigned long long)bytes);
    }
    entry->at = (int64_t)place;
    entry->packed_bytes = (int64_t)packed;
    entry->bytes = (int64_t)bytes;
    *next = at + ENTRY_BYTES + name + extra + comment;
    return true;
}

/* The local header says where the content begins. */
static bool find_content(const DataFile *file, const Directory *directory, ZipEntry *entry) {
    uint8_t local[LOCAL_BYTES];
    char quote[DATA_QUOTE_MAX];
    data_quote(quote, entry->name, entry->name_length);
    if (!data_read(file, local, LOCAL_BYTES, entry->at)) {
        return false;
    }
    if (get32(local) != 0x04034b50 || get16(local + 26) != entry->name_length) {
        return data_fail_damaged(file, "`%s` is not where the directory of `%.300s` says", quote, file->path);
    }
    entry->begin = entry->at + LOCAL_BYTES + get16(local + 26) + get16(local + 28);
    if (entry->begin > (int64_t)directory->offset ||
        entry->packed_bytes > (int64_t)directory->offset - entry->begin) {
        return data_fail_damaged(file, "`%s` lies outside of `%.300s`", quote, file->path);
    }
    return true;
}

static int compare_places(const void *a, const void *b) {
    const ZipEntry *x = *(const ZipEntry *const *)a, *y = *(const ZipEntry *const *)b;
    return (x->at > y->at) - (x->at < y->at);
}

/* No two entries share bytes of the file. */
static bool check_overlaps(const DataFile *file, const ZipArchive *archive) {
    const ZipEntry **sorted = malloc((size_t)(archive->count + 1) * sizeof *sorted);
    char quote[DATA_QUOTE_MAX];
    bool ok = true;
    if (!sorted) {
        gmxrt_fail(file->ctx, RT_E0306, file->span, "no memory to read `%.300s`", file->path);
        return false;
    }
    for (int64_t i = 0; i < archive->count; i++) {
        sorted[i] = &archive->entries[i];
    }
    qsort(sorted, (size_t)archive->count, sizeof *sorted, compare_places);
    for (int64_t i = 1; ok && i < archive->count; i++) {
        if (sorted[i]->at < sorted[i - 1]->begin + sorted[i - 1]->packed_bytes) {
            data_quote(quote, sorted[i]->name, sorted[i]->name_length);
            ok = data_fail_damaged(file, "`%s` overlaps another entry of `%.300s`", quote, file->path);
        }
    }
    free(sorted);
    return ok;
}

bool zip_read(const DataFile *file, ZipArchive *out) {
    Directory directory = {0};
    *out = (ZipArchive){0};
    if (!find_directory(file, &directory)) {
        return false;
    }
    if (directory.offset > (uint64_t)directory.limit ||
        directory.bytes > (uint64_t)directory.limit - directory.offset) {
        return fail_directory(file, "it lies outside the file");
    }
    if (directory.count > directory.bytes / ENTRY_BYTES) {
        return fail_directory(file, "it claims more entries than it can hold");
    }
    out->directory = malloc((size_t)directory.bytes + 1);
    out->entries = malloc(((size_t)directory.count + 1) * sizeof *out->entries);
    if (!out->directory || !out->entries) {
        gmxrt_fail(file->ctx, RT_E0306, file->span, "no memory to read `%.300s`", file->path);
        return false;
    }
    if (!data_read(file, out->directory, (int64_t)directory.bytes, (int64_t)directory.offset)) {
        return false;
    }
    const uint8_t *at = out->directory, *end = at + directory.bytes;
    while (out->count < (int64_t)directory.count) {
        ZipEntry *entry = &out->entries[out->count];
        if (!read_entry(file, &directory, at, end, entry, &at) || !find_content(file, &directory, entry)) {
            return false;
        }
        out->count++;
    }
    return check_overlaps(file, out);
}

void zip_free(ZipArchive *archive) {
    free(archive->directory);
    free(archive->entries);
    *archive = (ZipArchive){0};
}
