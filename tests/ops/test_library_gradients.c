/* The derivative of every function of the library, in f64: builtins.def and the files of stdlib are read for
 * what there is, library_gradients.inc says for each which expressions are checked or why there is no
 * derivative. A function that is added to the library makes this test fail until it is there. */
#include "runtime/api/gmx.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 8, PARTS = 4 };
enum { NEEDS_ITEMS = 1 };
#define CONSTANT  "what it makes does not depend on numbers"
#define INTEGER   "its result is an integer"
#define BOOL      "its result is a bool"
#define RANDOM    "what it draws does not depend on numbers"
#define NO_NUMBER "its result is no number"
#define EFFECT    "it is called for an effect"

typedef struct Entry {
    const char *name, *reason;
    int flags;
    const char *bodies[BODY_MAX];
} Entry;

#include "tests/ops/library_gradients.inc"

enum { ENTRY_COUNT = sizeof entries / sizeof *entries };

static const char *const builtins[] = {
#define BUILTIN(name, signature, handler, doc) #name,
#include "frontend/builtins.def"
};

/* `checks` gives how far each of these is beyond its tolerance: the gradient from central differences;
 * forward mode from it; the second derivative in a direction from differences of the gradient; the gradient
 * through a view that is stepped and transposed from the plain one. */
static const char prelude[] =
    "let triangle = graph([0, 1, 2, 2], [1, 2, 0, 1], 3)\n"
    "fn misfit(a, n) = max(where(isfinite(n), abs(a - n) - 1e-5 - 1e-3 * abs(n), -1.0))\n"
    "fn weights(y) = cos(f64(reshape(arange(size(y)), y.shape)) + 1.0)\n"
    "fn loss(f, t) { let y = f(t); sum(y * weights(y)) }\n"
    "fn numeric(f, x) {\n"
    "    let flat = flatten(x)\n"
    "    mut g = zeros(size(x))\n"
    "    for i in 0..size(x) {\n"
    "        mut up = flat\n"
    "        up[i] += 1e-6\n"
    "        mut down = flat\n"
    "        down[i] -= 1e-6\n"
    "        g[i] = (f(reshape(up, x.shape)) - f(reshape(down, x.shape))) / 2e-6\n"
    "    }\n"
    "    reshape(g, x.shape)\n"
    "}\n"
    "let x = reshape([0.3, -0.75, 1.2, 2.6, -2.3, 0.05, 5.6, -0.4, 0.9, 3.3, -1.7, 1.01], (3, 4))\n"
    "let d = reshape(sin(f64(arange(12)) + 2.0), (3, 4))\n"
    "mut stepped = zeros(8, 3)\n"
    "stepped[::2] = x.T\n"
    "let wide_x = stepped\n"
    "fn checks(f, x, d, s) {\n"
    "    let value = fn(t) = loss(f, t)\n"
    "    let g = grad(value)(x)\n"
    "    let forward = abs(jvp(value)(x, d)[1] - sum(d * g)) / (1 + abs(sum(d * g))) - 1e-9\n"
    "    let slope = fn(t) = sum(d * grad(value)(t))\n"
    "    let strided = grad(fn(t) = value(t[::2].T))(s)\n"
    "    [misfit(g, numeric(value, x)), forward, misfit(grad(slope)(x), numeric(slope, x)),\n"
    "     max(abs(strided[::2].T - g)) - 1e-9, max(abs(strided[1::2])) - 0.0]\n"
    "}\n"
    "fn empty_sizes(f, x) = sum(grad(fn(t) = loss(f, t))(x)) + size(grad(fn(t) = loss(f, t))(x))\n";

static const char *const check_names[] = {"gradient", "forward mode", "second derivative",
                                          "gradient of a view", "gradient of what a view skips"};

static gmx_session *open_session(void) {
    gmx_session *session;
    gmx_options options;
    gmx_options_init(&options);
    options.optimization = 0; /* most of the time is spent compiling */
    cr_assert_eq(gmx_session_open(&options, &session), GMX_OK);
    cr_assert_eq(gmx_run_text(session, "prelude", prelude, -1), GMX_OK, "%s", gmx_errmsg(session));
    return session;
}

static void check_values(gmx_session *session, const char *body) {
    char text[512];
    gmx_tensor *value;
    snprintf(text, sizeof text, "checks(fn(t) = %s, x, d, wide_x)", body);
    gmx_status status = gmx_eval(session, text, &value);
    cr_expect_eq(status, GMX_OK, "%s\n%s", body, gmx_errmsg(session));
    if (status != GMX_OK)
        return;
    for (int64_t i = 0; i < gmx_tensor_size(value); i++) {
        double excess = ((const double *)gmx_tensor_data(value))[i];
        cr_expect(excess <= 0, "%s of %s: %g beyond the tolerance", check_names[i], body, excess);
    }
    gmx_tensor_release(value);
}

