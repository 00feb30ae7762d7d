/* The table of what generated code may call, for the JIT's absolute symbols. */
#include "runtime/rt/gmxrt.h"

#include <math.h>
#include <string.h>

const gmxrt_symbol *gmxrt_symbols(size_t *count) {
    static const gmxrt_symbol table[] = {
#define SYMBOL(name) {#name, (void *)(uintptr_t)&name},
#include "runtime/rt/symbols.def"
    };
    *count = sizeof table / sizeof *table;
    return table;
}
