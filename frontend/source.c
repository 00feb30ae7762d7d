/* Sources: registering, reading, checking and finding places; rendering is in render.c. */
#define _POSIX_C_SOURCE 200809L
#include "frontend/source.h"
#include "frontend/unicode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void source_map_init(SourceMap *map, Arena *arena) {
    *map = (SourceMap){.arena = arena, .next_base = 1};
}

/* ---- checking bytes ---- */

/* The offset of the first byte that is NUL or not UTF-8; `length` if there is none. */
static size_t find_bad_byte(const unsigned char *text, size_t length) {
    size_t i = 0;
    while (i < length) {
        uint64_t word;
        while (length - i >= 8) { /* eight ASCII bytes at a time, none of them NUL */
            memcpy(&word, text + i, 8);
            if ((word | (word - 0x0101010101010101ull)) & 0x8080808080808080ull)
                break;
            i += 8;
        }
        if (i == length)
            break;
        size_t step = text[i] ? unicode_sequence_length(text + i, length - i) : 0;
        if (!step)
            return i;
        i += step;
    }
    return length;
}

static bool check_text(DiagSink *diags, const SourceFile *file) {
    const unsigned char *text = (const unsigned char *)file->text;
    if (file->length >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
        Diag *diag = diag_error(diags, DIAG_E0001, (Span){file->base, file->base + 3},
                                "the source begins with a byte order mark");
        diag_note(diags, diag, "save it as UTF-8 without a BOM");
        return false;
    }
    size_t bad = find_bad_byte(text, file->length);
    if (bad == file->length)
        return true;
    uint32_t at = file->base + (uint32_t)bad;
    if (text[bad])
        diag_error(diags, DIAG_E0001, (Span){at, at + 1}, "byte 0x%02x at offset %zu is not valid UTF-8",
                   text[bad], bad);
    else
        diag_error(diags, DIAG_E0001, (Span){at, at + 1}, "a NUL byte at offset %zu; a source is text", bad);
    return false;
}

/* ---- registering ---- */

static void report_too_large(DiagSink *diags, Span at, const char *name) {
    Diag *diag = diag_error(diags, DIAG_E0002, at, "`%.200s` is larger than 64 MiB", name);
    diag_note(diags, diag, "keep large tables in a .npy file and `load` them");
}

/* Takes over `text`, which lives on the map's arena. */
static SourceFile *register_text(SourceMap *map, DiagSink *diags, const char *name, const char *text,
                                 size_t length) {
    if (length > UINT32_MAX - 2 - map->next_base) {
        diag_error(diags, DIAG_E0002, (Span){0, 0},
                   "the sources of this session are larger than 4 GiB together");
        return NULL;
    }
    SourceFile *file = ARENA_NEW(map->arena, SourceFile);
    *file = (SourceFile){.name = arena_copy_text(map->arena, name, strlen(name)),
                         .text = text,
                         .length = (uint32_t)length,
                         .base = map->next_base,
                         .first = map->next_base,
                         .last = map->next_base + (uint32_t)length};
    map->next_base += file->length + 1; /* the end of the text is a position too */
    vec_push(map->arena, &map->files, file);
    return check_text(diags, file) ? file : NULL;
}

SourceFile *source_add(SourceMap *map, DiagSink *diags, const char *name, const char *text, size_t length) {
    if (length > SOURCE_SIZE_LIMIT) {
        report_too_large(diags, (Span){0, 0}, name);
        return NULL;
    }
    return register_text(map, diags, name, arena_copy_text(map->arena, text, length), length);
}

/* ---- reading ---- */

static SourceFile *report_unreadable(DiagSink *diags, Span at, const char *path, const char *why) {
    diag_error(diags, DIAG_E0007, at, "cannot read `%.200s`: %s", path, why);
    return NULL;
}

/* Reads up to the limit and one byte more. */
static char *read_stream(SourceMap *map, FILE *stream, size_t expected, size_t *length) {
    size_t capacity = expected + 1, used = 0;
    char *text = arena_alloc(map->arena, capacity + 1);
    for (;;) {
        used += fread(text + used, 1, capacity - used, stream);
        if (used < capacity || used > SOURCE_SIZE_LIMIT)
            break;
        size_t larger = capacity * 2 > SOURCE_SIZE_LIMIT + 1 ? SOURCE_SIZE_LIMIT + 1 : capacity * 2;
        char *grown = arena_alloc(map->arena, larger + 1);
        memcpy(grown, text, used);
        text = grown;
        capacity = larger;
    }
    text[used] = 0;
    *length = used;
    return text;
}

static void close_stream(FILE *stream) {
    if (stream != stdin)
        fclose(stream);
}

