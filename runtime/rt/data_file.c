/* Data files: opening and reading them, and the errors that all readers share. */
#include "runtime/rt/internal.h"

#include "runtime/rt/data_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t io_step = 64 << 20;

int32_t data_fail_system(gmxrt_ctx *ctx, const char *path, const char *what, uint64_t span) {
    char reason[128];
    const char *text = strerror_r(errno, reason, sizeof reason);
    gmxrt_fail(ctx, RT_E0401, span, "`%.300s` %s: %s", path, what, text);
    return 1;
}

static bool fail_list(gmxrt_ctx *ctx, int32_t code, uint64_t span, const char *hint, const char *format,
                      va_list list) {
    char message[sizeof ctx->error.message];
    if (ctx->error.code == 0) {
        vsnprintf(message, sizeof message, format, list);
        gmxrt_fail(ctx, code, span, "%s", message);
        gmxrt_set_hint(ctx, "%s", hint);
    }
    return false;
}

bool data_fail(gmxrt_ctx *ctx, int32_t code, uint64_t span, const char *hint, const char *format, ...) {
    va_list list;
    va_start(list, format);
    fail_list(ctx, code, span, hint, format, list);
    va_end(list);
    return false;
}

bool data_fail_damaged(const DataFile *file, const char *format, ...) {
    static const char *const hint = "the file was cut short or changed: write it or copy it again";
    va_list list;
    va_start(list, format);
    fail_list(file->ctx, RT_E0402, file->span, hint, format, list);
    va_end(list);
    return false;
}

int64_t data_read_at(int file, void *out, int64_t bytes, int64_t offset) {
    int64_t done = 0;
    while (done < bytes) {
        size_t step = (size_t)(bytes - done < io_step ? bytes - done : io_step);
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

bool data_read(const DataFile *file, void *out, int64_t bytes, int64_t offset) {
    int64_t got = data_read_at(file->file, out, bytes, offset);
    if (got < 0) {
        data_fail_system(file->ctx, file->path, "cannot be read", file->span);
    } else if (got < bytes) {
        data_fail_damaged(file, "`%.300s` was cut short while it was read", file->path);
    }
    return got == bytes;
}

bool data_open(gmxrt_ctx *ctx, const char *path, uint64_t span, DataFile *out) {
    struct stat status;
    *out = (DataFile){.ctx = ctx, .span = span, .path = path};
    out->file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO is refused, not waited for */
    if (out->file < 0) {
        bool first = ctx->error.code == 0, is_missing = errno == ENOENT;
        data_fail_system(ctx, path, "cannot be opened", span);
        if (first && is_missing && path[0] != '/') {
            gmxrt_set_hint(ctx, "a relative path starts at the script's folder, else at the current one");
        }
        return false;
    }
    if (fstat(out->file, &status) != 0) {
        data_fail_system(ctx, path, "cannot be read", span);
    } else if (!S_ISREG(status.st_mode)) {
        gmxrt_fail(ctx, RT_E0401, span, "`%.300s` is not a regular file", path);
    } else {
        out->bytes = status.st_size;
        return true;
    }
    data_close(out);
    return false;
}

void data_close(DataFile *file) {
    if (file->file >= 0) {
        close(file->file);
    }
    file->file = -1;
}

/* The bytes of the UTF-8 sequence at `text` (RFC 3629), 0 if there is none. */
static int64_t sequence_length(const unsigned char *text, int64_t left) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = text[0];
    int64_t length = first < 0x80   ? 1
                     : first < 0xC2 ? 0
                     : first < 0xE0 ? 2
                     : first < 0xF0 ? 3
                     : first < 0xF5 ? 4
                                    : 0;
    if (length <= 1 || length > left) {
        return length <= left ? length : 0;
    }
    uint32_t point = first & (0x7Fu >> length);
    for (int64_t i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80) {
            return 0;
        }
        point = point << 6 | (text[i] & 0x3F);
    }
    bool valid = point >= least[length] && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
    return valid ? length : 0;
}

/* Well-formed, and without NUL. */
static bool data_is_utf8(const char *text, int64_t length) {
    for (int64_t i = 0; i < length;) {
        int64_t step = text[i] ? sequence_length((const unsigned char *)text + i, length - i) : 0;
        if (step == 0) {
            return false;
        }
        i += step;
    }
    return true;
}

const char *data_quote(char out[DATA_QUOTE_MAX], const char *text, int64_t length) {
    int64_t shown = length > 60 ? 57 : length;
    while (shown < length && shown > 0 && ((unsigned char)text[shown] & 0xC0) == 0x80) {
        shown--; /* not within a character */
    }
    for (int64_t i = 0; i < shown; i++) {
        unsigned char byte = (unsigned char)text[i];
        out[i] = byte < ' ' || byte == 0x7F ? '?' : (char)byte;
    }
    if (!data_is_utf8(out, shown)) {
        for (int64_t i = 0; i < shown; i++) {
            out[i] = (unsigned char)out[i] >= 0x80 ? '?' : out[i];
        }
    }
    memcpy(out + shown, shown < length ? "..." : "", shown < length ? 4 : 1);
    return out;
}

bool data_is_name(const char *text, int64_t length) {
    for (int64_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7F) {
            return false;
        }
    }
    return data_is_utf8(text, length);
}

bool data_contiguous(gmxrt_ctx *ctx, const gmxrt_view *x, uint64_t span, gmxrt_view *out,
                     gmxrt_tensor **made) {
    *made = NULL;
    *out = *x;
    if (view_is_contiguous(x)) {
        return true;
    }
    *made = gmxrt_tensor_new(ctx, x->dtype, x->rank, x->shape, span);
    if (!*made) {
        return false;
    }
    *out = gmxrt_view_of(*made);
    return gmxrt_copy(ctx, x, out, span) == 0; /* the caller releases what was made */
}
