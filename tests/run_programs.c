/* The program runner: runs every .gmx file under the given paths and compares with what its comments expect.
 *
 *     run_programs GMX PATH...
 *
 *     print(1 + 1)        # expect: 2         the lines of standard output, exactly these, in order
 *     x + y               # error: E0203      an error with this code on this line (more codes: E0203 E0110)
 *     # error-at: 3:7 E0101                   the same for a given line, and a column if one is written
 *     # error-text: inner sizes 784 and 32    some error's message, or its notes as JSON, contain this
 *     # exit: 2                               exit status (default: 1 when an error is expected, else 0)
 *     # flags: --backend=cpu                  before the file        # args: a b       after it
 *     # command: check                        a subcommand (default: run the file)
 *     # stdin: text                           a line of standard input
 *     # structure(fuse): kernels 1, calls 0   a line that `gmx explain --structure FILE` prints
 *
 * Errors are read from --error-format=json.  Each program is a process of its own with a time limit; two run
 * at a time, from the current directory. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PARALLEL = 2, TIME_LIMIT = 60, OUTPUT_LIMIT = 4 << 20, WORD_MAX = 32 };

typedef struct Text {
    char *bytes; /* NUL-terminated once something was added */
    size_t length, capacity;
} Text;

typedef struct ErrorSite {
    char code[8];
    long line, column; /* 0: any */
    char *message;
    char *notes; /* the JSON after "notes" */
    bool is_matched;
} ErrorSite;

typedef struct ErrorList {
    ErrorSite *items;
    size_t count;
} ErrorList;

/* What the comments of one program ask for. */
typedef struct Expected {
    Text output, input, structure;
    ErrorList errors;
    char *texts[WORD_MAX];
    size_t text_count;
    char *words[3]; /* flags, args, command */
    int exit_status;
    bool has_exit;
} Expected;

enum { FLAGS, ARGS, COMMAND };

/* A process being run: the program itself, or `gmx explain --structure` for it. */
typedef struct Run {
    const char *path; /* NULL: free slot */
    Expected expected;
    bool is_structure;
    pid_t process;
    FILE *output, *errors;
    time_t deadline;
    bool is_late;
} Run;