static SourceFile *read_open(SourceMap *map, DiagSink *diags, const char *path, FILE *stream, Span at) {
    struct stat status;
    if (fstat(fileno(stream), &status) != 0)
        return report_unreadable(diags, at, path, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return report_unreadable(diags, at, path, "it is a folder");
    bool is_regular = S_ISREG(status.st_mode);
    if (is_regular && status.st_size > SOURCE_SIZE_LIMIT) {
        report_too_large(diags, at, path);
        return NULL;
    }
    size_t length;
    char *text =
        read_stream(map, stream, is_regular && status.st_size > 0 ? (size_t)status.st_size : 65535, &length);
    if (ferror(stream))
        return report_unreadable(diags, at, path, strerror(errno));
    if (length > SOURCE_SIZE_LIMIT) {
        report_too_large(diags, at, path);
        return NULL;
    }
    return register_text(map, diags, strcmp(path, "-") ? path : "<stdin>", text, length);
}

SourceFile *source_read(SourceMap *map, DiagSink *diags, const char *path, Span at) {
    FILE *stream = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    if (!stream)
        return report_unreadable(diags, at, path, strerror(errno));
    SourceFile *file = read_open(map, diags, path, stream, at);
    close_stream(stream);
    return file;
}

/* ---- places ---- */

static SourceFile *find_file(const SourceMap *map, uint32_t position) {
    uint32_t low = 0, high = map->files.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map->files.items[middle]->first <= position)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return NULL;
    SourceFile *file = map->files.items[low - 1];
    return position <= file->last ? file : NULL;
}

const SourceFile *source_find(const SourceMap *map, uint32_t position) {
    return find_file(map, position);
}

/* ---- calls ---- */

enum { CALL_NOTES = 8 };
/* Calls leave the other half of all positions to files. */
#define CALL_POSITIONS (UINT32_MAX / 2)

uint32_t source_add_call(SourceMap *map, Span part, Span call, const char *function) {
    const SourceFile *file = find_file(map, part.begin);
    uint32_t length = part.end - part.begin;
    if (!file || part.end > file->last || length > CALL_POSITIONS - 1u ||
        map->next_base > CALL_POSITIONS - 1u - length)
        return 0;
    uint32_t shift = map->next_base - part.begin;
    SourceFile *copy = ARENA_NEW(map->arena, SourceFile);
    *copy = *file;
    copy->base += shift; /* may wrap: only differences from it count */
    copy->first = map->next_base;
    copy->last = map->next_base + length;
    copy->call = call;
    copy->function = function;
    map->next_base = copy->last + 1;
    vec_push(map->arena, &map->files, copy);
    return shift;
}

uint32_t source_origin(const SourceMap *map, uint32_t position) {
    const SourceFile *file = find_file(map, position);
    for (uint32_t i = 0; file && file->call.end && i < map->files.count; i++)
        if (map->files.items[i]->text == file->text && !map->files.items[i]->call.end)
            return position - file->base + map->files.items[i]->base;
    return position;
}

void source_note_calls(SourceMap *map, DiagSink *sink, Diag *diag) {
    const SourceFile *file = find_file(map, diag->span.begin);
    for (int i = 0; file && file->call.end; i++) {
        SourcePlace place = source_place(map, file->call.begin);
        if (i == CALL_NOTES) {
            diag_note(sink, diag, "and so on");
            return;
        }
        if (place.file && file->function)
            diag_note(sink, diag, "in the call of `%s` at %s:%u:%u", file->function, place.file->name,
                      place.line, place.column);
        else if (place.file)
            diag_note(sink, diag, "in a call at %s:%u:%u", place.file->name, place.line, place.column);
        file = find_file(map, file->call.begin);
    }
}

static uint32_t count_newlines(const char *text, uint32_t begin, uint32_t end) {
    uint32_t count = 0;
    for (uint32_t i = begin; i < end; i++)
        count += text[i] == '\n';
    return count;
}

static void count_lines(SourceMap *map, SourceFile *file) {
    uint32_t block_count = file->length / SOURCE_BLOCK + 1;
    uint32_t *lines = ARENA_ARRAY(map->arena, uint32_t, block_count);
    for (uint32_t i = 1; i < block_count; i++)
        lines[i] = lines[i - 1] + count_newlines(file->text, (i - 1) * SOURCE_BLOCK, i * SOURCE_BLOCK);
    file->block_lines = lines;
}

SourcePlace source_place(SourceMap *map, uint32_t position) {
    SourceFile *file = find_file(map, position);
    if (!file)
        return (SourcePlace){0};
    if (!file->block_lines)
        count_lines(map, file);
    uint32_t offset = position - file->base, block = offset / SOURCE_BLOCK;
    uint32_t line = 1 + file->block_lines[block] + count_newlines(file->text, block * SOURCE_BLOCK, offset);
    uint32_t begin = offset, column = 1;
    for (; begin > 0 && file->text[begin - 1] != '\n'; begin--)
        column += ((unsigned char)file->text[begin - 1] & 0xc0) != 0x80;
    return (SourcePlace){file, line, column, begin};
}
