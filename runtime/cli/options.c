/* The table of options, the reading of command lines, and the help text made from the table. */
#include "runtime/cli/options.h"

#include "runtime/cli/output.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum Kind {
    KIND_FLAG,   /* int = 1 */
    KIND_TEXT,   /* const char * */
    KIND_CHOICE, /* const char *, one of `values` */
    KIND_NUMBER, /* int from 1 */
    KIND_LEVEL,  /* int, a digit written against the name */
    KIND_LIST    /* one more of the disabled passes */
} Kind;

typedef struct Option {
    const char *name;
    Kind kind;
    Tool tools;
    Command command;    /* COMMAND_RUN: with any */
    bool is_shared;     /* may stand in GMX_FLAGS */
    size_t offset;      /* in Options */
    const char *values; /* as the help shows them; for a choice separated by `|` */
    const char *help;
} Option;

#define AT(member) offsetof(Options, member)

static const Option option_table[] = {
    {"-e", KIND_TEXT, TOOL_GMX, COMMAND_RUN, false, AT(code), "CODE", "run CODE and print its value"},
    {"-o", KIND_TEXT, TOOL_GMXC, COMMAND_RUN, false, AT(output), "FILE",
     "where the result goes; `-`: standard output"},
    {"--emit", KIND_CHOICE, TOOL_GMXC, COMMAND_RUN, false, AT(emit),
     "tokens|ast|ir|kernels|llvm|asm|obj|header|so|cuda|ptx|opencl", "what to write instead of a library"},
    {"--structure", KIND_FLAG, TOOL_GMX, COMMAND_EXPLAIN, false, AT(structure), NULL,
     "explain: only the counts of kernels and library calls"},
    {"--check", KIND_FLAG, TOOL_GMX, COMMAND_FMT, false, AT(check), NULL,
     "fmt: change nothing, fail if a file is not formatted"},
    {"--backend", KIND_CHOICE, TOOL_BOTH, COMMAND_RUN, true, AT(session.backend), "auto|cpu|cuda|opencl",
     "where kernels run (default: auto)"},
    {"--threads", KIND_NUMBER, TOOL_BOTH, COMMAND_RUN, true, AT(threads), "N",
     "threads to compute with (default: one per CPU)"},
    {"--target-cpu", KIND_TEXT, TOOL_BOTH, COMMAND_RUN, true, AT(session.target_cpu), "native|NAME",
     "the CPU to compile for, such as x86-64-v3"},
    {"-O", KIND_LEVEL, TOOL_BOTH, COMMAND_RUN, true, AT(session.optimization), "0…3",
     "effort of the optimiser (default: -O2)"},
    {"--profile", KIND_FLAG, TOOL_BOTH, COMMAND_RUN, true, AT(profile), NULL,
     "say at the end what compiling took, and each kernel and library call"},
    {"--check-nan", KIND_FLAG, TOOL_BOTH, COMMAND_RUN, true, AT(session.check_nan), NULL,
     "stop where a NaN is made that no operand had, and say where"},
    {"--monitor", KIND_FLAG, TOOL_GMX, COMMAND_RUN, true, AT(monitor), NULL,
     "warn of operations that are slower than in earlier runs"},
    {"--measure-limits", KIND_FLAG, TOOL_GMX, COMMAND_RUN, true, AT(measure), NULL,
     "with --profile: measure again what this machine can do"},
    {"--dump-after", KIND_TEXT, TOOL_BOTH, COMMAND_RUN, true, AT(session.dump_after), "PASS|all",
     "print the IR after a pass"},
    {"--stop-after", KIND_TEXT, TOOL_BOTH, COMMAND_RUN, true, AT(session.stop_after), "PASS",
     "run no pass after this one"},
    {"--no-pass", KIND_LIST, TOOL_BOTH, COMMAND_RUN, true, 0, "PASS", "leave a pass out; may be repeated"},
    {"--time-passes", KIND_FLAG, TOOL_BOTH, COMMAND_RUN, true, AT(session.time_passes), NULL,
     "say how long each pass took"},
    {"--verify-each", KIND_FLAG, TOOL_BOTH, COMMAND_RUN, true, AT(session.verify), NULL,
     "check the IR after each pass"},
    {"--error-format", KIND_CHOICE, TOOL_BOTH, COMMAND_RUN, true, AT(error_format), "human|json",
     "how errors are written (default: human)"},
    {"--version", KIND_FLAG, TOOL_BOTH, COMMAND_RUN, false, AT(version), NULL, "print the version"},
    {"--help", KIND_FLAG, TOOL_BOTH, COMMAND_RUN, false, AT(help), NULL, "print this"},
    {"-h", KIND_FLAG, TOOL_BOTH, COMMAND_RUN, false, AT(help), NULL, NULL},
};

