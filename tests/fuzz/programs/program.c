/* Programs in chunks, texts, random numbers. */
#include "tests/fuzz/programs/program.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool add_text(Program *p, Chunk *chunk, const char *text) {
    size_t length = strlen(text);
    if (length > TEXT_SIZE - p->used)
        return false;
    memcpy(p->text + p->used, text, length);
    chunk->begin = p->used;
    chunk->length = (uint32_t)length;
    p->used += chunk->length;
    return true;
}

bool program_add(Program *p, ChunkKind kind, const char *name, const char *text) {
    if (p->chunk_count == CHUNK_MAX)
        return false;
    Chunk *chunk = &p->chunks[p->chunk_count];
    *chunk = (Chunk){.kind = kind};
    snprintf(chunk->name, sizeof chunk->name, "%s", name);
    p->chunk_count += add_text(p, chunk, text);
    return true;
}

bool program_set(Program *p, uint32_t chunk, const char *text) {
    return add_text(p, &p->chunks[chunk], text);
}

void program_remove(Program *p, uint32_t chunk) {
    p->chunk_count--;
    memmove(&p->chunks[chunk], &p->chunks[chunk + 1], (p->chunk_count - chunk) * sizeof *p->chunks);
}

/* ---- writing ---- */

static void write_chunk(const Program *p, const Chunk *chunk, const char *indent, Text *out) {
    const char *at = p->text + chunk->begin, *end = at + chunk->length;
    while (at < end) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((line ? line : end) - at);
        text_put(out, "%s%.*s\n", indent, (int)length, at);
        at += length + 1;
    }
}

static void write_kind(const Program *p, ChunkKind kind, const char *indent, Text *out) {
    for (uint32_t i = 0; i < p->chunk_count; i++)
        if (p->chunks[i].kind == kind)
            write_chunk(p, &p->chunks[i], indent, out);
}

static void write_inputs(const Program *p, Text *out) {
    bool first = true;
    for (uint32_t i = 0; i < p->chunk_count; i++) {
        if (p->chunks[i].kind != CHUNK_INPUT)
            continue;
        text_put(out, "%s%s", first ? "" : ", ", p->chunks[i].name);
        first = false;
    }
}

static void write_results(const Program *p, bool of_body, Text *out) {
    const char *open = p->output_count > 1 ? "(" : "", *close = p->output_count > 1 ? ")" : "";
    text_put(out, "%s", open);
    for (uint32_t i = 0; i < p->output_count; i++) {
        if (of_body)
            text_put(out, "%s%s", i ? ", " : "", p->outputs[i]);
        else
            text_put(out, "%sr%u", i ? ", " : "", i);
    }
    text_put(out, "%s", close);
}

void program_write(const Program *p, Text *out) {
    write_kind(p, CHUNK_FUNCTION, "", out);
    if (p->in_function) {
        text_put(out, "fn body(");
        write_inputs(p, out);
        text_put(out, ") {\n");
        write_kind(p, CHUNK_STATEMENT, "    ", out);
        text_put(out, "    ");
        write_results(p, true, out);
        text_put(out, "\n}\n");
    }
    write_kind(p, CHUNK_INPUT, "", out);
    if (p->in_function) {
        text_put(out, "let ");
        write_results(p, false, out);
        text_put(out, " = body(");
        write_inputs(p, out);
        text_put(out, ")\n");
        return;
    }
    uint32_t written = 0;
    for (uint32_t i = 0; i < p->chunk_count; i++) {
        if (p->chunks[i].kind != CHUNK_STATEMENT)
            continue;
        if (p->staged && written++ % 3 == 0)
            text_put(out, STAGE_MARK);
        write_chunk(p, &p->chunks[i], "", out);
    }
    for (uint32_t i = 0; i < p->output_count; i++)
        text_put(out, "let r%u = %s\n", i, p->outputs[i]);
}

/* ---- texts ---- */

void text_put_list(Text *text, const char *format, va_list arguments) {
    for (;;) {
        va_list list;
        va_copy(list, arguments);
        size_t room = text->capacity - text->length;
        int length = vsnprintf(text->bytes ? text->bytes + text->length : NULL, room, format, list);
        va_end(list);
        if (length < 0)
            abort();
        if ((size_t)length < room) {
            text->length += (size_t)length;
            return;
        }
        text->capacity = 2 * text->capacity + (size_t)length + 256;
        text->bytes = realloc(text->bytes, text->capacity);
        if (!text->bytes)
            abort();
    }
}

void text_put(Text *text, const char *format, ...) {
    va_list list;
    va_start(list, format);
    text_put_list(text, format, list);
    va_end(list);
}

void text_clear(Text *text) {
    text->length = 0;
    if (text->bytes)
        text->bytes[0] = '\0';
}

void text_free(Text *text) {
    free(text->bytes);
    *text = (Text){0};
}

/* ---- random numbers ---- */

uint64_t random_next(Random *r) {
    uint64_t z = r->state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}
