/* The command line of gmx and gmxc: one table of options for both, also read from GMX_FLAGS.
 *
 * Options may stand before the file; what follows the file of `gmx FILE` belongs to the script.  With a
 * subcommand, and for gmxc, options and files may be mixed.  `--` ends the options. */
#ifndef GMX_RUNTIME_CLI_OPTIONS_H
#define GMX_RUNTIME_CLI_OPTIONS_H

#include "runtime/api/gmx.h"

typedef enum Tool { TOOL_GMX = 1, TOOL_GMXC = 2, TOOL_BOTH = 3 } Tool;

/* What is to be done; COMMAND_RUN when no subcommand is named.  The names are in options.c. */
typedef enum Command { COMMAND_RUN, COMMAND_CHECK, COMMAND_FMT, COMMAND_EXPLAIN, COMMAND_DOC } Command;

enum { OPTIONS_LIST_MAX = 64 };

typedef struct Options {
    Tool tool;
    Command command;
    gmx_options session;
    const char *disabled_passes[OPTIONS_LIST_MAX + 1];
    int threads; /* 0: as many as there are CPUs */
    int profile, monitor, measure, help, version;
    const char *error_format;
    const char *code;     /* -e */
    int structure, check; /* of explain and fmt */
    const char *emit, *output;
    const char *const *files; /* words that are no options: files, or the script and its arguments */
    int file_count;
    char *flags; /* GMX_FLAGS taken apart */
    const char **words;
} Options;

/* Reads GMX_FLAGS and the command line.  0, or 2 after a line on standard error that says what is wrong. */
int options_parse(Options *options, Tool tool, int count, char **words);
void options_free(Options *options);
/* The text of --help, to standard output. */
void options_print_help(Tool tool);
const char *tool_name(Tool tool);

#endif
