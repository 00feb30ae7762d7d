/* Kernel text: operators, keywords, float literals. */
#include "ir/kernel_text.h"
#include <math.h>

static int precedence_of(const char *symbol) {
    static const struct {
        const char *symbol;
        int precedence;
    } table[] = {{"||", 1}, {"&&", 2}, {"|", 3},  {"^", 4}, {"&", 5}, {"==", 6}, {"!=", 6}, {"<", 7},
                 {"<=", 7}, {">", 7},  {">=", 7}, {"+", 8}, {"-", 8}, {"*", 9},  {"/", 9}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].symbol, symbol))
            return table[i].precedence;
    return 0;
}

int kernel_text_infix(Op op, char symbol[4]) {
    const char *c = op_info[op].c;
    if (op_info[op].arity != 2 || !c || strncmp(c, "(%0 ", 4))
        return 0;
    size_t length = strcspn(c + 4, " ");
    if (length > 3 || strcmp(c + 4 + length, " %1)"))
        return 0;
    memcpy(symbol, c + 4, length);
    symbol[length] = 0;
    return precedence_of(symbol);
}

Op kernel_text_operator(const char *text, size_t length) {
    for (int op = 1; op < OP_COUNT; op++) {
        char symbol[4];
        if (op_is_elementwise((Op)op) && kernel_text_infix((Op)op, symbol) && strlen(symbol) == length &&
            !memcmp(symbol, text, length))
            return (Op)op;
    }
    return OP_none;
}

bool kernel_text_is_keyword(const char *name) {
    static const char *const words[] = {"kernel", "let",     "var",      "alloc", "for",  "if",    "else",
                                        "while",  "merge",   "case",     "over",  "of",   "in",    "append",
                                        "to",     "barrier", "prefetch", "tile",  "step", "grain", "balance",
                                        "true",   "false",   "inf",      "nan",   "out",  "alias", "buffer",
                                        "below",  "stream",  "by",       "pairs"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i], name))
            return true;
    return false;
}

/* f16 has 5 exponent and 10 mantissa bits. */
static double half_value(uint64_t bits) {
    int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    double value = exponent == 31 ? (mantissa ? NAN : INFINITY)
                   : exponent     ? ldexp(1024 + mantissa, exponent - 25)
                                  : ldexp(mantissa, -24);
    return bits >> 15 & 1 ? -value : value;
}

static uint64_t half_bits(double value) {
    uint64_t sign = signbit(value) ? 0x8000 : 0;
    double size = fabs(value);
    if (isnan(value))
        return 0x7e00;
    if (size == 0)
        return sign;
    if (size >= 65520)
        return sign | 0x7c00;
    int exponent;
    frexp(size, &exponent);
    int scale = exponent - 11 < -24 ? -24 : exponent - 11; /* the weight of the last bit */
    uint64_t steps = (uint64_t)rint(ldexp(size, -scale));
    return sign | (scale == -24 ? steps : ((uint64_t)(scale + 24) << 10) + steps);
}

double kernel_text_float(Dtype dtype, uint64_t bits) {
    uint32_t single = (uint32_t)(dtype == DTYPE_bf16 ? bits << 16 : bits);
    float f;
    double d;
    memcpy(&f, &single, sizeof f);
    memcpy(&d, &bits, sizeof d);
    return dtype == DTYPE_f16 ? half_value(bits) : dtype == DTYPE_f64 ? d : (double)f;
}

uint64_t kernel_text_float_bits(Dtype dtype, double value) {
    float f = (float)value;
    uint32_t single;
    uint64_t bits;
    memcpy(&single, &f, sizeof single);
    memcpy(&bits, &value, sizeof bits);
    switch (dtype) {
    case DTYPE_f64:
        return isnan(value) ? UINT64_C(0x7ff8000000000000) : bits;
    case DTYPE_f32:
        return isnan(value) ? 0x7fc00000 : single;
    case DTYPE_bf16:
        return isnan(value) ? 0x7fc0 : (single + 0x7fff + (single >> 16 & 1)) >> 16;
    default:
        return half_bits(value);
    }
}
