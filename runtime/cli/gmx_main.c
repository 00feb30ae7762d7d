/* gmx: runs a script, a line, standard input or the REPL, and the subcommands that look at a program. */
#include "runtime/cli/interrupt.h"
#include "runtime/cli/options.h"
#include "runtime/cli/output.h"
#include "runtime/cli/repl.h"
#include "runtime/cli/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Above what a source may have (the session says so), so that endless input is not read for ever. */
enum { INPUT_LIMIT = 65 << 20 };

static int run_code(Options *options, const char *name, const char *text, size_t length) {
    gmx_session *session = tool_open_session(options);
    if (!session)
        return 1;
    interrupt_enter(session);
    int status = tool_report(session, gmx_show_text(session, name, text, (int64_t)length));
    return tool_close(options, session, status);
}

static int run_input(Options *options) {
    size_t length;
    char *text = tool_read_input("gmx", INPUT_LIMIT, &length);
    if (!text)
        return 1;
    int status = run_code(options, "<stdin>", text, length);
    free(text);
    return status;
}

static int run_file(Options *options, const char *path) {
    gmx_session *session = tool_open_session(options);
    if (!session)
        return 1;
    interrupt_enter(session);
    int status = tool_report(session, gmx_run_file(session, path));
    return tool_close(options, session, status);
}

static int run(Options *options) {
    if (options->code)
        return run_code(options, "<-e>", options->code, strlen(options->code));
    if (options->file_count && strcmp(options->files[0], "-"))
        return run_file(options, options->files[0]);
    if (!options->file_count && isatty(STDIN_FILENO))
        return repl_run(options);
    return run_input(options);
}

static int worse(int a, int b) {
    return a > b ? a : b;
}

/* Each file in a session of its own: names of one are not those of another. */
static int for_each_file(Options *options,
                         int (*one)(Options *options, gmx_session *session, const char *path)) {
    int status = 0;
    for (int i = 0; i < options->file_count && status != STATUS_INTERRUPTED; i++) {
        gmx_session *session = tool_open_session(options);
        if (!session)
            return 1;
        interrupt_enter(session);
        int result = one(options, session, options->files[i]);
        interrupt_leave();
        status = worse(status, tool_close(options, session, result));
    }
    return status;
}

static int check_file(Options *options, gmx_session *session, const char *path) {
    (void)options;
    return tool_report(session, gmx_check_file(session, path));
}

static int explain_file(Options *options, gmx_session *session, const char *path) {
    const char *text = "";
    gmx_view view = options->structure ? GMX_VIEW_STRUCTURE : GMX_VIEW_EXPLAIN;
    int status = tool_report(session, gmx_view_file(session, path, view, &text));
    if (!status)
        output_write(NULL, text, strlen(text));
    return status;
}

static int document(Options *options, gmx_session *session, const char *name) {
    const char *text = "";
    (void)options;
    int status = tool_report(session, gmx_help(session, name, &text));
    if (!status)
        output_write(NULL, text, strlen(text));
    return status;
}

int main(int count, char **words) {
    Options options;
    output_begin();
    interrupt_install("gmx");
    int status = options_parse(&options, TOOL_GMX, count, words);
    if (status) {
        options_free(&options);
        return status;
    }
    if (options.help || options.version) {
        if (options.help)
            options_print_help(TOOL_GMX);
        else
            output_format("gmx %s\n", gmx_version());
        status = tool_close(&options, NULL, 0);
    } else if (options.command == COMMAND_RUN) {
        status = run(&options);
    } else if (options.command == COMMAND_CHECK) {
        status = for_each_file(&options, check_file);
    } else if (options.command == COMMAND_EXPLAIN) {
        options.session.write = tool_drop_output;
        status = for_each_file(&options, explain_file);
    } else {
        status = for_each_file(&options, document);
    }
    options_free(&options);
    return status;
}
