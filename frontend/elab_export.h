/* What the files that elaborate `export fn` share: see elab_export.c. */
#ifndef GMX_FRONTEND_ELAB_EXPORT_H
#define GMX_FRONTEND_ELAB_EXPORT_H

#include "frontend/elab.h"

/* A name as the header has it: with an underscore where C or C++ has a word of that name. */
const char *export_c_name(Elaborator *e, const char *name);

typedef struct ExportBuild { /* what an IR function under construction sets aside */
    ElabUnit *unit;
    IrBuilder builder;
    Value token;
} ExportBuild;
/* Begins a new function of the module and builds there; export_end goes back. */
ExportBuild export_begin(Elaborator *e, IrModule *module, Name name, Span span);
void export_end(Elaborator *e, ExportBuild saved);
/* After the results are set: bakes what the function reads into `out`.  False after reporting. */
bool export_finish(Elaborator *e, ExportFunction *out, Span span);

/* ---- elab_export_layer.c ---- */
bool elab_is_layer_type(Elaborator *e, const AstNode *type);
/* The struct of a layer type, added to `exports` when it is new; NULL after reporting. */
const ExportStruct *elab_export_struct(Elaborator *e, IrModule *module, const AstNode *type,
                                       ExportList *exports);

#endif
