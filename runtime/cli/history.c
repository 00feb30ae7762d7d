/* The entries typed in earlier sessions. */
#include "runtime/cli/history.h"

#include "runtime/cli/tool.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ENTRIES_MAX = 1000, ENTRY_BYTES_MAX = 64 << 10, FILE_MODE = 0600 };

/* Creates the folder of the file where it is missing. */
static char *find_path(void) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL, *folder = NULL;
    if (state && state[0] == '/') {
        if (asprintf(&folder, "%s/gmx", state) < 0)
            return NULL;
        mkdir(state, 0700);
        mkdir(folder, 0700);
        if (asprintf(&path, "%s/history", folder) < 0)
            path = NULL;
        free(folder);
    } else if (home && home[0] == '/' && asprintf(&path, "%s/.gmx_history", home) < 0) {
        path = NULL;
    }
    return path;
}

static void drop_oldest(History *history) {
    free(history->entries[0]);
    memmove(history->entries, history->entries + 1, --history->count * sizeof *history->entries);
}

/* Takes `entry`. */
static void push(History *history, char *entry) {
    if (!entry)
        return;
    if (history->count == ENTRIES_MAX)
        drop_oldest(history);
    if (history->count == history->capacity) {
        size_t capacity = history->capacity ? history->capacity * 2 : 64;
        char **larger = realloc(history->entries, capacity * sizeof *larger);
        if (!larger) {
            free(entry);
            return;
        }
        history->entries = larger;
        history->capacity = capacity;
    }
    history->entries[history->count++] = entry;
}

static void clear(History *history) {
    while (history->count)
        free(history->entries[--history->count]);
}

/* ---- the file -------------------------------------------------------------------------------------------
 */

/* A line of the file, without its newline, as an entry; in place. */
static void unescape(char *line) {
    char *to = line;
    for (const char *from = line; *from; from++) {
        if (*from == '\\' && from[1])
            *to++ = *++from == 'n' ? '\n' : *from;
        else
            *to++ = *from;
    }
    *to = '\0';
}

static size_t escape(char *to, const char *entry) {
    char *begin = to;
    for (; *entry; entry++) {
        if (*entry == '\n' || *entry == '\\')
            *to++ = '\\';
        *to++ = *entry == '\n' ? 'n' : *entry;
    }
    *to++ = '\n';
    return (size_t)(to - begin);
}

static void load(History *history) {
    FILE *file = history->path ? fopen(history->path, "re") : NULL;
    struct stat info;
    if (!file)
        return;
    if (fstat(fileno(file), &info) || !S_ISREG(info.st_mode)) {
        fclose(file);
        return;
    }
    clear(history);
    char *line = NULL;
    size_t size = 0;
    for (ssize_t length; (length = getline(&line, &size, file)) > 0;) {
        if (length > ENTRY_BYTES_MAX * 2 || strlen(line) != (size_t)length)
            continue;
        line[strcspn(line, "\n")] = '\0';
        unescape(line);
        if (*line)
            push(history, strdup(line));
    }
    free(line);
    fclose(file);
}

static bool save(const History *history) {
    size_t size = 1, length = 0;
    for (size_t i = 0; i < history->count; i++)
        size += 2 * strlen(history->entries[i]) + 1;
    char *text = history->path ? malloc(size) : NULL;
    if (!text)
        return false;
    for (size_t i = 0; i < history->count; i++)
        length += escape(text + length, history->entries[i]);
    int error = tool_write_file(history->path, text, length, FILE_MODE);
    free(text);
    return !error;
}

void history_open(History *history) {
    *history = (History){.path = find_path()};
    load(history);
}

void history_add(History *history, const char *entry) {
    bool is_known = history->count && !strcmp(history->entries[history->count - 1], entry);
    if (!*entry || is_known || strlen(entry) > ENTRY_BYTES_MAX)
        return;
    load(history);
    push(history, strdup(entry));
    if (save(history))
        return;
    free(history->path); /* kept in memory only */
    history->path = NULL;
}

void history_close(History *history) {
    clear(history);
    free(history->entries);
    free(history->path);
}
