/* The REPL. */
#include "runtime/cli/repl.h"

#include "runtime/cli/history.h"
#include "runtime/cli/interrupt.h"
#include "runtime/cli/line_edit.h"
#include "runtime/cli/output.h"
#include "runtime/cli/tool.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS_MAX = 16 };

typedef struct Repl {
    Options *options;
    gmx_session *session;
    LineEditor *editor; /* NULL: lines as the terminal gives them */
    History history;
    bool has_prompt; /* output is a terminal */
    bool is_done;
    int entry_number;
    const char *found[COMMANDS_MAX + 1]; /* commands that a word can become */
} Repl;

#define PROMPT       ">>> "
#define CONTINUATION "... "

/* ---- commands -------------------------------------------------------------------------------------------
 */

static void print_line(const char *text) {
    size_t length = strlen(text);
    output_write(NULL, text, length);
    if (length && text[length - 1] != '\n')
        output_write(NULL, "\n", 1);
}

/* A call that gives a text, done and shown. */
static void show_result(Repl *r, gmx_status status, const char *const *text) {
    if (!tool_report(r->session, status))
        print_line(*text);
}

static void show_entry(Repl *r, const char *text) {
    char name[32];
    snprintf(name, sizeof name, "<entry %d>", ++r->entry_number);
    interrupt_enter(r->session);
    tool_report(r->session, gmx_show_text(r->session, name, text, -1));
}

static void command_type(Repl *r, const char *text) {
    const char *type = "";
    interrupt_enter(r->session);
    show_result(r, gmx_type_of(r->session, text, &type), &type);
}

static void command_ir(Repl *r, const char *text) {
    const char *ir = "";
    interrupt_enter(r->session);
    show_result(r, gmx_view_text(r->session, text, GMX_VIEW_IR, &ir), &ir);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void print_seconds(const char *what, double seconds) {
    if (seconds < 1e-3)
        output_format("%s %.1f µs", what, seconds * 1e6);
    else if (seconds < 1)
        output_format("%s %.2f ms", what, seconds * 1e3);
    else
        output_format("%s %.3f s", what, seconds);
}

static void command_time(Repl *r, const char *text) {
    gmx_statistics before = {0}, after = {0};
    gmx_get_statistics(r->session, &before);
    double begin = now();
    show_entry(r, text);
    double seconds = now() - begin;
    gmx_get_statistics(r->session, &after);
    print_seconds("time", seconds);
    print_seconds(": compiling", after.compile_seconds - before.compile_seconds);
    print_seconds(", running", after.run_seconds - before.run_seconds);
    output_format("\n");
}

static void command_who(Repl *r, const char *text) {
    const char *table = "";
    (void)text;
    show_result(r, gmx_who(r->session, &table), &table);
}

static void command_quit(Repl *r, const char *text) {
    (void)text;
    r->is_done = true;
}

static void command_help(Repl *r, const char *text);

static const struct {
    const char *name, *argument, *help;
    void (*run)(Repl *r, const char *text);
} commands[] = {
    {"help", NULL, "this, or the documentation of a name: help sum", command_help},
    {"who", NULL, "every name: its dtype, shape, bytes, and what it is", command_who},
    {":type", "expr", "the type of an expression, without computing it", command_type},
    {":ir", "expr", "the tensor IR of an expression", command_ir},
    {":time", "expr", "the value and how long it took", command_time},
    {":quit", NULL, "leave, as Ctrl-D does", command_quit},
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };
_Static_assert((int)COMMAND_COUNT <= (int)COMMANDS_MAX, "found[] holds them all");

static void print_help(void) {
    output_format(
        "An expression shows its value; `let x = 1` keeps one.  An open bracket asks for more lines.\n"
        "Tab completes names and fields, Ctrl-C clears the line and stops what runs,\n"
        "Ctrl-R searches earlier entries, Alt-Enter begins a new line.\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const char *argument = commands[i].argument ? commands[i].argument : "";
        output_format("  %s %-*s %s\n", commands[i].name, 13 - (int)strlen(commands[i].name), argument,
                      commands[i].help);
    }
}

static void command_help(Repl *r, const char *text) {
    const char *help = "";
    if (!*text)
        print_help();
    else
        show_result(r, gmx_help(r->session, text, &help), &help);
}

/* The text behind a command word, in `entry`; NULL: another word. */
static const char *after_word(const char *entry, const char *word) {
    size_t length = strlen(word);
    if (strncmp(entry, word, length) || (entry[length] && !isspace((unsigned char)entry[length])))
        return NULL;
    entry += length;
    while (isspace((unsigned char)*entry))
        entry++;
    return entry;
}

/* `help` and `help NAME`; not `help = 3`, which is the language's business. */
static bool is_help(const char *text) {
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && *text != '_' && !((unsigned char)*text & 0x80))
            return false;
    return true;
}

/* `who` alone. */
static bool is_nothing(const char *text) {
    return !*text;
}

