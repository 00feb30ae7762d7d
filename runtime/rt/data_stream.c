/* Runs of bytes of a data file, plain or deflated, with their CRC-32.
 *
 * The sizes come from a directory in the file and are not believed: deflate makes at most 1032 bytes
 * of one, so a larger claim is refused before anyone allocates for it, and a content that ends early
 * or goes on is an error. */
#include "runtime/rt/internal.h"

#include "runtime/rt/zip.h"

#include <stdlib.h>

enum { INPUT_BYTES = 64 << 10, DEFLATE_RATIO = 1032 };
static const int64_t output_step = 1 << 30;

typedef struct Inflater {
    z_stream z;
    uint8_t input[INPUT_BYTES];
} Inflater;

static bool start_inflating(DataStream *stream, int64_t length, int64_t bytes) {
    const DataFile *file = stream->file;
    if (bytes / DEFLATE_RATIO > length) {
        return data_fail_damaged(file,
                                 "`%.300s` claims %lld bytes, and the %lld deflated ones cannot hold as many",
                                 stream->label, (long long)bytes, (long long)length);
    }
    stream->inflater = calloc(1, sizeof *stream->inflater);
    if (stream->inflater && stream->zlib->inflate_init(&stream->inflater->z, -MAX_WBITS, ZLIB_VERSION,
                                                       (int)sizeof(z_stream)) == Z_OK) {
        return true;
    }
    free(stream->inflater);
    stream->inflater = NULL;
    gmxrt_fail(file->ctx, RT_E0306, file->span, "no memory to read `%.300s`", stream->label);
    return false;
}

bool stream_open(DataStream *stream, const DataFile *file, const char *label, int64_t begin, int64_t length,
                 int64_t bytes, bool is_deflated) {
    *stream = (DataStream){.file = file, .label = label, .at = begin, .end = begin + length, .left = bytes};
    if (!is_deflated) {
        return true;
    }
    stream->zlib = zlib_functions(file->ctx, file->path, file->span);
    return stream->zlib && start_inflating(stream, length, bytes);
}

void stream_close(DataStream *stream) {
    if (stream->inflater) {
        stream->zlib->inflate_end(&stream->inflater->z);
    }
    free(stream->inflater);
    stream->inflater = NULL;
}

static bool fail_short(const DataStream *stream) {
    return data_fail_damaged(stream->file, "`%.300s` ends before the size that it claims", stream->label);
}

/* Bytes for the inflater, where it has none and the file has more. */
static bool fill_input(DataStream *stream) {
    Inflater *inflater = stream->inflater;
    if (inflater->z.avail_in || stream->at == stream->end) {
        return true;
    }
    int64_t step = stream->end - stream->at < INPUT_BYTES ? stream->end - stream->at : INPUT_BYTES;
    if (!data_read(stream->file, inflater->input, step, stream->at)) {
        return false;
    }
    stream->at += step;
    inflater->z.next_in = inflater->input;
    inflater->z.avail_in = (uInt)step;
    return true;
}

/* Up to `bytes` of content; *got is less only at the end of the deflated data. */
static bool inflate_some(DataStream *stream, uint8_t *out, int64_t bytes, int64_t *got) {
    z_stream *z = &stream->inflater->z;
    for (*got = 0; *got < bytes;) {
        int64_t step = bytes - *got < output_step ? bytes - *got : output_step;
        if (!fill_input(stream)) {
            return false;
        }
        z->next_out = out + *got;
        z->avail_out = (uInt)step;
        int result = stream->zlib->inflate(z, Z_NO_FLUSH);
        *got += step - z->avail_out;
        if (result == Z_STREAM_END) {
            return true;
        }
        if (result == Z_BUF_ERROR && stream->at == stream->end && z->avail_in == 0) {
            return fail_short(stream);
        }
        if (result == Z_MEM_ERROR) {
            gmxrt_fail(stream->file->ctx, RT_E0306, stream->file->span, "no memory to read `%.300s`",
                       stream->label);
            return false;
        }
        if (result != Z_OK && result != Z_BUF_ERROR) {
            return data_fail_damaged(stream->file, "the deflated data of `%.300s` is damaged", stream->label);
        }
    }
    return true;
}

bool stream_read(DataStream *stream, void *out, int64_t bytes) {
    int64_t got = bytes;
    if (bytes > stream->left) {
        return fail_short(stream);
    }
    if (stream->inflater) {
        if (!inflate_some(stream, out, bytes, &got)) {
            return false;
        }
        if (got < bytes) {
            return fail_short(stream);
        }
    } else if (bytes > stream->end - stream->at) {
        return fail_short(stream);
    } else if (!data_read(stream->file, out, bytes, stream->at)) {
        return false;
    } else {
        stream->at += bytes;
    }
    stream->left -= bytes;
    if (stream->is_checked && bytes > 0) {
        stream->crc = (uint32_t)stream->zlib->crc32(stream->crc, out, (size_t)bytes);
    }
    return true;
}

bool stream_finish(DataStream *stream, uint32_t crc) {
    uint8_t beyond;
    int64_t got = 0;
    if (stream->inflater && !inflate_some(stream, &beyond, 1, &got)) {
        return false;
    }
    bool rest = stream->at < stream->end || (stream->inflater && stream->inflater->z.avail_in);
    if (stream->left || got || rest) {
        return data_fail_damaged(stream->file, "`%.300s` holds more than the size that it claims",
                                 stream->label);
    }
    if (stream->crc != crc) {
        return data_fail_damaged(stream->file, "`%.300s` is damaged: its checksum is %08x, not %08x",
                                 stream->label, stream->crc, crc);
    }
    return true;
}
