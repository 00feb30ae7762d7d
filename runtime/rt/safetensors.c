/* .safetensors: 8 bytes of length, a JSON header of names, dtypes, shapes and places, then the data.
 *
 * As the format's own library does, the places must cover the data without gaps and without overlaps,
 * each of the size that dtype and shape say; a header is at most 100 MB.  `__metadata__` is passed over. */
#include "runtime/rt/internal.h"

#include "runtime/rt/json.h"
#include "runtime/rt/npy.h"
#include "runtime/rt/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t longest_header = 100 * 1000 * 1000;

/* The format's name of each dtype; NULL: it has none. */
static const char *const names[RT_DTYPE_COUNT] = {
    [RT_bool] = "BOOL", [RT_u8] = "U8",   [RT_u16] = "U16", [RT_u32] = "U32", [RT_u64] = "U64",
    [RT_i8] = "I8",     [RT_i16] = "I16", [RT_i32] = "I32", [RT_i64] = "I64", [RT_f16] = "F16",
    [RT_bf16] = "BF16", [RT_f32] = "F32", [RT_f64] = "F64", [RT_c64] = "C64",
};

/* ---- reading ---------------------------------------------------------------------------------- */

typedef struct Place { /* of one array's data, from the end of the header */
    int64_t begin, end;
    int64_t array;
} Place;

typedef struct Header {
    const DataFile *file;
    bool only_headers;
    JsonReader json;
    int64_t data_begin, data_bytes;
    gmxrt_arrays *arrays;
    Place *places;
    int64_t capacity;
} Header;

static bool fail_header(const Header *h, const char *what) {
    return data_fail_damaged(h->file, "the header of `%.300s` is damaged: %s", h->file->path, what);
}

static bool fail_array(const Header *h, const gmxrt_array *array, const char *what) {
    char quote[DATA_QUOTE_MAX];
    return data_fail_damaged(h->file, "`%s` in `%.300s`: %s",
                             data_quote(quote, array->name, (int64_t)strlen(array->name)), h->file->path,
                             what);
}

static bool refuse_array(const Header *h, const gmxrt_array *array, const char *what, const char *text) {
    char quote[DATA_QUOTE_MAX];
    gmxrt_fail(h->file->ctx, RT_E0403, h->file->span, "`%s` in `%.200s` %s%s",
               data_quote(quote, array->name, (int64_t)strlen(array->name)), h->file->path, what, text);
    return false;
}

static bool read_dtype(Header *h, gmxrt_array *array) {
    char *text, quote[DATA_QUOTE_MAX];
    int64_t length;
    if (!json_string(&h->json, &text, &length)) {
        return fail_array(h, array, "its dtype is no string");
    }
    for (int32_t i = 0; i < RT_DTYPE_COUNT; i++) {
        if (names[i] && (int64_t)strlen(names[i]) == length && memcmp(names[i], text, (size_t)length) == 0) {
            array->dtype = i;
            return true;
        }
    }
    return refuse_array(h, array, "has a dtype that GMX does not read: ", data_quote(quote, text, length));
}

/* A list of sizes; -1 after an error. */
static int32_t read_sizes(Header *h, const gmxrt_array *array, int64_t *sizes, int32_t most,
                          const char *what) {
    int32_t count = 0;
    if (!json_accept(&h->json, '[')) {
        fail_array(h, array, what);
        return -1;
    }
    while (!json_accept(&h->json, ']')) {
        int64_t size;
        if ((count && !json_accept(&h->json, ',')) || !json_size(&h->json, &size)) {
            fail_array(h, array, what);
            return -1;
        }
        if (count == most) {
            if (most == GMXRT_MAX_RANK) {
                refuse_array(h, array, "has more axes than GMX has", "");
            } else {
                fail_array(h, array, what);
            }
            return -1;
        }
        sizes[count++] = size;
    }
    return count;
}

