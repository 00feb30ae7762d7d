/* The object cache on disk: hits, damage, writers that die, several processes, eviction; and what of a
 * program is in its objects. */
#include "codegen/llvm/cache.h"
#include "tests/unit_llvm/support.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static Digest key_of(uint64_t number) {
    Digester digester;
    digest_begin(&digester);
    digest_add_u64(&digester, number);
    return digest_end(&digester);
}

/* A payload that is recognised: its bytes follow from its number. */
static void fill(char *data, size_t length, uint64_t number) {
    for (size_t i = 0; i < length; i++)
        data[i] = (char)(number * 31 + i * 7 + (i >> 8));
}

static void put(ObjectCache *cache, uint64_t number, size_t length) {
    char *data = malloc(length + 1);
    fill(data, length, number);
    Digest key = key_of(number);
    cache_put(cache, &key, data, length);
    free(data);
}

/* True if the object is there; it must then be whole. */
static bool holds(ObjectCache *cache, uint64_t number, size_t expected) {
    char *data, *right;
    size_t length;
    Digest key = key_of(number);
    if (!cache_get(cache, &key, &data, &length))
        return false;
    cr_assert_eq(length, expected);
    right = malloc(length + 1);
    fill(right, length, number);
    cr_assert_eq(memcmp(data, right, length), 0);
    free(right);
    free(data);
    return true;
}

Test(digest, known_values) {
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb924"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Digester digester;
        char hex[DIGEST_HEX];
        digest_begin(&digester);
        for (const char *at = cases[i].text; *at; at++) /* one byte at a time */
            digest_add(&digester, at, 1);
        Digest digest = digest_end(&digester);
        digest_hex(&digest, hex);
        cr_assert_str_eq(hex, cases[i].hex);
    }
}

Test(cache, objects_come_back) {
    char path[256];
    make_directory(path);
    ObjectCache *cache = cache_open(path, 0);
    cr_assert_not(holds(cache, 1, 0));
    static const size_t lengths[] = {0, 1, 63, 64, 4096, 100001};
    for (uint64_t i = 0; i < 6; i++)
        put(cache, i, lengths[i]);
    for (uint64_t i = 0; i < 6; i++)
        cr_assert(holds(cache, i, lengths[i]));
    cache_close(cache);
    cr_assert_null(cache_open(NULL, 0));
    cr_assert_null(cache_open("/proc/none/such", 0));
    remove_directory(path);
}

static void only_file(const char *path, char name[512]) {
    Digest key = key_of(1);
    char hex[DIGEST_HEX];
    digest_hex(&key, hex);
    snprintf(name, 512, "%s/%s.gmxo", path, hex);
}

Test(cache, any_flipped_byte_and_any_cut_is_a_miss) {
    char path[256], name[512];
    make_directory(path);
    ObjectCache *cache = cache_open(path, 0);
    enum { LENGTH = 300 };
    put(cache, 1, LENGTH);
    only_file(path, name);
    struct stat status;
    cr_assert_eq(stat(name, &status), 0);
    for (off_t at = 0; at < status.st_size; at++) {
        int file = open(name, O_RDWR);
        char byte;
        cr_assert_eq(pread(file, &byte, 1, at), 1);
        byte = (char)(byte ^ 1 << at % 8);
        cr_assert_eq(pwrite(file, &byte, 1, at), 1);
        close(file);
        bool reserved = at >= 12 && at < 16; /* means nothing */
        cr_assert_eq(holds(cache, 1, LENGTH), reserved, "byte %ld", (long)at);
        put(cache, 1, LENGTH);
    }
    for (off_t length = 0; length < status.st_size; length += 13) {
        cr_assert_eq(truncate(name, length), 0);
        cr_assert_not(holds(cache, 1, LENGTH));
        put(cache, 1, LENGTH);
    }
    cr_assert(holds(cache, 1, LENGTH));
    cache_close(cache);
    remove_directory(path);
}

Test(cache, oldest_go_first) {
    char path[256];
    make_directory(path);
    enum { LENGTH = 10000 };
    ObjectCache *cache = cache_open(path, 10 * (LENGTH + 200));
    for (uint64_t i = 0; i < 10; i++) {
        put(cache, i, LENGTH);
        usleep(2000);
    }
    cr_assert_eq(count_files(path, ".gmxo"), 10);
    cr_assert(holds(cache, 0, LENGTH)); /* now the youngest */
    usleep(2000);
    put(cache, 10, LENGTH);
    cr_assert(holds(cache, 0, LENGTH));
    cr_assert(holds(cache, 10, LENGTH));
    cr_assert_not(holds(cache, 1, LENGTH));
    cr_assert_leq(count_files(path, ".gmxo"), 9);
    put(cache, 11, 11 * LENGTH); /* larger than the limit: not kept */
    cr_assert_not(holds(cache, 11, 11 * LENGTH));
    cache_close(cache);
    remove_directory(path);
}

