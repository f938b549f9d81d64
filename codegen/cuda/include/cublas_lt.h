// What `bench` calls of NVIDIA's cuBLASLt, which is opened where a program asks to be compared with it.
//
// Types and numbers are those of the library's documented interface.
#ifndef WAMIM_CUBLAS_LT_H
#define WAMIM_CUBLAS_LT_H

#include <stddef.h>
#include <stdint.h>

typedef int32_t wamim_cublas_result;
typedef void *wamim_cublas_object;

enum {
  WAMIM_CUBLAS_SUCCESS = 0,
  WAMIM_CUBLAS_NOT_SUPPORTED = 15,
  /// Types of numbers, and what sums are made in.
  WAMIM_CUBLAS_FLOAT32 = 0,
  WAMIM_CUBLAS_BFLOAT16 = 14,
  WAMIM_CUBLAS_COMPUTE_FLOAT32 = 68,
  /// Attributes of products, matrices and preferences.
  WAMIM_CUBLAS_TRANSPOSE_LEFT = 3,
  WAMIM_CUBLAS_TRANSPOSE_RIGHT = 4,
  WAMIM_CUBLAS_BATCH_COUNT = 5,
  WAMIM_CUBLAS_BATCH_STRIDE = 6,
  WAMIM_CUBLAS_WORKSPACE_BYTES = 1,
};

/// A way to make a product, as the library proposes it.
typedef struct {
  uint64_t algorithm[8];
  size_t workspace_bytes;
  wamim_cublas_result state;
  float waves;
  int32_t reserved[4];
} wamim_cublas_proposal;

/// The library's functions: the name, parameters and arguments.
#define WAMIM_CUBLAS_FUNCTIONS(F) \
  F(cublasLtCreate, (wamim_cublas_object *handle), (handle)) \
  F(cublasLtDestroy, (wamim_cublas_object handle), (handle)) \
  F(cublasLtMatmulDescCreate, (wamim_cublas_object *product, int32_t compute, int32_t scale), (product, compute, scale)) \
  F(cublasLtMatmulDescDestroy, (wamim_cublas_object product), (product)) \
  F(cublasLtMatmulDescSetAttribute, (wamim_cublas_object product, int32_t attribute, const void *value, size_t bytes), \
    (product, attribute, value, bytes)) \
  F(cublasLtMatrixLayoutCreate, (wamim_cublas_object *matrix, int32_t type, uint64_t rows, uint64_t columns, int64_t stride), \
    (matrix, type, rows, columns, stride)) \
  F(cublasLtMatrixLayoutDestroy, (wamim_cublas_object matrix), (matrix)) \
  F(cublasLtMatrixLayoutSetAttribute, (wamim_cublas_object matrix, int32_t attribute, const void *value, size_t bytes), \
    (matrix, attribute, value, bytes)) \
  F(cublasLtMatmulPreferenceCreate, (wamim_cublas_object *preference), (preference)) \
  F(cublasLtMatmulPreferenceDestroy, (wamim_cublas_object preference), (preference)) \
  F(cublasLtMatmulPreferenceSetAttribute, (wamim_cublas_object preference, int32_t attribute, const void *value, size_t bytes), \
    (preference, attribute, value, bytes)) \
  F(cublasLtMatmulAlgoGetHeuristic, \
    (wamim_cublas_object handle, wamim_cublas_object product, wamim_cublas_object left, wamim_cublas_object right, \
     wamim_cublas_object sum, wamim_cublas_object result, wamim_cublas_object preference, int32_t wanted, \
     wamim_cublas_proposal *proposals, int32_t *count), \
    (handle, product, left, right, sum, result, preference, wanted, proposals, count)) \
  F(cublasLtMatmul, \
    (wamim_cublas_object handle, wamim_cublas_object product, const void *alpha, uint64_t left, wamim_cublas_object left_layout, \
     uint64_t right, wamim_cublas_object right_layout, const void *beta, uint64_t sum, wamim_cublas_object sum_layout, \
     uint64_t result, wamim_cublas_object result_layout, const void *algorithm, uint64_t workspace, size_t workspace_bytes, \
     void *stream), \
    (handle, product, alpha, left, left_layout, right, right_layout, beta, sum, sum_layout, result, result_layout, algorithm, \
     workspace, workspace_bytes, stream))

/// Opens the shared library `library`, once for the process: null, or what is missing. To be called on one thread.
const char *wamim_cublas_open(const char *library);

// Each of the functions, as `wamim_cublasLtCreate` and so on, once the library is open.
#define WAMIM_CUBLAS_DECLARE(name, parameters, arguments) wamim_cublas_result wamim_##name parameters;
WAMIM_CUBLAS_FUNCTIONS(WAMIM_CUBLAS_DECLARE)
#undef WAMIM_CUBLAS_DECLARE

#endif
