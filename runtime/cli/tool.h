/* What gmx and gmxc share: a session made from the options, its messages, exit statuses, whole files. */
#ifndef GMX_RUNTIME_CLI_TOOL_H
#define GMX_RUNTIME_CLI_TOOL_H

#include "runtime/cli/options.h"

#include <stddef.h>

/* Opens the session that the options describe.  0, or the exit status after a message. */
int tool_open_session(Options *options, gmx_session **out);
/* Prints the messages of the last call and gives the exit status for it.  Before: interrupt_enter. */
int tool_report(gmx_session *session, gmx_status status);
/* Says what the session spent (--profile), closes it, and gives the exit status when output failed. */
int tool_close(const Options *options, gmx_session *session, int status);
/* For sessions whose program is only looked at: what it prints is dropped. */
void tool_drop_output(void *user, const char *text, size_t length);

/* Standard input, but not more than `limit` bytes and one.  NULL after a message. */
char *tool_read_input(const char *tool, size_t limit, size_t *length);
/* Writes a file that appears whole or not at all.  `mode` (less the umask) is for a new file, an existing one
 * keeps its own.  0, or an errno. */
int tool_write_file(const char *path, const char *text, size_t length, unsigned mode);
/* A message about a file and an errno; gives status 1. */
int tool_file_error(const char *tool, const char *what, const char *path, int error);

#endif
