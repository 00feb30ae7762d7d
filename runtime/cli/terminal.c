/* The terminal below the line editor. */
#include "runtime/cli/terminal.h"

#include "runtime/cli/interrupt.h"
#include "runtime/cli/output.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

enum { ESCAPE_WAIT = 50 /* ms: the rest of a sequence has come by then */, PASTE_BYTES_MAX = 64 << 20 };

static struct {
    struct termios saved;
    volatile sig_atomic_t is_raw;
    volatile sig_atomic_t is_resized;
    unsigned char bytes[4096]; /* read and not yet taken */
    size_t begin, end;
} terminal;

bool terminal_is_usable(void) {
    const char *kind = getenv("TERM");
    struct termios state;
    if (!kind || !*kind || !strcmp(kind, "dumb"))
        return false;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &state))
        return false;
    setlocale(LC_CTYPE, "");
    if (MB_CUR_MAX < 2) /* for wcwidth: what is typed is UTF-8 in any case */
        setlocale(LC_CTYPE, "C.UTF-8");
    return true;
}

void terminal_write(const char *text, size_t length) {
    output_write(NULL, text, length);
    output_flush();
}

/* In signal handlers too. */
static void restore(void) {
    static const char end_of_paste_mode[] = "\x1b[?2004l";
    if (!terminal.is_raw)
        return;
    terminal.is_raw = 0;
    if (write(STDOUT_FILENO, end_of_paste_mode, sizeof end_of_paste_mode - 1) < 0)
        errno = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.saved);
}

static void on_resize(int number) {
    (void)number;
    terminal.is_resized = 1;
}

bool terminal_enter(void) {
    static const char paste_mode[] = "\x1b[?2004h";
    if (tcgetattr(STDIN_FILENO, &terminal.saved))
        return false;
    struct termios raw = terminal.saved;
    raw.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP | IXON);
    raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
    raw.c_cflag |= CS8;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    struct sigaction action = {.sa_handler = on_resize};
    sigemptyset(&action.sa_mask);
    sigaction(SIGWINCH, &action, NULL);
    interrupt_at_end(restore);
    terminal.is_raw = 1;
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw)) {
        terminal.is_raw = 0;
        return false;
    }
    terminal_write(paste_mode, sizeof paste_mode - 1);
    return true;
}

void terminal_leave(void) {
    output_flush();
    restore();
    interrupt_at_end(NULL);
}

void terminal_size(int *columns, int *rows) {
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    *columns = known && size.ws_col > 1 ? size.ws_col : 80;
    *rows = known && size.ws_row ? size.ws_row : 24;
}

/* ---- keys -----------------------------------------------------------------------------------------------
 */

static bool wait_for_input(int milliseconds) {
    return terminal.begin < terminal.end || interrupt_wait_readable(STDIN_FILENO, milliseconds);
}

bool terminal_has_input(void) {
    return wait_for_input(0);
}

/* A byte, -1 at the end of input, -2 when a signal came. */
static int read_byte(void) {
    if (terminal.begin == terminal.end) {
        if (!interrupt_wait_readable(STDIN_FILENO, -1))
            return -2;
        ssize_t got = read(STDIN_FILENO, terminal.bytes, sizeof terminal.bytes);
        if (got <= 0)
            return got < 0 && errno == EINTR ? -2 : -1;
        terminal.begin = 0;
        terminal.end = (size_t)got;
    }
    return terminal.bytes[terminal.begin++];
}

static int read_byte_soon(void) {
    return wait_for_input(ESCAPE_WAIT) ? read_byte() : -1;
}

static uint32_t key_of_letter(int final, int modifier) {
    bool is_word = modifier == 3 || modifier == 5; /* Alt, Ctrl */
    switch (final) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'C':
        return is_word ? KEY_WORD_RIGHT : KEY_RIGHT;
    case 'D':
        return is_word ? KEY_WORD_LEFT : KEY_LEFT;
    case 'H':
        return KEY_HOME;
    case 'F':
        return KEY_END;
    default:
        return KEY_NONE;
    }
}

