/* The record of earlier times: percentiles, damage, writers side by side, a bounded file. */
#include "runtime/api/record.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/gmx-record-XXXXXX";

static void begin(void) {
    cr_assert_not_null(mkdtemp(folder));
}

static void end(void) {
    char path[128];
    const char *names[] = {"history", "history.lock"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    cr_assert_eq(rmdir(folder), 0, "something is left in %s", folder);
}

TestSuite(record, .init = begin, .fini = end);

static void add(uint64_t key, double seconds, int64_t when) {
    RecordSample sample = record_sample(key, seconds, when);
    cr_assert(record_add(folder, &sample, 1));
}

static int64_t file_size(void) {
    char path[128];
    struct stat status;
    snprintf(path, sizeof path, "%s/history", folder);
    return stat(path, &status) == 0 ? status.st_size : -1;
}

static size_t count_of(uint64_t key) {
    Record record = record_load(folder);
    size_t count = 0;
    for (size_t i = 0; i < record.count; i++)
        count += record.samples[i].key == key;
    record_free(&record);
    return count;
}

Test(record, no_file) {
    Record record = record_load(folder);
    double percentile;
    size_t count;
    cr_assert_eq(record.count, 0);
    cr_assert_not(record_is_slow(&record, 1, 1e9, &percentile, &count));
    record_free(&record);
    record = record_load(NULL);
    cr_assert_eq(record.count, 0);
    RecordSample sample = record_sample(1, 1, 1);
    cr_assert_not(record_add(NULL, &sample, 1));
    cr_assert_not(record_add("/nonexistent/folder", &sample, 1));
}

/* 1 … 10 in any order: the ninth is the 90th percentile; slow is more than 13.5. */
Test(record, percentile) {
    const double times[] = {7, 1, 10, 3, 9, 2, 8, 5, 4, 6};
    for (int i = 0; i < 10; i++) {
        Record early = record_load(folder);
        double percentile;
        size_t count;
        cr_assert_eq(record_percentile(&early, 5, &percentile, &count), i >= RECORD_LEAST, "%d samples", i);
        record_free(&early);
        add(5, times[i], i);
        add(6, 1000, i); /* another operation */
    }
    Record record = record_load(folder);
    double percentile;
    size_t count;
    cr_assert(record_percentile(&record, 5, &percentile, &count));
    cr_assert_eq(count, 10);
    cr_assert_eq(percentile, 9);
    cr_assert_not(record_is_slow(&record, 5, 13.5, &percentile, &count));
    cr_assert(record_is_slow(&record, 5, 13.6, &percentile, &count));
    cr_assert_not(record_is_slow(&record, 7, 13.6, &percentile, &count), "never seen");
    record_free(&record);
}

/* What is long ago does not count: the last RECORD_PER_KEY samples do. */
Test(record, forgets) {
    for (int i = 0; i < RECORD_PER_KEY; i++)
        add(1, 100, i);
    for (int i = 0; i < RECORD_PER_KEY; i++)
        add(1, 2, i);
    Record record = record_load(folder);
    double percentile;
    size_t count;
    cr_assert(record_percentile(&record, 1, &percentile, &count));
    cr_assert_eq(count, RECORD_PER_KEY);
    cr_assert_eq(percentile, 2);
    record_free(&record);
}

Test(record, damage) {
    char path[128];
    for (int i = 0; i < 6; i++)
        add(1, 1 + i, i);
    snprintf(path, sizeof path, "%s/history", folder);
    int descriptor = open(path, O_RDWR);
    cr_assert_eq(pwrite(descriptor, "?", 1, 2 * sizeof(RecordSample) + 9), 1); /* seconds of the third */
    cr_assert_eq(pwrite(descriptor, "torn", 4, 6 * sizeof(RecordSample)), 4);  /* a writer that died */
    close(descriptor);
    cr_assert_eq(count_of(1), 5);
    add(1, 9, 9);
    cr_assert_eq(file_size(), 7 * (int64_t)sizeof(RecordSample));
    cr_assert_eq(count_of(1), 6);
    RecordSample bad = record_sample(1, -1, 0);
    cr_assert(record_add(folder, &bad, 1));
    cr_assert_eq(count_of(1), 6, "a negative time counts");
}

Test(record, side_by_side) {
    enum { WRITERS = 4, EACH = 50 };
    for (int w = 0; w < WRITERS; w++) {
        if (fork() == 0) {
            int failed = 0;
            for (int i = 0; i < EACH; i++) {
                RecordSample pair[2] = {record_sample((uint64_t)w, 1, i), record_sample(99, 2, i)};
                failed += !record_add(folder, pair, 2);
            }
            _exit(failed != 0);
        }
    }
    for (int w = 0, status; w < WRITERS; w++) {
        cr_assert_gt(wait(&status), 0);
        cr_assert_eq(status, 0);
    }
    for (int w = 0; w < WRITERS; w++)
        cr_assert_eq(count_of((uint64_t)w), EACH);
    cr_assert_eq(count_of(99), WRITERS * EACH);
}

/* A busy operation does not push out the samples of a rare one, and the file stays bounded. */
Test(record, bounded) {
    enum { BATCH = 1000 };
    static RecordSample batch[BATCH];
    for (int i = 0; i < 20; i++)
        add(UINT64_C(0xabc) << 20, 3, 0);
    for (int round = 0; round < 70; round++) {
        for (int i = 0; i < BATCH; i++)
            batch[i] = record_sample(UINT64_C(0x123) << 20, 1e-3 * i, round);
        cr_assert(record_add(folder, batch, BATCH));
        cr_assert_leq(file_size(), RECORD_LIMIT);
    }
    cr_assert_eq(count_of(UINT64_C(0xabc) << 20), 20);
    Record record = record_load(folder);
    cr_assert_eq(record.samples[record.count - 1].when, 69, "the newest went");
    record_free(&record);
    for (int round = 0; round < 70; round++) { /* many operations: half the limit is left at each cut */
        for (uint64_t i = 0; i < BATCH; i++)
            batch[i] = record_sample((i + 1000 * (uint64_t)round) << 20, 1, 100 + round);
        cr_assert(record_add(folder, batch, BATCH));
        cr_assert_leq(file_size(), RECORD_LIMIT);
    }
    cr_assert_eq(count_of(UINT64_C(69999) << 20), 1);
}
