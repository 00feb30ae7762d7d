/* The CUSTOM rows of ops.def: what takes more than one instruction. */
#include "codegen/llvm/math.h"
#include "codegen/llvm/scalar_parts.h"

static bool is_float(const ScalarOp *op) {
    return dtype_is_float(op->dtype);
}

static bool is_signed(const ScalarOp *op) {
    return dtype_kind(op->dtype) == KIND_SIGNED;
}

static LLVMValueRef zero_like(LLVMValueRef x) {
    return LLVMConstNull(LLVMTypeOf(x));
}

static LLVMValueRef compare(ScalarOp *op, LLVMIntPredicate predicate, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildICmp(op->build->builder, predicate, x, y, "");
}

static LLVMValueRef compare_float(ScalarOp *op, LLVMRealPredicate predicate, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildFCmp(op->build->builder, predicate, x, y, "");
}

static LLVMValueRef choose(ScalarOp *op, LLVMValueRef condition, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildSelect(op->build->builder, condition, x, y, "");
}

/* Sets a fault flag if `seen` holds in an active lane. */
static void record(ScalarOp *op, LLVMValueRef seen, unsigned fault) {
    const LlvmFaults *faults = op->faults;
    LLVMBuilderRef b = op->build->builder;
    if (!faults || !faults->flags || (LLVMIsConstant(seen) && LLVMIsNull(seen)))
        return;
    if (build_lanes(LLVMTypeOf(seen))) {
        if (faults->mask)
            seen = LLVMBuildAnd(b, seen, faults->mask, "");
        seen = build_any(op->build, seen);
    }
    LLVMTypeRef i32 = LLVMInt32TypeInContext(op->build->context);
    LLVMValueRef bit = LLVMBuildSelect(b, seen, LLVMConstInt(i32, fault, 0), LLVMConstInt(i32, 0, 0), "");
    LLVMValueRef old = LLVMBuildLoad2(b, i32, faults->flags, "");
    LLVMBuildStore(b, LLVMBuildOr(b, old, bit, ""), faults->flags);
}

/* ---- one operand -------------------------------------------------------------------------------- */

LLVMValueRef llvm_scalar_neg(ScalarOp *op) {
    LLVMBuilderRef b = op->build->builder;
    return is_float(op) ? LLVMBuildFNeg(b, op->operands[0], "") : LLVMBuildNeg(b, op->operands[0], "");
}

LLVMValueRef llvm_scalar_abs(ScalarOp *op) {
    LLVMValueRef x = op->operands[0];
    if (is_float(op))
        return build_abs(op->build, x);
    if (!is_signed(op))
        return x;
    LLVMValueRef negative = compare(op, LLVMIntSLT, x, zero_like(x));
    return choose(op, negative, LLVMBuildNeg(op->build->builder, x, ""), x);
}

LLVMValueRef llvm_scalar_sign(ScalarOp *op) {
    LLVMValueRef x = op->operands[0], zero = zero_like(x);
    if (is_float(op)) { /* the sum x + 0 is +0 for -0 and NaN for NaN */
        LLVMValueRef result = LLVMBuildFAdd(op->build->builder, x, zero, "");
        result = choose(op, compare_float(op, LLVMRealOGT, x, zero), build_real(x, 1), result);
        return choose(op, compare_float(op, LLVMRealOLT, x, zero), build_real(x, -1), result);
    }
    LLVMValueRef positive =
        is_signed(op) ? compare(op, LLVMIntSGT, x, zero) : compare(op, LLVMIntNE, x, zero);
    LLVMValueRef result = choose(op, positive, build_integer(x, 1), zero);
    if (!is_signed(op))
        return result;
    return choose(op, compare(op, LLVMIntSLT, x, zero), LLVMConstAllOnes(LLVMTypeOf(x)), result);
}

LLVMValueRef llvm_scalar_logical_not(ScalarOp *op) {
    return LLVMBuildNot(op->build->builder, op->operands[0], "");
}

/* ---- division ----------------------------------------------------------------------------------- */

typedef struct Quotient {
    LLVMValueRef floor, remainder;
} Quotient;

/* Floored division of integers of at most 32 bits in f64, which is exact: quotients are separated from the
 * integer above by more than the rounding.  Vectors only (there is no vector division of integers). */
static LLVMValueRef floor_by_f64(ScalarOp *op, LLVMValueRef a, LLVMValueRef b) {
    LLVMBuilderRef builder = op->build->builder;
    LLVMTypeRef type = LLVMTypeOf(a),
                f64 = build_type_like(LLVMDoubleTypeInContext(op->build->context), type);
    LLVMOpcode to_float = is_signed(op) ? LLVMSIToFP : LLVMUIToFP;
    LLVMValueRef quotient = LLVMBuildFDiv(builder, LLVMBuildCast(builder, to_float, a, f64, ""),
                                          LLVMBuildCast(builder, to_float, b, f64, ""), "");
    quotient = build_intrinsic(op->build, "llvm.floor", &quotient, 1);
    return LLVMBuildCast(builder, is_signed(op) ? LLVMFPToSI : LLVMFPToUI, quotient, type, "");
}