/* Each process writes one object, as scripts do that change in one place: none of them knows what the others
 * wrote, and few of them look. */
Test(cache, short_processes_keep_the_limit) {
    char path[256];
    make_directory(path);
    enum { LENGTH = 100, LIMIT = 400, OBJECTS = 4000 };
    int64_t most = 0;
    for (uint64_t i = 0; i < OBJECTS; i++) {
        ObjectCache *cache = cache_open(path, LIMIT * (LENGTH + 96));
        put(cache, i, LENGTH);
        cache_close(cache);
        if (i % 100 == 99) {
            int64_t count = count_files(path, ".gmxo");
            most = count > most ? count : most;
        }
    }
    cr_assert_leq(most, 2 * LIMIT);
    cr_assert_geq(most, LIMIT / 2);
    remove_directory(path);
}

/* Several processes write, read and evict the same objects; one after another is killed in the middle. */
Test(cache, processes_that_die_do_no_harm, .timeout = 60) {
    char path[256];
    make_directory(path);
    enum { OBJECTS = 12, LENGTH = 200000 };
    int found = 0;
    for (int round = 0; round < 12; round++) {
        pid_t children[3];
        for (int c = 0; c < 3; c++) {
            children[c] = fork();
            if (children[c])
                continue;
            ObjectCache *cache = cache_open(path, 8 * LENGTH);
            for (uint64_t i = (uint64_t)c;; i++) {
                put(cache, i % OBJECTS, LENGTH);
                holds(cache, i * 5 % OBJECTS, LENGTH);
            }
        }
        for (int wait = 0; wait < 500 && count_files(path, ".gmxo") == 0; wait++)
            usleep(10000);
        usleep((useconds_t)(1000 * round));
        for (int c = 0; c < 3; c++)
            kill(children[c], SIGKILL);
        for (int c = 0; c < 3; c++) {
            int status;
            waitpid(children[c], &status, 0);
            cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* not a failed assertion */
        }
        ObjectCache *cache = cache_open(path, 0);
        for (uint64_t i = 0; i < OBJECTS; i++)
            found += holds(cache, i, LENGTH); /* asserts that what is there is whole */
        put(cache, 0, LENGTH);                /* the cache is in use as before */
        cr_assert(holds(cache, 0, LENGTH));
        cache_close(cache);
    }
    cr_assert_gt(found, 0);
    remove_directory(path);
}

/* ---- through the back end ------------------------------------------------------------------------------ */
static void run_program(const char *path, int64_t factor, const char *name, BackendStatistics *statistics) {
    Bench bench;
    bench_begin(&bench, path);
    IrBuilder b = bench_function(&bench, name);
    IrNode *x = ir_parameter(&b, intern_text(&bench.names, "x"), DTYPE_i64, 0, NULL, NULL);
    b.span = (Span){(uint32_t)factor, (uint32_t)factor + 3};
    IrNode *y = ir_binary(&b, OP_mul, x, ir_const_i64(&b, factor));
    y = ir_binary(&b, OP_floordiv, y, ir_binary(&b, OP_sub, x, ir_const_i64(&b, 1)));
    ir_set_results(&b, &y, 1);
    cr_assert_eq(bench_call1(&bench, bench_compile(&bench), 5), 5 * factor / 4);
    *statistics = bench_statistics(&bench);
    bench_end(&bench);
}

Test(cache, sizes_places_and_names_share_an_object) {
    char path[256], name[32];
    make_directory(path);
    BackendStatistics statistics;
    for (int64_t factor = 2; factor < 40; factor++) {
        snprintf(name, sizeof name, "program_%d", (int)factor);
        run_program(path, factor, name, &statistics);
        cr_assert_eq(statistics.functions_compiled, factor == 2);
        cr_assert_eq(statistics.disk_hits, factor != 2);
    }
    cr_assert_eq(count_files(path, ".gmxo"), 1);
    remove_directory(path);
}

Test(cache, a_directory_that_cannot_be_written_is_no_error) {
    BackendStatistics statistics;
    run_program("/proc/no/cache/here", 7, "f", &statistics);
    cr_assert_eq(statistics.functions_compiled, 1);
}