/* The value of one key of an array; `seen` collects bits of those read. */
static bool read_key(Header *h, gmxrt_array *array, Place *place, const char *key, int64_t length,
                     int *seen) {
    int64_t ends[2];
    int bit = length == 5 && !memcmp(key, "dtype", 5)            ? 1
              : length == 5 && !memcmp(key, "shape", 5)          ? 2
              : length == 12 && !memcmp(key, "data_offsets", 12) ? 4
                                                                 : 0;
    if (*seen & bit) {
        return fail_array(h, array, "a key stands twice");
    }
    *seen |= bit;
    switch (bit) {
    case 1:
        return read_dtype(h, array);
    case 2:
        array->rank = read_sizes(h, array, array->shape, GMXRT_MAX_RANK, "its shape is no list of sizes");
        return array->rank >= 0;
    case 4:
        if (read_sizes(h, array, ends, 2, "its data_offsets are no two places") != 2) {
            return fail_array(h, array, "its data_offsets are no two places");
        }
        place->begin = ends[0];
        place->end = ends[1];
        return true;
    default:
        return json_skip(&h->json) || fail_array(h, array, "a value is no JSON");
    }
}

static bool read_array(Header *h, gmxrt_array *array, Place *place) {
    int seen = 0;
    char *key;
    int64_t length;
    if (!json_accept(&h->json, '{')) {
        return fail_array(h, array, "it is no JSON object");
    }
    for (bool first = true; !json_accept(&h->json, '}'); first = false) {
        if ((!first && !json_accept(&h->json, ',')) || !json_string(&h->json, &key, &length) ||
            !json_accept(&h->json, ':')) {
            return fail_array(h, array, "a key is missing");
        }
        if (!read_key(h, array, place, key, length, &seen)) {
            return false;
        }
    }
    if (seen != 7) {
        return fail_array(h, array, "dtype, shape or data_offsets is missing");
    }
    int64_t bytes = gmxrt_bytes_of(array->dtype, array->rank, array->shape);
    if (place->begin > place->end || place->end > h->data_bytes) {
        return fail_array(h, array, "its data lie outside the file");
    }
    return bytes == place->end - place->begin ||
           fail_array(h, array, "its shape and its data differ in size");
}

static Place *add_place(Header *h) {
    int64_t count = h->arrays->count; /* the array is there already */
    if (count > h->capacity) {
        int64_t capacity = count * 2;
        Place *places = realloc(h->places, (size_t)capacity * sizeof *places);
        if (!places) {
            gmxrt_fail(h->file->ctx, RT_E0306, h->file->span, "no memory for the header of `%.300s`",
                       h->file->path);
            return NULL;
        }
        h->places = places;
        h->capacity = capacity;
    }
    h->places[count - 1] = (Place){.array = count - 1};
    return &h->places[count - 1];
}

static bool read_entries(Header *h) {
    char *name;
    int64_t length;
    if (!json_accept(&h->json, '{')) {
        return fail_header(h, "it is no JSON object");
    }
    for (bool first = true; !json_accept(&h->json, '}'); first = false) {
        if ((!first && !json_accept(&h->json, ',')) || !json_string(&h->json, &name, &length) ||
            !json_accept(&h->json, ':')) {
            return fail_header(h, "it is no JSON");
        }
        if (length == 12 && !memcmp(name, "__metadata__", 12)) {
            if (!json_skip(&h->json)) {
                return fail_header(h, "`__metadata__` is no JSON");
            }
            continue;
        }
        if (!data_is_name(name, length)) {
            return fail_header(h, "a name is no UTF-8 text");
        }
        gmxrt_array *array = arrays_add(h->file, h->arrays, name, length);
        Place *place = array ? add_place(h) : NULL;
        if (!place || !read_array(h, array, place)) {
            return false;
        }
    }
    return json_at_end(&h->json) || fail_header(h, "something follows the closing brace");
}

static int compare_places(const void *a, const void *b) {
    const Place *x = a, *y = b;
    return x->begin != y->begin ? (x->begin > y->begin) - (x->begin < y->begin)
                                : (x->end > y->end) - (x->end < y->end);
}