/* Never traps: a zero divisor is recorded and gives 0; the least integer divided by -1 wraps. */
static Quotient divide_integers(ScalarOp *op) {
    LLVMBuilderRef builder = op->build->builder;
    LLVMValueRef a = op->operands[0], b = op->operands[1], zero = zero_like(b), one = build_integer(b, 1);
    LLVMValueRef is_zero = compare(op, LLVMIntEQ, b, zero);
    LLVMValueRef is_minus_one = compare(op, LLVMIntEQ, b, LLVMConstAllOnes(LLVMTypeOf(b)));
    LLVMValueRef is_special = is_signed(op) ? LLVMBuildOr(builder, is_zero, is_minus_one, "") : is_zero;
    LLVMValueRef divisor = choose(op, is_special, one, b), quotient;
    record(op, is_zero, FAULT_ZERO_DIVISOR);
    if (build_lanes(LLVMTypeOf(a)) && dtype_info[op->dtype].bytes <= 4) {
        quotient = floor_by_f64(op, a, divisor);
    } else if (!is_signed(op)) {
        quotient = LLVMBuildUDiv(builder, a, divisor, "");
    } else {
        quotient = LLVMBuildSDiv(builder, a, divisor, "");
        LLVMValueRef rest = LLVMBuildSub(builder, a, LLVMBuildMul(builder, quotient, divisor, ""), "");
        LLVMValueRef differs = compare(op, LLVMIntSLT, LLVMBuildXor(builder, rest, divisor, ""), zero);
        differs = LLVMBuildAnd(builder, differs, compare(op, LLVMIntNE, rest, zero), "");
        quotient = choose(op, differs, LLVMBuildSub(builder, quotient, one, ""), quotient);
    }
    Quotient result = {quotient, LLVMBuildSub(builder, a, LLVMBuildMul(builder, quotient, divisor, ""), "")};
    if (is_signed(op)) { /* the remainder by the stand-in 1 is already 0 */
        LLVMValueRef negated = LLVMBuildNeg(builder, a, "");
        result.floor = choose(op, is_minus_one, negated, result.floor);
    }
    result.floor = choose(op, is_zero, zero, result.floor);
    return result;
}

/* NumPy's npy_divmod: the remainder of fmod moved to the divisor's sign, the quotient from it. */
static Quotient divide_floats(ScalarOp *op) {
    LLVMBuilderRef builder = op->build->builder;
    LLVMValueRef a = op->operands[0], b = op->operands[1], zero = zero_like(a);
    LLVMValueRef rest = LLVMBuildFRem(builder, a, b, "");
    LLVMValueRef ratio = LLVMBuildFDiv(builder, a, b, "");
    LLVMValueRef quotient = LLVMBuildFDiv(builder, LLVMBuildFSub(builder, a, rest, ""), b, "");
    LLVMValueRef is_exact = compare_float(op, LLVMRealOEQ, rest, zero);
    LLVMValueRef differs = LLVMBuildXor(builder, compare_float(op, LLVMRealOLT, b, zero),
                                        compare_float(op, LLVMRealOLT, rest, zero), "");
    differs = LLVMBuildAnd(builder, differs, LLVMBuildNot(builder, is_exact, ""), "");
    Quotient result;
    result.remainder = choose(op, differs, LLVMBuildFAdd(builder, rest, b, ""), rest);
    result.remainder = choose(op, is_exact, build_copysign(op->build, zero, b), result.remainder);
    quotient = choose(op, differs, LLVMBuildFSub(builder, quotient, build_real(a, 1), ""), quotient);
    LLVMValueRef floor = build_intrinsic(op->build, "llvm.floor", &quotient, 1);
    LLVMValueRef too_low =
        compare_float(op, LLVMRealOGT, LLVMBuildFSub(builder, quotient, floor, ""), build_real(a, 0.5));
    floor = choose(op, too_low, LLVMBuildFAdd(builder, floor, build_real(a, 1), ""), floor);
    LLVMValueRef is_zero = compare_float(op, LLVMRealOEQ, quotient, zero);
    floor = choose(op, is_zero, build_copysign(op->build, zero, ratio), floor);
    LLVMValueRef by_zero = compare_float(op, LLVMRealOEQ, b, zero);
    result.floor = choose(op, by_zero, ratio, floor);
    /* By zero the remainder is fmod's NaN, whatever the steps above made of it. */
    result.remainder = choose(op, by_zero, rest, result.remainder);
    return result;
}

