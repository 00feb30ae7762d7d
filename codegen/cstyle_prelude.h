/* What the `c` column of ir/ops.def calls beside <math.h>: type-generic functions, one text for CUDA C,
 * OpenCL C, C++ and host C11.  Stands at the top of every generated source (compiled with -fwrapv or its
 * like).
 *
 * A dialect that overloads functions (CUDA, C++, OpenCL C by clang's attribute) gets one overload per type;
 * C11 selects with _Generic.  Integers follow NumPy: they wrap, // and % floor, the divisor 0 gives 0 (the
 * kernel reports it), shifts by the width or more shift everything out. */
#ifndef GMX_CSTYLE_PRELUDE_H
#define GMX_CSTYLE_PRELUDE_H

#if defined(__OPENCL_C_VERSION__)
#define GMX_FN         static inline __attribute__((overloadable))
#define GMX_NAME(f, t) f
typedef char int8_t;
typedef uchar uint8_t;
typedef short int16_t;
typedef ushort uint16_t;
typedef int int32_t;
typedef uint uint32_t;
typedef long int64_t;
typedef ulong uint64_t;
#define GMX_MATH(f, suffix) f
#elif defined(__CUDACC__) || defined(__cplusplus)
#ifdef __CUDACC__
#define GMX_FN static __device__ __forceinline__
#else
#define GMX_FN static inline
#endif
#ifndef __CUDACC_RTC__
#include <math.h>
#include <stdint.h>
#endif
#define GMX_NAME(f, t)      f
#define GMX_MATH(f, suffix) f##suffix
#else
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <tgmath.h>
#define GMX_FN              static inline
#define GMX_NAME(f, t)      f##_##t
#define GMX_MATH(f, suffix) (f##suffix)
/* The function for the type of x. */
#define GMX_INTEGERS_OF(f)                                                                                   \
    bool : f##_u8,                                                                                           \
           uint8_t : f##_u8,                                                                                 \
                     uint16_t : f##_u16,                                                                     \
                                uint32_t : f##_u32,                                                          \
                                           uint64_t : f##_u64,                                               \
                                                      int8_t : f##_i8,                                       \
                                                               int16_t : f##_i16,                            \
                                                                         int32_t : f##_i32,                  \
                                                                                   int64_t : f##_i64
#define GMX_INTEGER_OF(f, x) _Generic((x), GMX_INTEGERS_OF(f))
#define GMX_OF(f, x)         _Generic((x), GMX_INTEGERS_OF(f), float : f##_f32, double : f##_f64)
#define gmx_abs(x)           GMX_OF(gmx_abs, x)(x)
#define gmx_sign(x)          GMX_OF(gmx_sign, x)(x)
#define gmx_floor(x)         GMX_OF(gmx_floor, x)(x)
#define gmx_ceil(x)          GMX_OF(gmx_ceil, x)(x)
#define gmx_round(x)         GMX_OF(gmx_round, x)(x)
#define gmx_trunc(x)         GMX_OF(gmx_trunc, x)(x)
#define gmx_floordiv(x, y)   GMX_OF(gmx_floordiv, x)(x, y)
#define gmx_mod(x, y)        GMX_OF(gmx_mod, x)(x, y)
#define gmx_fmod(x, y)       GMX_OF(gmx_fmod, x)(x, y)
#define gmx_pow(x, y)        GMX_OF(gmx_pow, x)(x, y)
#define gmx_min(x, y)        GMX_OF(gmx_min, x)(x, y)
#define gmx_max(x, y)        GMX_OF(gmx_max, x)(x, y)
#define gmx_shl(x, y)        GMX_INTEGER_OF(gmx_shl, x)(x, y)
#define gmx_shr(x, y)        GMX_INTEGER_OF(gmx_shr, x)(x, y)
#endif

/* For every integer type: t its name, T the C type, U the unsigned type of its width. */
#define GMX_INTEGER(t, T, U)                                                                                 \
    GMX_FN T GMX_NAME(gmx_floor, t)(T x) {                                                                   \
        return x;                                                                                            \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_ceil, t)(T x) {                                                                    \
        return x;                                                                                            \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_round, t)(T x) {                                                                   \
        return x;                                                                                            \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_trunc, t)(T x) {                                                                   \
        return x;                                                                                            \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_min, t)(T x, T y) {                                                                \
        return x < y ? x : y;                                                                                \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_max, t)(T x, T y) {                                                                \
        return x > y ? x : y;                                                                                \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_shl, t)(T x, T y) {                                                                \
        return (U)y >= sizeof(T) * 8 ? (T)0 : (T)((uint64_t)(U)x << (U)y);                                   \
    }                                                                                                        \
    /* Repeated squaring; a negative exponent, which the kernel reports, counts as 0. */                     \
    GMX_FN T GMX_NAME(gmx_pow, t)(T x, T y) {                                                                \
        uint64_t result = 1, square = (uint64_t)x, bits = y > 0 ? (uint64_t)y : 0;                           \
        for (; bits; bits >>= 1, square *= square)                                                           \
            if (bits & 1)                                                                                    \
                result *= square;                                                                            \
        return (T)result;                                                                                    \
    }
