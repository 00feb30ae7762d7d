/* Standard output and standard error of the tools: buffered output that a signal handler can still write,
 * errors after the output that came before them, and a note of the first failure. */
#ifndef GMX_RUNTIME_CLI_OUTPUT_H
#define GMX_RUNTIME_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* Call first: opens the standard files that the caller closed, finds out whether output is a terminal. */
void output_begin(void);
/* `user` is unused: these have the type of the writers in gmx_options. */
void output_write(void *user, const char *text, size_t length);
void output_write_error(void *user, const char *text, size_t length);
void output_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void output_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Safe in a signal handler. */
void output_flush(void);
/* The errno of the first write to standard output that failed; 0: none did. */
int output_failure(void);

#endif
