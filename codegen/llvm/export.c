/* C entries of exported functions: dims and values are stored to the stack, extents are worked out, and the
 * runtime (gmxrt_library_call) does the rest from a constant description. */
#include "codegen/llvm/export.h"
#include <ctype.h>

typedef struct Export {
    LlvmUnit *unit;
    LLVMBuilderRef builder;
    Arena *arena;
    const ExportFunction *function;
    LLVMValueRef wrapper;
    LLVMTypeRef i8, i32, i64, pointer;
    const char *message;
} Export;

/* ---- constants ------------------------------------------------------------------------------------------
 */
static LLVMValueRef constant_global(Export *e, LLVMValueRef value, const char *name) {
    LLVMValueRef global = LLVMAddGlobal(e->unit->module, LLVMTypeOf(value), name);
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr); /* equal ones may be one */
    return global;
}

static LLVMValueRef constant_text(Export *e, const char *text) {
    return constant_global(e, LLVMConstStringInContext(e->unit->context, text, (unsigned)strlen(text), false),
                           "text");
}

static LLVMValueRef constant_struct(Export *e, LLVMValueRef *fields, unsigned count) {
    return LLVMConstStructInContext(e->unit->context, fields, count, false);
}

static LLVMValueRef constant_array(Export *e, LLVMTypeRef type, LLVMValueRef *items, uint32_t count) {
    return count ? constant_global(e, LLVMConstArray2(type, items, count), "array")
                 : LLVMConstNull(e->pointer);
}

static LLVMValueRef int32(Export *e, uint64_t value) {
    return LLVMConstInt(e->i32, value, false);
}

static LLVMValueRef describe_values(Export *e) {
    uint32_t inputs = e->function->parameters.count, count = inputs + e->function->results.count;
    LLVMValueRef *items = ARENA_ARRAY(e->arena, LLVMValueRef, count);
    for (uint32_t i = 0; i < count; i++) {
        const ExportParameter *value =
            i < inputs ? &e->function->parameters.items[i] : &e->function->results.items[i - inputs];
        LLVMValueRef fields[] = {constant_text(e, value->name), int32(e, value->dtype),
                                 int32(e, value->rank)};
        items[i] = constant_struct(e, fields, 3);
    }
    return constant_array(e, count ? LLVMTypeOf(items[0]) : e->i8, items, count);
}

/* The arrays baked into the library. */
static LLVMValueRef describe_constants(Export *e) {
    uint32_t count = e->function->constants.count;
    LLVMValueRef *items = ARENA_ARRAY(e->arena, LLVMValueRef, count);
    for (uint32_t i = 0; i < count; i++) {
        const ExportConstant *constant = &e->function->constants.items[i];
        LLVMValueRef shape[IR_MAX_RANK];
        uint64_t bytes = dtype_info[constant->dtype].bytes;
        for (uint32_t k = 0; k < constant->rank; k++) {
            shape[k] = LLVMConstInt(e->i64, (uint64_t)constant->shape[k], true);
            bytes *= (uint64_t)constant->shape[k]; /* of an array in memory: fits */
        }
        LLVMValueRef data = LLVMConstStringInContext(e->unit->context, constant->data, (unsigned)bytes, true);
        LLVMValueRef global = constant_global(e, data, "constant");
        LLVMSetAlignment(global, 64);
        LLVMValueRef fields[] = {global, constant_array(e, e->i64, shape, constant->rank),
                                 int32(e, constant->dtype), int32(e, constant->rank)};
        items[i] = constant_struct(e, fields, 4);
    }
    return constant_array(e, count ? LLVMTypeOf(items[0]) : e->i8, items, count);
}

static LLVMValueRef describe_dims(Export *e) {
    LLVMValueRef *items = ARENA_ARRAY(e->arena, LLVMValueRef, e->function->dims.count);
    for (uint32_t i = 0; i < e->function->dims.count; i++)
        items[i] = constant_text(e, e->function->dims.items[i]);
    return constant_array(e, e->pointer, items, e->function->dims.count);
}