enum { OPTION_COUNT = sizeof option_table / sizeof *option_table, HELP_COLUMN = 29, USAGE_COLUMN = 34 };

static const struct {
    const char *name, *usage, *help;
} commands[] = {
    [COMMAND_RUN] = {"", "[OPTIONS] [FILE [ARGS…]]", "run a script; without FILE standard input or the REPL"},
    [COMMAND_CHECK] = {"check", "FILE…", "check scripts without running them"},
    [COMMAND_FMT] = {"fmt", "[--check] FILE…", "format scripts in place; `-`: standard input to output"},
    [COMMAND_EXPLAIN] = {"explain", "[--structure] FILE", "show kernels, fusion, flops, bytes and memory"},
    [COMMAND_DOC] = {"doc", "NAME|FILE…", "print documentation"},
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

const char *tool_name(Tool tool) {
    return tool == TOOL_GMXC ? "gmxc" : "gmx";
}

/* ---- help -----------------------------------------------------------------------------------------------
 */

/* Columns of UTF-8 text without wide characters. */
static int columns_of(const char *text) {
    int columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

/* `left`, and `right` beside it from a column on, or below it where `left` is too long. */
static void print_row(const char *left, int column, const char *right) {
    int gap = column - columns_of(left);
    if (gap > 0)
        output_format("%s%*s%s\n", left, gap, "", right);
    else
        output_format("%s\n%*s%s\n", left, column, "", right);
}

static void print_option(const Option *option) {
    char left[256];
    bool is_long = option->name[1] == '-';
    const char *values = option->values ? option->values : "";
    const char *joint = !option->values || option->kind == KIND_LEVEL ? "" : is_long ? "=" : " ";
    snprintf(left, sizeof left, "  %s%s%s", option->name, joint, values);
    print_row(left, HELP_COLUMN, option->help);
}

static void print_usage(const char *tool, const char *command, const char *usage, const char *help) {
    char left[256];
    snprintf(left, sizeof left, "  %s %s%s%s", tool, command, *command ? " " : "", usage);
    print_row(left, USAGE_COLUMN, help);
}

void options_print_help(Tool tool) {
    output_format("usage:\n");
    if (tool == TOOL_GMX) {
        for (int i = 0; i < COMMAND_COUNT; i++)
            print_usage("gmx", commands[i].name, commands[i].usage, commands[i].help);
    } else {
        print_usage("gmxc", "", "[OPTIONS] FILE -o libNAME.so",
                    "compile its `export fn` into a library and NAME.h");
        print_usage("gmxc", "", "--emit=FORM FILE [-o OUTPUT]", "write another form");
    }
    for (int shared = 1; shared >= 0; shared--) {
        output_format(shared ? "\noptions, also read from the environment variable GMX_FLAGS:\n"
                             : "\noptions of this command line only:\n");
        for (int i = 0; i < OPTION_COUNT; i++) {
            const Option *option = &option_table[i];
            if ((option->tools & tool) && option->help && option->is_shared == (bool)shared)
                print_option(option);
        }
    }
    output_format(
        "\nexit status: 0 done, 1 an error in the program or its data, 2 wrong use of this command,\n"
        "3 an internal error, 5 the back end asked for is not on this machine\n");
}

/* ---- wrong use ------------------------------------------------------------------------------------------
 */

static int edit_distance(const char *a, const char *b) {
    enum { LONGEST = 40 };
    size_t n = strlen(a), m = strlen(b);
    int row[LONGEST + 1];
    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= m; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (diagonal + 1 < best)
                best = diagonal + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

/* The option that was probably meant, or NULL. */
static const char *nearest_option(Tool tool, const char *name) {
    const char *nearest = NULL;
    int least = (int)strlen(name) / 3 + 1;
    for (int i = 0; i < OPTION_COUNT; i++) {
        int distance = edit_distance(name, option_table[i].name);
        if ((option_table[i].tools & tool) && option_table[i].help && distance <= least) {
            nearest = option_table[i].name;
            least = distance - 1;
        }
    }
    return nearest;
}

/* How much of a word is repeated in a message. */
#define SHOWN 60

static int unknown_option(Tool tool, const char *word, size_t length, const char *origin) {
    char name[SHOWN + 1];
    snprintf(name, sizeof name, "%.*s", (int)(length < SHOWN ? length : SHOWN), word);
    const char *nearest = nearest_option(tool, name);
    if (nearest)
        output_error("%s: unknown option `%s`%s; did you mean `%s`?\n", tool_name(tool), name, origin,
                     nearest);
    else
        output_error("%s: unknown option `%s`%s; `%s --help` lists them\n", tool_name(tool), name, origin,
                     tool_name(tool));
    return 2;
}

/* ---- reading --------------------------------------------------------------------------------------------
 */

static bool is_choice(const char *values, const char *text) {
    size_t length = strlen(text);
    for (const char *at = values; length; at++) {
        size_t one = strcspn(at, "|");
        if (one == length && !memcmp(at, text, length))
            return true;
        at += one;
        if (!*at)
            break;
    }
    return false;
}

static int bad_value(Tool tool, const Option *option, const char *value) {
    output_error("%s: `%s` takes %s, not `%.*s`\n", tool_name(tool), option->name,
                 option->kind == KIND_NUMBER ? "a number from 1 to 4096" : option->values, SHOWN, value);
    return 2;
}

static int store(Options *options, const Option *option, const char *value) {
    char *member = (char *)options + option->offset;
    switch (option->kind) {
    case KIND_FLAG:
        *(int *)member = 1;
        return 0;
    case KIND_CHOICE:
        if (!is_choice(option->values, value))
            return bad_value(options->tool, option, value);
        *(const char **)member = value;
        return 0;
    case KIND_TEXT:
        if (option->offset == AT(code) && options->code) {
            output_error("%s: `-e` is given twice\n", tool_name(options->tool));
            return 2;
        }
        *(const char **)member = value;
        return 0;
    case KIND_NUMBER: {
        char *end;
        long number = strtol(value, &end, 10);
        if (value[0] < '0' || value[0] > '9' || *end || number < 1 || number > 4096)
            return bad_value(options->tool, option, value);
        *(int *)member = (int)number;
        return 0;
    }
    case KIND_LEVEL:
        if (value[0] < '0' || value[0] > '3' || value[1])
            return bad_value(options->tool, option, value);
        *(int *)member = value[0] - '0';
        return 0;
    case KIND_LIST:
        for (int i = 0; i < OPTIONS_LIST_MAX; i++)
            if (!options->disabled_passes[i]) {
                options->disabled_passes[i] = value;
                options->session.disabled_passes = options->disabled_passes;
                return 0;
            }
        output_error("%s: `%s` is given too often\n", tool_name(options->tool), option->name);
        return 2;
    }
    return 2;
}

static const Option *find_option(Tool tool, const char *word, size_t *name_length) {
    *name_length = word[1] == '-' ? strcspn(word, "=") : strlen(word);
    for (int i = 0; i < OPTION_COUNT; i++) {
        const Option *option = &option_table[i];
        size_t length = strlen(option->name);
        bool is_glued = word[1] != '-' && option->kind != KIND_FLAG && !strncmp(word, option->name, length);
        if (!(option->tools & tool) ||
            (!is_glued && (length != *name_length || memcmp(word, option->name, length))))
            continue;
        *name_length = length;
        return option;
    }
    return NULL;
}

/* Reads the option at words[*at] and steps over it and its value.  `origin` ends messages. */
static int parse_option(Options *options, const char *const *words, int count, int *at, const char *origin) {
    const char *word = words[(*at)++], *value = NULL;
    const char *name = tool_name(options->tool);
    size_t length;
    const Option *option = find_option(options->tool, word, &length);
    if (!option)
        return unknown_option(options->tool, word, length, origin);
    if (*origin && !option->is_shared) {
        output_error("%s: `%s` cannot stand%s\n", name, option->name, origin);
        return 2;
    }
    if (word[length])
        value = word + length + (word[1] == '-');
    if (option->kind == KIND_FLAG && value) {
        output_error("%s: `%s` takes no value\n", name, option->name);
        return 2;
    }
    if (option->kind != KIND_FLAG && !value) {
        if (option->kind == KIND_LEVEL || *at == count || (option->name[1] == '-' && words[*at][0] == '-')) {
            output_error("%s: `%s` needs a value: %s%s%s\n", name, option->name, option->name,
                         option->kind == KIND_LEVEL ? ""
                         : option->name[1] == '-'   ? "="
                                                    : " ",
                         option->values);
            return 2;
        }
        value = words[(*at)++];
    }
    return store(options, option, value);
}

/* Takes GMX_FLAGS apart at blanks; '…' and "…" keep them.  -1: a quote is not closed. */
static int split_flags(char *text, const char **words) {
    int count = 0;
    char *to = text;
    for (char *from = text;;) {
        from += strspn(from, " \t\r\n");
        if (!*from)
            return count;
        words[count++] = to;
        for (char quote = 0; *from && (quote || !strchr(" \t\r\n", *from)); from++) {
            if (quote ? *from == quote : *from == '\'' || *from == '"')
                quote = quote ? 0 : *from;
            else
                *to++ = *from;
            if (quote && !from[1])
                return -1;
        }
        if (*from)
            from++;
        *to++ = '\0';
    }
}

static int parse_flags(Options *options) {
    const char *given = getenv("GMX_FLAGS"), *name = tool_name(options->tool);
    if (!given || !*given)
        return 0;
    options->flags = malloc(strlen(given) + 2);
    const char **words = options->words = calloc(strlen(given) / 2 + 2, sizeof *words);
    if (!options->flags || !words) {
        output_error("%s: out of memory\n", name);
        return 1;
    }
    strcpy(options->flags, given);
    int count = split_flags(options->flags, words);
    if (count < 0) {
        output_error("%s: a quote in GMX_FLAGS is not closed\n", name);
        return 2;
    }
    for (int at = 0; at < count;) {
        if (words[at][0] != '-' || !words[at][1]) {
            output_error("%s: GMX_FLAGS holds options only, not `%.*s`\n", name, SHOWN, words[at]);
            return 2;
        }
        int status = parse_option(options, words, count, &at, " in GMX_FLAGS");
        if (status)
            return status;
    }
    return 0;
}

static Command find_command(const char *word) {
    for (int i = 1; i < COMMAND_COUNT; i++)
        if (!strcmp(word, commands[i].name))
            return (Command)i;
    return COMMAND_RUN;
}

static int check_use(const Options *options) {
    const char *name = tool_name(options->tool);
    if (options->structure && options->command != COMMAND_EXPLAIN) {
        output_error("%s: `--structure` is an option of `gmx explain`\n", name);
        return 2;
    }
    if (options->check && options->command != COMMAND_FMT) {
        output_error("%s: `--check` is an option of `gmx fmt`\n", name);
        return 2;
    }
    if (options->code && options->command != COMMAND_RUN) {
        output_error("%s: `-e` does not go with `gmx %s`\n", name, commands[options->command].name);
        return 2;
    }
    if (options->command != COMMAND_RUN && !options->file_count) {
        output_error("%s: nothing to do: gmx %s %s\n", name, commands[options->command].name,
                     commands[options->command].usage);
        return 2;
    }
    return 0;
}

int options_parse(Options *options, Tool tool, int count, char **words) {
    memset(options, 0, sizeof *options);
    gmx_options_init(&options->session);
    options->tool = tool;
    int status = parse_flags(options), kept = 0;
    bool is_ended = false, is_script = false;
    for (int at = 1; !status && at < count;) {
        const char *word = words[at];
        if (!is_ended && !is_script && word[0] == '-' && word[1]) {
            if (strcmp(word, "--"))
                status = parse_option(options, (const char *const *)words, count, &at, "");
            else
                is_ended = ++at;
            continue;
        }
        at++;
        Command command =
            tool == TOOL_GMX && !is_ended && !options->code && !kept && options->command == COMMAND_RUN
                ? find_command(word)
                : COMMAND_RUN;
        if (command != COMMAND_RUN) {
            options->command = command;
            continue;
        }
        words[1 + kept++] = (char *)word; /* never past what was read */
        is_script = tool == TOOL_GMX && options->command == COMMAND_RUN;
    }
    options->files = (const char *const *)words + 1;
    options->file_count = kept;
    options->session.json_errors = options->error_format && !strcmp(options->error_format, "json");
    if (!status && !options->help && !options->version)
        status = check_use(options);
    return status;
}

void options_free(Options *options) {
    free(options->flags);
    free(options->words);
}
