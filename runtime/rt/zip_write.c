/* Writing a ZIP archive of stored entries front to back.
 *
 * An entry's checksum is known before its content is written, so nothing is patched.  ZIP64 fields are
 * there only where a size or an offset needs them: the archive is then readable by older programs too.
 * The date is fixed, so that equal arrays give equal files. */
#include "runtime/rt/internal.h"

#include "runtime/rt/text.h"
#include "runtime/rt/zip.h"

#include <string.h>

enum { VERSION = 20, VERSION_ZIP64 = 45, FLAG_UTF8 = 1 << 11, DATE_1980 = 0x21, RECORD_MAX = 160 };

typedef struct Record { /* being put together */
    uint8_t bytes[RECORD_MAX];
    int32_t length;
} Record;

static void put(Record *record, uint64_t value, int32_t bytes) {
    for (int32_t i = 0; i < bytes; i++) {
        record->bytes[record->length++] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t capped(const ZipWriter *writer, uint64_t value) {
    return value < writer->limit ? value : 0xFFFFFFFF;
}

static bool is_ascii(const char *name) {
    while (*name > 0) {
        name++;
    }
    return *name == '\0';
}

/* What the local header and the directory's entry have in common, from `version needed` to the sizes. */
static void put_common(Record *record, const char *name, uint32_t crc, uint64_t size, bool is_wide) {
    put(record, is_wide ? VERSION_ZIP64 : VERSION, 2);
    put(record, is_ascii(name) ? 0 : FLAG_UTF8, 2);
    put(record, 0, 2); /* stored */
    put(record, 0, 2); /* 00:00:00 */
    put(record, DATE_1980, 2);
    put(record, crc, 4);
    put(record, size, 4);
    put(record, size, 4);
    put(record, strlen(name), 2);
}

void zip_begin_entry(ZipWriter *writer, const char *name, uint32_t crc, int64_t bytes) {
    uint64_t size = (uint64_t)bytes, place = (uint64_t)writer->output->at;
    bool wide_size = size >= writer->limit, wide_place = place >= writer->limit;
    int32_t extra = (wide_size ? 16 : 0) + (wide_place ? 8 : 0);
    Record local = {.length = 0}, entry = {.length = 0};
    put(&local, 0x04034b50, 4);
    put_common(&local, name, crc, capped(writer, size), wide_size);
    put(&local, wide_size ? 20 : 0, 2);
    output_write(writer->output, local.bytes, local.length);
    output_write(writer->output, name, (int64_t)strlen(name));
    Record wide = {.length = 0};
    put(&wide, 1, 2);
    put(&wide, 16, 2);
    put(&wide, size, 8);
    put(&wide, size, 8);
    output_write(writer->output, wide.bytes, wide_size ? wide.length : 0);

    put(&entry, 0x02014b50, 4);
    put(&entry, (3 << 8) | (extra ? VERSION_ZIP64 : VERSION), 2); /* made on Unix */
    put_common(&entry, name, crc, capped(writer, size), extra > 0);
    put(&entry, extra ? (uint64_t)extra + 4 : 0, 2);
    put(&entry, 0, 2); /* comment */
    put(&entry, 0, 4); /* part, internal attributes */
    put(&entry, 0600u << 16, 4);
    put(&entry, capped(writer, place), 4);
    text_append(&writer->directory, (const char *)entry.bytes, (size_t)entry.length);
    text_append(&writer->directory, name, strlen(name));
    entry.length = 0;
    put(&entry, 1, 2);
    put(&entry, (uint64_t)extra, 2);
    if (wide_size) {
        put(&entry, size, 8);
        put(&entry, size, 8);
    }
    if (wide_place) {
        put(&entry, place, 8);
    }
    text_append(&writer->directory, (const char *)entry.bytes, extra ? (size_t)entry.length : 0);
    writer->count++;
}

static void put_end64(Record *record, uint64_t count, uint64_t bytes, uint64_t place) {
    put(record, 0x06064b50, 4);
    put(record, 44, 8); /* of what follows */
    put(record, VERSION_ZIP64, 2);
    put(record, VERSION_ZIP64, 2);
    put(record, 0, 8); /* parts */
    put(record, count, 8);
    put(record, count, 8);
    put(record, bytes, 8);
    put(record, place, 8);
    put(record, 0x07064b50, 4);
    put(record, 0, 4);
    put(record, place + bytes, 8);
    put(record, 1, 4);
}

bool zip_end(ZipWriter *writer) {
    DataOutput *output = writer->output;
    uint64_t place = (uint64_t)output->at, bytes = writer->directory.length, count = (uint64_t)writer->count;
    Record end = {.length = 0};
    bool complete = !writer->directory.failed;
    if (!complete) {
        gmxrt_fail(output->ctx, RT_E0306, output->span, "no memory to write `%.300s`", output->path);
    }
    output_write(output, writer->directory.data, (int64_t)bytes);
    gmxrt_text_free(&writer->directory);
    bool is_wide = place >= writer->limit || bytes >= writer->limit || count >= 0xFFFF;
    if (is_wide) {
        put_end64(&end, count, bytes, place);
    }
    put(&end, 0x06054b50, 4);
    put(&end, 0, 4); /* parts */
    put(&end, count < 0xFFFF ? count : 0xFFFF, 2);
    put(&end, count < 0xFFFF ? count : 0xFFFF, 2);
    put(&end, bytes < 0xFFFFFFFF ? bytes : 0xFFFFFFFF, 4);
    put(&end, place < 0xFFFFFFFF ? place : 0xFFFFFFFF, 4);
    put(&end, 0, 2); /* comment */
    output_write(output, end.bytes, end.length);
    return complete;
}