/* Every place that the code can name in an error. */
static LLVMValueRef describe_places(Export *e, const ExportList *exports, const HostPlan *plan,
                                    uint32_t *count) {
    LLVMValueRef *items = ARENA_ARRAY(e->arena, LLVMValueRef, plan->table.count);
    uint64_t before = 0; /* nodes of one place mostly follow each other */
    *count = 0;
    for (uint32_t id = 0; exports->place && id < plan->function->node_count; id++) {
        uint64_t bits = plan->span_slot[id] < 0 ? 0 : plan->table.items[plan->span_slot[id]];
        const char *text =
            bits ? exports->place(exports->place_user, (Span){(uint32_t)bits, (uint32_t)(bits >> 32)}) : NULL;
        if (!text || bits == before)
            continue;
        before = bits;
        LLVMValueRef fields[] = {LLVMConstInt(e->i64, bits, false), constant_text(e, text)};
        items[(*count)++] = constant_struct(e, fields, 2);
    }
    return constant_array(e, *count ? LLVMTypeOf(items[0]) : e->i8, items, *count);
}

static LLVMValueRef describe_code(Export *e, const ExportCode *code, uint32_t count) {
    LLVMValueRef *items = ARENA_ARRAY(e->arena, LLVMValueRef, count);
    for (uint32_t i = 0; i < count; i++) {
        LLVMValueRef fields[] = {LLVMConstInt(e->i64, (uint64_t)code[i].level, false), code[i].function};
        items[i] = constant_struct(e, fields, 2);
    }
    return constant_array(e, LLVMTypeOf(items[0]), items, count);
}

/* ---- extents --------------------------------------------------------------------------------------------
 */
/* A derived extent is C text over the dim names: sum := product (+|- product)*, product := factor (*|/|%
 * factor)*, factor := number | name | (sum) | -factor.  Overflow and division by zero make `failed`. */
typedef struct Formula {
    Export *export;
    const char *at;
    LLVMValueRef failed; /* i1 */
    uint32_t depth;
} Formula;

static LLVMValueRef formula_sum(Formula *f);

static void formula_error(Formula *f) {
    if (!f->export->message)
        f->export->message = arena_format(f->export->arena, "the extent `%s` is not understood", f->at);
}

static void skip_blanks(Formula *f) {
    while (*f->at == ' ')
        f->at++;
}

static LLVMValueRef formula_apply(Formula *f, const char *intrinsic, LLVMValueRef x, LLVMValueRef y) {
    Export *e = f->export;
    unsigned id = LLVMLookupIntrinsicID(intrinsic, strlen(intrinsic));
    LLVMValueRef arguments[] = {x, y};
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->unit->module, id, &e->i64, 1);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->unit->context, id, &e->i64, 1);
    LLVMValueRef pair = LLVMBuildCall2(e->builder, type, function, arguments, 2, "");
    f->failed = LLVMBuildOr(e->builder, f->failed, LLVMBuildExtractValue(e->builder, pair, 1, ""), "");
    return LLVMBuildExtractValue(e->builder, pair, 0, "");
}

static LLVMValueRef formula_divide(Formula *f, char operator, LLVMValueRef x, LLVMValueRef y) {
    LLVMBuilderRef b = f->export->builder;
    LLVMValueRef zero = LLVMConstNull(f->export->i64), one = LLVMConstInt(f->export->i64, 1, false);
    LLVMValueRef bad = LLVMBuildICmp(b, LLVMIntSLE, y, zero, "");
    bad = LLVMBuildOr(b, bad, LLVMBuildICmp(b, LLVMIntSLT, x, zero, ""), "");
    f->failed = LLVMBuildOr(b, f->failed, bad, "");
    y = LLVMBuildSelect(b, bad, one, y, "");
    return operator== '/' ? LLVMBuildSDiv(b, x, y, "") : LLVMBuildSRem(b, x, y, "");
}

