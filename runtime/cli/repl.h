/* The REPL: entries from a terminal, their values, and commands about them. */
#ifndef GMX_RUNTIME_CLI_REPL_H
#define GMX_RUNTIME_CLI_REPL_H

#include "runtime/cli/options.h"

/* Until Ctrl-D or `:quit`; the exit status. */
int repl_run(Options *options);

#endif
