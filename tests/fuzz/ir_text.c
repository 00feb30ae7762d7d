/* Any bytes as IR text: parsing reports or succeeds; what parses is verified without a crash; what verifies
 * prints to text that parses to the same text, and promote and simplify leave it valid. */
#include "passes/pipeline.h"
#include <stdlib.h>

typedef struct Text {
    char *bytes;
    size_t length;
} Text;

static void append(void *user, const char *bytes, size_t length) {
    Text *text = user;
    text->bytes = realloc(text->bytes, text->length + length + 1);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = 0;
}

static Text print(const IrModule *module) {
    Text text = {0};
    IrWriter writer = {append, &text, true};
    ir_print_module(module, &writer);
    return text;
}

static bool is_valid(const IrModule *module, Arena *arena) {
    const char *message;
    for (uint32_t i = 0; i < module->functions.count; i++)
        if (!ir_verify_function(module->functions.items[i], arena, &message))
            return false;
    return true;
}

static void check_round_trip(const IrModule *module, Arena *arena, Interner *names, DiagSink *sink) {
    Text text = print(module);
    if (text.length) {
        IrModule *again = ir_parse_module(arena, names, sink, text.bytes, text.length, 0);
        Text second = again ? print(again) : (Text){0};
        if (!second.bytes || strcmp(second.bytes, text.bytes))
            abort();
        free(second.bytes);
    }
    free(text.bytes);
}

static void run_passes(IrModule *module, Arena *arena, DiagSink *sink) {
    PassContext context = {arena, sink, false};
    for (uint32_t i = 0; i < module->functions.count; i++) {
        IrFunction *function = pass_promote(&context, module->functions.items[i]);
        module->functions.items[i] = function = pass_simplify(&context, function);
        const char *message;
        if (!ir_verify_function(function, arena, &message))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena arena;
    Interner names;
    DiagSink sink;
    arena_init(&arena, NULL);
    interner_init(&names, &arena);
    diag_init(&sink, &arena);
    IrModule *module = ir_parse_module(&arena, &names, &sink, (const char *)data, size, 0);
    if (!module != (sink.error_count > 0))
        abort();
    if (module && is_valid(module, &arena)) {
        check_round_trip(module, &arena, &names, &sink);
        run_passes(module, &arena, &sink);
    }
    arena_free(&arena);
    return 0;
}