/* Sorts the places; together they are the data, each byte once. */
static bool check_places(Header *h) {
    int64_t at = 0;
    if (h->arrays->count) {
        qsort(h->places, (size_t)h->arrays->count, sizeof *h->places, compare_places);
    }
    for (int64_t i = 0; i < h->arrays->count; i++) {
        const Place *place = &h->places[i];
        if (place->begin != at) {
            return fail_array(h, &h->arrays->items[place->array],
                              place->begin < at ? "its data overlap those of another array"
                                                : "there is a gap before its data");
        }
        at = place->end;
    }
    return at == h->data_bytes ||
           data_fail_damaged(h->file, "`%.300s` has %lld bytes that belong to no array", h->file->path,
                             (long long)(h->data_bytes - at));
}

static bool read_data(const Header *h) {
    for (int64_t i = 0; i < h->arrays->count; i++) {
        const Place *place = &h->places[i];
        gmxrt_array *array = &h->arrays->items[place->array];
        gmxrt_npy_header header = {
            .dtype = array->dtype, .rank = array->rank, .data_bytes = place->end - place->begin};
        DataStream stream;
        memcpy(header.shape, array->shape, sizeof header.shape);
        if (!stream_open(&stream, h->file, h->file->path, h->data_begin + place->begin, header.data_bytes,
                         header.data_bytes, false)) {
            return false;
        }
        array->tensor = npy_read_data(&stream, &header);
        if (!array->tensor) {
            return false;
        }
    }
    return true;
}

static bool read_header(Header *h, char *text, int64_t length) {
    if (!data_read(h->file, text, length, 8)) {
        return false;
    }
    h->json = (JsonReader){text, text + length};
    h->data_begin = 8 + length;
    h->data_bytes = h->file->bytes - h->data_begin;
    return read_entries(h) && arrays_are_distinct(h->file, h->arrays) && check_places(h) &&
           (h->only_headers || read_data(h));
}

bool safetensors_read(const DataFile *file, bool only_headers, gmxrt_arrays *out) {
    Header h = {.file = file, .arrays = out, .only_headers = only_headers};
    uint8_t prefix[8];
    uint64_t length = 0;
    if (file->bytes < 8) {
        return data_fail_damaged(
            file, file->bytes ? "`%.300s` is cut short in its first 8 bytes" : "`%.300s` is empty",
            file->path);
    }
    if (!data_read(file, prefix, 8, 0)) {
        return false;
    }
    for (int i = 0; i < 8; i++) {
        length |= (uint64_t)prefix[i] << (8 * i);
    }
    if (length > (uint64_t)(file->bytes - 8)) {
        return data_fail_damaged(file,
                                 "`%.300s` is cut short or no .safetensors file: its header should have %llu "
                                 "bytes, %lld are there",
                                 file->path, (unsigned long long)length, (long long)(file->bytes - 8));
    }
    if (length > (uint64_t)longest_header) {
        gmxrt_fail(file->ctx, RT_E0403, file->span,
                   "`%.300s` has a header of %llu bytes; the format allows 100 MB", file->path,
                   (unsigned long long)length);
        return false;
    }
    char *text = malloc((size_t)length + 1);
    if (!text) {
        gmxrt_fail(file->ctx, RT_E0306, file->span, "no memory for the header of `%.300s`", file->path);
        return false;
    }
    bool ok = read_header(&h, text, (int64_t)length);
    free(text);
    free(h.places);
    return ok;
}

/* ---- writing ---------------------------------------------------------------------------------- */

static void append_string(gmxrt_text *text, const char *string) {
    text_append(text, "\"", 1);
    for (const char *at = string; *at; at++) {
        char escaped[8];
        int length = 1;
        if (*at == '"' || *at == '\\') {
            length = snprintf(escaped, sizeof escaped, "\\%c", *at);
        } else if ((unsigned char)*at < ' ') {
            length = snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)*at);
        } else {
            escaped[0] = *at;
        }
        text_append(text, escaped, (size_t)length);
    }
    text_append(text, "\"", 1);
}

static void append_sizes(gmxrt_text *text, const int64_t *sizes, int32_t count) {
    char number[32];
    text_append(text, "[", 1);
    for (int32_t i = 0; i < count; i++) {
        int length = snprintf(number, sizeof number, i ? ",%lld" : "%lld", (long long)sizes[i]);
        text_append(text, number, (size_t)length);
    }
    text_append(text, "]", 1);
}

