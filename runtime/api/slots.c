/* The tensors behind names: they come into slots, and go when no name reaches the slot any more. */
#include "runtime/api/internal.h"

static bool slot_scalar(const gmxrt_tensor *tensor, int64_t *out) {
    switch (tensor->rank ? -1 : tensor->dtype) {
    case DTYPE_bool:
        *out = *(const uint8_t *)tensor->data != 0;
        return true;
    case DTYPE_i64:
        *out = *(const int64_t *)tensor->data;
        return true;
    case DTYPE_i32:
        *out = *(const int32_t *)tensor->data;
        return true;
    default:
        return false;
    }
}

void session_set_tensor(gmx_session *s, ElabSlot *slot, gmxrt_tensor *tensor) {
    gmxrt_tensor_release(slot->tensor);
    if (!slot->tensor)
        vec_push(&s->arena, &s->slots, slot);
    slot->tensor = tensor;
    slot->dtype = (Dtype)tensor->dtype;
    slot->rank = (uint32_t)tensor->rank;
    slot->is_known = true;
    slot->is_contiguous = gmxrt_tensor_is_contiguous(tensor);
    memcpy(slot->shape, tensor->shape, slot->rank * sizeof *slot->shape);
    slot->has_value = slot_scalar(tensor, &slot->value);
}

gmxrt_tensor *session_tensor(gmx_session *s, ElabSlot *slot) {
    if (slot->tensor || !slot->data)
        return slot->tensor;
    gmxrt_tensor *tensor = gmxrt_tensor_new(s->ctx, slot->dtype, (int32_t)slot->rank, slot->shape, 0);
    if (!tensor)
        return NULL;
    int64_t bytes = gmxrt_tensor_size(tensor) * dtype_info[slot->dtype].bytes;
    if (bytes)
        memcpy(tensor->data, slot->data, (size_t)bytes);
    session_set_tensor(s, slot, tensor);
    return tensor;
}

gmxrt_tensor *session_tensor_of(gmx_session *s, const Value *value) {
    if (value->kind == VALUE_SLOT && value->slot->tensor) {
        gmxrt_tensor_retain(value->slot->tensor);
        return value->slot->tensor;
    }
    if (value->kind == VALUE_SLOT && value->slot->data) {
        gmxrt_tensor *tensor =
            gmxrt_tensor_new(s->ctx, value->slot->dtype, (int32_t)value->slot->rank, value->slot->shape, 0);
        int64_t bytes = tensor ? gmxrt_tensor_size(tensor) * dtype_info[value->slot->dtype].bytes : 0;
        if (bytes)
            memcpy(tensor->data, value->slot->data, (size_t)bytes);
        return tensor;
    }
    if (value->kind != VALUE_CONSTANT)
        return NULL;
    gmxrt_tensor *tensor = gmxrt_tensor_new(s->ctx, value->dtype, 0, NULL, 0);
    if (tensor)
        memcpy(tensor->data, &value->bits, dtype_info[value->dtype].bytes);
    return tensor;
}

static void count_use(void *context, ElabSlot *slot) {
    (void)context;
    slot->uses++;
}

static void count_uses(gmx_session *s) {
    for (uint32_t i = 0; i < s->slots.count; i++)
        s->slots.items[i]->uses = 0;
    elab_each_slot(s->elaborator, count_use, NULL);
}

uint32_t session_uses(gmx_session *s, const ElabSlot *slot) {
    count_uses(s);
    return slot->uses;
}

void session_sweep(gmx_session *s) {
    uint32_t kept = 0;
    count_uses(s);
    call_count_uses(s);
    for (uint32_t i = 0; i < s->slots.count; i++) {
        ElabSlot *slot = s->slots.items[i];
        if (slot->uses) {
            s->slots.items[kept++] = slot;
            continue;
        }
        gmxrt_tensor_release(slot->tensor);
        slot->tensor = NULL;
    }
    s->slots.count = kept;
}
