/* .npz: a ZIP archive of .npy members, as NumPy's savez and savez_compressed write it. */
#include "runtime/rt/internal.h"

#include "runtime/rt/npy.h"
#include "runtime/rt/zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_MAX = 300 };

/* ---- reading ---------------------------------------------------------------------------------- */

/* The array's name: that of the member without .npy; -1 after an error. */
static int64_t array_name(const DataFile *file, const ZipEntry *entry) {
    char quote[DATA_QUOTE_MAX];
    int64_t length = entry->name_length - 4;
    if (length < 0 || memcmp(entry->name + length, ".npy", 4) != 0) {
        gmxrt_fail(file->ctx, RT_E0403, file->span,
                   "`%s` in `%.300s` is no array: its name does not end in .npy",
                   data_quote(quote, entry->name, entry->name_length), file->path);
        gmxrt_set_hint(file->ctx, "numpy.savez and numpy.savez_compressed write archives of arrays");
        return -1;
    }
    if (!data_is_name(entry->name, length)) {
        gmxrt_fail(file->ctx, RT_E0403, file->span, "the name `%s` in `%.300s` is no UTF-8 text",
                   data_quote(quote, entry->name, entry->name_length), file->path);
        return -1;
    }
    return length;
}

static bool read_content(DataStream *stream, const ZipEntry *entry, bool only_headers, gmxrt_array *array) {
    gmxrt_npy_header header;
    stream->is_checked = !only_headers;
    if (stream->is_checked &&
        !(stream->zlib = zlib_functions(stream->file->ctx, stream->file->path, stream->file->span))) {
        return false;
    }
    if (!npy_read_header(stream, &header)) {
        return false;
    }
    array->dtype = header.dtype;
    array->rank = header.rank;
    memcpy(array->shape, header.shape, sizeof header.shape);
    if (header.data_bytes != stream->left) {
        return data_fail_damaged(stream->file, "`%.300s` has %lld bytes of data, its shape needs %lld",
                                 stream->label, (long long)stream->left, (long long)header.data_bytes);
    }
    if (only_headers) {
        return true;
    }
    array->tensor = npy_read_data(stream, &header);
    return array->tensor && stream_finish(stream, entry->crc);
}

static bool read_member(const DataFile *file, const ZipEntry *entry, bool only_headers, gmxrt_arrays *out) {
    DataStream stream;
    char label[LABEL_MAX], quote[DATA_QUOTE_MAX];
    int64_t length = array_name(file, entry);
    gmxrt_array *array = length < 0 ? NULL : arrays_add(file, out, entry->name, length);
    if (!array) {
        return false;
    }
    snprintf(label, sizeof label, "%.220s: %s", file->path,
             data_quote(quote, entry->name, entry->name_length));
    bool ok = stream_open(&stream, file, label, entry->begin, entry->packed_bytes, entry->bytes,
                          entry->is_deflated) &&
              read_content(&stream, entry, only_headers, array);
    stream_close(&stream);
    return ok;
}

bool npz_read(const DataFile *file, bool only_headers, gmxrt_arrays *out) {
    ZipArchive archive;
    bool ok = zip_read(file, &archive);
    for (int64_t i = 0; ok && i < archive.count; i++) {
        const ZipEntry *entry = &archive.entries[i];
        bool is_folder =
            entry->bytes == 0 && entry->name_length > 0 && entry->name[entry->name_length - 1] == '/';
        ok = is_folder || read_member(file, entry, only_headers, out);
    }
    zip_free(&archive);
    return ok && arrays_are_distinct(file, out);
}

/* ---- writing ---------------------------------------------------------------------------------- */

static bool write_member(ZipWriter *writer, const char *name, const gmxrt_view *x) {
    DataOutput *output = writer->output;
    char header[NPY_HEADER_MAX];
    gmxrt_tensor *made = NULL;
    gmxrt_view view;
    size_t length = strlen(name);
    char *member = length <= 60000 ? malloc(length + 5) : NULL;
    if (!member) {
        gmxrt_fail(output->ctx, RT_E0204, output->span, "a name of %zu bytes is too long for `%.300s`",
                   length, output->path);
        return false;
    }
    memcpy(member, name, length);
    memcpy(member + length, ".npy", 5);
    const ZlibFunctions *zlib = zlib_functions(output->ctx, output->path, output->span);
    bool ok = zlib && data_contiguous(output->ctx, x, output->span, &view, &made);
    if (ok) {
        int32_t head = npy_write_header(header, x->dtype, x->rank, x->shape);
        int64_t bytes = gmxrt_bytes_of(x->dtype, x->rank, x->shape);
        uint32_t crc = (uint32_t)zlib->crc32(0, (const uint8_t *)header, (size_t)head);
        crc = bytes ? (uint32_t)zlib->crc32(crc, view.data, (size_t)bytes) : crc;
        zip_begin_entry(writer, member, crc, head + bytes);
        output_write(output, header, head);
        output_write(output, view.data, bytes);
    }
    gmxrt_tensor_release(made);
    free(member);
    return ok;
}

bool npz_write(DataOutput *output, int64_t count, const char *const *names, const gmxrt_view *arrays) {
    ZipWriter writer = {.output = output, .limit = zip_limit};
    bool ok = true;
    for (int64_t i = 0; ok && i < count; i++) {
        ok = write_member(&writer, names ? names[i] : "arr_0", &arrays[i]);
    }
    return zip_end(&writer) && ok;
}
