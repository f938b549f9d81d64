// A cuBLASLt that multiplies nothing, and refuses what the library would refuse: products of matrices that do not fit.
#include "cublas_lt.h"

#include <cstring>

#define API extern "C" wamim_cublas_result

namespace {

constexpr wamim_cublas_result success = WAMIM_CUBLAS_SUCCESS, invalid = 7;

struct Matrix {
  int32_t type;
  uint64_t rows, columns;
  int64_t stride;
  int32_t count = 1;
  int64_t batch_stride = 0;
};

struct Product {
  int32_t left = 0, right = 0;
};

bool fits(const Product &product, const Matrix &left, const Matrix &right, const Matrix &result) {
  const auto rows = product.left ? left.columns : left.rows, terms = product.left ? left.rows : left.columns;
  const auto others = product.right ? right.columns : right.rows, columns = product.right ? right.rows : right.columns;
  return rows == result.rows && columns == result.columns && terms == others && left.type == right.type && left.count == right.count &&
         left.count == result.count;
}

}  // namespace

API cublasLtCreate(wamim_cublas_object *handle) { return *handle = new int(0), success; }
API cublasLtDestroy(wamim_cublas_object handle) { return delete (int *)handle, success; }
API cublasLtMatmulDescCreate(wamim_cublas_object *product, int32_t compute, int32_t scale) {
  if (compute != WAMIM_CUBLAS_COMPUTE_FLOAT32 || scale != WAMIM_CUBLAS_FLOAT32) return invalid;
  return *product = new Product, success;
}
API cublasLtMatmulDescDestroy(wamim_cublas_object product) { return delete (Product *)product, success; }
API cublasLtMatmulDescSetAttribute(wamim_cublas_object product, int32_t attribute, const void *value, size_t bytes) {
  if (bytes != 4 || (attribute != WAMIM_CUBLAS_TRANSPOSE_LEFT && attribute != WAMIM_CUBLAS_TRANSPOSE_RIGHT)) return invalid;
  Product *known = (Product *)product;
  std::memcpy(attribute == WAMIM_CUBLAS_TRANSPOSE_LEFT ? &known->left : &known->right, value, 4);
  return success;
}
API cublasLtMatrixLayoutCreate(wamim_cublas_object *matrix, int32_t type, uint64_t rows, uint64_t columns, int64_t stride) {
  if (stride < (int64_t)rows || (type != WAMIM_CUBLAS_FLOAT32 && type != WAMIM_CUBLAS_BFLOAT16)) return invalid;
  return *matrix = new Matrix{type, rows, columns, stride}, success;
}
API cublasLtMatrixLayoutDestroy(wamim_cublas_object matrix) { return delete (Matrix *)matrix, success; }
API cublasLtMatrixLayoutSetAttribute(wamim_cublas_object matrix, int32_t attribute, const void *value, size_t bytes) {
  Matrix *known = (Matrix *)matrix;
  if (attribute == WAMIM_CUBLAS_BATCH_COUNT && bytes == 4) return std::memcpy(&known->count, value, 4), success;
  if (attribute == WAMIM_CUBLAS_BATCH_STRIDE && bytes == 8) return std::memcpy(&known->batch_stride, value, 8), success;
  return invalid;
}
API cublasLtMatmulPreferenceCreate(wamim_cublas_object *preference) { return *preference = new size_t(0), success; }
API cublasLtMatmulPreferenceDestroy(wamim_cublas_object preference) { return delete (size_t *)preference, success; }
API cublasLtMatmulPreferenceSetAttribute(wamim_cublas_object, int32_t attribute, const void *, size_t bytes) {
  return attribute == WAMIM_CUBLAS_WORKSPACE_BYTES && bytes == 8 ? success : invalid;
}
API cublasLtMatmulAlgoGetHeuristic(
    wamim_cublas_object, wamim_cublas_object product, wamim_cublas_object left, wamim_cublas_object right, wamim_cublas_object,
    wamim_cublas_object result, wamim_cublas_object, int32_t wanted, wamim_cublas_proposal *proposals, int32_t *count) {
  if (!fits(*(Product *)product, *(Matrix *)left, *(Matrix *)right, *(Matrix *)result)) return invalid;
  *proposals = {};
  *count = wanted > 0;
  return success;
}
API cublasLtMatmul(
    wamim_cublas_object, wamim_cublas_object product, const void *, uint64_t, wamim_cublas_object left, uint64_t,
    wamim_cublas_object right, const void *, uint64_t, wamim_cublas_object, uint64_t, wamim_cublas_object result, const void *, uint64_t,
    size_t, void *) {
  return fits(*(Product *)product, *(Matrix *)left, *(Matrix *)right, *(Matrix *)result) ? success : invalid;
}
