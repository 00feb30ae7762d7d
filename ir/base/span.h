/* Spans: places in source text, eight bytes each, carried by AST and IR nodes.
 *
 * All sources of a session share one position space: a file registered in the
 * SourceMap (frontend/source.h) gets a base, and `begin`/`end` are base + byte
 * offset.  The zero span means "no place" (a node the compiler made up). */
#ifndef GMX_IR_BASE_SPAN_H
#define GMX_IR_BASE_SPAN_H

#include <stdint.h>

typedef struct Span {
    uint32_t begin; /* first byte */
    uint32_t end;   /* one past the last byte; begin == end == 0: no place */
} Span;

static inline Span span_join(Span a, Span b) {
    if (a.end == 0)
        return b;
    if (b.end == 0)
        return a;
    return (Span){a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}

#endif
