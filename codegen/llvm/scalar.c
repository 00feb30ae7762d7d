/* The `llvm` column of ops.def: types, constants, and one lowering per elementwise row. */
#include "codegen/llvm/scalar.h"
#include "codegen/llvm/math.h"
#include "codegen/llvm/scalar_parts.h"
#include <assert.h>
#include <stddef.h>

/* ---- types and constants ------------------------------------------------------------------------ */

LLVMTypeRef llvm_register_type(LLVMContextRef context, Dtype dtype) {
    switch (dtype) {
    case DTYPE_bool:
        return LLVMInt1TypeInContext(context);
    case DTYPE_f32:
        return LLVMFloatTypeInContext(context);
    case DTYPE_f64:
        return LLVMDoubleTypeInContext(context);
    case DTYPE_c64: /* host programs only: the two parts, as they lie in memory */
    case DTYPE_c128:
        return LLVMVectorType(llvm_register_type(context, dtype_part(dtype)), 2);
    default:
        return LLVMIntTypeInContext(context, dtype_info[dtype].bytes * 8u);
    }
}

LLVMTypeRef llvm_memory_type(LLVMContextRef context, Dtype dtype) {
    return dtype == DTYPE_bool ? LLVMInt8TypeInContext(context) : llvm_register_type(context, dtype);
}

LLVMValueRef llvm_from_memory(LlvmBuild *build, Dtype dtype, LLVMValueRef stored) {
    if (dtype != DTYPE_bool)
        return stored;
    return LLVMBuildICmp(build->builder, LLVMIntNE, stored, LLVMConstNull(LLVMTypeOf(stored)), "");
}

LLVMValueRef llvm_to_memory(LlvmBuild *build, Dtype dtype, LLVMValueRef value) {
    if (dtype != DTYPE_bool)
        return value;
    LLVMTypeRef byte = build_type_like(LLVMInt8TypeInContext(build->context), LLVMTypeOf(value));
    return LLVMBuildZExt(build->builder, value, byte, "");
}

LLVMValueRef llvm_scalar_const(LLVMContextRef context, Dtype dtype, uint64_t bits) {
    LLVMTypeRef type = llvm_register_type(context, dtype);
    if (dtype != DTYPE_f32 && dtype != DTYPE_f64)
        return LLVMConstInt(type, bits, 0);
    LLVMTypeRef integer = LLVMIntTypeInContext(context, dtype == DTYPE_f32 ? 32 : 64);
    return LLVMConstBitCast(LLVMConstInt(integer, bits, 0), type);
}

LLVMValueRef llvm_splat(LlvmBuild *build, LLVMValueRef value, unsigned lanes) {
    LLVMTypeRef type = LLVMTypeOf(value);
    if (!lanes || build_lanes(type))
        return value;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(build->context), vector = LLVMVectorType(type, lanes);
    LLVMValueRef first =
        LLVMBuildInsertElement(build->builder, LLVMGetPoison(vector), value, LLVMConstInt(i32, 0, 0), "");
    return LLVMBuildShuffleVector(build->builder, first, LLVMGetPoison(vector),
                                  LLVMConstNull(LLVMVectorType(i32, lanes)), "");
}

/* ---- the table ---------------------------------------------------------------------------------- */

typedef enum Lowering {
    LOWERING_NONE,
    LOWERING_ARITH,
    LOWERING_CMP,
    LOWERING_INTRINSIC,
    LOWERING_MATH,
    LOWERING_CUSTOM
} Lowering;

typedef struct OpLowering {
    Lowering how;
    int arith[3];     /* LLVMOpcode for floats, signed, unsigned; 0: cannot occur */
    int predicate[3]; /* the same for comparisons */
    const char *intrinsic;
    MathFunction math;
    LLVMValueRef (*custom)(ScalarOp *op);
} OpLowering;

