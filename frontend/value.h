/* Values while a program is elaborated: IR nodes, and the things that exist only at compile time.
 *
 * A Value is copied freely; what it points to is never changed after it was made, except that the driver
 * fills in a slot.  POISON stands for a value that an error took away (or that `gmx check` cannot know):
 * nothing is reported about it again. */
#ifndef GMX_FRONTEND_VALUE_H
#define GMX_FRONTEND_VALUE_H

#include "frontend/ast.h"
#include "ir/ir.h"

typedef enum ValueKind {
    VALUE_POISON,
    VALUE_UNIT, /* of a statement */
    VALUE_NONE,
    VALUE_TENSOR,   /* a node of the current unit */
    VALUE_CONSTANT, /* a scalar known when compiling; outlives units */
    VALUE_SLOT,     /* a tensor that outlives units */
    VALUE_TOKEN,    /* an effect token: internal */
    VALUE_STRING,   /* known when compiling */
    VALUE_TEXT,     /* a string with values in it that are formatted when it is printed */
    VALUE_DTYPE,
    VALUE_FUNCTION,
    VALUE_BUILTIN,
    VALUE_MAPPED,     /* vmap(f): its tuple is the function and the axes of its arguments */
    VALUE_DERIVATIVE, /* grad(f) and its like */
    VALUE_TUPLE,
    VALUE_RECORD, /* a tuple whose items have names: what a file with several arrays holds */
    VALUE_RANGE,
    VALUE_SEQUENCE, /* what `for` runs over item by item; see elab_sequence.c */
    VALUE_CLASS,    /* what `layer Name(…)` declares: a call of it makes an instance */
    VALUE_LAYER,    /* an instance: its members, with their names */
    VALUE_SPARSE,   /* a sparse matrix: its pattern and its values; see elab_sparse.h */
    VALUE_EDGES,    /* an edge tensor: a pattern and a tensor with a row per entry */
    VALUE_GRAPH,    /* its pattern */
} ValueKind;

/* A run-time tensor between units.  The elaborator makes slots; the driver fills in what follows once the
 * unit that computes it ran.  A slot with `data` is a constant of the source: the driver makes its tensor. */
typedef struct ElabSlot {
    uint32_t id;
    Name name; /* of the variable it was made for, or NULL */
    Dtype dtype;
    uint32_t rank;
    bool is_pattern; /* of IR_PATTERN: dtype is that of its indices, shape its three extents */
    IrOrder order;   /* of a pattern */
    bool is_known;   /* shape and is_contiguous hold; false while the unit did not run (gmx check) */
    bool is_contiguous;
    int64_t shape[IR_MAX_RANK];
    uint32_t fixed_axes; /* bits: code made for this slot may take shape[k] as a constant */
    bool has_value;      /* a scalar integer or bool whose value is known: only a hint for sizes */
    int64_t value;
    const void *data; /* elements in C order, or NULL */
    void *tensor;     /* the driver's */
    uint32_t uses;    /* the driver's: how often names hold it */
} ElabSlot;

typedef struct Value Value;
typedef struct Builtin Builtin;
typedef struct Scope Scope;
typedef struct Derivative Derivative;
typedef struct LayerClass LayerClass;
typedef struct LayerInstance LayerInstance;

typedef struct Closure {
    const AstNode *function; /* FUNCTION */
    Scope *environment;      /* captured values, then the globals of its file */
    Name name;               /* NULL: anonymous */
    bool is_library;         /* of stdlib/ */
    bool is_broken;          /* an error in it was reported: calls give POISON */
    bool is_checked;
    const LayerClass *layer; /* a method's: its environment holds the members of an instance; else NULL */
} Closure;

typedef struct TextPiece {
    bool is_hole;     /* the next of the text's values */
    const char *text; /* as it is, or the format of the value (may be NULL) */
    uint32_t length;
    const Value *choices; /* a hole whose value, an i64, is the number of one of these strings; else NULL */
    uint32_t choice_count;
} TextPiece;

typedef struct TextPieces {
    uint32_t count;
    const TextPiece *items;
} TextPieces;

typedef struct ValueTuple {
    uint32_t count;
    Value *items;
    const Name *names;       /* of a RECORD, distinct; a dot in one stands between the names of a path */
    const LayerClass *layer; /* of a LAYER: its names are those of the class's members */
} ValueTuple;

struct Value {
    ValueKind kind;
    bool
        is_weak; /* scalars: promotes like a literal; tensors: written as a literal, takes a declared dtype */
    union {
        IrNode *node;
        struct {
            Dtype dtype; /* of DTYPE and CONSTANT */
            uint64_t bits;
        };
        ElabSlot *slot;
        struct {
            const char *text;
            uint32_t length;
        };
        Closure *function;
        const Builtin *builtin;
        const Derivative *derivative;
        const LayerClass *layer; /* of CLASS */
        struct {
            ValueTuple
                *tuple; /* of TUPLE, RECORD, MAPPED, LAYER; of RANGE: begin and end; of TEXT: its values */
            union {
                const TextPieces *pieces; /* of TEXT */
                LayerInstance
                    *instance; /* of LAYER: where its states are kept while it is trained, or NULL */
            };
        };
    };
};

static inline Value value_of_kind(ValueKind kind) {
    return (Value){.kind = kind};
}
static inline Value value_tensor(IrNode *node) {
    return (Value){.kind = VALUE_TENSOR, .node = node};
}
static inline Value value_weak(IrNode *node) {
    return (Value){.kind = VALUE_TENSOR, .is_weak = true, .node = node};
}
static inline bool value_has_items(Value value) {
    return value.kind == VALUE_TUPLE || value.kind == VALUE_RECORD || value.kind == VALUE_RANGE ||
           value.kind == VALUE_TEXT || value.kind == VALUE_MAPPED || value.kind == VALUE_LAYER ||
           value.kind == VALUE_SEQUENCE || value.kind == VALUE_SPARSE || value.kind == VALUE_EDGES ||
           value.kind == VALUE_GRAPH;
}
static inline bool value_is_text(Value value) {
    return value.kind == VALUE_STRING || value.kind == VALUE_TEXT;
}
static inline bool value_is(Value value, ValueKind kind) {
    return value.kind == kind;
}
/* After elab_node gave it one. */
static inline bool value_has_node(Value value) {
    return value.kind == VALUE_TENSOR || value.kind == VALUE_TOKEN;
}

#endif