LLVMValueRef llvm_scalar_floordiv(ScalarOp *op) {
    return is_float(op) ? divide_floats(op).floor : divide_integers(op).floor;
}

LLVMValueRef llvm_scalar_mod(ScalarOp *op) {
    return is_float(op) ? divide_floats(op).remainder : divide_integers(op).remainder;
}

/* C's: the sign of the dividend. */
LLVMValueRef llvm_scalar_fmod(ScalarOp *op) {
    LLVMBuilderRef builder = op->build->builder;
    LLVMValueRef a = op->operands[0], b = op->operands[1], zero = zero_like(a);
    if (is_float(op))
        return LLVMBuildFRem(builder, a, b, "");
    LLVMValueRef floored = divide_integers(op).remainder;
    if (!is_signed(op))
        return floored;
    LLVMValueRef differs = compare(op, LLVMIntSLT, LLVMBuildXor(builder, a, b, ""), zero);
    differs = LLVMBuildAnd(builder, differs, compare(op, LLVMIntNE, floored, zero), "");
    return choose(op, differs, LLVMBuildSub(builder, floored, b, ""), floored);
}

LLVMValueRef llvm_scalar_copysign(ScalarOp *op) {
    return build_copysign(op->build, op->operands[0], op->operands[1]);
}

/* ---- powers ------------------------------------------------------------------------------------- */

/* Repeated squaring: a loop over the bits of the largest exponent among the lanes. */
static LLVMValueRef power_of_integers(ScalarOp *op) {
    LlvmBuild *build = op->build;
    LLVMBuilderRef b = build->builder;
    LLVMValueRef base = op->operands[0], exponent = op->operands[1], zero = zero_like(base);
    LLVMTypeRef type = LLVMTypeOf(base);
    if (is_signed(op)) {
        LLVMValueRef negative = compare(op, LLVMIntSLT, exponent, zero);
        record(op, negative, FAULT_NEGATIVE_POWER);
        exponent = choose(op, negative, zero, exponent);
    }
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b), loop = build_block(build, "power");
    LLVMBasicBlockRef done = build_block(build, "power.done");
    LLVMBuildBr(b, loop);
    LLVMPositionBuilderAtEnd(b, loop);
    LLVMValueRef result = LLVMBuildPhi(b, type, ""), square = LLVMBuildPhi(b, type, "");
    LLVMValueRef bits = LLVMBuildPhi(b, type, ""), one = build_integer(base, 1);
    LLVMValueRef is_odd = compare(op, LLVMIntNE, LLVMBuildAnd(b, bits, one, ""), zero);
    LLVMValueRef next_result = choose(op, is_odd, LLVMBuildMul(b, result, square, ""), result);
    LLVMValueRef next_square = LLVMBuildMul(b, square, square, "");
    LLVMValueRef next_bits = LLVMBuildLShr(b, bits, one, "");
    LLVMValueRef more = compare(op, LLVMIntNE, next_bits, zero);
    if (build_lanes(type))
        more = build_any(build, more);
    LLVMBuildCondBr(b, more, loop, done);
    LLVMBasicBlockRef from[] = {before, LLVMGetInsertBlock(b)};
    LLVMAddIncoming(result, (LLVMValueRef[]){one, next_result}, from, 2);
    LLVMAddIncoming(square, (LLVMValueRef[]){base, next_square}, from, 2);
    LLVMAddIncoming(bits, (LLVMValueRef[]){exponent, next_bits}, from, 2);
    LLVMPositionBuilderAtEnd(b, done);
    return next_result;
}

LLVMValueRef llvm_scalar_pow(ScalarOp *op) {
    if (is_float(op))
        return llvm_math(op->build, MATH_pow, op->operands[0], op->operands[1]);
    return power_of_integers(op);
}

/* ---- order -------------------------------------------------------------------------------------- */

/* The operand for which `predicate` holds; NaN if either is.  The second operand is on the short path, so
 * that a running extreme waits for one comparison a step. */
static LLVMValueRef extreme(ScalarOp *op, LLVMRealPredicate real, LLVMIntPredicate sign,
                            LLVMIntPredicate plain) {
    LLVMValueRef a = op->operands[0], b = op->operands[1];
    if (!is_float(op))
        return choose(op, compare(op, is_signed(op) ? sign : plain, a, b), a, b);
    LLVMValueRef picked = choose(op, compare_float(op, real, b, a), b, a); /* NaN a is kept */
    return choose(op, compare_float(op, LLVMRealUNO, b, b), b, picked);
}

LLVMValueRef llvm_scalar_minimum(ScalarOp *op) {
    return extreme(op, LLVMRealOLT, LLVMIntSLT, LLVMIntULT);
}