enum { LLVMNONE = 0 };
#define NAME_UNUSED(name)
#define LOWER_ARITH(f, s, u) .how = LOWERING_ARITH, .arith = {LLVM##f, LLVM##s, LLVM##u}, NAME_UNUSED
#define LOWER_CMP(f, s, u)                                                                                   \
    .how = LOWERING_CMP, .predicate = {LLVMReal##f, LLVMInt##s, LLVMInt##u}, NAME_UNUSED
#define LOWER_INTRINSIC(text) .how = LOWERING_INTRINSIC, .intrinsic = text, NAME_UNUSED
#define LOWER_MATH(name)      .how = LOWERING_MATH, .math = MATH_##name
#define LOWER_CUSTOM(name)    .how = LOWERING_CUSTOM, .custom = llvm_scalar_##name

static const OpLowering op_lowering[OP_COUNT] = {
#define OP1(name, dtype, complex, zero, llvm, ...) [OP_##name] = {LOWER_##llvm(name)},
#define OP2(name, dtype, complex, zero, llvm, ...) [OP_##name] = {LOWER_##llvm(name)},
#define OP3(name, dtype, complex, zero, llvm, ...) [OP_##name] = {LOWER_##llvm(name)},
#include "ir/ops.def"
};

static int kind_index(Dtype dtype) {
    return dtype_is_float(dtype) ? 0 : dtype_kind(dtype) == KIND_SIGNED ? 1 : 2;
}

static LLVMValueRef lower_arith(ScalarOp *op, const OpLowering *row) {
    LLVMOpcode opcode = (LLVMOpcode)row->arith[kind_index(op->dtype)];
    if (op->dtype == DTYPE_bool) /* sums and products of bools are `or` and `and` */
        opcode = opcode == LLVMAdd ? LLVMOr : opcode == LLVMMul ? LLVMAnd : opcode;
    return LLVMBuildBinOp(op->build->builder, opcode, op->operands[0], op->operands[1], "");
}

static LLVMValueRef lower_compare(ScalarOp *op, const OpLowering *row) {
    int predicate = row->predicate[kind_index(op->dtype)];
    LLVMBuilderRef b = op->build->builder;
    if (dtype_is_float(op->dtype))
        return LLVMBuildFCmp(b, (LLVMRealPredicate)predicate, op->operands[0], op->operands[1], "");
    return LLVMBuildICmp(b, (LLVMIntPredicate)predicate, op->operands[0], op->operands[1], "");
}

static LLVMValueRef lower(ScalarOp *op, const OpLowering *row) {
    switch (row->how) {
    case LOWERING_ARITH:
        return lower_arith(op, row);
    case LOWERING_CMP:
        return lower_compare(op, row);
    case LOWERING_INTRINSIC:
        return dtype_is_float(op->dtype)
                   ? build_intrinsic(op->build, row->intrinsic, op->operands, op_info[op->op].arity)
                   : op->operands[0];
    case LOWERING_MATH:
        return llvm_math(op->build, row->math, op->operands[0],
                         op_info[op->op].arity == 2 ? op->operands[1] : NULL);
    case LOWERING_CUSTOM:
        return row->custom(op);
    default:
        return assert(!"an elementwise op"), op->operands[0];
    }
}

bool llvm_op_is_heavy(Op op) {
    return op_is_math(op) || op == OP_philox || op == OP_floordiv || op == OP_mod || op == OP_fmod;
}

static bool moves_only(Op op) {
    return op == OP_where;
}

LLVMValueRef llvm_scalar_op(LlvmBuild *build, Op op, Dtype dtype, const LLVMValueRef *operands,
                            const LlvmFaults *faults) {
    ScalarOp state = {.build = build, .op = op, .dtype = dtype, .faults = faults};
    bool is_stored_half = dtype_info[dtype].compute != dtype && !moves_only(op);
    for (uint32_t i = 0; i < op_info[op].arity; i++)
        state.operands[i] =
            is_stored_half ? llvm_scalar_cast(build, operands[i], dtype, DTYPE_f32) : operands[i];
    if (is_stored_half)
        state.dtype = DTYPE_f32;
    LLVMValueRef result = lower(&state, &op_lowering[op]);
    bool is_bool = op_info[op].dtype == RULE_BOOL || op_info[op].dtype == RULE_LOGICAL;
    return is_stored_half && !is_bool ? llvm_scalar_cast(build, result, DTYPE_f32, dtype) : result;
}

/* ---- accumulation ------------------------------------------------------------------------------- */

/* The bits of the least or greatest value (floats: the infinities). */
static uint64_t extreme_bits(Dtype dtype, bool is_greatest) {
    int bits = dtype_info[dtype].bytes * 8;
    uint64_t all = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1, sign = UINT64_C(1) << (bits - 1);
    switch (dtype) {
    case DTYPE_bool:
        return is_greatest;
    case DTYPE_f16:
        return is_greatest ? 0x7c00 : 0xfc00;
    case DTYPE_bf16:
        return is_greatest ? 0x7f80 : 0xff80;
    case DTYPE_f32:
        return is_greatest ? 0x7f800000 : 0xff800000;
    case DTYPE_f64:
        return (is_greatest ? UINT64_C(0x7ff) : UINT64_C(0xfff)) << 52;
    default:
        if (dtype_kind(dtype) == KIND_UNSIGNED)
            return is_greatest ? all : 0;
        return is_greatest ? all >> 1 : sign;
    }
}

static uint64_t one_bits(Dtype dtype) {
    return dtype == DTYPE_f16    ? 0x3c00
           : dtype == DTYPE_bf16 ? 0x3f80
           : dtype == DTYPE_f32  ? 0x3f800000
           : dtype == DTYPE_f64  ? UINT64_C(0x3ff) << 52
                                 : 1;
}

LLVMValueRef llvm_scalar_identity(LLVMContextRef context, Op op, Dtype dtype) {
    uint64_t bits = 0;
    switch (op) {
    case OP_add: /* -0 + x is x for every float */
        bits = dtype_is_float(dtype) ? UINT64_C(1) << (dtype_info[dtype].bytes * 8 - 1) : 0;
        break;
    case OP_mul:
        bits = one_bits(dtype);
        break;
    case OP_maximum:
    case OP_argmax:
        bits = extreme_bits(dtype, false);
        break;
    case OP_minimum:
    case OP_argmin:
        bits = extreme_bits(dtype, true);
        break;
    case OP_logical_and:
    case OP_bitwise_and:
        bits = UINT64_MAX;
        break;
    default:
        break;
    }
    return llvm_scalar_const(context, dtype, bits);
}

LLVMValueRef llvm_scalar_better(LlvmBuild *build, Op op, Dtype dtype, LLVMValueRef value, LLVMValueRef best) {
    LLVMBuilderRef b = build->builder;
    if (dtype_info[dtype].compute != dtype) {
        value = llvm_scalar_cast(build, value, dtype, DTYPE_f32);
        best = llvm_scalar_cast(build, best, dtype, DTYPE_f32);
    }
    bool is_max = op == OP_argmax;
    if (dtype_is_float(dtype)) {
        LLVMValueRef better = LLVMBuildFCmp(b, is_max ? LLVMRealUGT : LLVMRealULT, value, best, "");
        return LLVMBuildAnd(b, better, LLVMBuildFCmp(b, LLVMRealORD, best, best, ""), "");
    }
    bool is_signed = dtype_kind(dtype) == KIND_SIGNED;
    LLVMIntPredicate predicate =
        is_max ? (is_signed ? LLVMIntSGT : LLVMIntUGT) : (is_signed ? LLVMIntSLT : LLVMIntULT);
    return LLVMBuildICmp(b, predicate, value, best, "");
}
