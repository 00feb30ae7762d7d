/* OpenBLAS, loaded at first use: the BLAS and LAPACK entries that the runtime calls. */
#ifndef GMX_RUNTIME_RT_BLAS_H
#define GMX_RUNTIME_RT_BLAS_H

#include <stddef.h>

enum { BLAS_ROW_MAJOR = 101, BLAS_NO_TRANS = 111, BLAS_TRANS = 112 };

typedef struct Blas {
    void (*sgemm)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float *a,
                  int lda, const float *b, int ldb, float beta, float *c, int ldc);
    void (*dgemm)(int order, int trans_a, int trans_b, int m, int n, int k, double alpha, const double *a,
                  int lda, const double *b, int ldb, double beta, double *c, int ldc);
    void (*sgemv)(int order, int trans, int m, int n, float alpha, const float *a, int lda, const float *x,
                  int incx, float beta, float *y, int incy);
    void (*dgemv)(int order, int trans, int m, int n, double alpha, const double *a, int lda, const double *x,
                  int incx, double beta, double *y, int incy);
    /* complex: pairs of parts, factors by address */
    void (*cgemm)(int order, int trans_a, int trans_b, int m, int n, int k, const void *alpha, const void *a,
                  int lda, const void *b, int ldb, const void *beta, void *c, int ldc);
    void (*zgemm)(int order, int trans_a, int trans_b, int m, int n, int k, const void *alpha, const void *a,
                  int lda, const void *b, int ldb, const void *beta, void *c, int ldc);
    void (*cgemv)(int order, int trans, int m, int n, const void *alpha, const void *a, int lda,
                  const void *x, int incx, const void *beta, void *y, int incy);
    void (*zgemv)(int order, int trans, int m, int n, const void *alpha, const void *a, int lda,
                  const void *x, int incx, const void *beta, void *y, int incy);
    /* LAPACK: Fortran interface, with the hidden lengths of character arguments at the end. */
    void (*sgetrf)(const int *m, const int *n, float *a, const int *lda, int *pivots, int *info);
    void (*dgetrf)(const int *m, const int *n, double *a, const int *lda, int *pivots, int *info);
    void (*sgetrs)(const char *trans, const int *n, const int *nrhs, const float *a, const int *lda,
                   const int *pivots, float *b, const int *ldb, int *info, size_t length);
    void (*dgetrs)(const char *trans, const int *n, const int *nrhs, const double *a, const int *lda,
                   const int *pivots, double *b, const int *ldb, int *info, size_t length);
    void (*sgecon)(const char *norm, const int *n, const float *a, const int *lda, const float *anorm,
                   float *rcond, float *work, int *iwork, int *info, size_t length);
    void (*dgecon)(const char *norm, const int *n, const double *a, const int *lda, const double *anorm,
                   double *rcond, double *work, int *iwork, int *info, size_t length);
    void (*spotrf)(const char *uplo, const int *n, float *a, const int *lda, int *info, size_t length);
    void (*dpotrf)(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t length);
    void (*cgetrf)(const int *m, const int *n, void *a, const int *lda, int *pivots, int *info);
    void (*zgetrf)(const int *m, const int *n, void *a, const int *lda, int *pivots, int *info);
    void (*cgetrs)(const char *trans, const int *n, const int *nrhs, const void *a, const int *lda,
                   const int *pivots, void *b, const int *ldb, int *info, size_t length);
    void (*zgetrs)(const char *trans, const int *n, const int *nrhs, const void *a, const int *lda,
                   const int *pivots, void *b, const int *ldb, int *info, size_t length);
    void (*cgecon)(const char *norm, const int *n, const void *a, const int *lda, const float *anorm,
                   float *rcond, void *work, float *rwork, int *info, size_t length);
    void (*zgecon)(const char *norm, const int *n, const void *a, const int *lda, const double *anorm,
                   double *rcond, void *work, double *rwork, int *info, size_t length);
    void (*cpotrf)(const char *uplo, const int *n, void *a, const int *lda, int *info, size_t length);
    void (*zpotrf)(const char *uplo, const int *n, void *a, const int *lda, int *info, size_t length);
} Blas;

/* NULL when no OpenBLAS with all of these is on this machine.  The environment variable
 * GMX_OPENBLAS names another library file, or is `none`; it is read once. */
const Blas *blas_get(void);

#endif
