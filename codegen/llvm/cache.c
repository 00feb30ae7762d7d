/* The object cache on disk: see cache.h for what it promises. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "codegen/llvm/cache.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CACHE_SUFFIX    ".gmxo"
#define CACHE_TEMPORARY ".writing-"

enum {
    CACHE_VERSION = 1,
    CACHE_SCAN_CHANCE = 64,     /* see is_scan_due */
    CACHE_STALE_SECONDS = 3600, /* a temporary file this old belongs to a process that died */
};
static const int64_t cache_default_limit = (int64_t)512 << 20;
static const int64_t cache_largest_object = (int64_t)256 << 20;

typedef struct CacheHeader {
    char magic[8];
    uint32_t version, reserved;
    Digest key;
    uint64_t length;
    Digest checksum;
} CacheHeader;

struct ObjectCache {
    int directory;        /* descriptor */
    int64_t limit, total; /* total: what the last scan saw and this process wrote since */
};

typedef struct CacheEntry {
    char name[64];
    int64_t bytes;
    struct timespec modified;
} CacheEntry;

static const char cache_magic[8] = "GMXOBJ\n";

static bool make_directories(const char *path) {
    char *copy = strdup(path);
    if (!copy)
        return false;
    for (char *at = copy + 1; *at; at++)
        if (*at == '/') {
            *at = 0;
            mkdir(copy, 0700);
            *at = '/';
        }
    bool made = mkdir(copy, 0700) == 0 || errno == EEXIST;
    free(copy);
    return made;
}

ObjectCache *cache_open(const char *directory, int64_t limit_bytes) {
    if (!directory || !*directory || !make_directories(directory))
        return NULL;
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ObjectCache *cache = descriptor < 0 ? NULL : calloc(1, sizeof *cache);
    if (!cache) {
        if (descriptor >= 0)
            close(descriptor);
        return NULL;
    }
    cache->directory = descriptor;
    cache->limit = limit_bytes > 0 ? limit_bytes : cache_default_limit;
    return cache;
}

void cache_close(ObjectCache *cache) {
    if (!cache)
        return;
    close(cache->directory);
    free(cache);
}

static void cache_name(const Digest *key, char name[64]) {
    char hex[DIGEST_HEX];
    digest_hex(key, hex);
    snprintf(name, 64, "%s%s", hex, CACHE_SUFFIX);
}

static Digest checksum_of(const char *data, size_t length) {
    Digester digester;
    digest_begin(&digester);
    digest_add(&digester, data, length);
    return digest_end(&digester);
}