static LLVMValueRef formula_name(Formula *f) {
    const char *begin = f->at;
    while (isalnum((unsigned char)*f->at) || *f->at == '_')
        f->at++;
    size_t length = (size_t)(f->at - begin);
    const ExportFunction *function = f->export->function;
    for (uint32_t i = 0; length && i < function->dims.count; i++)
        if (strlen(function->dims.items[i]) == length && memcmp(function->dims.items[i], begin, length) == 0)
            return LLVMGetParam(f->export->wrapper, i);
    f->at = begin;
    formula_error(f);
    return LLVMConstNull(f->export->i64);
}

static LLVMValueRef formula_number(Formula *f) {
    int64_t value = 0;
    for (; isdigit((unsigned char)*f->at); f->at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *f->at - '0', &value)) {
            formula_error(f);
            value = 0;
        }
    return LLVMConstInt(f->export->i64, (uint64_t)value, true);
}

static LLVMValueRef formula_factor(Formula *f) {
    skip_blanks(f);
    if (f->depth++ > 100) {
        formula_error(f);
        return LLVMConstNull(f->export->i64);
    }
    LLVMValueRef value;
    if (*f->at == '-') {
        f->at++;
        value = formula_apply(f, "llvm.ssub.with.overflow", LLVMConstNull(f->export->i64), formula_factor(f));
    } else if (*f->at == '(') {
        f->at++;
        value = formula_sum(f);
        if (*f->at == ')')
            f->at++;
        else
            formula_error(f);
    } else {
        value = isdigit((unsigned char)*f->at) ? formula_number(f) : formula_name(f);
    }
    f->depth--;
    skip_blanks(f);
    return value;
}

static LLVMValueRef formula_product(Formula *f) {
    LLVMValueRef value = formula_factor(f);
    while (*f->at == '*' || *f->at == '/' || *f->at == '%') {
        char operator= * f->at++;
        if (operator== '/' && * f->at == '/')
            f->at++;
        LLVMValueRef next = formula_factor(f);
        value = operator== '*' ? formula_apply(f, "llvm.smul.with.overflow", value, next)
                               : formula_divide(f, operator, value, next);
    }
    return value;
}

static LLVMValueRef formula_sum(Formula *f) {
    LLVMValueRef value = formula_product(f);
    while (*f->at == '+' || *f->at == '-') {
        const char *name = *f->at++ == '+' ? "llvm.sadd.with.overflow" : "llvm.ssub.with.overflow";
        value = formula_apply(f, name, value, formula_product(f));
    }
    return value;
}

static LLVMValueRef extent_of(Export *e, const ExportDim *dim) {
    if (dim->is_fixed)
        return LLVMConstInt(e->i64, (uint64_t)dim->value, true);
    if (dim->dim >= 0)
        return LLVMGetParam(e->wrapper, (unsigned)dim->dim);
    Formula formula = {.export = e,
                       .at = dim->formula ? dim->formula : "",
                       .failed = LLVMConstNull(LLVMInt1TypeInContext(e->unit->context))};
    LLVMValueRef value = formula_sum(&formula);
    if (*formula.at)
        formula_error(&formula);
    return LLVMBuildSelect(e->builder, formula.failed, LLVMConstInt(e->i64, (uint64_t)-1, true), value, "");
}

/* ---- the wrapper ----------------------------------------------------------------------------------------
 */
static LLVMTypeRef scalar_type(Export *e, Dtype dtype) { /* by value in C */
    switch (dtype) {
    case DTYPE_f32:
        return LLVMFloatTypeInContext(e->unit->context);
    case DTYPE_f64:
        return LLVMDoubleTypeInContext(e->unit->context);
    default:
        return LLVMIntTypeInContext(e->unit->context, dtype_info[dtype].bytes * 8u);
    }
}