/* Without elements there is a gradient without elements, or an error where the function needs some. */
static void check_empty(gmx_session *session, const char *body, bool needs_items) {
    char text[512];
    gmx_tensor *value;
    snprintf(text, sizeof text, "empty_sizes(fn(t) = %s, zeros(0, 4))", body);
    gmx_status status = gmx_eval(session, text, &value);
    cr_expect(status == GMX_OK || (needs_items && status == GMX_ERROR), "without elements: %s\n%s", body,
              gmx_errmsg(session));
    if (status != GMX_OK)
        return;
    cr_expect_eq(*(const double *)gmx_tensor_data(value), 0, "without elements: %s", body);
    gmx_tensor_release(value);
}

static void check_part(int part) {
    gmx_session *session = open_session();
    for (int i = part; i < ENTRY_COUNT; i += PARTS)
        for (int k = 0; k < BODY_MAX && entries[i].bodies[k]; k++) {
            check_values(session, entries[i].bodies[k]);
            check_empty(session, entries[i].bodies[k], entries[i].flags & NEEDS_ITEMS);
        }
    gmx_session_close(session);
}

/* In parts, which run side by side. */
Test(library_gradients, part_0, .timeout = 300) {
    check_part(0);
}
Test(library_gradients, part_1, .timeout = 300) {
    check_part(1);
}
Test(library_gradients, part_2, .timeout = 300) {
    check_part(2);
}
Test(library_gradients, part_3, .timeout = 300) {
    check_part(3);
}

/* ---- is everything listed? --------------------------------------------------------------------------------
 */

static bool is_listed[ENTRY_COUNT];

typedef struct Library { /* the text of stdlib */
    char text[1 << 20];
    size_t length;
} Library;

static bool find_entry(const char *name, size_t length) {
    for (int i = 0; i < ENTRY_COUNT; i++)
        if (strlen(entries[i].name) == length && !memcmp(entries[i].name, name, length))
            return is_listed[i] = true;
    return false;
}

static void expect_listed(const char *name, size_t length, const char *where) {
    cr_expect(find_entry(name, length),
              "`%.*s` of %s has neither a gradient that is checked nor a reason: "
              "tests/ops/library_gradients.inc",
              (int)length, name, where);
}

/* A function without documentation that others of the library use is a part of these. */
static bool is_part(const Library *library, const char *definition, const char *name, size_t length) {
    if (definition > library->text + 1) {
        const char *line = definition - 1;
        while (line > library->text && line[-1] != '\n')
            line--;
        if (!strncmp(line, "##", 2))
            return false;
    }
    for (const char *at = library->text; (at = memmem(at, strlen(at), name, length)); at += length)
        if (at != name && at[length] == '(' && !strchr("_abcdefghijklmnopqrstuvwxyz0123456789", at[-1]))
            return true;
    return false;
}

static void read_file(Library *library, const char *path) {
    FILE *file = fopen(path, "r");
    cr_assert(file, "%s", path);
    library->length +=
        fread(library->text + library->length, 1, sizeof library->text - 1 - library->length, file);
    library->text[library->length] = 0;
    fclose(file);
}

static void read_library(Library *library) {
    char folder[4096], path[4400];
    const char *root = getenv("GMX_SOURCE_DIR");
    snprintf(folder, sizeof folder, "%s/stdlib", root ? root : ".");
    DIR *directory = opendir(folder);
    cr_assert(directory, "%s", folder);
    for (struct dirent *item; (item = readdir(directory));) {
        const char *suffix = strrchr(item->d_name, '.');
        snprintf(path, sizeof path, "%s/%s", folder, item->d_name);
        if (suffix && !strcmp(suffix, ".gmx"))
            read_file(library, path);
    }
    closedir(directory);
}

Test(library_gradients, all_functions) {
    static const char *const starts[] = {"fn ", "layer ", "rule "};
    static Library library;
    int found = 0;
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        expect_listed(builtins[i], strlen(builtins[i]), "builtins.def");
    read_library(&library);
    for (const char *line = library.text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
            const char *name = line + strlen(starts[i]);
            if (strncmp(line, starts[i], strlen(starts[i])))
                continue;
            size_t length = strcspn(name, "(");
            if (!is_part(&library, line, name, length))
                expect_listed(name, length, "stdlib");
            found++;
        }
    cr_expect_gt(found, 100);
    for (int i = 0; i < ENTRY_COUNT; i++) {
        cr_expect_eq(entries[i].reason != NULL, entries[i].bodies[0] == NULL, "`%s` wants a reason or a body",
                     entries[i].name);
    }
}
