/* Handwritten digits in C: classifies the held-out images with the model that gmxc compiled into a library.
 *
 *     gmxc examples/digits.gmx -o libdigits.so             # fits the model; writes digits.h beside the
 * library cc -I. examples/digits_client.c -L. -ldigits -Wl,-rpath,'$ORIGIN' -o digits_client
 *     ./digits_client examples/data
 *
 * It prints the line that `gmx examples/digits.gmx` begins with. */
#include "digits.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGE = 64, EVERY = 4, AXES = 4, HEADER = 1024 };

typedef struct Bytes { /* a u8 tensor in C order */
    int axes;
    int64_t shape[AXES], size;
    uint8_t *data;
} Bytes;

/* The tuple behind 'shape', "(1797, 8, 8)"; 0 unless it is one and its product fits. */
static int read_shape(const char *text, Bytes *out) {
    text = strchr(text, '(');
    out->size = 1;
    for (out->axes = 0; text && *++text != ')';) {
        char *end;
        long long extent = strtoll(text, &end, 10);
        if (end == text || extent < 0 || out->axes == AXES || (extent && out->size > INT32_MAX / extent))
            return 0;
        out->shape[out->axes++] = extent;
        out->size *= extent;
        text = end + strspn(end, " ");
        if (*text == ')')
            break;
        if (*text != ',')
            return 0;
        text += strspn(text + 1, " ");
    }
    return text != NULL;
}

/* The dictionary at the start of a .npy file of version 1 to 3; 0 unless it describes u8 in C order. */
static int read_header(FILE *file, Bytes *out) {
    unsigned char start[12];
    char text[HEADER + 1];
    if (fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY", 6) != 0 || start[6] < 1 || start[6] > 3)
        return 0;
    size_t length = start[8] | (size_t)start[9] << 8;
    if (start[6] > 1) {
        if (fread(start + 10, 1, 2, file) != 2)
            return 0;
        length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    }
    if (length > HEADER || fread(text, 1, length, file) != length)
        return 0;
    text[length] = '\0';
    const char *shape = strstr(text, "'shape':");
    return strstr(text, "'descr': '|u1'") && strstr(text, "'fortran_order': False") && shape &&
           read_shape(shape, out);
}

/* Ends the program when the file is not there or not what it should be. */
static Bytes load(const char *folder, const char *name) {
    Bytes out = {0};
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        fprintf(stderr, "the path of `%s` is too long\n", name);
        exit(1);
    }
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    if (!read_header(file, &out) || !(out.data = malloc((size_t)out.size + 1)) ||
        fread(out.data, 1, (size_t)out.size, file) != (size_t)out.size) {
        fprintf(stderr, "%s: not a whole .npy file of u8 in C order\n", path);
        exit(1);
    }
    fclose(file);
    return out;
}

int main(int argument_count, char **arguments) {
    const char *folder = argument_count > 1 ? arguments[1] : "examples/data";
    Bytes images = load(folder, "digits_images.npy"), labels = load(folder, "digits_labels.npy");
    int64_t count = labels.size;
    if (images.axes != 3 || images.shape[1] * images.shape[2] != IMAGE || images.shape[0] != count ||
        !count) {
        fprintf(stderr, "the images are not 8 by 8, or not one for each label\n");
        return 1;
    }

    /* The images whose index is a multiple of 4 lie one after the other in `batch`. */
    int64_t held_out = (count + EVERY - 1) / EVERY, right = 0;
    uint8_t *batch = malloc((size_t)(held_out * IMAGE));
    int64_t *guess = malloc((size_t)held_out * sizeof *guess);
    if (!batch || !guess) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }
    for (int64_t i = 0; i < held_out; i++)
        memcpy(batch + i * IMAGE, images.data + i * EVERY * IMAGE, IMAGE);

    if (classify(held_out, batch, guess) != 0) {
        fprintf(stderr, "classify: %s\n", gmx_last_error());
        return 1;
    }
    for (int64_t i = 0; i < held_out; i++)
        right += guess[i] == labels.data[i * EVERY];
    printf("accuracy %.3f on %lld held-out images\n", (double)right / (double)held_out, (long long)held_out);

    free(batch);
    free(guess);
    free(images.data);
    free(labels.data);
    return 0;
}