/* Complex scalars are passed as tensors are: by the address of their parts. */
static bool is_by_value(const ExportParameter *value) {
    return value->is_scalar && !dtype_is_complex(value->dtype);
}

static LLVMTypeRef wrapper_type(Export *e) {
    const ExportFunction *function = e->function;
    uint32_t count = function->dims.count + function->inputs.count + function->outputs.count, at = 0;
    LLVMTypeRef *types = ARENA_ARRAY(e->arena, LLVMTypeRef, count);
    for (uint32_t i = 0; i < function->dims.count; i++)
        types[at++] = e->i64;
    for (uint32_t i = 0; i < function->inputs.count; i++) {
        const ExportArgument *argument = &function->inputs.items[i];
        const ExportParameter *value = &function->parameters.items[argument->first];
        types[at++] = !argument->structure && is_by_value(value) ? scalar_type(e, value->dtype) : e->pointer;
    }
    for (uint32_t i = 0; i < function->outputs.count; i++)
        types[at++] = e->pointer;
    return LLVMFunctionType(e->i32, types, count, false);
}

static LLVMValueRef stack_array(Export *e, LLVMTypeRef type, uint32_t count) {
    return LLVMBuildAlloca(e->builder, LLVMArrayType2(type, count ? count : 1), "");
}

static void store_item(Export *e, LLVMValueRef array, uint32_t index, LLVMValueRef value) {
    LLVMValueRef position = LLVMConstInt(e->i64, index, false);
    LLVMBuildStore(e->builder, value, LLVMBuildGEP2(e->builder, e->i64, array, &position, 1, ""));
}

static LLVMValueRef store_extents(Export *e) {
    const ExportFunction *function = e->function;
    uint32_t inputs = function->parameters.count, count = inputs + function->results.count, axes = 0, at = 0;
    for (uint32_t i = 0; i < count; i++)
        axes += i < inputs ? function->parameters.items[i].rank : function->results.items[i - inputs].rank;
    LLVMValueRef array = stack_array(e, e->i64, axes);
    for (uint32_t i = 0; i < count; i++) {
        const ExportParameter *value =
            i < inputs ? &function->parameters.items[i] : &function->results.items[i - inputs];
        for (uint32_t k = 0; k < value->rank; k++)
            store_item(e, array, at++, extent_of(e, &value->dims[k]));
    }
    return array;
}

/* The members of a struct, all NULL where there is no struct: the runtime reports that. */
static void store_members(Export *e, LLVMValueRef array, uint32_t index, LLVMValueRef address,
                          uint32_t count) {
    LLVMTypeRef type = LLVMArrayType2(e->pointer, count);
    LLVMValueRef nothing = constant_global(e, LLVMConstNull(type), "nothing");
    LLVMValueRef is_null = LLVMBuildIsNull(e->builder, address, "");
    address = LLVMBuildSelect(e->builder, is_null, nothing, address, "");
    for (uint32_t i = 0; i < count; i++) {
        LLVMValueRef position = LLVMConstInt(e->i64, i, false);
        LLVMValueRef place = LLVMBuildGEP2(e->builder, e->pointer, address, &position, 1, "");
        store_item(e, array, index + i, LLVMBuildLoad2(e->builder, e->pointer, place, ""));
    }
}

static LLVMValueRef store_addresses(Export *e) {
    const ExportFunction *function = e->function;
    uint32_t inputs = function->parameters.count, count = inputs + function->results.count;
    LLVMValueRef array = stack_array(e, e->pointer, count);
    for (uint32_t i = 0; i < function->inputs.count + function->outputs.count; i++) {
        bool is_input = i < function->inputs.count;
        const ExportArgument *argument =
            is_input ? &function->inputs.items[i] : &function->outputs.items[i - function->inputs.count];
        LLVMValueRef value = LLVMGetParam(e->wrapper, function->dims.count + i);
        uint32_t index = is_input ? argument->first : inputs + argument->first;
        if (argument->structure) {
            store_members(e, array, index, value, argument->structure->members.count);
            continue;
        }
        if (is_input && is_by_value(&function->parameters.items[argument->first])) {
            LLVMValueRef slot = LLVMBuildAlloca(e->builder, LLVMTypeOf(value), "");
            LLVMBuildStore(e->builder, value, slot);
            value = slot;
        }
        store_item(e, array, index, value);
    }
    return array;
}

