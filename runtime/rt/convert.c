/* f16 and bf16 to and from f32: bit by bit, round to nearest even, subnormals and NaN kept. */
#include "runtime/rt/runtime.h"

#include <math.h>
#include <string.h>

static float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

float gmxrt_f16_to_f32(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t exponent = (bits >> 10) & 0x1Fu;
    uint32_t fraction = bits & 0x3FFu;
    if (exponent == 0x1F) {
        return float_of_bits(sign | 0x7F800000u | fraction << 13);
    }
    if (exponent == 0) { /* zero or subnormal: fraction * 2^-24 is exact */
        return float_of_bits(bits_of_float((float)fraction * 0x1p-24f) | sign);
    }
    return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t gmxrt_f64_to_f16(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 48 & 0x8000u);
    double magnitude = fabs(value);
    if (isnan(value)) {
        return (uint16_t)(sign | 0x7C00u | 0x200u | (bits >> 42 & 0x3FFu));
    }
    if (magnitude >= 65520.0) { /* half way from the greatest f16 to 2^16, and beyond */
        return (uint16_t)(sign | 0x7C00u);
    }
    if (magnitude < 0x1p-14) { /* subnormal: the sum rounds at 2^-24 */
        double shifted = magnitude + 0x1p28;
        uint64_t rounded;
        memcpy(&rounded, &shifted, sizeof rounded);
        return (uint16_t)(sign | (rounded & 0x7FFu));
    }
    uint64_t absolute = bits & 0x7FFFFFFFFFFFFFFFu;
    absolute += ((absolute >> 42) & 1u) + 0x1FFFFFFFFFFu; /* a carry into the exponent is right */
    return (uint16_t)(sign | ((absolute >> 42) - (1008ull << 10)));
}

uint16_t gmxrt_f32_to_f16(float value) {
    return gmxrt_f64_to_f16(value); /* f32 to f64 is exact */
}

float gmxrt_bf16_to_f32(uint16_t bits) {
    return float_of_bits((uint32_t)bits << 16);
}

uint16_t gmxrt_f32_to_bf16(float value) {
    uint32_t bits = bits_of_float(value);
    if (isnan(value)) {
        return (uint16_t)(bits >> 16 | 0x40u);
    }
    return (uint16_t)((bits + ((bits >> 16) & 1u) + 0x7FFFu) >> 16);
}
