/* The bar of `progress`: one line on standard error, drawn at most ten times a second.  A loop inside a loop
 * that has a bar draws none. */
#include "runtime/rt/internal.h"

#include "runtime/rt/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BAR_WIDTH = 24, LABEL_MAX = 40, NOTE_MAX = 120 };
#define DRAW_SECONDS 0.1
#define CLEAR_LINE   "\r\033[K"

struct gmxrt_progress {
    bool is_active;
    uint64_t span; /* of the loop */
    int64_t done, count;
    double begin, drawn; /* seconds; drawn 0: the line is to be drawn */
    char label[LABEL_MAX + 1], note[NOTE_MAX + 1];
};

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static struct gmxrt_progress *progress_of(gmxrt_ctx *ctx) {
    if (!ctx->progress) {
        ctx->progress = calloc(1, sizeof *ctx->progress);
    }
    return ctx->progress; /* NULL: no memory for a bar */
}

/* As much as fits, without half a character at the end. */
static void copy_label(char *out, size_t max, const char *text, size_t length) {
    length = length < max ? length : max;
    while (length && text[length] && ((unsigned char)text[length] & 0xc0) == 0x80) {
        length--;
    }
    memcpy(out, text, length);
    out[length] = '\0';
    for (char *at = out; *at; at++) {
        *at = (unsigned char)*at < ' ' ? ' ' : *at;
    }
}

static void duration(char *out, size_t size, double s) {
    unsigned whole = s < 1e9 ? (unsigned)(s + 0.5) : 1000000000;
    unsigned hours = whole / 3600, minutes = whole / 60 % 60, rest = whole % 60;
    if (hours) {
        snprintf(out, size, "%u:%02u:%02u", hours, minutes, rest);
    } else {
        snprintf(out, size, "%u:%02u", minutes, rest);
    }
}

static void draw(struct gmxrt_progress *p, double now) {
    char bar[3 * BAR_WIDTH + 1] = "", rate[32] = "", time[64] = "", left[32];
    double share = p->count > 0 ? (double)p->done / (double)p->count : 1, spent = now - p->begin;
    for (int i = 0; i < BAR_WIDTH; i++) {
        strcat(bar, (i + 0.5) / BAR_WIDTH <= share ? "█" : "░");
    }
    if (p->done > 0 && spent > 0) {
        double each = spent / (double)p->done;
        snprintf(rate, sizeof rate, each > 1 ? "  %.2f s each" : "  %.3g/s", each > 1 ? each : 1 / each);
        duration(left, sizeof left, p->done < p->count ? each * (double)(p->count - p->done) : spent);
        snprintf(time, sizeof time, "  %s%s", left, p->done < p->count ? " left" : "");
    }
    fprintf(stderr, CLEAR_LINE "%s%s%s %lld/%lld%s%s%s%s", p->label, *p->label ? " " : "", bar,
            (long long)p->done, (long long)p->count, rate, time, *p->note ? "  " : "", p->note);
    fflush(stderr);
    p->drawn = now;
}

static void finish(struct gmxrt_progress *p, int64_t done, double now) {
    /* A loop that a `return` ended leaves its bar where it was. */
    p->done = p->done == done - 1 ? done : p->done;
    draw(p, now);
    fputc('\n', stderr);
    p->is_active = false;
}

void progress_step(gmxrt_ctx *ctx, const char *label, int64_t done, int64_t count, uint64_t span) {
    struct gmxrt_progress *p = progress_of(ctx);
    double now = seconds();
    if (!p || (p->is_active && p->span != span) || (!p->is_active && done >= count)) {
        return;
    }
    if (!p->is_active) {
        *p = (struct gmxrt_progress){.is_active = true, .span = span, .count = count, .begin = now};
        copy_label(p->label, LABEL_MAX, label, strlen(label));
    }
    if (done >= count) {
        finish(p, done, now);
        return;
    }
    p->done = done;
    if (now - p->drawn >= DRAW_SECONDS) {
        draw(p, now);
    }
}

void progress_report(gmxrt_ctx *ctx, const char *text, size_t length) {
    struct gmxrt_progress *p = ctx->progress;
    if (p && p->is_active) {
        copy_label(p->note, NOTE_MAX, text, length);
    }
}

void progress_make_room(gmxrt_ctx *ctx) {
    struct gmxrt_progress *p = ctx->progress;
    if (p && p->is_active && p->drawn != 0) {
        fputs(CLEAR_LINE, stderr);
        fflush(stderr);
        p->drawn = 0;
    }
}

void progress_abandon(gmxrt_ctx *ctx) {
    struct gmxrt_progress *p = ctx->progress;
    if (p && p->is_active) {
        fputc('\n', stderr);
        p->is_active = false;
    }
}