LLVMValueRef llvm_scalar_maximum(ScalarOp *op) {
    return extreme(op, LLVMRealOGT, LLVMIntSGT, LLVMIntUGT);
}

LLVMValueRef llvm_scalar_where(ScalarOp *op) {
    return choose(op, op->operands[0], op->operands[1], op->operands[2]);
}

/* ---- bits --------------------------------------------------------------------------------------- */

/* Shifts by the width or more (a negative count is one) shift everything out, as NumPy's. */
static LLVMValueRef shift(ScalarOp *op, LLVMOpcode opcode) {
    LLVMBuilderRef b = op->build->builder;
    LLVMValueRef x = op->operands[0], count = op->operands[1], last = build_integer(x, 0);
    unsigned width = dtype_info[op->dtype].bytes * 8u;
    LLVMValueRef too_far = compare(op, LLVMIntUGE, count, build_integer(x, width));
    last = build_integer(x, width - 1);
    LLVMValueRef shifted = LLVMBuildBinOp(b, opcode, x, choose(op, too_far, last, count), "");
    return opcode == LLVMAShr ? shifted : choose(op, too_far, zero_like(x), shifted);
}

LLVMValueRef llvm_scalar_left_shift(ScalarOp *op) {
    return shift(op, LLVMShl);
}

LLVMValueRef llvm_scalar_right_shift(ScalarOp *op) {
    return shift(op, is_signed(op) ? LLVMAShr : LLVMLShr);
}

/* ---- totals ------------------------------------------------------------------------------------- */

/* The total t of 64-bit terms is known modulo 2^64, and so is h, the sum of term >> 32, which does not
 * overflow for fewer than 2^32 terms.  The low halves then sum to d = (t - (h << 32)) mod 2^64, which is less
 * than 2^64, and the true total divided by 2^32 is h + (d >> 32): it fits when that is a 32-bit number. */
LLVMValueRef llvm_scalar_whole_sum(ScalarOp *op) {
    LLVMBuilderRef b = op->build->builder;
    LLVMValueRef total = op->operands[0], high = op->operands[1], half = build_integer(total, 32);
    LLVMValueRef low = LLVMBuildSub(b, total, LLVMBuildShl(b, high, half, ""), "");
    LLVMValueRef top = LLVMBuildAdd(b, high, LLVMBuildLShr(b, low, half, ""), "");
    if (is_signed(op))
        top = LLVMBuildAdd(b, top, build_integer(total, 1ull << 31), "");
    LLVMValueRef rest = LLVMBuildLShr(b, top, half, "");
    record(op, compare(op, LLVMIntNE, rest, zero_like(rest)), FAULT_SUM_OVERFLOW);
    return total;
}

/* ---- random bits -------------------------------------------------------------------------------- */

static LLVMValueRef low_half(LLVMBuilderRef b, LLVMValueRef x) {
    return LLVMBuildAnd(b, x, build_integer(x, UINT32_MAX), "");
}

static LLVMValueRef high_half(LLVMBuilderRef b, LLVMValueRef x) {
    return LLVMBuildLShr(b, x, build_integer(x, 32), "");
}

/* Philox4x32-10 of Random123: each of the four 32-bit words lies in a 64-bit lane, which is what the
 * multiplications 32 x 32 -> 64 want. */
LLVMValueRef llvm_scalar_philox(ScalarOp *op) {
    LLVMBuilderRef b = op->build->builder;
    LLVMValueRef key = op->operands[0], counter = op->operands[1];
    LLVMValueRef k0 = low_half(b, key), k1 = high_half(b, key);
    LLVMValueRef c0 = low_half(b, counter), c1 = high_half(b, counter), c2 = zero_like(key), c3 = c2;
    for (int round = 0; round < 10; round++) {
        LLVMValueRef p0 = LLVMBuildMul(b, c0, build_integer(key, 0xD2511F53u), "");
        LLVMValueRef p1 = LLVMBuildMul(b, c2, build_integer(key, 0xCD9E8D57u), "");
        LLVMValueRef n0 = LLVMBuildXor(b, LLVMBuildXor(b, high_half(b, p1), c1, ""), k0, "");
        LLVMValueRef n2 = LLVMBuildXor(b, LLVMBuildXor(b, high_half(b, p0), c3, ""), k1, "");
        c1 = low_half(b, p1);
        c3 = low_half(b, p0);
        c0 = n0;
        c2 = n2;
        k0 = low_half(b, LLVMBuildAdd(b, k0, build_integer(key, 0x9E3779B9u), ""));
        k1 = low_half(b, LLVMBuildAdd(b, k1, build_integer(key, 0xBB67AE85u), ""));
    }
    return LLVMBuildOr(b, c0, LLVMBuildShl(b, c1, build_integer(key, 32), ""), "");
}
