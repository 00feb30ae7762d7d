/* gmx: runs a script, a line, standard input or the REPL, and the subcommands that look at a program. */
#include "runtime/cli/interrupt.h"
#include "runtime/cli/options.h"
#include "runtime/cli/output.h"
#include "runtime/cli/repl.h"
#include "runtime/cli/tool.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Above what a source may have (the session says so), so that endless input is not read for ever. */
enum { INPUT_LIMIT = 65 << 20 };

/* A back end asked for by name must be there, whether the program needs it or not. */
static int require_backend(const Options *options, gmx_session *session) {
    const char *name = options->session.backend;
    if (!name || !strcmp(name, "auto"))
        return 0;
    return tool_report(session, gmx_require_backend(session));
}

static int run_code(Options *options, const char *name, const char *text, size_t length) {
    gmx_session *session;
    int status = tool_open_session(options, &session);
    if (status)
        return status;
    status = require_backend(options, session);
    if (!status) {
        interrupt_enter(session);
        status = tool_report(session, gmx_show_text(session, name, text, (int64_t)length));
    }
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
    gmx_session *session;
    int status = tool_open_session(options, &session);
    if (status)
        return status;
    status = require_backend(options, session);
    if (!status) {
        interrupt_enter(session);
        status = tool_report(session, gmx_run_file(session, path));
    }
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
        gmx_session *session;
        int opened = tool_open_session(options, &session);
        if (opened)
            return opened;
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

static bool is_same_as_file(const char *path, const char *text, size_t length) {
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool is_same = true;
    char bytes[4096];
    for (size_t got; is_same && (got = fread(bytes, 1, sizeof bytes, file)) > 0;) {
        is_same = got <= length && !memcmp(bytes, text, got);
        text += got;
        length -= is_same ? got : 0;
    }
    fclose(file);
    return is_same && !length;
}

/* Names the files that change, or with --check would. */
static int format_file(Options *options, gmx_session *session, const char *path) {
    const char *text = "";
    int status = tool_report(session, gmx_format_file(session, path, &text));
    size_t length = strlen(text);
    if (status)
        return status;
    if (!strcmp(path, "-")) {
        output_write(NULL, text, length);
        return 0;
    }
    if (is_same_as_file(path, text, length))
        return 0;
    output_format("%s\n", path);
    int error = options->check ? 0 : tool_write_file(path, text, length, 0666);
    return error ? tool_file_error("gmx", "write", path, error) : options->check;
}

/* Of a script, not a name in the language. */
static bool is_path(const char *word) {
    size_t length = strlen(word);
    return strchr(word, '/') || !strcmp(word, "-") || (length > 4 && !strcmp(word + length - 4, ".gmx"));
}

static int document(Options *options, gmx_session *session, const char *name) {
    const char *text = "";
    int status = tool_report(session, is_path(name) ? gmx_document_file(session, name, &text)
                                                    : gmx_help(session, name, &text));
    size_t length = strlen(text);
    if (!status && length) {
        if (name != options->files[0])
            output_write(NULL, "\n", 1);
        output_write(NULL, text, length);
        if (text[length - 1] != '\n')
            output_write(NULL, "\n", 1);
    }
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
    } else if (options.command == COMMAND_FMT) {
        status = for_each_file(&options, format_file);
    } else {
        status = for_each_file(&options, document);
    }
    options_free(&options);
    return status;
}
