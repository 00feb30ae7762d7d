/* Runs the system's linker (no shell, no compiler) over an object and the run-time archive. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "codegen/llvm/export.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* FOLDER/libgmxrt.a for a file in FOLDER; NULL unless it can be read. */
static char *archive_beside(const char *file) {
    const char *slash = file ? strrchr(file, '/') : NULL;
    char *path = slash ? llvm_format("%.*s/libgmxrt.a", (int)(slash - file), file) : NULL;
    if (path && access(path, R_OK) == 0)
        return path;
    free(path);
    return NULL;
}

char *link_archive(void) {
    Dl_info info;
    char program[4096];
    void *here = (void *)(uintptr_t)&link_archive;
    char *path = dladdr(here, &info) ? archive_beside(info.dli_fname) : NULL;
    if (path)
        return path;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1); /* linked into the program */
    program[length > 0 ? length : 0] = 0;
    return archive_beside(program);
}

/* The version script: { global: NAMES gmx_*; local: *; }; a malloc'ed path, or NULL. */
static char *write_script(const char *output, const char *const *names, uint32_t count) {
    char *path = llvm_format("%s.map-XXXXXX", output);
    int descriptor = path ? mkstemp(path) : -1;
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
    if (!file) {
        if (descriptor >= 0)
            close(descriptor);
        free(path);
        return NULL;
    }
    fputs("{ global: ", file);
    for (uint32_t i = 0; i < count; i++)
        fprintf(file, "%s; ", names[i]);
    fputs("gmx_*; local: *; };\n", file);
    fclose(file);
    return path;
}

/* What the linker said, first 400 bytes. */
static void read_words(int descriptor, char words[400]) {
    size_t used = 0;
    char rest[256];
    for (;;) {
        ssize_t count =
            used < 399 ? read(descriptor, words + used, 399 - used) : read(descriptor, rest, sizeof rest);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        used += used < 399 ? (size_t)count : 0;
    }
    words[used] = 0;
}

static int run_linker(char *const *arguments, char **message) {
    int ends[2], status = 0;
    pid_t child;
    char words[400] = "";
    if (pipe2(ends, O_CLOEXEC) != 0) {
        *message = llvm_format("ld cannot be run: %s", strerror(errno));
        return 1;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    int error = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (!error) {
        read_words(ends[0], words);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    }
    close(ends[0]);
    if (error)
        *message = llvm_format("ld, which makes shared libraries, cannot be run: %s", strerror(error));
    else if (status != 0)
        *message = llvm_format("ld failed: %s", words);
    return error || status != 0;
}

int link_shared(const char *object, const char *archive, const char *const *names, uint32_t count,
                const char *soname, const char *output, char **message) {
    char *script = write_script(output, names, count);
    char *script_option = script ? llvm_format("--version-script=%s", script) : NULL;
    if (!script_option) {
        *message = llvm_format("`%s` cannot be written", output);
        free(script);
        return 1;
    }
    char *arguments[] = {"ld", "-shared", "--build-id", "--gc-sections", "-z", "relro", "-z", "noexecstack",
                         "--eh-frame-hdr",
#ifndef __SANITIZE_ADDRESS__ /* a sanitized archive takes its functions from the program */
                         "--no-undefined",
#endif
                         script_option, "-soname", (char *)soname, "-o", (char *)output, (char *)object,
                         (char *)archive, "--as-needed",
                         /* by soname, so that no development package is needed */
                         "-l:libm.so.6", "-l:libc.so.6", "-l:ld-linux-x86-64.so.2", NULL};
    int status = run_linker(arguments, message);
    unlink(script);
    free(script);
    free(script_option);
    return status;
}