static void *must(void *memory) {
    if (!memory) {
        fputs("run_programs: out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

static void text_add(Text *text, const char *bytes, size_t length) {
    if (text->length + length + 1 > text->capacity) {
        text->capacity = (text->length + length + 1) * 2;
        text->bytes = must(realloc(text->bytes, text->capacity));
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

__attribute__((format(printf, 2, 3))) static void text_format(Text *text, const char *format, ...) {
    char *formatted = NULL;
    va_list list;
    va_start(list, format);
    int length = vasprintf(&formatted, format, list);
    va_end(list);
    if (length < 0)
        must(NULL);
    text_add(text, formatted, (size_t)length);
    free(formatted);
}

/* Adds `prefix` and the first line of `line`. */
static void text_add_line(Text *text, const char *prefix, const char *line) {
    text_add(text, prefix, strlen(prefix));
    text_add(text, line, strcspn(line, "\n"));
    text_add(text, "\n", 1);
}

static const char *text_get(const Text *text) {
    return text->bytes ? text->bytes : "";
}

static void text_read(Text *text, FILE *file) {
    char buffer[65536];
    size_t length;
    rewind(file);
    while (text->length < OUTPUT_LIMIT && (length = fread(buffer, 1, sizeof buffer, file)) > 0)
        text_add(text, buffer, length);
}

static ErrorSite *error_add(ErrorList *list, const char *code, long line, long column) {
    list->items = must(realloc(list->items, (list->count + 1) * sizeof *list->items));
    ErrorSite *site = &list->items[list->count++];
    *site = (ErrorSite){.line = line, .column = column};
    snprintf(site->code, sizeof site->code, "%.7s", code);
    return site;
}

static void errors_free(ErrorList *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].message);
        free(list->items[i].notes);
    }
    free(list->items);
}

/* ---- expectations ------------------------------------------------------------------------------------- */

/* What follows "# NAME:" in `line`, without the one blank after the colon, or NULL. */
static const char *directive(const char *line, const char *name) {
    size_t length = strlen(name);
    for (const char *mark = line; (mark = strstr(mark, "# ")) != NULL; mark++)
        if (!strncmp(mark + 2, name, length) && mark[2 + length] == ':')
            return mark + 3 + length + (mark[3 + length] == ' ');
    return NULL;
}

/* Adds one expected error for each code ("E0203 E0110", commas allowed). */
static void expect_errors(Expected *expected, const char *codes, long line, long column) {
    char copy[256], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", codes);
    for (char *code = strtok_r(copy, " ,", &rest); code; code = strtok_r(NULL, " ,", &rest))
        error_add(&expected->errors, code, line, column);
}

static void expect_error_at(Expected *expected, const char *text) {
    char *end;
    long line = strtol(text, &end, 10), column = 0;
    if (*end == ':')
        column = strtol(end + 1, &end, 10);
    expect_errors(expected, end, line, column);
}

static void expect_words(char **words, const char *text) {
    free(*words);
    *words = must(strdup(text));
}

static void expect_line(Expected *expected, const char *line, long number) {
    const char *text;
    if ((text = directive(line, "expect")))
        text_add_line(&expected->output, "", text);
    if ((text = directive(line, "error")))
        expect_errors(expected, text, number, 0);
    if ((text = directive(line, "error-at")))
        expect_error_at(expected, text);
    if ((text = directive(line, "error-text")) && expected->text_count < WORD_MAX)
        expected->texts[expected->text_count++] = must(strdup(text));
    if ((text = directive(line, "exit"))) {
        expected->exit_status = atoi(text);
        expected->has_exit = true;
    }
    if ((text = directive(line, "flags")))
        expect_words(&expected->words[FLAGS], text);
    if ((text = directive(line, "args")))
        expect_words(&expected->words[ARGS], text);
    if ((text = directive(line, "command")))
        expect_words(&expected->words[COMMAND], text);
    if ((text = directive(line, "stdin")))
        text_add_line(&expected->input, "", text);
    if ((text = strstr(line, "# structure(")))
        text_add_line(&expected->structure, "", text + 2);
}

static bool read_expected(Expected *expected, const char *path) {
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    for (long number = 1; (length = getline(&line, &capacity, file)) >= 0; number++) {
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
            line[--length] = '\0';
        expect_line(expected, line, number);
    }
    if (!expected->has_exit)
        expected->exit_status = expected->errors.count || expected->text_count ? 1 : 0;
    free(line);
    fclose(file);
    return true;
}

static void expected_free(Expected *expected) {
    free(expected->output.bytes);
    free(expected->input.bytes);
    free(expected->structure.bytes);
    errors_free(&expected->errors);
    for (size_t i = 0; i < expected->text_count; i++)
        free(expected->texts[i]);
    for (size_t i = 0; i < 3; i++)
        free(expected->words[i]);
}

/* ---- the errors a program reported: JSON, one object a line ---------------------------------------------
 */

static const char *skip_string(const char *at) {
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\' && at[1])
            at++;
    return *at ? at + 1 : at;
}

/* The start of the value of `key` in the outermost object of `json`, or NULL. */
static const char *json_value(const char *json, const char *key) {
    int depth = 0;
    size_t length = strlen(key);
    for (const char *at = json; *at;) {
        if (*at != '"') {
            depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
            at++;
            continue;
        }
        const char *name = at + 1, *colon = at = skip_string(at);
        while (*colon == ' ')
            colon++;
        if (*colon != ':' || depth != 1 || (size_t)(at - 1 - name) != length || strncmp(name, key, length))
            continue;
        for (colon++; *colon == ' ';)
            colon++;
        return colon;
    }
    return NULL;
}

/* A string value with its common escapes undone (\uXXXX stays as written); "" when there is none. */
static char *json_text(const char *json, const char *key) {
    const char *at = json_value(json, key);
    Text text = {0};
    text_add(&text, "", 0);
    for (at = at && *at == '"' ? at + 1 : ""; *at && *at != '"'; at++) {
        bool is_escape = *at == '\\' && at[1] && at[1] != 'u';
        at += is_escape;
        text_add(&text, is_escape && *at == 'n' ? "\n" : is_escape && *at == 't' ? "\t" : at, 1);
    }
    return text.bytes;
}

static long json_number(const char *json, const char *key) {
    const char *at = json_value(json, key);
    return at ? strtol(at, NULL, 10) : 0;
}

/* Cuts `text` into lines. */
static void read_errors(ErrorList *list, char *text) {
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (*line != '{')
            continue;
        char *severity = json_text(line, "severity"), *code = json_text(line, "code");
        if (*code && strcmp(severity, "warning")) {
            ErrorSite *site = error_add(list, code, json_number(line, "line"), json_number(line, "column"));
            const char *notes = json_value(line, "notes");
            site->message = json_text(line, "message");
            site->notes = strdup(notes ? notes : "");
        }
        free(severity);
        free(code);
    }
}

/* ---- comparison: what differs is added to `report` --------------------------------------------------------
 */

static size_t line_length(const char *text) {
    return strcspn(text, "\n");
}

static const char *next_line(const char *text) {
    text += line_length(text);
    return *text ? text + 1 : text;
}

/* Reports the first lines that differ. */
static void compare_output(Text *report, const char *expected, const char *found) {
    int number = 1, shown = 0;
    for (; (*expected || *found) && shown < 8; number++) {
        size_t e = line_length(expected), f = line_length(found);
        if (!*expected || !*found || e != f || memcmp(expected, found, e)) {
            if (*expected)
                text_format(report, "    %d: - %.*s\n", number, (int)e, expected);
            if (*found)
                text_format(report, "    %d: + %.*s\n", number, (int)f, found);
            shown++;
        }
        expected = next_line(expected);
        found = next_line(found);
    }
}

static bool site_matches(const ErrorSite *expected, const ErrorSite *found) {
    return !found->is_matched && !strcmp(expected->code, found->code) && expected->line == found->line &&
           (!expected->column || expected->column == found->column);
}

static void compare_errors(Text *report, Expected *expected, ErrorList *found) {
    for (size_t i = 0; i < expected->errors.count; i++) {
        ErrorSite *want = &expected->errors.items[i];
        for (size_t k = 0; k < found->count && !want->is_matched; k++)
            if (site_matches(want, &found->items[k]))
                want->is_matched = found->items[k].is_matched = true;
        if (!want->is_matched)
            text_format(report, "    - line %ld: %s\n", want->line, want->code);
    }
    bool is_any_allowed = !expected->errors.count && (expected->text_count || expected->has_exit);
    for (size_t k = 0; k < found->count && !is_any_allowed; k++) {
        const ErrorSite *site = &found->items[k];
        if (!site->is_matched)
            text_format(report, "    + line %ld:%ld: %s %s\n", site->line, site->column, site->code,
                        site->message);
    }
    for (size_t i = 0; i < expected->text_count; i++) {
        bool is_found = false;
        for (size_t k = 0; k < found->count; k++)
            is_found |= strstr(found->items[k].message, expected->texts[i]) ||
                        strstr(found->items[k].notes, expected->texts[i]);
        if (!is_found)
            text_format(report, "    - no error message contains: %s\n", expected->texts[i]);
    }
}

static void compare_structure(Text *report, const char *expected, const char *found) {
    for (; *expected; expected = next_line(expected)) {
        size_t length = line_length(expected);
        bool is_found = false;
        for (const char *line = found; *line; line = next_line(line))
            is_found |= line_length(line) == length && !memcmp(line, expected, length);
        if (is_found)
            continue;
        text_add_line(report, "    - ", expected);
        for (const char *line = found; *line; line = next_line(line))
            if (!strncmp(line, "structure(", 10))
                text_add_line(report, "    + ", line);
    }
}

static void compare_status(Text *report, const Run *run, int status, const char *errors) {
    int expected = run->is_structure ? 0 : run->expected.exit_status;
    if (run->is_late)
        text_format(report, "    ran longer than %d s\n", TIME_LIMIT);
    else if (WIFSIGNALED(status))
        text_format(report, "    ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != expected)
        text_format(report, "    exit status %d, expected %d\n", WEXITSTATUS(status), expected);
    else
        return;
    int shown = 0;
    for (; *errors && shown < 30; errors = next_line(errors), shown++)
        text_add_line(report, "    | ", errors);
}

/* ---- processes --------------------------------------------------------------------------------------------
 */

/* Appends the words of `text` (blanks between, no quoting) to argv; `text` is cut up. */
static int add_words(char **argv, int count, char *text) {
    char *rest = NULL;
    for (char *word = text ? strtok_r(text, " \t", &rest) : NULL; word && count < WORD_MAX - 1;
         word = strtok_r(NULL, " \t", &rest))
        argv[count++] = word;
    return count;
}

static _Noreturn void run_child(Run *run, const char *gmx, FILE *input) {
    char *argv[WORD_MAX * 2 + 8] = {(char *)gmx}, **words = run->expected.words;
    int count = 1;
    if (run->is_structure) {
        argv[count++] = "explain";
        argv[count++] = "--structure";
    } else {
        count = add_words(argv, count, words[COMMAND]);
        argv[count++] = "--error-format=json";
    }
    count = add_words(argv, count, words[FLAGS]);
    argv[count++] = (char *)run->path;
    if (!run->is_structure)
        add_words(argv, count, words[ARGS]);
    setpgid(0, 0);
    dup2(fileno(input), 0);
    dup2(fileno(run->output), 1);
    dup2(fileno(run->errors), 2);
    execv(gmx, argv);
    perror(gmx);
    _exit(127);
}

static void start(Run *run, const char *gmx) {
    FILE *input = must(tmpfile());
    run->output = must(tmpfile());
    run->errors = must(tmpfile());
    fputs(text_get(&run->expected.input), input);
    fflush(input);
    rewind(input);
    run->deadline = time(NULL) + TIME_LIMIT;
    run->is_late = false;
    run->process = fork();
    if (run->process < 0) {
        perror("fork");
        exit(2);
    }
    if (run->process == 0)
        run_child(run, gmx, input);
    fclose(input);
}

/* Whether the process has ended; adds to `report` what differs. */
static bool finish(Run *run, Text *report) {
    int status;
    pid_t ended = waitpid(run->process, &status, WNOHANG);
    if (ended == 0 && time(NULL) > run->deadline && !run->is_late) {
        run->is_late = true;
        kill(-run->process, SIGKILL);
        kill(run->process, SIGKILL);
    }
    if (ended == 0)
        return false;
    Text output = {0}, errors = {0};
    text_read(&output, run->output);
    text_read(&errors, run->errors);
    fclose(run->output);
    fclose(run->errors);
    compare_status(report, run, status, text_get(&errors));
    if (run->is_structure) {
        compare_structure(report, text_get(&run->expected.structure), text_get(&output));
    } else {
        ErrorList found = {0};
        compare_output(report, text_get(&run->expected.output), text_get(&output));
        if (errors.bytes)
            read_errors(&found, errors.bytes);
        compare_errors(report, &run->expected, &found);
        errors_free(&found);
    }
    free(output.bytes);
    free(errors.bytes);
    return true;
}

/* ---- the list of programs ---------------------------------------------------------------------------------
 */

/* nftw has no argument for its callback, so the list is a variable of this file. */
static struct {
    char **items;
    size_t count;
} programs;

static int add_program(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)walk;
    size_t length = strlen(path);
    if (kind != FTW_F || length < 4 || strcmp(path + length - 4, ".gmx"))
        return 0;
    programs.items = must(realloc(programs.items, (programs.count + 1) * sizeof *programs.items));
    programs.items[programs.count++] = must(strdup(path));
    return 0;
}

static int compare_paths(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef struct Score {
    size_t passed, failed;
} Score;

/* Moves a run on; true when its program is done. */
static bool advance(Run *run, Text *report, const char *gmx, Score *score) {
    if (!finish(run, report))
        return false;
    if (!report->length && !run->is_structure && run->expected.structure.length) {
        run->is_structure = true;
        start(run, gmx);
        return false;
    }
    if (report->length)
        printf("FAILED %s\n%s", run->path, report->bytes);
    fflush(stdout);
    *(report->length ? &score->failed : &score->passed) += 1;
    expected_free(&run->expected);
    free(report->bytes);
    *report = (Text){0};
    *run = (Run){0};
    return true;
}

static Score run_all(const char *gmx) {
    Run runs[PARALLEL] = {0};
    Text reports[PARALLEL] = {0};
    Score score = {0};
    size_t next = 0;
    while (score.passed + score.failed < programs.count) {
        for (int slot = 0; slot < PARALLEL; slot++) {
            if (!runs[slot].path && next < programs.count) {
                runs[slot].path = programs.items[next++];
                if (!read_expected(&runs[slot].expected, runs[slot].path))
                    text_format(&reports[slot], "    cannot be read: %s\n", strerror(errno));
                start(&runs[slot], gmx);
            }
            if (runs[slot].path)
                advance(&runs[slot], &reports[slot], gmx, &score);
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return score;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fputs("usage: run_programs GMX PATH...\n", stderr);
        return 2;
    }
    for (int i = 2; i < argc; i++)
        if (nftw(argv[i], add_program, 16, FTW_PHYS)) {
            perror(argv[i]);
            return 2;
        }
    if (!programs.count) {
        fputs("run_programs: no .gmx files there\n", stderr);
        return 2;
    }
    qsort(programs.items, programs.count, sizeof *programs.items, compare_paths);
    Score score = run_all(argv[1]);
    printf("%zu passed, %zu failed\n", score.passed, score.failed);
    for (size_t i = 0; i < programs.count; i++)
        free(programs.items[i]);
    free(programs.items);
    return score.failed != 0;
}
