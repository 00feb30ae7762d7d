/* Compiled libraries: the C entry of an exported function, and the linker. */
#ifndef GMX_CODEGEN_LLVM_EXPORT_H
#define GMX_CODEGEN_LLVM_EXPORT_H

#include "codegen/llvm/host.h"
#include "ir/export.h"

typedef struct ExportCode { /* one variant of a host function */
    int64_t level;          /* of x86-64 that it needs */
    LLVMValueRef function;
} ExportCode;

/* Adds `int NAME(dims..., parameters..., results...)` to the unit's module: it hands a description of the
 * function and the arguments to gmxrt_library_call.  False: *message (arena) says what cannot be exported. */
bool export_wrapper(LlvmUnit *unit, const ExportList *exports, const ExportFunction *function,
                    const HostPlan *plan, const ExportCode *code, uint32_t code_count, Arena *arena,
                    const char **message);

/* Adds NAME_init, NAME_load, NAME_save and NAME_free, which hand a description of the struct to the runtime;
 * `init` is the code of its init function. */
bool export_struct(LlvmUnit *unit, const ExportList *exports, const ExportStruct *structure,
                   const HostPlan *plan, const ExportCode *code, uint32_t code_count, Arena *arena,
                   const char **message);

/* Runs `ld -shared` over an object and the run-time archive; the library exports `names` and gmx_*.
 * `output` may be a temporary name, `soname` is what programs will look for.  0, or nonzero with *message. */
int link_shared(const char *object, const char *archive, const char *const *names, uint32_t count,
                const char *soname, const char *output, char **message);
/* The run-time archive beside the library that this code is in (malloc'ed), or NULL. */
char *link_archive(void);

#endif
