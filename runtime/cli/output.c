/* Standard output and standard error of the tools. */
#include "runtime/cli/output.h"

#include "runtime/cli/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_SIZE = 64 << 10 };

static struct {
    char bytes[BUFFER_SIZE];
    volatile size_t length;
    int failure;
    bool is_terminal;
} buffer;

void output_begin(void) {
    /* A file opened as number 1 would receive what the program prints. */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) < 0)
            return;
    buffer.is_terminal = isatty(STDOUT_FILENO);
}

static int write_all(int fd, const char *text, size_t length) {
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

/* Nobody reads on: what runs is stopped, for it may print for ever. */
static void put(const char *text, size_t length) {
    if (buffer.failure)
        return;
    buffer.failure = write_all(STDOUT_FILENO, text, length);
    if (buffer.failure)
        interrupt_running();
}

void output_flush(void) {
    size_t length = buffer.length;
    buffer.length = 0;
    if (length)
        put(buffer.bytes, length);
}

void output_write(void *user, const char *text, size_t length) {
    (void)user;
    if (length > BUFFER_SIZE - buffer.length)
        output_flush();
    if (length > BUFFER_SIZE) {
        put(text, length);
        return;
    }
    memcpy(buffer.bytes + buffer.length, text, length);
    buffer.length += length;
    if (buffer.is_terminal && memchr(text, '\n', length))
        output_flush();
}

void output_write_error(void *user, const char *text, size_t length) {
    (void)user;
    output_flush();
    write_all(STDERR_FILENO, text, length);
}

static void write_formatted(void (*write)(void *user, const char *text, size_t length), const char *format,
                            va_list list) {
    char *text = NULL;
    int length = vasprintf(&text, format, list);
    if (length >= 0)
        write(NULL, text, (size_t)length);
    free(text);
}

void output_format(const char *format, ...) {
    va_list list;
    va_start(list, format);
    write_formatted(output_write, format, list);
    va_end(list);
}

void output_error(const char *format, ...) {
    va_list list;
    va_start(list, format);
    write_formatted(output_write_error, format, list);
    va_end(list);
}

int output_failure(void) {
    return buffer.failure;
}
