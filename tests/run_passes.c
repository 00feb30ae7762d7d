/* Runs the "IR in, IR out" tests: run_passes [--bless] DIRECTORY
 *
 * Every DIRECTORY/<pass>/NAME.gmxir is IR text, then a line `# output`, then the text that <pass> makes of
 * it. The input must parse and verify, the result must verify and print what it prints after being parsed
 * again. In the folder `parse` no pass runs, so output is the canonical text of the input; in `verify`
 * neither.
 *
 *     # error: TEXT                        parse, verify: the input is refused with a message that has TEXT
 *     # structure(fuse): kernels 1, …      after the passes up to fuse, in the pipeline's order
 *
 * --bless writes the output section anew; read the difference before committing it. */
#include "passes/pipeline.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static const char OUTPUT_LINE[] = "# output\n";

typedef struct Text {
    char *text;
    size_t length;
} Text;

typedef struct Test {
    Arena arena;
    Interner names;
    DiagSink sink;
    const char *path;
    const char *folder; /* name of the pass, `parse` or `verify` */
    Text input, expected;
    bool has_output;
} Test;

static Text read_file(const char *path) {
    Text file = {0};
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return file;
    char buffer[4096];
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, stream)) > 0;) {
        file.text = realloc(file.text, file.length + n + 1);
        memcpy(file.text + file.length, buffer, n);
        file.length += n;
        file.text[file.length] = 0;
    }
    fclose(stream);
    return file;
}

static void append(void *user, const char *text, size_t length) {
    Text *to = user;
    to->text = realloc(to->text, to->length + length + 1);
    memcpy(to->text + to->length, text, length);
    to->length += length;
    to->text[to->length] = 0;
}

static bool fail(const Test *test, const char *what, const char *detail) {
    printf("FAIL %s: %s%s%s\n", test->path, what, detail ? ": " : "", detail ? detail : "");
    return false;
}

static IrModule *parse(Test *test, Text text) {
    return ir_parse_module(&test->arena, &test->names, &test->sink, text.text, text.length, 0);
}

static const char *last_message(const Test *test) {
    if (!test->sink.diags.count)
        return "no message";
    const Diag *diag = test->sink.diags.items[test->sink.diags.count - 1];
    return arena_format((Arena *)&test->arena, "%s at byte %u: %s", diag_code_text(diag->code),
                        diag->span.begin, diag->message);
}

static bool verify_module(Test *test, const IrModule *module, const char **message) {
    for (uint32_t i = 0; i < module->functions.count; i++)
        if (!ir_verify_function(module->functions.items[i], &test->arena, message))
            return false;
    return true;
}

static const PassInfo *find_pass(const char *name) {
    for (uint32_t i = 0; i < pass_count; i++)
        if (!strcmp(pass_table[i].name, name))
            return &pass_table[i];
    return NULL;
}

static bool run_pass(Test *test, IrModule *module, const PassInfo *pass) {
    PassContext context = {.arena = &test->arena, .sink = &test->sink};
    const char *message;
    for (uint32_t i = 0; i < module->functions.count; i++) {
        IrFunction *result = pass->run(&context, module->functions.items[i]);
        if (!result || test->sink.error_count)
            return fail(test, pass->name, last_message(test));
        module->functions.items[i] = result;
        if (!ir_verify_function(result, &test->arena, &message))
            return fail(test, arena_format(&test->arena, "after %s", pass->name), message);
    }
    return true;
}

static Text print(const IrModule *module) {
    Text text = {0};
    IrWriter writer = {append, &text, false};
    ir_print_module(module, &writer);
    return text;
}

/* ---- expectations ------------------------------------------------------------------------------------- */

/* The rest of the first line `# KEY REST` of the input, or NULL. */
static char *directive(Test *test, const char *key, const char *from) {
    char *line = strstr(from, key);
    if (!line)
        return NULL;
    line += strlen(key);
    return arena_copy_text(&test->arena, line, strcspn(line, "\n"));
}

static bool check_error(Test *test, const char *expected) {
    const char *message;
    IrModule *module = parse(test, test->input);
    if (!module)
        message = last_message(test);
    else if (!strcmp(test->folder, "parse"))
        return fail(test, "the input is accepted", NULL);
    else if (verify_module(test, module, &message))
        return fail(test, "the input verifies", NULL);
    if (module && !strcmp(test->folder, "parse"))
        return fail(test, "the input parses", NULL);
    if (!module && !strcmp(test->folder, "verify"))
        return fail(test, "the input does not parse", message);
    return strstr(message, expected) || fail(test, "another error", message);
}