static bool read_all(int descriptor, void *to, size_t length) {
    char *at = to;
    while (length > 0) {
        ssize_t count = read(descriptor, at, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        at += count;
        length -= (size_t)count;
    }
    return true;
}

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

/* The payload of an open cache file, or NULL when anything about it is wrong. */
static char *read_verified(int descriptor, const Digest *key, size_t *length) {
    struct stat status;
    CacheHeader header;
    if (fstat(descriptor, &status) != 0 || status.st_size < (off_t)sizeof header ||
        status.st_size > cache_largest_object || !read_all(descriptor, &header, sizeof header))
        return NULL;
    if (memcmp(header.magic, cache_magic, sizeof cache_magic) != 0 || header.version != CACHE_VERSION ||
        memcmp(&header.key, key, sizeof *key) != 0 ||
        header.length != (uint64_t)status.st_size - sizeof header)
        return NULL;
    char *data = malloc(header.length + 1);
    if (!data)
        return NULL;
    Digest checksum;
    if (read_all(descriptor, data, header.length)) {
        checksum = checksum_of(data, header.length);
        if (memcmp(&checksum, &header.checksum, sizeof checksum) == 0) {
            *length = header.length;
            return data;
        }
    }
    free(data);
    return NULL;
}

bool cache_get(ObjectCache *cache, const Digest *key, char **data, size_t *length) {
    if (!cache)
        return false;
    char name[64];
    cache_name(key, name);
    int descriptor = openat(cache->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0)
        return false;
    *data = read_verified(descriptor, key, length);
    if (*data)
        futimens(descriptor, NULL); /* now the youngest */
    else
        unlinkat(cache->directory, name, 0);
    close(descriptor);
    return *data != NULL;
}

static bool has_suffix(const char *name, const char *suffix) {
    size_t length = strlen(name), end = strlen(suffix);
    return length > end && strcmp(name + length - end, suffix) == 0;
}

static int compare_age(const void *left, const void *right) {
    const CacheEntry *a = left, *b = right;
    if (a->modified.tv_sec != b->modified.tv_sec)
        return a->modified.tv_sec < b->modified.tv_sec ? -1 : 1;
    if (a->modified.tv_nsec != b->modified.tv_nsec)
        return a->modified.tv_nsec < b->modified.tv_nsec ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* Lists the objects (malloc'ed; NULL when there are none) and removes what dead writers left. */
static CacheEntry *cache_scan(ObjectCache *cache, size_t *count) {
    CacheEntry *entries = NULL;
    size_t capacity = 0;
    *count = 0;
    cache->total = 0;
    int copy = openat(cache->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory) {
        if (copy >= 0)
            close(copy);
        return NULL;
    }
    time_t now = time(NULL);
    for (struct dirent *entry; (entry = readdir(directory));) {
        struct stat status;
        bool temporary = strncmp(entry->d_name, CACHE_TEMPORARY, strlen(CACHE_TEMPORARY)) == 0;
        if ((!temporary && !has_suffix(entry->d_name, CACHE_SUFFIX)) || strlen(entry->d_name) >= 64 ||
            fstatat(cache->directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (temporary) {
            if (now - status.st_mtime > CACHE_STALE_SECONDS)
                unlinkat(cache->directory, entry->d_name, 0);
            continue;
        }
        if (*count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            CacheEntry *larger = realloc(entries, capacity * sizeof *entries);
            if (!larger)
                break;
            entries = larger;
        }
        CacheEntry *added = &entries[(*count)++];
        memcpy(added->name, entry->d_name, strlen(entry->d_name) + 1); /* shorter than 64: seen above */
        added->bytes = status.st_size;
        added->modified = status.st_mtim;
        cache->total += status.st_size;
    }
    closedir(directory);
    return entries;
}

/* Removes the oldest objects until nine tenths of the limit are left.  One that was used since the scan
 * stays; one that another process removed first counts as removed. */
static void cache_evict(ObjectCache *cache) {
    size_t count;
    CacheEntry *entries = cache_scan(cache, &count);
    if (cache->total > cache->limit) {
        qsort(entries, count, sizeof *entries, compare_age);
        for (size_t i = 0; i < count && cache->total > cache->limit / 10 * 9; i++) {
            struct stat status;
            if (fstatat(cache->directory, entries[i].name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                (status.st_mtim.tv_sec != entries[i].modified.tv_sec ||
                 status.st_mtim.tv_nsec != entries[i].modified.tv_nsec))
                continue;
            unlinkat(cache->directory, entries[i].name, 0);
            cache->total -= entries[i].bytes;
        }
    }
    free(entries);
}

/* Opens a new file that no other process or thread has. */
static int open_temporary(ObjectCache *cache, char name[64]) {
    for (int attempt = 0; attempt < 16; attempt++) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        snprintf(name, 64, "%s%ld-%lx-%lx", CACHE_TEMPORARY, (long)getpid(),
                 (unsigned long)now.tv_nsec + (unsigned long)attempt, (unsigned long)(uintptr_t)cache);
        int descriptor = openat(cache->directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (descriptor >= 0 || errno != EEXIST)
            return descriptor;
    }
    return -1;
}

/* A scan looks at every file, so that a start with one new kernel must not pay for one: one put in
 * CACHE_SCAN_CHANCE scans, larger objects more often in proportion, so that less than the limit is
 * expected to be written between two scans by however many processes.  Keys are uniform: they draw the lot.
 */
static bool is_scan_due(const ObjectCache *cache, const Digest *key, int64_t bytes) {
    uint32_t lot;
    memcpy(&lot, key, sizeof lot);
    double chance = 1.0 / CACHE_SCAN_CHANCE + (double)bytes / (double)cache->limit * CACHE_SCAN_CHANCE;
    return cache->total > cache->limit || (double)lot < chance * 4294967296.0;
}

void cache_put(ObjectCache *cache, const Digest *key, const char *data, size_t length) {
    if (!cache || (int64_t)(length + sizeof(CacheHeader)) > cache->limit ||
        (int64_t)(length + sizeof(CacheHeader)) > cache_largest_object)
        return;
    CacheHeader header = {.version = CACHE_VERSION, .key = *key, .length = length};
    memcpy(header.magic, cache_magic, sizeof cache_magic);
    header.checksum = checksum_of(data, length);
    char temporary[64], name[64];
    int descriptor = open_temporary(cache, temporary);
    if (descriptor < 0)
        return;
    bool written = write_all(descriptor, &header, sizeof header) && write_all(descriptor, data, length);
    written = close(descriptor) == 0 && written;
    cache_name(key, name);
    if (!written || renameat(cache->directory, temporary, cache->directory, name) != 0) {
        unlinkat(cache->directory, temporary, 0);
        return;
    }
    cache->total += (int64_t)(length + sizeof header);
    if (is_scan_due(cache, key, (int64_t)(length + sizeof header)))
        cache_evict(cache);
}
