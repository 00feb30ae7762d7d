/* The REPL on a terminal: starts gmx on a pseudo-terminal, types keys and waits for what must appear.
 *
 *     test_repl GMX FOLDER      FOLDER: an empty one for the history */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 30000 /* ms until a text counts as missing */, FAILURES_MAX = 4, OUTPUT_MAX = 1 << 20 };

typedef struct Terminal {
    int fd;
    pid_t process;
    char output[OUTPUT_MAX];
    size_t length, seen; /* what was expected already ends at `seen` */
} Terminal;

static Terminal terminal;
static int failures;

static void start(const char *gmx, const char *folder, const char *kind) {
    struct winsize size = {.ws_row = 10, .ws_col = 40};
    terminal.length = terminal.seen = 0;
    terminal.process = forkpty(&terminal.fd, NULL, NULL, &size);
    if (terminal.process == 0) {
        if (chdir(folder))
            _exit(127);
        setenv("TERM", kind, 1);
        setenv("HOME", folder, 1);
        unsetenv("XDG_STATE_HOME");
        unsetenv("GMX_FLAGS");
        if (!getenv("XDG_CACHE_HOME")) /* else it would be in the folder */
            setenv("GMX_CACHE_DIR", "", 1);
        execl(gmx, gmx, (char *)NULL);
        _exit(127);
    }
    if (terminal.process < 0) {
        perror("forkpty");
        exit(2);
    }
}

static bool read_more(int milliseconds) {
    struct pollfd file = {.fd = terminal.fd, .events = POLLIN};
    if (terminal.length == OUTPUT_MAX - 1 || poll(&file, 1, milliseconds) <= 0)
        return false;
    ssize_t got = read(terminal.fd, terminal.output + terminal.length, OUTPUT_MAX - 1 - terminal.length);
    if (got <= 0)
        return false;
    terminal.length += (size_t)got;
    terminal.output[terminal.length] = '\0';
    return true;
}

/* Waits until `text` appears after what was expected before. */
static void expect(const char *text) {
    for (;;) {
        terminal.output[terminal.length] = '\0';
        char *place = strstr(terminal.output + terminal.seen, text);
        if (place) {
            terminal.seen = (size_t)(place - terminal.output) + strlen(text);
            return;
        }
        if (read_more(PATIENCE))
            continue;
        printf("FAILED: `%s` does not appear in:\n%s\n", text, terminal.output + terminal.seen);
        if (++failures == FAILURES_MAX) { /* what follows fails as well */
            kill(terminal.process, SIGKILL);
            exit(1);
        }
        return;
    }
}

static void type(const char *keys) {
    for (size_t length = strlen(keys); length;) {
        ssize_t written = write(terminal.fd, keys, length);
        if (written < 0) {
            perror("write");
            failures++;
            return;
        }
        keys += written;
        length -= (size_t)written;
    }
}

/* One entry: waits for the prompt, types, and waits for the answer. */
static void entry(const char *keys, const char *answer) {
    expect("\x1b[?2004h");
    expect(">>> ");
    type(keys);
    expect("\x1b[?2004l"); /* the editor has left: what follows is output */
    expect(answer);
}

static void expect_exit(int wanted) {
    while (read_more(PATIENCE))
        ;
    int status = 0;
    waitpid(terminal.process, &status, 0);
    close(terminal.fd);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted) {
        printf("FAILED: wait status %#x, expected exit %d\n", status, wanted);
        failures++;
    }
}

static void test_entries(void) {
    entry("1+2\r", "3\r\n");
    entry("let x = [1,\r2,\r3]\r", "");
    entry("x * 10\r", "[10 20 30]");
    entry("x + nothing\r", "error[E0110]");
    entry("let x = 7\r", "");
    entry("x\r", "7\r\n");
    entry(":type [1.0, 2.0]\r", "f64[2]");
    entry(":ir x + 1\r", "return");
    entry(":time x + 1\r", "8\r\n");
    expect("compiling");
    entry(":time\r", "needs something");
    entry(":nothing\r", "unknown command");
    entry("help\r", ":type expr");
    entry("help sum\r", "sum(");
    entry("help nothing_such\r", "error[E0110]");
    entry("\"é\"\x7f\x7fü\"\r", "ü\r\n");
}

