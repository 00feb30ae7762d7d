/* Outputs of data files: written under another name beside the target and renamed, so that readers
 * see the old file or the new one, never a part. */
#include "runtime/rt/internal.h"

#include "runtime/rt/data_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t io_step = 64 << 20;

static bool open_temporary(DataOutput *output) {
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

static bool open_target(DataOutput *output) {
    struct stat status;
    bool exists = stat(output->path, &status) == 0;
    output->target = exists ? realpath(output->path, NULL) : strdup(output->path);
    if (!output->target) {
        return false;
    }
    if (exists && S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return false;
    }
    if (exists && !S_ISREG(status.st_mode)) {
        output->file = open(output->path, O_WRONLY | O_CLOEXEC);
        return output->file >= 0;
    }
    bool opened = open_temporary(output);
    if (opened && exists) {
        fchmod(output->file, status.st_mode & 07777);
    }
    return opened;
}

bool output_open(gmxrt_ctx *ctx, const char *path, uint64_t span, DataOutput *out) {
    *out = (DataOutput){.ctx = ctx, .span = span, .path = path, .file = -1};
    if (open_target(out)) {
        return true;
    }
    data_fail_system(ctx, path, "cannot be written", span);
    free(out->temporary);
    free(out->target);
    return false;
}

void output_write(DataOutput *output, const void *bytes, int64_t length) {
    for (int64_t done = 0; done < length && !output->error;) {
        size_t step = (size_t)(length - done < io_step ? length - done : io_step);
        ssize_t written = write(output->file, (const char *)bytes + done, step);
        if (written < 0 && errno != EINTR) {
            output->error = errno;
        }
        done += written > 0 ? written : 0;
    }
    output->at += length;
}

int32_t output_close(DataOutput *output, bool complete) {
    if (close(output->file) != 0 && !output->error) {
        output->error = errno;
    }
    if (output->temporary) {
        bool renamed = complete && !output->error && rename(output->temporary, output->target) == 0;
        if (!renamed) {
            output->error = output->error || !complete ? output->error : errno;
            unlink(output->temporary);
        }
    }
    free(output->temporary);
    free(output->target);
    if (output->error) {
        errno = output->error;
        return data_fail_system(output->ctx, output->path, "cannot be written", output->span);
    }
    return !complete;
}
