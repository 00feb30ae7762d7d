/* What gmx and gmxc share. */
#include "runtime/cli/tool.h"

#include "runtime/cli/interrupt.h"
#include "runtime/cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 64 << 10 };

/* Status 5 is for a back end asked for by name; that `auto` finds none is a broken installation. */
static bool is_backend_named;

/* The message of a session about its options, as a line of the tool. */
static int wrong_option(Tool tool, gmx_session *session) {
    const char *message = gmx_errmsg(session), *text = strstr(message, "]: ");
    output_error("%s: %s", tool_name(tool), text ? text + 3 : message);
    gmx_session_close(session);
    return 2;
}

int tool_open_session(Options *options, gmx_session **out) {
    const char *backend = options->session.backend;
    options->session.profile = options->tool == TOOL_GMX && (options->profile || options->monitor);
    is_backend_named = backend && strcmp(backend, "auto");
    options->session.write_error = output_write_error;
    if (!options->session.write)
        options->session.write = output_write;
    if (options->threads)
        gmx_set_threads(options->threads);
    gmx_status status = gmx_session_open(&options->session, out);
    if (status == GMX_MISUSE && *out)
        return wrong_option(options->tool, *out);
    if (status == GMX_OK)
        return 0;
    output_error("%s: out of memory\n", tool_name(options->tool));
    return 1;
}

void tool_drop_output(void *user, const char *text, size_t length) {
    (void)user;
    (void)text;
    (void)length;
}

int tool_report(gmx_session *session, gmx_status status) {
    interrupt_leave();
    bool is_interrupted = status != GMX_OK && !strcmp(gmx_errcode(session), "E0308");
    const char *message = gmx_errmsg(session);
    if (*message && !(is_interrupted && output_failure()))
        output_write_error(NULL, message, strlen(message));
    switch (status) {
    case GMX_OK:
        return 0;
    case GMX_ERROR:
    case GMX_NO_MEMORY:
        return is_interrupted ? STATUS_INTERRUPTED : 1;
    case GMX_NO_BACKEND:
        return is_backend_named ? 5 : 3;
    default:
        return 3;
    }
}

/* The table of operations and their warnings. */
static void print_operations(const Options *options, gmx_session *session) {
    const char *text = "";
    int what = GMX_PROFILE_WARNINGS | (options->profile ? GMX_PROFILE_TABLE : 0) |
               (options->measure ? GMX_PROFILE_MEASURE : 0);
    if (gmx_profile(session, what, &text) == GMX_OK && *text)
        output_write_error(NULL, text, strlen(text));
}

static void print_profile(gmx_session *session) {
    gmx_statistics s;
    if (gmx_get_statistics(session, &s) != GMX_OK)
        return;
    output_error("compiling      %9.3f ms   %llu functions, %llu kernels\n"
                 "running        %9.3f ms\n"
                 "found compiled %9llu in memory, %llu on disk (%llu looked for in vain)\n"
                 "tensor memory  %9.1f MB at most\n",
                 s.compile_seconds * 1e3, (unsigned long long)s.functions_compiled,
                 (unsigned long long)s.kernels_compiled, s.run_seconds * 1e3,
                 (unsigned long long)s.memory_hits, (unsigned long long)s.disk_hits,
                 (unsigned long long)s.disk_misses, (double)s.bytes_peak / 1e6);
}

int tool_close(const Options *options, gmx_session *session, int status) {
    output_flush();
    if (session && options->session.profile)
        print_operations(options, session);
    if (session && options->profile)
        print_profile(session);
    gmx_session_close(session);
    int failure = output_failure();
    if (!failure)
        return status;
    if (failure != EPIPE) /* a reader that left knows why */
        output_error("%s: cannot write to standard output: %s\n", tool_name(options->tool),
                     strerror(failure));
    return 1;
}

/* ---- files ----------------------------------------------------------------------------------------------
 */

char *tool_read_input(const char *tool, size_t limit, size_t *length) {
    size_t capacity = READ_STEP, size = 0;
    char *text = malloc(capacity + 1);
    while (text && size <= limit) {
        ssize_t got = read(STDIN_FILENO, text + size, capacity - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            output_error("%s: cannot read standard input: %s\n", tool, strerror(errno));
            free(text);
            return NULL;
        }
        if (!got)
            break;
        size += (size_t)got;
        if (size == capacity) {
            char *larger = realloc(text, (capacity *= 2) + 1);
            if (!larger)
                free(text);
            text = larger;
        }
    }
    if (!text) {
        output_error("%s: out of memory\n", tool);
        return NULL;
    }
    text[size] = '\0';
    *length = size;
    return text;
}

static int write_whole(int fd, const char *text, size_t length) {
    while (length) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        text += written;
        length -= (size_t)written;
    }
    return 0;
}

/* Devices and pipes cannot be renamed over. */
static int write_in_place(const char *path, const char *text, size_t length) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = write_whole(fd, text, length);
    return close(fd) && !error ? errno : error;
}

int tool_write_file(const char *path, const char *text, size_t length, unsigned mode) {
    struct stat old;
    bool exists = stat(path, &old) == 0;
    if (exists && !S_ISREG(old.st_mode))
        return S_ISDIR(old.st_mode) ? EISDIR : write_in_place(path, text, length);
    char *target = exists ? realpath(path, NULL) : strdup(path); /* through a link, not over it */
    char *temporary = NULL;
    if (!target || asprintf(&temporary, "%s.XXXXXX", target) < 0) {
        free(target);
        return ENOMEM;
    }
    int fd = mkostemp(temporary, O_CLOEXEC), error = fd < 0 ? errno : 0;
    if (!error) {
        mode_t mask = umask(0);
        umask(mask);
        error = write_whole(fd, text, length);
        if (!error && fchmod(fd, exists ? old.st_mode & 07777 : mode & ~mask))
            error = errno;
        if (close(fd) && !error)
            error = errno;
        if (!error && rename(temporary, target))
            error = errno;
        if (error)
            unlink(temporary);
    }
    free(temporary);
    free(target);
    return error;
}

int tool_file_error(const char *tool, const char *what, const char *path, int error) {
    output_error("%s: cannot %s `%s`: %s\n", tool, what, path, strerror(error));
    return 1;
}
