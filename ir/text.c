/* IR text into memory; see text.h. */
#include "ir/text.h"

static void append(void *user, const char *bytes, size_t length) {
    IrText *text = user;
    for (size_t i = 0; i < length; i++)
        vec_push(text->arena, &text->bytes, bytes[i]);
}

IrWriter ir_text_writer(IrText *text) {
    return (IrWriter){.write = append, .user = text};
}

void ir_text_append(IrText *text, const char *bytes) {
    append(text, bytes, strlen(bytes));
}

const char *ir_text_finish(IrText *text) {
    vec_push(text->arena, &text->bytes, '\0');
    text->bytes.count--;
    return text->bytes.items;
}
