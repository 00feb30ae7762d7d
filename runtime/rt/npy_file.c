/* .npy: arrays read from a file of their own or from a member of an archive, and written. */
#include "runtime/rt/internal.h"

#include "runtime/rt/npy.h"

#include <stdlib.h>
#include <string.h>

static const int64_t longest_header = 1 << 20;

/* ---- reading ------------------------------------------------------------------------------- */

/* The header's text, whose length the content was checked to hold. */
static bool read_header_text(DataStream *stream, int64_t length, gmxrt_npy_header *out) {
    const DataFile *file = stream->file;
    char *text = malloc((size_t)length + 1);
    if (!text) {
        gmxrt_fail(file->ctx, RT_E0306, file->span, "no memory for the header of `%.300s`", stream->label);
        return false;
    }
    bool ok = stream_read(stream, text, length) &&
              npy_parse_header(file->ctx, stream->label, text, length, out, file->span) == 0;
    free(text);
    return ok;
}

static bool check_size(const DataStream *stream, gmxrt_npy_header *out) {
    const DataFile *file = stream->file;
    out->data_bytes = gmxrt_bytes_of(out->dtype, out->rank, out->shape);
    if (out->data_bytes < 0) {
        return data_fail_damaged(file, "`%.300s` declares a shape whose size does not fit 64 bits",
                                 stream->label);
    }
    if (out->data_bytes > stream->left) {
        return data_fail_damaged(file,
                                 "`%.300s` is cut short: its shape needs %lld bytes of data, it has %lld",
                                 stream->label, (long long)out->data_bytes, (long long)stream->left);
    }
    return true;
}

/* The first bytes: 10, or 12 where the version has a longer length. */
static bool read_prefix(DataStream *stream, uint8_t bytes[NPY_PREFIX], int64_t *got) {
    *got = stream->left < 10 ? stream->left : 10;
    if (!stream_read(stream, bytes, *got)) {
        return false;
    }
    int64_t more = *got == 10 && bytes[6] >= 2 ? NPY_PREFIX - 10 : 0;
    more = more < stream->left ? more : stream->left;
    *got += more;
    return stream_read(stream, bytes + 10, more);
}

bool npy_read_header(DataStream *stream, gmxrt_npy_header *out) {
    const DataFile *file = stream->file;
    uint8_t prefix[NPY_PREFIX] = {0};
    int64_t got, begin, length;
    *out = (gmxrt_npy_header){0};
    if (!read_prefix(stream, prefix, &got) ||
        npy_parse_prefix(file->ctx, stream->label, prefix, got, &begin, &length, file->span) != 0) {
        return false;
    }
    if (length > stream->left) {
        return data_fail_damaged(file,
                                 "`%.300s` is cut short: its header should have %lld bytes, %lld are there",
                                 stream->label, (long long)length, (long long)stream->left);
    }
    if (length > longest_header) {
        gmxrt_fail(file->ctx, RT_E0403, file->span, "`%.300s` has a header of %lld bytes", stream->label,
                   (long long)length);
        return false;
    }
    out->data_offset = begin + length;
    return read_header_text(stream, length, out) && check_size(stream, out);
}

static bool open_whole(DataStream *stream, const DataFile *file) {
    return stream_open(stream, file, file->path, 0, file->bytes, file->bytes, false);
}

int32_t gmxrt_npy_probe(gmxrt_ctx *ctx, const char *path, gmxrt_npy_header *out, uint64_t span) {
    DataFile file;
    DataStream stream;
    if (!data_open(ctx, path, span, &file)) {
        return 1;
    }
    bool ok = open_whole(&stream, &file) && npy_read_header(&stream, out);
    data_close(&file);
    return !ok;
}

typedef struct Repair {
    uint8_t *data;
    int64_t unit; /* bytes that are reversed */
} Repair;

static void swap_body(void *arguments, int64_t begin, int64_t end) {
    const Repair *repair = arguments;
    for (int64_t i = begin; i < end; i++) {
        uint8_t *bytes = repair->data + i * repair->unit;
        for (int64_t k = 0; k < repair->unit / 2; k++) {
            uint8_t kept = bytes[k];
            bytes[k] = bytes[repair->unit - 1 - k];
            bytes[repair->unit - 1 - k] = kept;
        }
    }
}

static void truth_body(void *arguments, int64_t begin, int64_t end) {
    const Repair *repair = arguments;
    for (int64_t i = begin; i < end; i++) {
        repair->data[i] = repair->data[i] != 0;
    }
}

/* Brings the bytes of the file to what the rest of GMX relies on: little-endian, bools 0 or 1. */
static void repair_data(gmxrt_ctx *ctx, const gmxrt_npy_header *header, void *data) {
    int64_t bytes = rt_dtype_bytes(header->dtype);
    Repair repair = {data, rt_dtype_info[header->dtype].kind == RT_COMPLEX ? bytes / 2 : bytes};
    if (header->swapped) {
        gmxrt_parallel_for(ctx, swap_body, &repair, header->data_bytes / repair.unit, 65536);
    }
    if (header->dtype == RT_bool) {
        gmxrt_parallel_for(ctx, truth_body, &repair, header->data_bytes, 1 << 18);
    }
}

/* Gives a dense tensor the strides of Fortran order. */
static void make_fortran(gmxrt_tensor *tensor) {
    int64_t stride = 1;
    for (int32_t i = 0; i < tensor->rank; i++) {
        tensor->strides[i] = stride;
        stride *= tensor->shape[i] > 0 ? tensor->shape[i] : 1;
    }
}

gmxrt_tensor *npy_read_data(DataStream *stream, const gmxrt_npy_header *header) {
    const DataFile *file = stream->file;
    gmxrt_tensor *tensor =
        gmxrt_tensor_new(file->ctx, header->dtype, header->rank, header->shape, file->span);
    if (!tensor) {
        return NULL;
    }
    if (!stream_read(stream, tensor->data, header->data_bytes)) {
        gmxrt_tensor_release(tensor);
        return NULL;
    }
    repair_data(file->ctx, header, tensor->data);
    if (header->fortran_order && header->data_bytes > 0) {
        make_fortran(tensor);
    }
    return tensor;
}

gmxrt_tensor *gmxrt_npy_load(gmxrt_ctx *ctx, const char *path, uint64_t span) {
    DataFile file;
    DataStream stream;
    gmxrt_npy_header header;
    gmxrt_tensor *tensor = NULL;
    if (!data_open(ctx, path, span, &file)) {
        return NULL;
    }
    if (open_whole(&stream, &file) && npy_read_header(&stream, &header)) {
        tensor = npy_read_data(&stream, &header);
    }
    data_close(&file);
    return tensor;
}

/* ---- writing ------------------------------------------------------------------------------- */

bool npy_write(DataOutput *output, const gmxrt_view *x) {
    char header[NPY_HEADER_MAX];
    gmxrt_tensor *made;
    gmxrt_view view;
    bool ok = data_contiguous(output->ctx, x, output->span, &view, &made);
    if (ok) {
        output_write(output, header, npy_write_header(header, x->dtype, x->rank, x->shape));
        output_write(output, view.data, gmxrt_bytes_of(x->dtype, x->rank, x->shape));
    }
    gmxrt_tensor_release(made);
    return ok;
}

int32_t gmxrt_npy_save(gmxrt_ctx *ctx, const char *path, const gmxrt_view *x, uint64_t span) {
    DataOutput output;
    if (!output_open(ctx, path, span, &output)) {
        return 1;
    }
    return output_close(&output, npy_write(&output, x));
}
