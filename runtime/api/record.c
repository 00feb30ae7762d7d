/* The record of earlier times: see record.h for what it promises. */
#include "runtime/api/record.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LIMIT = 4096 };

static uint64_t check_of(const RecordSample *sample) {
    uint64_t parts[3] = {sample->key, 0, (uint64_t)sample->when}, hash = UINT64_C(0x676d787265636f72);
    memcpy(&parts[1], &sample->seconds, sizeof parts[1]);
    for (int i = 0; i < 3; i++) {
        hash = (hash ^ parts[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash;
}

RecordSample record_sample(uint64_t key, double seconds, int64_t when) {
    RecordSample sample = {.key = key, .seconds = seconds, .when = when};
    sample.check = check_of(&sample);
    return sample;
}

static bool is_whole(const RecordSample *sample) {
    return sample->check == check_of(sample) && sample->seconds >= 0 && isfinite(sample->seconds);
}

static bool join(char path[PATH_LIMIT], const char *directory, const char *name) {
    return directory && snprintf(path, PATH_LIMIT, "%s/%s", directory, name) < PATH_LIMIT;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static Record load_file(int descriptor) {
    Record record = {0};
    struct stat status;
    if (fstat(descriptor, &status) != 0 || status.st_size < (off_t)sizeof(RecordSample) ||
        status.st_size > 16 * (off_t)RECORD_LIMIT)
        return record;
    size_t room = (size_t)status.st_size / sizeof(RecordSample), size = room * sizeof(RecordSample), got = 0;
    record.samples = malloc(size);
    while (record.samples && got < size) {
        ssize_t count = read(descriptor, (char *)record.samples + got, size - got);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        got += (size_t)count;
    }
    for (size_t i = 0; i < got / sizeof(RecordSample); i++)
        if (is_whole(&record.samples[i]))
            record.samples[record.count++] = record.samples[i];
    return record;
}

Record record_load(const char *directory) {
    char path[PATH_LIMIT];
    int descriptor = join(path, directory, "history") ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (descriptor < 0)
        return (Record){0};
    Record record = load_file(descriptor);
    close(descriptor);
    return record;
}

void record_free(Record *record) {
    free(record->samples);
    *record = (Record){0};
}

static int compare_seconds(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

bool record_percentile(const Record *record, uint64_t key, double *seconds, size_t *count) {
    double times[RECORD_PER_KEY];
    *count = 0;
    for (size_t i = record->count; i-- > 0 && *count < RECORD_PER_KEY;) /* the latest */
        if (record->samples[i].key == key)
            times[(*count)++] = record->samples[i].seconds;
    if (*count < RECORD_LEAST)
        return false;
    qsort(times, *count, sizeof *times, compare_seconds);
    *seconds = times[(9 * *count + 9) / 10 - 1];
    return true;
}

bool record_is_slow(const Record *record, uint64_t key, double seconds, double *percentile, size_t *count) {
    return record_percentile(record, key, percentile, count) && seconds > 1.5 * *percentile;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

static bool write_all(int descriptor, const void *from, size_t length) {
    const char *at = from;
    while (length > 0) {
        ssize_t count = write(descriptor, at, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        at += count;
        length -= (size_t)count;
    }
    return true;
}

/* The newest samples, at most RECORD_PER_KEY of a key and half the limit in all. */
static void choose(Record *record) {
    const size_t most = RECORD_LIMIT / 2 / sizeof(RecordSample);
    enum { BUCKETS = 1 << 12 };
    uint16_t *seen = calloc(BUCKETS, sizeof *seen); /* keys that share a bucket share its room */
    size_t kept = seen ? record->count : 0;
    for (size_t i = record->count; seen && i-- > 0;) {
        uint16_t *bucket = &seen[(record->samples[i].key >> 20) & (BUCKETS - 1)];
        if (*bucket < RECORD_PER_KEY) {
            ++*bucket;
            record->samples[--kept] = record->samples[i];
        }
    }
    free(seen);
    size_t left = record->count - kept, dropped = left > most ? left - most : 0;
    memmove(record->samples, record->samples + kept + dropped, (left - dropped) * sizeof *record->samples);
    record->count = left - dropped;
}

/* Replaces the file by a smaller one; the lock is held. */
static void compact(const char *directory, const char *path) {
    char temporary[PATH_LIMIT];
    Record record = record_load(directory);
    choose(&record);
    int descriptor = join(temporary, directory, "history.XXXXXX") ? mkostemp(temporary, O_CLOEXEC) : -1;
    if (descriptor >= 0) {
        bool ok = write_all(descriptor, record.samples, record.count * sizeof *record.samples);
        ok = close(descriptor) == 0 && ok;
        if (!ok || rename(temporary, path) != 0)
            unlink(temporary);
    }
    record_free(&record);
}

/* What a writer that died left of a sample goes, so that the next ones lie where readers look. */
static bool cut_to_whole(int descriptor, off_t *size) {
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return false;
    *size = status.st_size - status.st_size % (off_t)sizeof(RecordSample);
    return *size == status.st_size || ftruncate(descriptor, *size) == 0;
}

bool record_add(const char *directory, const RecordSample *samples, size_t count) {
    char path[PATH_LIMIT], lock_path[PATH_LIMIT];
    if (!join(path, directory, "history") || !join(lock_path, directory, "history.lock"))
        return false;
    int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0)
        return false;
    bool ok = flock(lock, LOCK_EX) == 0;
    int descriptor = ok ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    off_t size = 0;
    ok = descriptor >= 0 && cut_to_whole(descriptor, &size) &&
         write_all(descriptor, samples, count * sizeof *samples);
    if (descriptor >= 0)
        close(descriptor);
    if (ok && size + (off_t)(count * sizeof *samples) > RECORD_LIMIT)
        compact(directory, path);
    close(lock); /* ends the lock */
    return ok;
}