static LLVMValueRef store_dims(Export *e) {
    LLVMValueRef array = stack_array(e, e->i64, e->function->dims.count);
    for (uint32_t i = 0; i < e->function->dims.count; i++)
        store_item(e, array, i, LLVMGetParam(e->wrapper, i));
    return array;
}

static void build_body(Export *e, LLVMValueRef description) {
    LLVMPositionBuilderAtEnd(e->builder,
                             LLVMAppendBasicBlockInContext(e->unit->context, e->wrapper, "entry"));
    LLVMValueRef arguments[] = {description, store_dims(e), store_extents(e), store_addresses(e)};
    LLVMTypeRef types[] = {e->pointer, e->pointer, e->pointer, e->pointer};
    LLVMTypeRef type = LLVMFunctionType(e->i32, types, 4, false);
    LLVMValueRef callee = LLVMGetNamedFunction(e->unit->module, "gmxrt_library_call");
    if (!callee)
        callee = LLVMAddFunction(e->unit->module, "gmxrt_library_call", type);
    LLVMBuildRet(e->builder, LLVMBuildCall2(e->builder, type, callee, arguments, 4, ""));
}

static Export export_new(LlvmUnit *unit, const ExportFunction *function, Arena *arena) {
    LLVMContextRef context = unit->context;
    Export e = {.unit = unit, .arena = arena, .function = function};
    e.i8 = LLVMInt8TypeInContext(context);
    e.i32 = LLVMInt32TypeInContext(context);
    e.i64 = LLVMInt64TypeInContext(context);
    e.pointer = LLVMPointerTypeInContext(context, 0);
    return e;
}

/* The gmxrt_library_function. */
static LLVMValueRef describe_function(Export *e, const ExportList *exports, const HostPlan *plan,
                                      const ExportCode *code, uint32_t code_count) {
    const ExportFunction *function = e->function;
    uint32_t places;
    LLVMValueRef place_table = describe_places(e, exports, plan, &places);
    LLVMValueRef fields[] = {constant_text(e, function->name),
                             int32(e, function->dims.count),
                             int32(e, function->parameters.count),
                             int32(e, function->results.count),
                             int32(e, places),
                             int32(e, code_count),
                             int32(e, function->constants.count),
                             describe_dims(e),
                             describe_values(e),
                             place_table,
                             describe_code(e, code, code_count),
                             describe_constants(e)};
    return constant_global(e, constant_struct(e, fields, sizeof fields / sizeof *fields), "export");
}

/* ---- structs ---------------------------------------------------------------------------------------------
 */

/* The gmxrt_library_struct. */
static LLVMValueRef describe_struct(Export *e, const ExportStruct *structure, LLVMValueRef init) {
    uint32_t count = structure->members.count, axes = 0;
    LLVMValueRef *values = ARENA_ARRAY(e->arena, LLVMValueRef, count),
                 *paths = ARENA_ARRAY(e->arena, LLVMValueRef, count),
                 *extents = ARENA_ARRAY(e->arena, LLVMValueRef, count * IR_MAX_RANK);
    for (uint32_t i = 0; i < count; i++) {
        const ExportParameter *member = &structure->members.items[i];
        LLVMValueRef fields[] = {constant_text(e, member->name), int32(e, member->dtype),
                                 int32(e, member->rank)};
        values[i] = constant_struct(e, fields, 3);
        paths[i] = constant_text(e, structure->paths.items[i]);
        for (uint32_t k = 0; k < member->rank; k++)
            extents[axes++] = LLVMConstInt(e->i64, (uint64_t)member->dims[k].value, true);
    }
    LLVMValueRef fields[] = {constant_text(e, structure->type),
                             LLVMConstInt(e->i64, count, false),
                             constant_array(e, LLVMTypeOf(values[0]), values, count),
                             constant_array(e, e->pointer, paths, count),
                             constant_array(e, e->i64, extents, axes),
                             init};
    return constant_global(e, constant_struct(e, fields, sizeof fields / sizeof *fields), "struct");
}

