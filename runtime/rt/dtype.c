/* The table behind runtime/rt/dtype.h. */
#include "runtime/rt/dtype.h"

const RtDtypeInfo rt_dtype_info[RT_DTYPE_COUNT] = {
#define DTYPE(name, kind, bytes, compute, numpy, c_type) [RT_##name] = {#name, RT_##kind, bytes, numpy},
#include "ir/dtypes.def"
};
