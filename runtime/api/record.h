/* The record of how long operations took in earlier runs, one file beside the object cache.
 *
 * A run adds one sample per operation.  Samples are small and carry a checksum, so that a file cut short or
 * damaged loses samples and nothing else.  Writers take turns (a lock file), readers need none. */
#ifndef GMX_RUNTIME_API_RECORD_H
#define GMX_RUNTIME_API_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct RecordSample {
    uint64_t key; /* what ran, on what sizes, with how many threads */
    double seconds;
    int64_t when; /* seconds since 1970 */
    uint64_t check;
} RecordSample;

typedef struct Record {
    RecordSample *samples; /* malloc'ed, oldest first; only whole ones */
    size_t count;
} Record;

enum {
    RECORD_LIMIT = 1 << 20, /* bytes of the file: above, the oldest go until half is left */
    RECORD_PER_KEY = 64,    /* samples of one operation that survive such a cut */
    RECORD_LEAST = 5,       /* samples before anything is said */
};

RecordSample record_sample(uint64_t key, double seconds, int64_t when);
/* Empty when there is no file. */
Record record_load(const char *directory);
void record_free(Record *record);
/* false: it cannot be written, and nothing was. */
bool record_add(const char *directory, const RecordSample *samples, size_t count);
/* The 90th percentile of an operation's samples (nearest rank); false when there are too few. */
bool record_percentile(const Record *record, uint64_t key, double *seconds, size_t *count);
/* Slower than 1.5 times that? */
bool record_is_slow(const Record *record, uint64_t key, double seconds, double *percentile, size_t *count);

#endif
