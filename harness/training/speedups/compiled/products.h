// Matrix products by torch's BLAS or in tiles, and the parts of a buffer.

#pragma once

#include <algorithm>

#include "elements.h"
#include "tiles.h"

namespace {

// Fortran's GEMM: column-major, every argument a pointer. Its integers have 32 or 64 bits, by build;
// a little-endian pointer to 64 bits serves both.
template <class T>
using Gemm = void (*)(const char*, const char*, const Index*, const Index*, const Index*, const T*,
                      const T*, const Index*, const T*, const Index*, const T*, T*, const Index*);

// A matrix product of row-major matrices with rows `stride` apart: by torch's BLAS with torch's
// number of threads, or if `tiled` and not of a few rows only, in tiles and one thread.
template <class T>
struct Products {
  Gemm<T> gemm;
  bool tiled;

  // y (rows, out) = x (rows, in) w^T, where w is (out, in).
  void forward(const T* x, Index x_stride, const T* w, T* y, Index y_stride, Index rows, Index in,
               Index out) const {
    if (in_tiles(rows)) return tiled_forward(x, x_stride, w, y, y_stride, rows, in, out);
    call('T', 'N', out, rows, in, w, in, x, x_stride, T(0), y, y_stride);
  }
  // dx (rows, in) = dy (rows, out) w, added to dx if `add`.
  void input(const T* dy, Index dy_stride, const T* w, T* dx, Index rows, Index in, Index out,
             bool add) const {
    if (in_tiles(rows)) return tiled_input(dy, dy_stride, w, dx, rows, in, out, add);
    call('N', 'N', in, rows, out, w, in, dy, dy_stride, T(add), dx, in);
  }
  // dw (out, in) = dy^T x, added to dw if `add`.
  void weight(const T* dy, Index dy_stride, const T* x, Index x_stride, T* dw, Index rows, Index in,
              Index out, bool add) const {
    if (in_tiles(rows))
      return tiled_weight(dy, dy_stride, x, x_stride, dw, rows, in, out, add);
    call('N', 'T', in, out, rows, x, x_stride, dy, dy_stride, T(add), dw, in);
  }

 private:
  bool in_tiles(Index rows) const { return tiled && rows >= kFewestRows; }

  void call(char ta, char tb, Index m, Index n, Index k, const T* a, Index lda, const T* b,
            Index ldb, T beta, T* c, Index ldc) const {
    const T one = 1;
    gemm(&ta, &tb, &m, &n, &k, &one, a, &lda, b, &ldb, &beta, c, &ldc);
  }
};

// Consecutive parts of a buffer, each aligned to 64 bytes. Without a buffer, it only counts.
class Area {
 public:
  explicit Area(char* base) : base_(base) {}
  template <class U>
  U* take(Index count) {
    char* part = base_ + used_;
    used_ += (count * Index(sizeof(U)) + 63) / 64 * 64;
    most_ = std::max(most_, used_);
    return reinterpret_cast<U*>(part);
  }
  Index used() const { return used_; }
  Index most() const { return most_; }
  void back_to(Index used) { used_ = used; }

 private:
  char* base_;
  Index used_ = 0, most_ = 0;
};

}  // namespace
