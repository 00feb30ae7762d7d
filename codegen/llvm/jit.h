/* Objects become code: ORC's LLJIT with the runtime's functions as absolute symbols, and thunks that give a
 * host function its table of constants.
 *
 * Only objects are added (never LLVM IR: the C API's LLJIT has one target machine).  Not thread-safe: the
 * back end calls it under its lock. */
#ifndef GMX_CODEGEN_LLVM_JIT_H
#define GMX_CODEGEN_LLVM_JIT_H

#include "codegen/llvm/target.h"
#include "runtime/rt/gmxrt.h"
#include <stddef.h>
#include <stdint.h>

typedef struct Jit Jit;

/* NULL after *message (malloc'ed) was set.  `symbols`: what code may call. */
Jit *jit_create(const LlvmTarget *target, const gmxrt_symbol *symbols, size_t count, char **message);
void jit_destroy(Jit *jit); /* all its code goes; NULL is allowed */
/* Adds a copy of an object; `symbol`, which it defines, is linked at once when `address` is given.  When
 * linking fails the object is removed again. */
bool jit_add(Jit *jit, const char *object, size_t length, const char *symbol, void **address, char **message);
/* Gives data of the process a name; false after *message was set. */
bool jit_define(Jit *jit, const char *symbol, void *address, char **message);
/* A function that calls `code` with its own three arguments and `constants` as the fourth; NULL: no memory.
 */
void *jit_thunk(Jit *jit, void *code, const void *constants);

#endif