static uint32_t key_of_number(int number) {
    switch (number) {
    case 1:
    case 7:
        return KEY_HOME;
    case 4:
    case 8:
        return KEY_END;
    case 3:
        return KEY_DELETE;
    case 200:
        return KEY_PASTE;
    default:
        return KEY_NONE;
    }
}

/* After ESC [. */
static uint32_t read_sequence(void) {
    int numbers[2] = {0, 0}, count = 0, byte;
    while ((byte = read_byte_soon()) >= 0 && byte < '@') {
        if (byte == ';')
            count++;
        else if (byte >= '0' && byte <= '9' && count < 2 && numbers[count] < 1000)
            numbers[count] = numbers[count] * 10 + byte - '0';
    }
    return byte == '~' ? key_of_number(numbers[0]) : key_of_letter(byte, numbers[1]);
}

static uint32_t read_escape(void) {
    int byte = read_byte_soon();
    switch (byte) {
    case -1:
    case -2:
        return KEY_ESCAPE;
    case '[':
        return read_sequence();
    case 'O':
        return key_of_letter(read_byte_soon(), 0);
    case 'b':
        return KEY_WORD_LEFT;
    case 'f':
        return KEY_WORD_RIGHT;
    case 'd':
        return KEY_DELETE_WORD;
    case 0x7f:
    case 0x08:
        return KEY_DELETE_WORD_LEFT;
    case '\r':
    case '\n':
        return KEY_NEW_LINE;
    default:
        return KEY_NONE;
    }
}

uint32_t terminal_read_key(void) {
    int byte = terminal.is_resized ? -2 : read_byte();
    if (byte == -2) {
        terminal.is_resized = 0;
        return interrupt_taken() ? KEY_INTERRUPT : KEY_NONE;
    }
    if (byte < 0)
        return KEY_CLOSED;
    if (byte == 0x1b)
        return read_escape();
    char bytes[4] = {(char)byte};
    size_t length = 1, wanted = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1, taken;
    for (; length < wanted && (byte = read_byte_soon()) >= 0; length++)
        bytes[length] = (char)byte;
    return utf8_decode(bytes, length, &taken);
}

char *terminal_read_paste(size_t *length) {
    static const char end[] = "\x1b[201~";
    const size_t end_length = sizeof end - 1;
    size_t capacity = 4096, size = 0;
    char *text = malloc(capacity);
    while (text) {
        int byte = read_byte();
        if (byte == -2)
            continue;
        if (byte < 0)
            break;
        if (byte == '\r')
            byte = '\n';
        if (byte)
            text[size++] = (char)byte;
        if (size >= end_length && !memcmp(text + size - end_length, end, end_length)) {
            size -= end_length;
            break;
        }
        if (size + 1 == capacity) {
            char *larger = capacity < PASTE_BYTES_MAX ? realloc(text, capacity *= 2) : NULL;
            if (!larger)
                free(text);
            text = larger;
        }
    }
    if (text)
        text[size] = '\0';
    *length = text ? size : 0;
    return text;
}

/* ---- UTF-8 ----------------------------------------------------------------------------------------------
 */

uint32_t utf8_decode(const char *text, size_t length, size_t *bytes) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)text[0];
    size_t wanted = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    *bytes = 1;
    if (wanted == 1)
        return first;
    if (first < 0xc2 || first > 0xf4 || wanted > length)
        return 0xfffd;
    uint32_t code = first & (0x7fu >> wanted);
    for (size_t i = 1; i < wanted; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0xfffd;
        code = code << 6 | ((unsigned char)text[i] & 0x3f);
    }
    if (code < least[wanted] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0xfffd;
    *bytes = wanted;
    return code;
}

size_t utf8_encode(uint32_t code, char *out) {
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(length == 1 ? code : (0xf00u >> length & 0xff) | code);
    return length;
}

int utf8_width(uint32_t code) {
    if (code < 0x20 || code == 0x7f)
        return 2;
    int width = wcwidth((wchar_t)code);
    return width < 0 ? 1 : width;
}
