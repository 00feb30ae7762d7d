/* SHA-256: names of cached objects and checksums of their bytes. */
#ifndef GMX_CODEGEN_LLVM_DIGEST_H
#define GMX_CODEGEN_LLVM_DIGEST_H

#include <stddef.h>
#include <stdint.h>

typedef struct Digest {
    uint8_t bytes[32];
} Digest;

typedef struct Digester {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
    uint32_t used;
} Digester;

void digest_begin(Digester *digester);
void digest_add(Digester *digester, const void *bytes, size_t length);
void digest_add_text(Digester *digester, const char *text); /* with its final NUL; NULL counts as "" */
void digest_add_u64(Digester *digester, uint64_t value);
Digest digest_end(Digester *digester);

enum { DIGEST_HEX = 33 };
/* The first 128 bits in hexadecimal, NUL-terminated. */
void digest_hex(const Digest *digest, char out[DIGEST_HEX]);

#endif
