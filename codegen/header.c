/* Writes the C99 header of a compiled library from its export list. */
#include "codegen/header.h"
#include <ctype.h>
#include <stdio.h>

typedef struct Text {
    Arena *arena;
    VEC(char) bytes;
} Text;

__attribute__((format(printf, 2, 3))) static void put(Text *text, const char *format, ...) {
    va_list list;
    va_start(list, format);
    const char *piece = arena_format_list(text->arena, format, list);
    va_end(list);
    for (; *piece; piece++)
        vec_push(text->arena, &text->bytes, *piece);
}

/* "libdigits.so" -> LIBDIGITS_SO_H */
static void put_guard(Text *text, const char *name) {
    if (isdigit((unsigned char)*name))
        put(text, "GMX_");
    for (; *name; name++)
        put(text, "%c", isalnum((unsigned char)*name) ? toupper((unsigned char)*name) : '_');
    put(text, "_H");
}

/* A line of documentation, with what would end the comment taken apart. */
static void put_documentation(Text *text, const char *documentation) {
    put(text, " * ");
    for (const char *at = documentation; *at; at++) {
        if (*at == '\n')
            put(text, "\n * ");
        else if (*at == '/' && at > documentation && at[-1] == '*')
            put(text, " /");
        else if (*at != '\r')
            put(text, "%c", *at);
    }
    put(text, "\n");
}

static void put_extent(Text *text, const ExportFunction *function, const ExportDim *dim) {
    if (dim->is_fixed)
        put(text, "%lld", (long long)dim->value);
    else if (dim->dim >= 0)
        put(text, "%s", function->dims.items[dim->dim]);
    else
        put(text, "%s", dim->formula ? dim->formula : "_");
}

/* " *   x: float[b, 64]" */
static void put_value(Text *text, const ExportFunction *function, const ExportParameter *value,
                      const char *role) {
    put(text, " *   %s%s: %s", value->name, role, dtype_name(value->dtype));
    for (uint32_t k = 0; k < value->rank; k++) {
        put(text, k ? ", " : "[");
        put_extent(text, function, &value->dims[k]);
    }
    put(text, "%s%s\n", value->rank ? "], in C order" : "",
        dtype_is_complex(value->dtype) ? ", real and imaginary parts in turn" : "");
}

static void put_comment(Text *text, const ExportFunction *function) {
    put(text, "/* ");
    if (function->documentation && *function->documentation) {
        put(text, "%s\n", function->name);
        put_documentation(text, function->documentation);
    } else {
        put(text, "%s\n", function->name);
    }
    for (uint32_t i = 0; i < function->parameters.count; i++)
        put_value(text, function, &function->parameters.items[i], "");
    for (uint32_t i = 0; i < function->results.count; i++)
        put_value(text, function, &function->results.items[i], " (result)");
    put(text, " * Returns 0, or nonzero with nothing written: gmx_last_error() says why. */\n");
}

static void put_prototype(Text *text, const ExportFunction *function) {
    const char *comma = "";
    put(text, "int %s(", function->name);
    for (uint32_t i = 0; i < function->dims.count; i++, comma = ", ")
        put(text, "%sint64_t %s", comma, function->dims.items[i]);
    for (uint32_t i = 0; i < function->parameters.count; i++, comma = ", ") {
        const ExportParameter *value = &function->parameters.items[i];
        const char *type = dtype_info[value->dtype].c_type;
        if (value->is_scalar && !dtype_is_complex(value->dtype))
            put(text, "%s%s %s", comma, type, value->name);
        else
            put(text, "%sconst %s *%s", comma, type, value->name);
    }
    for (uint32_t i = 0; i < function->results.count; i++, comma = ", ")
        put(text, "%s%s *%s", comma, dtype_info[function->results.items[i].dtype].c_type,
            function->results.items[i].name);
    put(text, "%s);\n", *comma ? "" : "void");
}

const char *header_text(const ExportList *exports, Arena *arena) {
    Text text = {.arena = arena};
    const char *name = exports->library_name && *exports->library_name ? exports->library_name : "library";
    put(&text, "/* %s: compiled by gmxc.  Calls are thread-safe. */\n#ifndef ", name);
    put_guard(&text, name);
    put(&text, "\n#define ");
    put_guard(&text, name);
    put(&text,
        "\n\n#include <stdbool.h>\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    for (uint32_t i = 0; i < exports->functions.count; i++) {
        put_comment(&text, exports->functions.items[i]);
        put_prototype(&text, exports->functions.items[i]);
        put(&text, "\n");
    }
    put(&text,
        "/* Why the last call on this thread failed; \"\" if it did not.  Valid until the next call. */\n"
        "const char *gmx_last_error(void);\n\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
    vec_push(arena, &text.bytes, '\0');
    return text.bytes.items;
}
