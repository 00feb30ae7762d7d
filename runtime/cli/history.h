/* The entries typed in earlier sessions: $XDG_STATE_HOME/gmx/history, else ~/.gmx_history.
 *
 * One entry a line, newlines and backslashes in it escaped.  The file is read again and replaced as a whole
 * for each entry, so that two sessions keep the entries of both and a crash leaves the old or the new file.
 */
#ifndef GMX_RUNTIME_CLI_HISTORY_H
#define GMX_RUNTIME_CLI_HISTORY_H

#include <stddef.h>

typedef struct History {
    char **entries; /* oldest first */
    size_t count, capacity;
    char *path; /* NULL: nowhere to keep it */
} History;

void history_open(History *history);
/* Adds and saves an entry, unless it equals the one before.  Failures are silent: it is a convenience. */
void history_add(History *history, const char *entry);
void history_close(History *history);

#endif