static void test_keys(void) {
    entry("+ 20\x01"
          "22 \x05 - 2\r",
          "40\r\n");                                                       /* Ctrl-A, Ctrl-E */
    entry("111\x1b[D\x1b[D\x1b[3~9\x1b[C0\x1b[H1\x1b[F5\r", "119105\r\n"); /* arrows, Delete, Home, End */
    entry("1 + 2 + 3\x17\x17* 4\r", "9\r\n");                              /* Ctrl-W twice */
    entry("12 34\x15 5\x0b\x19\r", "error[E0101]");                        /* Ctrl-U, Ctrl-K, Ctrl-Y */
    entry("5\x15\x19\x19\r", "55\r\n");
    entry("print(\"aéü\x1b[D\x1b[D\x7f"
          "b\x05\")\r",
          "béü\r\n");                                                  /* characters of two bytes */
    entry("[1,\r2,\r3]\x1b[A\x1b[D\x1b[D9\x1b[B\x05\r", "[ 1 92  3]"); /* up within an entry */
    entry("\x1b[200~let a = 1\nlet b = 2\n\x1b[201~a + b\r", "3\r\n"); /* pasted: nothing runs between */
    entry("1 + \x1b\r1\r", "2\r\n");                                   /* Alt-Enter */
    expect(">>> ");
    type("12\x03");
    expect(">>> 12");
    expect("^C");
    entry("\r", "");
    entry("#345678901234567890123456789012345678901234567890\x01"
          "77 \r",
          "77\r\n"); /* wider than the screen */
}

static void test_history(void) {
    entry("100 + 1\r", "101\r\n");
    entry("200 + 2\r", "202\r\n");
    entry("\x1b[A\x1b[A\r", "101\r\n");       /* up twice */
    entry("\x1b[A\x1b[A\x1b[B\r", "101\r\n"); /* and down again */
    entry("\x12"
          "200\r",
          "202\r\n"); /* Ctrl-R */
    entry("zz\x12"
          "100 +\x07\x15"
          "5\r",
          "5\r\n");
}

static void test_interrupt(void) {
    entry("mut i = 0\r", "");
    expect("\x1b[?2004h");
    type("while i >= 0 { i = (i + 1) % 1000 }\r");
    expect("\x1b[?2004l");
    nanosleep(&(struct timespec){.tv_nsec = 300 * 1000 * 1000}, NULL);
    type("\x03");
    expect("error[E0308]");
    entry("6 * 7\r", "42\r\n");
}

/* Tab: a candidate that is the only one, what several have in common, and their list. */
static void test_completion(void) {
    entry("let temperature = [1.0, 2.0]\r", "");
    entry("let tempo = 3\r", "");
    entry("temperat\t * 2\r", "[2. 4.]");
    entry("sum(tempera\t.sh\t[0])\r", "2\r\n");
    expect(">>> ");
    type("tem\t");
    expect("temp"); /* in common */
    type("\t");
    expect("temperature  tempo");
    expect(">>> temp");
    type("o + 1\r");
    expect("4\r\n");
    entry("save(\"r.npz\", weight=[1, 2], bias=7, layer=save)\r", "error[");
    entry("save(\"r.npz\", weight=[1, 2], bias=7)\r", "");
    entry("let r = load(\"r.npz\")\r", "");
    entry("r.we\t * 3\r", "[3 6]");
    expect(">>> ");
    type("r.");
    expect("r.");
    type("\t");
    expect("bias    weight");
    expect(">>> r.");
    type("bi\t + 1\r");
    expect("8\r\n");
    entry("temperature.me\t()\r", "error[");
    entry("temperature.mean()\r", "1.5");
    entry("arg\tmax([1, 5, 2])\r", "1\r\n");
    entry(":ty\t tempo\r", "i64");
    entry("[1,\r\t2]\r", "[1 2]");    /* nothing to complete: it indents */
    entry("no_such_na\t\r", "E0110"); /* no candidates: nothing happens */
    entry("1.\t5\r", "1.5");
}