static void append_array(gmxrt_text *text, const char *name, const gmxrt_view *x, int64_t begin) {
    int64_t ends[2] = {begin, begin + gmxrt_bytes_of(x->dtype, x->rank, x->shape)};
    text_append(text, text->length > 1 ? "," : "", text->length > 1);
    append_string(text, name);
    text_append(text, ":{\"dtype\":", 10);
    append_string(text, names[x->dtype]);
    text_append(text, ",\"shape\":", 9);
    append_sizes(text, x->shape, x->rank);
    text_append(text, ",\"data_offsets\":", 16);
    append_sizes(text, ends, 2);
    text_append(text, "}", 1);
}

/* Where the data of each begin: wide elements first, so that all are aligned.  `order` gets the arrays in
 * order of their data. */
static void lay_out(int64_t count, const gmxrt_view *arrays, int64_t *begins, int64_t *order) {
    int64_t at = 0, placed = 0;
    for (int64_t bytes = 8; bytes > 0; bytes /= 2) {
        for (int64_t i = 0; i < count; i++) {
            if (rt_dtype_bytes(arrays[i].dtype) == bytes) {
                begins[i] = at;
                at += gmxrt_bytes_of(arrays[i].dtype, arrays[i].rank, arrays[i].shape);
                order[placed++] = i;
            }
        }
    }
}

static bool write_data(DataOutput *output, const gmxrt_view *x) {
    gmxrt_tensor *made;
    gmxrt_view view;
    bool ok = data_contiguous(output->ctx, x, output->span, &view, &made);
    if (ok) {
        output_write(output, view.data, gmxrt_bytes_of(x->dtype, x->rank, x->shape));
    }
    gmxrt_tensor_release(made);
    return ok;
}

static bool can_write(DataOutput *output, int64_t count, const gmxrt_view *arrays, const char *const *given) {
    for (int64_t i = 0; i < count; i++) {
        if (!names[arrays[i].dtype]) {
            gmxrt_fail(output->ctx, RT_E0403, output->span, "a .safetensors file cannot hold %s",
                       rt_dtype_info[arrays[i].dtype].name);
            return false;
        }
        if (given && strcmp(given[i], "__metadata__") == 0) {
            gmxrt_fail(output->ctx, RT_E0204, output->span,
                       "a .safetensors file cannot hold an array of the name `__metadata__`");
            return false;
        }
    }
    return true;
}

static bool write_header(DataOutput *output, gmxrt_text *text) {
    uint8_t prefix[8];
    text_append(text, "}", 1);
    text_fill(text, ' ', (8 - text->length % 8) % 8);
    for (int i = 0; i < 8; i++) {
        prefix[i] = (uint8_t)((uint64_t)text->length >> (8 * i));
    }
    if (text->failed) {
        gmxrt_fail(output->ctx, RT_E0306, output->span, "no memory to write `%.300s`", output->path);
        return false;
    }
    output_write(output, prefix, 8);
    output_write(output, text->data, (int64_t)text->length);
    return true;
}

bool safetensors_write(DataOutput *output, int64_t count, const char *const *given,
                       const gmxrt_view *arrays) {
    if (!can_write(output, count, arrays, given)) {
        return false;
    }
    gmxrt_text text = {0};
    int64_t *begins = malloc(2 * (size_t)(count + 1) * sizeof *begins), *order = begins + count;
    if (!begins) {
        gmxrt_fail(output->ctx, RT_E0306, output->span, "no memory to write `%.300s`", output->path);
        return false;
    }
    lay_out(count, arrays, begins, order);
    text_append(&text, "{", 1);
    for (int64_t i = 0; i < count; i++) {
        append_array(&text, given ? given[i] : "arr_0", &arrays[i], begins[i]);
    }
    bool ok = write_header(output, &text);
    for (int64_t i = 0; ok && i < count; i++) {
        ok = write_data(output, &arrays[order[i]]);
    }
    gmxrt_text_free(&text);
    free(begins);
    return ok;
}
