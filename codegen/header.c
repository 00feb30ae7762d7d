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

static void put_argument(Text *text, const ExportFunction *function, const ExportArgument *argument,
                         const ExportParameter *values, const char *role) {
    if (argument->structure)
        put(text, " *   %s%s: %s\n", argument->name, role, argument->structure->type);
    else
        put_value(text, function, &values[argument->first], role);
}

static void put_comment(Text *text, const ExportFunction *function) {
    put(text, "/* ");
    if (function->documentation && *function->documentation) {
        put(text, "%s\n", function->name);
        put_documentation(text, function->documentation);
    } else {
        put(text, "%s\n", function->name);
    }
    for (uint32_t i = 0; i < function->inputs.count; i++)
        put_argument(text, function, &function->inputs.items[i], function->parameters.items, "");
    for (uint32_t i = 0; i < function->outputs.count; i++)
        put_argument(text, function, &function->outputs.items[i], function->results.items, " (result)");
    for (uint32_t i = 0; i < function->outputs.count; i++)
        if (function->outputs.items[i].structure) {
            put(text, " * A result may be the argument of its type: it is then updated.\n");
            break;
        }
    put(text, " * Returns 0, or nonzero with nothing written: gmx_last_error() says why. */\n");
}

static void put_prototype(Text *text, const ExportFunction *function) {
    const char *comma = "";
    put(text, "int %s(", function->name);
    for (uint32_t i = 0; i < function->dims.count; i++, comma = ", ")
        put(text, "%sint64_t %s", comma, function->dims.items[i]);
    for (uint32_t i = 0; i < function->inputs.count; i++, comma = ", ") {
        const ExportArgument *argument = &function->inputs.items[i];
        const ExportParameter *value = &function->parameters.items[argument->first];
        const char *type = dtype_info[value->dtype].c_type;
        if (argument->structure)
            put(text, "%sconst %s *%s", comma, argument->structure->name, argument->name);
        else if (value->is_scalar && !dtype_is_complex(value->dtype))
            put(text, "%s%s %s", comma, type, argument->name);
        else
            put(text, "%sconst %s *%s", comma, type, argument->name);
    }
    for (uint32_t i = 0; i < function->outputs.count; i++, comma = ", ") {
        const ExportArgument *argument = &function->outputs.items[i];
        const char *type = argument->structure
                               ? argument->structure->name
                               : dtype_info[function->results.items[argument->first].dtype].c_type;
        put(text, "%s%s *%s", comma, type, argument->name);
    }
    put(text, "%s);\n", *comma ? "" : "void");
}

/* ---- structs ------------------------------------------------------------------------------------------ */

/* The first name of a path, and what follows it: "fc1" and "w" of "fc1.w". */
static size_t first_name(const char *path, const char **rest) {
    size_t length = strcspn(path, ".");
    *rest = path[length] ? path + length + 1 : NULL;
    return length;
}

static void put_indent(Text *text, uint32_t depth) {
    for (uint32_t i = 0; i < depth; i++)
        put(text, "    ");
}

/* Members first..last, whose paths agree in their first `skip` characters, as fields of one struct. */
static void put_members(Text *text, const ExportStruct *structure, uint32_t first, uint32_t last, size_t skip,
                        uint32_t depth) {
    for (uint32_t i = first; i < last;) {
        const ExportParameter *member = &structure->members.items[i];
        const char *path = member->name + skip, *rest;
        size_t length = first_name(path, &rest);
        put_indent(text, depth);
        if (!rest) {
            put(text, "%s *%s; /* ", dtype_info[member->dtype].c_type, path);
            for (uint32_t k = 0; k < member->rank; k++)
                put(text, "%s%lld", k ? ", " : "[", (long long)member->dims[k].value);
            put(text, "%s */\n", member->rank ? "]" : "one");
            i++;
            continue;
        }
        uint32_t end = i + 1;
        while (end < last && !strncmp(structure->members.items[end].name + skip, path, length + 1))
            end++;
        put(text, "struct {\n");
        put_members(text, structure, i, end, skip + length + 1, depth + 1);
        put_indent(text, depth);
        put(text, "} %.*s;\n", (int)length, path);
        i = end;
    }
}

static void put_struct(Text *text, const ExportStruct *structure) {
    const char *name = structure->name;
    put(text, "/* The tensors of `%s`, each in C order. */\ntypedef struct %s {\n", structure->type, name);
    put_members(text, structure, 0, structure->members.count, 0, 1);
    put(text,
        "} %s;\n\n"
        "/* Gives a struct that holds nothing yet its tensors, with their initial values for this seed. */\n"
        "int %s_init(%s *layer, int64_t seed);\n"
        "/* The same with the values of a .npz or .safetensors file. */\n"
        "int %s_load(%s *layer, const char *path);\n"
        "/* Writes such a file: to a temporary name, which then takes the path's. */\n"
        "int %s_save(const %s *layer, const char *path);\n"
        "/* Gives back what init or load allocated, and clears the struct. */\n"
        "void %s_free(%s *layer);\n\n",
        name, name, name, name, name, name, name, name, name);
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
    for (uint32_t i = 0; i < exports->structs.count; i++)
        put_struct(&text, exports->structs.items[i]);
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
