/* Signals of the tools. */
#include "runtime/cli/interrupt.h"

#include "runtime/cli/output.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *tool_name;
static _Atomic(gmx_session *) running;
static atomic_int interrupts;
static volatile sig_atomic_t is_waited_for, is_taken;
static void (*volatile restore_terminal)(void);

static void end_process(int status) {
    if (restore_terminal)
        restore_terminal();
    output_flush();
    _exit(status);
}

static void on_interrupt(int number) {
    (void)number;
    gmx_session *session = atomic_load(&running);
    if (session) {
        if (atomic_fetch_add(&interrupts, 1))
            end_process(STATUS_INTERRUPTED);
        gmx_interrupt(session);
    } else if (is_waited_for) {
        is_taken = 1;
    } else {
        end_process(STATUS_INTERRUPTED);
    }
}

static void say(const char *text) {
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return;
}

static void on_crash(int number) {
    const char *name = number == SIGSEGV  ? "invalid memory access"
                       : number == SIGBUS ? "memory or a mapped file is gone"
                       : number == SIGFPE ? "arithmetic fault"
                       : number == SIGILL ? "illegal instruction"
                                          : "aborted";
    /* Output first, so that the order is that of the program. */
    signal(number, SIG_DFL);
    output_flush();
    say(tool_name);
    say(": internal error: ");
    say(name);
    say("\n");
    end_process(3);
}

static void set_handler(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void interrupt_install(const char *tool) {
    tool_name = tool;
    signal(SIGPIPE, SIG_IGN); /* writes fail instead, see output.c */
    signal(SIGXFSZ, SIG_IGN);
    set_handler(SIGINT, on_interrupt, 0);
#ifndef __SANITIZE_ADDRESS__ /* which has better handlers of its own */
    static char stack[64 << 10];
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        set_handler(crashes[i], on_crash, SA_ONSTACK | SA_NODEFER);
#else
    (void)on_crash;
#endif
}

void interrupt_enter(gmx_session *session) {
    atomic_store(&interrupts, 0);
    atomic_store(&running, session);
}

void interrupt_leave(void) {
    atomic_store(&running, NULL);
}

void interrupt_running(void) {
    gmx_session *session = atomic_load(&running);
    if (session)
        gmx_interrupt(session);
}

void interrupt_wait_for(bool is_wanted) {
    is_taken = 0;
    is_waited_for = is_wanted;
}

/* A signal between the look at is_taken and a plain poll would be slept over: it is let in only by ppoll. */
bool interrupt_wait_readable(int descriptor, int milliseconds) {
    sigset_t signals, before;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGWINCH);
    pthread_sigmask(SIG_BLOCK, &signals, &before);
    struct pollfd file = {.fd = descriptor, .events = POLLIN};
    struct timespec limit = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
    bool ready = !is_taken && ppoll(&file, 1, milliseconds < 0 ? NULL : &limit, &before) > 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ready;
}

bool interrupt_taken(void) {
    bool taken = is_taken;
    is_taken = 0;
    return taken;
}

void interrupt_at_end(void (*restore)(void)) {
    restore_terminal = restore;
}
