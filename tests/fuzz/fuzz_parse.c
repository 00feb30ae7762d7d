/* libFuzzer entry: any bytes through the lexer, the parser, both printers and the rendering of errors.
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined … tests/fuzz/fuzz_parse.c; ./fuzz_parse tests/lang */
#include "frontend/parse.h"
#include "frontend/source.h"

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);

/* The tree's own promise: recursive walkers need no more than AST_HEIGHT_LIMIT frames. */
static unsigned height_of(const AstNode *node) {
    unsigned height = 0;
    for (uint32_t i = 0; node && i < node->child_count; i++) {
        unsigned below = 1 + height_of(node->children[i]);
        height = below > height ? below : height;
    }
    return height;
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size) {
    Arena arena;
    Interner interner;
    SourceMap sources;
    DiagSink diags;
    arena_init(&arena, NULL);
    interner_init(&interner, &arena);
    source_map_init(&sources, &arena);
    diag_init(&diags, &arena);
    ParseContext context = {&arena, &interner, &diags};
    SourceFile *file = source_add(&sources, &diags, "fuzz.gmx", (const char *)bytes, size);
    if (file) {
        AstNode *tree = parse_source(&context, file);
        if (!diags.error_count && height_of(tree) > AST_HEIGHT_LIMIT)
            __builtin_trap();
        ast_print_tree(&arena, tree);
        parse_print_tokens(&context, file);
        parse_is_complete(&arena, (const char *)bytes, size);
    }
    source_render_all(&sources, &arena, &diags, DIAG_HUMAN);
    source_render_all(&sources, &arena, &diags, DIAG_JSON);
    arena_free(&arena);
    return 0;
}