static bool check_count(const Test *test, const PassStructure *found, const char *key, unsigned expected) {
    const struct {
        const char *key;
        uint32_t found;
    } counts[] = {{"kernels", found->kernels},
                  {"calls", found->calls},
                  {"checks", found->checks},
                  {"prints", found->prints},
                  {"loops", found->loops}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (!strcmp(counts[i].key, key)) {
            if (counts[i].found == expected)
                return true;
            printf("FAIL %s: %u %s instead of %u\n", test->path, counts[i].found, key, expected);
            return false;
        }
    return fail(test, "structure: unknown count", key);
}

static bool check_structure(Test *test, const char *line) {
    char pass_name[32], key[32];
    unsigned expected;
    int used;
    if (sscanf(line, "%31[a-z]):%n", pass_name, &used) != 1 || !find_pass(pass_name))
        return fail(test, "structure: unknown pass", line);
    IrModule *module = parse(test, test->input);
    for (const PassInfo *pass = pass_table; pass <= find_pass(pass_name); pass++)
        if (!run_pass(test, module, pass))
            return false;
    PassStructure sum = {0};
    for (uint32_t i = 0; i < module->functions.count; i++) {
        PassStructure one = pass_structure(module->functions.items[i]);
        sum.kernels += one.kernels, sum.calls += one.calls, sum.checks += one.checks;
        sum.prints += one.prints, sum.loops += one.loops;
    }
    bool ok = true;
    for (line += used; sscanf(line, " %31[a-z] %u%n", key, &expected, &used) == 2; line += *line == ',') {
        ok &= check_count(test, &sum, key, expected);
        line += used;
    }
    return ok && (!*line || fail(test, "structure: unreadable", line));
}

static bool check_structures(Test *test) {
    static const char KEY[] = "# structure(";
    bool ok = true;
    for (const char *at = test->input.text; (at = strstr(at, KEY)); at += sizeof KEY)
        ok &= check_structure(test, directive(test, KEY, at));
    return ok;
}

static bool bless(const Test *test, Text output) {
    FILE *stream = fopen(test->path, "wb");
    if (!stream)
        return fail(test, "cannot be written", NULL);
    fwrite(test->input.text, 1, test->input.length, stream);
    fputs(OUTPUT_LINE, stream);
    fwrite(output.text, 1, output.length, stream);
    return fclose(stream) == 0;
}

static bool check_round_trip(Test *test, Text output) {
    IrModule *again = parse(test, output);
    if (!again)
        return fail(test, "the output does not parse", last_message(test));
    Text text = print(again);
    bool same = !strcmp(text.text, output.text);
    free(text.text);
    return same || fail(test, "the output prints differently after parsing", NULL);
}

static bool check_output(Test *test, bool blessing) {
    IrModule *module = parse(test, test->input);
    const PassInfo *pass = find_pass(test->folder);
    if (pass && !run_pass(test, module, pass))
        return false;
    Text output = print(module);
    bool ok = check_round_trip(test, output);
    if (ok && blessing)
        ok = bless(test, output);
    else if (ok && strcmp(output.text, test->expected.text)) {
        ok = fail(test, "other output", NULL);
        printf("%s", output.text);
    }
    free(output.text);
    return ok;
}

static bool run(Test *test, bool blessing) {
    const char *message, *error = directive(test, "# error: ", test->input.text);
    if (error)
        return check_error(test, error);
    IrModule *module = parse(test, test->input);
    if (!module)
        return fail(test, "the input does not parse", last_message(test));
    if (!verify_module(test, module, &message))
        return fail(test, "the input does not verify", message);
    bool ok = check_structures(test);
    if (test->has_output || (blessing && !strstr(test->input.text, "# structure(")))
        ok &= check_output(test, blessing);
    return ok;
}

/* ---- files ------------------------------------------------------------------------------------------------
 */

static bool run_file(const char *path, const char *folder, bool blessing) {
    Text file = read_file(path);
    if (!file.text)
        return printf("FAIL %s: cannot be read\n", path), false;
    Test test = {.path = path, .folder = folder};
    arena_init(&test.arena, NULL);
    interner_init(&test.names, &test.arena);
    diag_init(&test.sink, &test.arena);
    char *output = strstr(file.text, OUTPUT_LINE);
    size_t length = output ? (size_t)(output - file.text) : file.length;
    test.has_output = output != NULL;
    test.input = (Text){arena_copy_text(&test.arena, file.text, length), length};
    if (output)
        test.expected = (Text){output + strlen(OUTPUT_LINE), strlen(output) - strlen(OUTPUT_LINE)};
    bool ok = run(&test, blessing);
    arena_free(&test.arena);
    free(file.text);
    return ok;
}

static bool is_test(const char *name) {
    size_t length = strlen(name);
    return length > 6 && !strcmp(name + length - 6, ".gmxir");
}

static void run_folder(const char *root, const char *folder, bool blessing, int *count, int *failed) {
    char path[1024];
    struct dirent **entries;
    snprintf(path, sizeof path, "%s/%s", root, folder);
    int n = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (is_test(entries[i]->d_name)) {
            snprintf(path, sizeof path, "%s/%s/%s", root, folder, entries[i]->d_name);
            ++*count;
            *failed += !run_file(path, folder, blessing);
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

int main(int argc, char **argv) {
    bool blessing = argc > 1 && !strcmp(argv[1], "--bless");
    if (argc != 2 + blessing) {
        fprintf(stderr, "usage: run_passes [--bless] DIRECTORY\n");
        return 2;
    }
    struct dirent **folders;
    int n = scandir(argv[1 + blessing], &folders, NULL, alphasort), count = 0, failed = 0;
    for (int i = 0; i < n; i++) {
        if (folders[i]->d_name[0] != '.')
            run_folder(argv[1 + blessing], folders[i]->d_name, blessing, &count, &failed);
        free(folders[i]);
    }
    if (n >= 0)
        free(folders);
    printf("%d of %d pass tests hold\n", count - failed, count);
    return failed || !count;
}