static bool is_command(const char *entry) {
    const char *help = after_word(entry, "help"), *who = after_word(entry, "who");
    return *entry == ':' || (help && is_help(help)) || (who && is_nothing(who));
}

static void run_command(Repl *r, const char *entry) {
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const char *text = after_word(entry, commands[i].name);
        if (!text)
            continue;
        if (commands[i].argument && !*text)
            output_error("`%s` needs something to work on: %s %s\n", commands[i].name, commands[i].name,
                         commands[i].argument);
        else
            commands[i].run(r, text);
        return;
    }
    output_error("unknown command `%.*s`; `help` lists them\n", (int)strcspn(entry, " \t\n"), entry);
}

/* ---- entries --------------------------------------------------------------------------------------------
 */

static bool is_complete(void *user, const char *text) {
    Repl *r = user;
    while (isspace((unsigned char)*text))
        text++;
    if (*text == ':')
        text += strcspn(text, " \t\n");
    char *line;
    if (asprintf(&line, "%s\n", text) < 0)
        return true;
    bool complete = gmx_is_complete(r->session, line);
    free(line);
    return complete;
}

static void append(char **entry, const char *line) {
    char *joined = NULL;
    if (asprintf(&joined, "%s%s", *entry ? *entry : "", line) < 0)
        joined = NULL;
    free(*entry);
    *entry = joined;
}

/* Appends the next line of the terminal, which keeps it until it is whole, to the entry.  Read byte by byte:
 * nothing may lie in a buffer while the descriptor is waited for. */
static LineResult read_line(char **entry) {
    char line[256];
    size_t length = 0;
    for (;;) {
        if (!interrupt_wait_readable(STDIN_FILENO, -1)) {
            if (interrupt_taken())
                return LINE_INTERRUPTED;
            continue;
        }
        if (read(STDIN_FILENO, &line[length], 1) <= 0)
            return LINE_END;
        bool is_end = line[length++] == '\n';
        if (is_end || length == sizeof line - 1) {
            line[length] = '\0';
            append(entry, line);
            length = 0;
        }
        if (is_end)
            return LINE_ENTERED;
    }
}

/* The commands that begin with the entry's only word, or the names of the session. */
static const char *const *complete(void *user, const char *text, size_t cursor, size_t *begin) {
    Repl *r = user;
    const char **found = r->found;
    size_t count = 0;
    for (int i = 0; *text == ':' && i < COMMAND_COUNT; i++)
        if (!strncmp(commands[i].name, text, cursor))
            found[count++] = commands[i].name;
    found[count] = NULL;
    *begin = 0;
    if (count)
        return found;
    const char *const *names;
    return gmx_complete(r->session, text, cursor, begin, &names) == GMX_OK ? names : found;
}

/* Without the editor. */
static LineResult read_plain(Repl *r, char **entry) {
    LineResult result;
    *entry = NULL;
    interrupt_wait_for(true);
    do {
        if (r->has_prompt)
            output_format("%s", *entry ? CONTINUATION : PROMPT);
        output_flush();
        result = read_line(entry);
    } while (result == LINE_ENTERED && *entry && !is_complete(r, *entry));
    interrupt_wait_for(false);
    if (!*entry && result == LINE_ENTERED)
        result = LINE_INTERRUPTED;
    if (result != LINE_ENTERED) {
        free(*entry);
        *entry = NULL;
        if (r->has_prompt)
            output_format("\n");
    }
    return result;
}

static LineResult read_entry(Repl *r, char **entry) {
    if (!r->editor)
        return read_plain(r, entry);
    return line_editor_read(r->editor,
                            &(LineRequest){.prompt = PROMPT,
                                           .continuation = CONTINUATION,
                                           .history = &r->history,
                                           .is_complete = is_complete,
                                           .complete = complete,
                                           .user = r},
                            entry);
}

static void run_entry(Repl *r, char *entry) {
    size_t length = strlen(entry);
    while (length && isspace((unsigned char)entry[length - 1]))
        entry[--length] = '\0';
    while (isspace((unsigned char)*entry))
        entry++;
    if (!*entry)
        return;
    if (r->editor)
        history_add(&r->history, entry);
    if (is_command(entry))
        run_command(r, entry);
    else
        show_entry(r, entry);
}

int repl_run(Options *options) {
    Repl r = {.options = options, .has_prompt = isatty(STDOUT_FILENO)};
    options->session.interactive = 1;
    int status = tool_open_session(options, &r.session);
    if (status)
        return status;
    r.editor = line_editor_open();
    if (r.editor)
        history_open(&r.history);
    if (r.has_prompt)
        output_format("GMX %s.  `help` says what can be typed, Ctrl-D leaves.\n", gmx_version());
    while (!r.is_done && !output_failure()) {
        char *entry = NULL;
        LineResult result = read_entry(&r, &entry);
        if (result == LINE_END)
            break;
        if (result == LINE_ENTERED)
            run_entry(&r, entry);
        free(entry);
        output_flush();
    }
    line_editor_close(r.editor);
    history_close(&r.history);
    return tool_close(options, r.session, 0);
}
