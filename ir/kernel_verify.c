#include "ir/kernel.h"
bool kernel_verify(const Kernel *kernel, Arena *arena, const char **message) {
    (void)kernel;
    (void)arena;
    (void)message;
    return true;
}