/* RESULT NAME_WHAT(layer[, second]): hands the description and its arguments to gmxrt_library_struct_WHAT. */
static void struct_function(Export *e, const char *name, const char *what, LLVMTypeRef result,
                            LLVMTypeRef second, LLVMValueRef description) {
    LLVMTypeRef types[] = {e->pointer, e->pointer, second};
    unsigned count = second ? 3 : 2;
    LLVMTypeRef outer = LLVMFunctionType(result, types + 1, count - 1, false),
                inner = LLVMFunctionType(result, types, count, false);
    LLVMValueRef function =
        LLVMAddFunction(e->unit->module, arena_format(e->arena, "%s_%s", name, what), outer);
    target_attributes(e->unit->target, function);
    const char *symbol = arena_format(e->arena, "gmxrt_library_struct_%s", what);
    LLVMValueRef callee = LLVMGetNamedFunction(e->unit->module, symbol);
    if (!callee)
        callee = LLVMAddFunction(e->unit->module, symbol, inner);
    LLVMPositionBuilderAtEnd(e->builder, LLVMAppendBasicBlockInContext(e->unit->context, function, "entry"));
    LLVMValueRef arguments[] = {description, LLVMGetParam(function, 0),
                                second ? LLVMGetParam(function, 1) : NULL};
    LLVMValueRef status = LLVMBuildCall2(e->builder, inner, callee, arguments, count, "");
    if (LLVMGetTypeKind(result) == LLVMVoidTypeKind)
        LLVMBuildRetVoid(e->builder);
    else
        LLVMBuildRet(e->builder, status);
}

bool export_struct(LlvmUnit *unit, const ExportList *exports, const ExportStruct *structure,
                   const HostPlan *plan, const ExportCode *code, uint32_t code_count, Arena *arena,
                   const char **message) {
    Export e = export_new(unit, structure->init, arena);
    LLVMValueRef description =
        describe_struct(&e, structure, describe_function(&e, exports, plan, code, code_count));
    e.builder = LLVMCreateBuilderInContext(unit->context);
    struct_function(&e, structure->name, "init", e.i32, e.i64, description);
    struct_function(&e, structure->name, "load", e.i32, e.pointer, description);
    struct_function(&e, structure->name, "save", e.i32, e.pointer, description);
    struct_function(&e, structure->name, "free", LLVMVoidTypeInContext(unit->context), NULL, description);
    LLVMDisposeBuilder(e.builder);
    *message = e.message;
    return !e.message;
}

/* ---- functions -------------------------------------------------------------------------------------------
 */

bool export_wrapper(LlvmUnit *unit, const ExportList *exports, const ExportFunction *function,
                    const HostPlan *plan, const ExportCode *code, uint32_t code_count, Arena *arena,
                    const char **message) {
    Export e = export_new(unit, function, arena);
    e.wrapper = LLVMAddFunction(unit->module, function->name, wrapper_type(&e));
    target_attributes(unit->target, e.wrapper);
    LLVMValueRef description = describe_function(&e, exports, plan, code, code_count);
    e.builder = LLVMCreateBuilderInContext(unit->context);
    build_body(&e, description);
    LLVMDisposeBuilder(e.builder);
    *message = e.message;
    return !e.message;
}
