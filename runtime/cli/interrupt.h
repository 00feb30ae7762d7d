/* Signals: Ctrl-C stops the program that runs, a second one the process (status 130); a crash becomes an
 * internal error (status 3) and never a signal. */
#ifndef GMX_RUNTIME_CLI_INTERRUPT_H
#define GMX_RUNTIME_CLI_INTERRUPT_H

#include "runtime/api/gmx.h"

#include <stdbool.h>

enum { STATUS_INTERRUPTED = 130 };

void interrupt_install(const char *tool);
/* Between these Ctrl-C goes to the session. */
void interrupt_enter(gmx_session *session);
void interrupt_leave(void);
/* Stops what runs, as Ctrl-C does, but any number of times. */
void interrupt_running(void);
/* While nothing runs Ctrl-C ends the process, unless it is waited for: then it is noted. */
void interrupt_wait_for(bool is_wanted);
/* Waits until something can be read (or `milliseconds` have passed; negative: for ever).  False: nothing can,
 * or a signal came, also one that was noted before the call. */
bool interrupt_wait_readable(int descriptor, int milliseconds);
bool interrupt_taken(void); /* was it noted? forgets it */
/* Called before the process ends by a signal; must be safe there.  NULL: nothing. */
void interrupt_at_end(void (*restore)(void));

#endif