#define GMX_UNSIGNED(t, T)                                                                                   \
    GMX_INTEGER(t, T, T)                                                                                     \
    GMX_FN T GMX_NAME(gmx_abs, t)(T x) {                                                                     \
        return x;                                                                                            \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_sign, t)(T x) {                                                                    \
        return x != 0;                                                                                       \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_floordiv, t)(T x, T y) {                                                           \
        return y ? (T)(x / y) : (T)0;                                                                        \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_mod, t)(T x, T y) {                                                                \
        return y ? (T)(x % y) : (T)0;                                                                        \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_fmod, t)(T x, T y) {                                                               \
        return y ? (T)(x % y) : (T)0;                                                                        \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_shr, t)(T x, T y) {                                                                \
        return y >= sizeof(T) * 8 ? (T)0 : (T)(x >> y);                                                      \
    }
#define GMX_SIGNED(t, T, U)                                                                                  \
    GMX_INTEGER(t, T, U)                                                                                     \
    GMX_FN T GMX_NAME(gmx_abs, t)(T x) {                                                                     \
        return x < 0 ? (T)(0 - (U)x) : x;                                                                    \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_sign, t)(T x) {                                                                    \
        return (T)((x > 0) - (x < 0));                                                                       \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_floordiv, t)(T x, T y) {                                                           \
        if (y == 0 || y == -1)                                                                               \
            return y ? (T)(0 - (U)x) : (T)0;                                                                 \
        return (T)(x / y - (x % y != 0 && (x < 0) != (y < 0)));                                              \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_mod, t)(T x, T y) {                                                                \
        if (y == 0 || y == -1)                                                                               \
            return 0;                                                                                        \
        T rest = (T)(x % y);                                                                                 \
        return rest != 0 && (rest < 0) != (y < 0) ? (T)(rest + y) : rest;                                    \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_fmod, t)(T x, T y) {                                                               \
        return y == 0 || y == -1 ? (T)0 : (T)(x % y);                                                        \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_shr, t)(T x, T y) {                                                                \
        return (T)(x >> ((U)y >= sizeof(T) * 8 ? (U)(sizeof(T) * 8 - 1) : (U)y));                            \
    }
/* min and max: NaN if either is.  // and %: NumPy's npy_divmod, the quotient made consistent with the
 * remainder. */
#define GMX_FLOAT(t, T, s)                                                                                   \
    GMX_FN T GMX_NAME(gmx_abs, t)(T x) {                                                                     \
        return GMX_MATH(fabs, s)(x);                                                                         \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_sign, t)(T x) {                                                                    \
        return x > 0 ? (T)1 : x < 0 ? (T)-1 : x + 0;                                                         \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_floor, t)(T x) {                                                                   \
        return GMX_MATH(floor, s)(x);                                                                        \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_ceil, t)(T x) {                                                                    \
        return GMX_MATH(ceil, s)(x);                                                                         \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_round, t)(T x) {                                                                   \
        return GMX_MATH(rint, s)(x);                                                                         \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_trunc, t)(T x) {                                                                   \
        return GMX_MATH(trunc, s)(x);                                                                        \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_min, t)(T x, T y) {                                                                \
        return y != y || y < x ? y : x;                                                                      \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_max, t)(T x, T y) {                                                                \
        return y != y || y > x ? y : x;                                                                      \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_pow, t)(T x, T y) {                                                                \
        return GMX_MATH(pow, s)(x, y);                                                                       \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_fmod, t)(T x, T y) {                                                               \
        return GMX_MATH(fmod, s)(x, y);                                                                      \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_mod, t)(T x, T y) {                                                                \
        T rest = GMX_MATH(fmod, s)(x, y);                                                                    \
        if (y == 0)                                                                                          \
            return rest;                                                                                     \
        if (rest == 0)                                                                                       \
            return GMX_MATH(copysign, s)((T)0, y);                                                           \
        return (rest < 0) != (y < 0) ? rest + y : rest;                                                      \
    }                                                                                                        \
    GMX_FN T GMX_NAME(gmx_floordiv, t)(T x, T y) {                                                           \
        T rest = GMX_MATH(fmod, s)(x, y), quotient = (x - rest) / y;                                         \
        if (y == 0)                                                                                          \
            return x / y;                                                                                    \
        if (rest != 0 && (rest < 0) != (y < 0))                                                              \
            quotient -= 1;                                                                                   \
        if (quotient == 0)                                                                                   \
            return GMX_MATH(copysign, s)((T)0, x / y);                                                       \
        T whole = GMX_MATH(floor, s)(quotient);                                                              \
        return quotient - whole > (T)0.5 ? whole + 1 : whole;                                                \
    }

GMX_UNSIGNED(u8, uint8_t)
GMX_UNSIGNED(u16, uint16_t)
GMX_UNSIGNED(u32, uint32_t)
GMX_UNSIGNED(u64, uint64_t)
GMX_SIGNED(i8, int8_t, uint8_t)
GMX_SIGNED(i16, int16_t, uint16_t)
GMX_SIGNED(i32, int32_t, uint32_t)
GMX_SIGNED(i64, int64_t, uint64_t)
GMX_FLOAT(f32, float, f)
GMX_FLOAT(f64, double, )

/* 64 random bits of Philox4x32-10. */
GMX_FN uint64_t gmx_philox(uint64_t key, uint64_t counter) {
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32), c2 = 0, c3 = 0;
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        uint64_t p0 = (uint64_t)c0 * 0xD2511F53u, p1 = (uint64_t)c2 * 0xCD9E8D57u;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
    }
    return (uint64_t)c1 << 32 | c0;
}

#endif