static void test_who(void) {
    entry("who\r", "there are no names yet\r\n");
    entry("let w = [1.0, 2.0]\r", "");
    entry("let r = load(\"r.npz\")\r", "");
    entry("fn twice(x, k=2) = k * x\r", "");
    entry("const tau = 6.28\r", "");
    entry("mut α = (f32(zeros(2, 3)), \"a\")\r", "");
    expect(">>> ");
    ioctl(terminal.fd, TIOCSWINSZ, &(struct winsize){.ws_row = 24, .ws_col = 80});
    type("who\r");
    expect("\x1b[?2004l");
    expect("name      dtype  shape   bytes  what it is\r\n"
           "w         f64    (2,)       16  let\r\n"
           "r                           24  let, record of 2\r\n"
           "r.weight  i64    (2,)       16  part\r\n"
           "r.bias    i64    ()          8  part\r\n"
           "twice                           fn twice(x, k=2)\r\n"
           "tau       f64    ()          8  const\r\n"
           "α                           24  mut, tuple of 2\r\n"
           "α[0]      f32    (2, 3)     24  part\r\n"
           "α[1]                            part, string\r\n");
}

static void test_hints(void) {
    entry("temparature\r", "did you mean `temperature`?");
    entry("r.wieght\r", "did you mean `weight`?");
    entry("sum([1], axs=0)\r", "did you mean `axis`?");
    entry("fn twice(x, factor=2) = factor * x\r", "");
    entry("twice(1, facter=0)\r", "did you mean `factor`?");
    entry("temperature.shap\r", "did you mean `shape`?");
    entry("float32(1)\r", "spelled `f32`");
}

/* One kernel of seconds, with no loop of the language around it. */
static void test_interrupted_kernel(void) {
    entry("let a = arange(100000.0)\r", "");
    expect(">>> ");
    type("sum(sin(a[:, None] * a))\r");
    expect("\x1b[?2004l");
    struct timespec begin, end;
    nanosleep(&(struct timespec){.tv_nsec = 500 * 1000 * 1000}, NULL);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    type("\x03");
    expect("error[E0308]");
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (end.tv_sec - begin.tv_sec > 5) {
        printf("FAILED: the kernel went on for %lld s\n", (long long)(end.tv_sec - begin.tv_sec));
        failures++;
    }
    entry("tempo * 2\r", "6\r\n");
}

static void test_resize(void) {
    expect("\x1b[?2004h");
    type("1 + ");
    expect(">>> 1 + ");
    ioctl(terminal.fd, TIOCSWINSZ, &(struct winsize){.ws_row = 4, .ws_col = 12});
    type("1000000000000\r");
    expect("\x1b[?2004l");
    expect("1000000000001");
}

/* Is there an entry in the file, once the session is over? */
static void expect_history(const char *folder, const char *wanted) {
    char path[4200], line[4096];
    snprintf(path, sizeof path, "%s/.gmx_history", folder);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (!strcmp(line, wanted)) {
            fclose(file);
            return;
        }
    }
    if (file)
        fclose(file);
    printf("FAILED: `%s` is not in %s\n", wanted, path);
    failures++;
}

static void test_plain(void) {
    expect(">>> ");
    type("1 + 1\n");
    expect("2\r\n");
    expect(">>> ");
    type("[1,\n");
    expect("... ");
    type("2]\n");
    expect("[1 2]");
    expect(">>> ");
    type("[7,\n");
    expect("... ");
    type("\x03");
    expect(">>> ");
    type("8 * 8\n");
    expect("64\r\n");
    expect(">>> ");
    type(":quit\n");
}

int main(int count, char **words) {
    if (count != 3) {
        fputs("usage: test_repl GMX FOLDER\n", stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/repl.XXXXXX", words[2]);
    if (!mkdtemp(folder)) {
        perror(folder);
        return 2;
    }
    start(words[1], folder, "xterm");
    test_entries();
    test_keys();
    test_history();
    test_interrupt();
    test_completion();
    test_hints();
    test_interrupted_kernel();
    test_resize();
    expect(">>> ");
    type("\x04");
    expect_exit(0);
    expect_history(folder, "let x = [1,\\n2,\\n3]");

    start(words[1], folder, "xterm");
    entry("\x12"
          "100 +\r",
          "101\r\n"); /* of the session before */
    entry(":quit\r", "");
    expect_exit(0);

    start(words[1], folder, "xterm");
    test_who();
    entry(":quit\r", "");
    expect_exit(0);

    start(words[1], folder, "dumb");
    test_plain();
    expect_exit(0);
    char path[4200];
    snprintf(path, sizeof path, "%s/.gmx_history", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/r.npz", folder);
    unlink(path);
    if (rmdir(folder)) {
        perror("something else is in the folder of the history");
        failures++;
    }
    printf("%d failures\n", failures);
    return failures != 0;
}
