/* .npy files: probing, loading and saving. */
#include "runtime/rt/internal.h"

#include "runtime/rt/npy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t longest_header = 1 << 20;
static const size_t io_step = 64 << 20;

static int32_t fail_system(gmxrt_ctx *ctx, const char *path, const char *what, uint64_t span) {
    char reason[128];
    const char *text = strerror_r(errno, reason, sizeof reason);
    return gmxrt_fail(ctx, RT_E0401, span, "`%.300s` %s: %s", path, what, text);
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Reads up to `bytes` from `offset`; fewer only at the end of the file; -1 on an error. */
static int64_t read_at(int file, void *out, int64_t bytes, int64_t offset) {
    int64_t done = 0;
    while (done < bytes) {
        size_t step = (uint64_t)(bytes - done) > io_step ? io_step : (size_t)(bytes - done);
        ssize_t got = pread(file, (char *)out + done, step, offset + done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        done += got;
    }
    return done;
}

/* The header's text in `text`, whose length the file was checked to hold. */
static int32_t read_header_text(gmxrt_ctx *ctx, int file, const char *path, int64_t begin, int64_t length,
                                gmxrt_npy_header *out, uint64_t span) {
    char *text = malloc((size_t)length + 1);
    if (!text) {
        return gmxrt_fail(ctx, RT_E0306, span, "no memory for the header of `%.300s`", path);
    }
    int32_t failed;
    int64_t got = read_at(file, text, length, begin);
    if (got < 0) {
        failed = fail_system(ctx, path, "cannot be read", span);
    } else if (got < length) {
        failed = gmxrt_fail(ctx, RT_E0402, span, "`%.300s` is cut short in its header", path);
    } else {
        failed = npy_parse_header(ctx, path, text, length, out, span);
    }
    free(text);
    return failed;
}

static int32_t check_size(gmxrt_ctx *ctx, const char *path, int64_t file_bytes, gmxrt_npy_header *out,
                          uint64_t span) {
    int64_t bytes = gmxrt_bytes_of(out->dtype, out->rank, out->shape);
    if (bytes < 0) {
        return gmxrt_fail(ctx, RT_E0402, span, "`%.300s` declares a shape whose size does not fit 64 bits",
                          path);
    }
    int64_t present = file_bytes - out->data_offset;
    if (bytes > present) {
        return gmxrt_fail(ctx, RT_E0402, span,
                          "`%.300s` is cut short: its shape needs %lld bytes of data, it has %lld", path,
                          (long long)bytes, (long long)present);
    }
    out->data_bytes = bytes;
    return 0;
}

static int32_t read_header(gmxrt_ctx *ctx, int file, const char *path, gmxrt_npy_header *out, uint64_t span) {
    struct stat status;
    *out = (gmxrt_npy_header){0};
    if (fstat(file, &status) != 0) {
        return fail_system(ctx, path, "cannot be read", span);
    }
    if (!S_ISREG(status.st_mode)) {
        return gmxrt_fail(ctx, RT_E0401, span, "`%.300s` is not a regular file", path);
    }
    uint8_t prefix[NPY_PREFIX];
    int64_t got = read_at(file, prefix, NPY_PREFIX, 0), begin, length;
    if (got < 0) {
        return fail_system(ctx, path, "cannot be read", span);
    }
    if (npy_parse_prefix(ctx, path, prefix, got, &begin, &length, span) != 0) {
        return 1;
    }
    if (length > status.st_size - begin) {
        return gmxrt_fail(ctx, RT_E0402, span,
                          "`%.300s` is cut short: its header should have %lld bytes, %lld are there", path,
                          (long long)length, (long long)(status.st_size - begin));
    }
    if (length > longest_header) {
        return gmxrt_fail(ctx, RT_E0403, span, "`%.300s` has a header of %lld bytes", path,
                          (long long)length);
    }
    out->data_offset = begin + length;
    return read_header_text(ctx, file, path, begin, length, out, span) ||
           check_size(ctx, path, status.st_size, out, span);
}

static int open_to_read(gmxrt_ctx *ctx, const char *path, uint64_t span) {
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block */
    if (file < 0) {
        fail_system(ctx, path, "cannot be opened", span);
    }
    return file;
}

int32_t gmxrt_npy_probe(gmxrt_ctx *ctx, const char *path, gmxrt_npy_header *out, uint64_t span) {
    int file = open_to_read(ctx, path, span);
    if (file < 0) {
        return 1;
    }
    int32_t failed = read_header(ctx, file, path, out, span);
    close(file);
    return failed;
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

static gmxrt_tensor *load_data(gmxrt_ctx *ctx, int file, const char *path, const gmxrt_npy_header *header,
                               uint64_t span) {
    gmxrt_tensor *tensor = gmxrt_tensor_new(ctx, header->dtype, header->rank, header->shape, span);
    if (!tensor) {
        return NULL;
    }
    int64_t got = read_at(file, tensor->data, header->data_bytes, header->data_offset);
    if (got < header->data_bytes) {
        if (got < 0) {
            fail_system(ctx, path, "cannot be read", span);
        } else {
            gmxrt_fail(ctx, RT_E0402, span, "`%.300s` was cut short while it was read", path);
        }
        gmxrt_tensor_release(tensor);
        return NULL;
    }
    repair_data(ctx, header, tensor->data);
    if (header->fortran_order && header->data_bytes > 0) {
        make_fortran(tensor);
    }
    return tensor;
}

gmxrt_tensor *gmxrt_npy_load(gmxrt_ctx *ctx, const char *path, uint64_t span) {
    int file = open_to_read(ctx, path, span);
    if (file < 0) {
        return NULL;
    }
    gmxrt_npy_header header;
    gmxrt_tensor *tensor = NULL;
    if (read_header(ctx, file, path, &header, span) == 0) {
        tensor = load_data(ctx, file, path, &header, span);
    }
    close(file);
    return tensor;
}

/* ---- writing ------------------------------------------------------------------------------- */

static bool write_all(int file, const void *bytes, int64_t length) {
    int64_t done = 0;
    while (done < length) {
        size_t step = (uint64_t)(length - done) > io_step ? io_step : (size_t)(length - done);
        ssize_t written = write(file, (const char *)bytes + done, step);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        done += written > 0 ? written : 0;
    }
    return true;
}

/* Where a save goes: to a temporary that takes the target's name at the end, or straight into a
 * target that is no regular file (a pipe, a device). */
typedef struct Output {
    int file;
    char *target;    /* links resolved */
    char *temporary; /* NULL: written straight */
} Output;

static bool open_temporary(Output *output) {
    size_t capacity = strlen(output->target) + 48;
    output->temporary = malloc(capacity);
    for (unsigned attempt = 0; output->temporary && attempt < 1000; attempt++) {
        snprintf(output->temporary, capacity, "%s.%ld-%u.tmp", output->target, (long)getpid(), attempt);
        output->file = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (output->file >= 0 || errno != EEXIST) {
            return output->file >= 0;
        }
    }
    return false;
}

static bool open_output(Output *output, const char *path) {
    struct stat status;
    bool exists = stat(path, &status) == 0;
    output->target = exists ? realpath(path, NULL) : strdup(path);
    if (!output->target) {
        return false;
    }
    if (exists && S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return false;
    }
    if (exists && !S_ISREG(status.st_mode)) {
        output->file = open(path, O_WRONLY | O_CLOEXEC);
        return output->file >= 0;
    }
    bool opened = open_temporary(output);
    if (opened && exists) {
        fchmod(output->file, status.st_mode & 07777);
    }
    return opened;
}

/* Closes, renames, or removes the temporary; false if the file could not be completed. */
static bool close_output(Output *output, bool complete) {
    bool closed = output->file < 0 || close(output->file) == 0;
    if (output->temporary && output->file >= 0) {
        complete = complete && closed && rename(output->temporary, output->target) == 0;
        if (!complete) {
            int reason = errno;
            unlink(output->temporary);
            errno = reason;
        }
    }
    free(output->temporary);
    free(output->target);
    return complete && closed;
}

static int32_t save_contiguous(gmxrt_ctx *ctx, const char *path, const gmxrt_view *x, uint64_t span) {
    char header[NPY_HEADER_MAX];
    int32_t length = npy_write_header(header, x->dtype, x->rank, x->shape);
    Output output = {.file = -1};
    if (!open_output(&output, path)) {
        int32_t failed = fail_system(ctx, path, "cannot be written", span);
        free(output.temporary);
        free(output.target);
        return failed;
    }
    int64_t bytes = gmxrt_bytes_of(x->dtype, x->rank, x->shape);
    bool complete = write_all(output.file, header, length) && write_all(output.file, x->data, bytes);
    return close_output(&output, complete) ? 0 : fail_system(ctx, path, "cannot be written", span);
}

int32_t gmxrt_npy_save(gmxrt_ctx *ctx, const char *path, const gmxrt_view *x, uint64_t span) {
    if (view_is_contiguous(x)) {
        return save_contiguous(ctx, path, x, span);
    }
    gmxrt_tensor *dense = gmxrt_tensor_new(ctx, x->dtype, x->rank, x->shape, span);
    if (!dense) {
        return 1;
    }
    gmxrt_view view = gmxrt_view_of(dense);
    int32_t failed = gmxrt_copy(ctx, x, &view, span) || save_contiguous(ctx, path, &view, span);
    gmxrt_tensor_release(dense);
    return failed;
}
