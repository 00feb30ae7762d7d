/* gmxc: compiles the `export fn` of a script into a library with its header, or writes a form on the way. */
#include "runtime/cli/interrupt.h"
#include "runtime/cli/options.h"
#include "runtime/cli/output.h"
#include "runtime/cli/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef enum FormKind {
    FORM_VIEW,   /* text from gmx_view_file */
    FORM_TEXT,   /* gmx_compile_file, which can write to standard output */
    FORM_BINARY, /* gmx_compile_file, a file only */
    FORM_LATER   /* no code generator for it in this build */
} FormKind;

typedef struct Form {
    const char *name;
    FormKind kind;
    int what; /* gmx_view or gmx_emit */
} Form;

static const Form forms[] = {
    {"tokens", FORM_VIEW, GMX_VIEW_TOKENS},
    {"ast", FORM_VIEW, GMX_VIEW_AST},
    {"ir", FORM_TEXT, GMX_EMIT_IR},
    {"kernels", FORM_TEXT, GMX_EMIT_KERNELS},
    {"llvm", FORM_TEXT, GMX_EMIT_LLVM},
    {"asm", FORM_TEXT, GMX_EMIT_ASSEMBLY},
    {"header", FORM_TEXT, GMX_EMIT_HEADER},
    {"obj", FORM_BINARY, GMX_EMIT_OBJECT},
    {"so", FORM_BINARY, GMX_EMIT_SHARED},
    {"cuda", FORM_LATER, 0},
    {"ptx", FORM_LATER, 0},
    {"opencl", FORM_LATER, 0},
};

enum { FORM_COUNT = sizeof forms / sizeof *forms };

static const Form *find_form(const char *name) {
    for (int i = 0; i < FORM_COUNT; i++)
        if (!strcmp(forms[i].name, name))
            return &forms[i];
    return NULL;
}

static bool is_output(const char *path) {
    return !path || !strcmp(path, "-");
}

static int view(Options *options, gmx_session *session, const Form *form) {
    const char *text = "";
    interrupt_enter(session);
    int status = tool_report(session, gmx_view_file(session, options->files[0], (gmx_view)form->what, &text));
    if (status)
        return status;
    size_t length = strlen(text);
    if (is_output(options->output)) {
        output_write(NULL, text, length);
        return 0;
    }
    int error = tool_write_file(options->output, text, length, 0666);
    return error ? tool_file_error("gmxc", "write", options->output, error) : 0;
}

static int compile(Options *options, gmx_session *session, const Form *form, const char *output) {
    output_flush(); /* the text forms go to the same file */
    interrupt_enter(session);
    return tool_report(session, gmx_compile_file(session, options->files[0], (gmx_emit)form->what, output));
}

static int copy_to_output(const char *path) {
    char *bytes = malloc(1 << 16);
    int fd = bytes ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && (got = read(fd, bytes, 1 << 16)) > 0)
        output_write(NULL, bytes, (size_t)got);
    int status = got < 0 ? tool_file_error("gmxc", "read", path, errno) : 0;
    if (fd >= 0)
        close(fd);
    free(bytes);
    return status;
}

/* A library or object for standard output is made in a folder of its own. */
static int compile_to_output(Options *options, gmx_session *session, const Form *form) {
    const char *base = getenv("TMPDIR");
    char *folder = NULL, *file = NULL, *header = NULL;
    int status = 1;
    if (asprintf(&folder, "%s/gmxc.XXXXXX", base && *base ? base : "/tmp") < 0)
        folder = NULL;
    if (!folder || !mkdtemp(folder)) {
        output_error("gmxc: cannot make a temporary folder: %s\n", strerror(errno));
    } else if (asprintf(&file, "%s/libout.so", folder) >= 0 && asprintf(&header, "%s/out.h", folder) >= 0) {
        status = compile(options, session, form, file);
        if (!status)
            status = copy_to_output(file);
        unlink(file);
        unlink(header);
        rmdir(folder);
    }
    free(folder);
    free(file);
    free(header);
    return status;
}

static int check_use(const Options *options, const Form *form) {
    if (!options->file_count) {
        output_error("gmxc: which file? gmxc FILE -o libNAME.so\n");
        return 2;
    }
    if (options->file_count != 1) {
        output_error("gmxc: one file at a time, not %d\n", options->file_count);
        return 2;
    }
    if (form->kind == FORM_BINARY && is_output(options->output) &&
        (!options->emit || isatty(STDOUT_FILENO))) {
        output_error("gmxc: say where the result goes: `-o %s`\n",
                     form->what == GMX_EMIT_SHARED ? "libNAME.so" : "NAME.o");
        return 2;
    }
    return 0;
}

static int emit(Options *options, const Form *form) {
    if (form->kind == FORM_VIEW || form->kind == FORM_LATER)
        options->session.write = tool_drop_output; /* only looked at */
    else if (form->kind == FORM_BINARY)
        options->session.write = output_write_error; /* not into what is emitted */
    gmx_session *session;
    int status = tool_open_session(options, &session);
    if (status)
        return status;
    if (form->kind == FORM_VIEW)
        status = view(options, session, form);
    else if (form->kind == FORM_BINARY && is_output(options->output))
        status = compile_to_output(options, session, form);
    else
        status = compile(options, session, form, options->output ? options->output : "-");
    interrupt_leave();
    return tool_close(options, session, status);
}

static int later(const Options *options, const Form *form) {
    bool is_json = options->session.json_errors;
    output_error(is_json ? "{\"code\":\"E0900\",\"severity\":\"error\",\"message\":\"not supported yet: "
                           "--emit=%s\"}\n"
                         : "error[E0900]: not supported yet: --emit=%s\n",
                 form->name);
    return 1;
}

int main(int count, char **words) {
    Options options;
    output_begin();
    interrupt_install("gmxc");
    int status = options_parse(&options, TOOL_GMXC, count, words);
    const Form *form = find_form(options.emit ? options.emit : "so");
    if (!status && options.help) {
        options_print_help(TOOL_GMXC);
        status = tool_close(&options, NULL, 0);
    } else if (!status && options.version) {
        output_format("gmxc %s\n", gmx_version());
        status = tool_close(&options, NULL, 0);
    } else if (!status) {
        status = check_use(&options, form);
        if (!status)
            status = form->kind == FORM_LATER ? later(&options, form) : emit(&options, form);
    }
    options_free(&options);
    return status;
}
