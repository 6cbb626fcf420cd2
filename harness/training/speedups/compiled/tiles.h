// Matrix products in one thread, for processors on which torch's BLAS has only a generic kernel.
//
// MKL serves AMD's processors with a kernel that copies both factors into its own order and clears
// the result first. Here a tile of the result stays in registers while it is summed, as Goto and van
// de Geijn describe ("Anatomy of high-performance matrix multiplication", 2008); forward and for
// inputs, only the weights are copied, and the next of them are fetched meanwhile.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "elements.h"

namespace {

// 6 rows of 2 vectors: 12 of the 16 vector registers of AVX2 hold sums, 2 a row of the panel.
constexpr int kTileBytes = 32, kTileRows = 6, kTileVectors = 2;
constexpr Index kCacheLine = 64;
// So many products are summed at a time: a panel of them stays in the caches.
#ifndef TILE_DEPTH
#define TILE_DEPTH 768
#endif
constexpr Index kDepth = TILE_DEPTH;
// With fewer rows, copying the weights takes longer than the products.
constexpr Index kFewestRows = 4;

template <class T>
struct Tile {
  static constexpr int lanes = kTileBytes / int(sizeof(T)), columns = lanes * kTileVectors;
  typedef T Vector __attribute__((vector_size(kTileBytes)));
  // A vector anywhere in memory.
  typedef T Loose __attribute__((vector_size(kTileBytes), aligned(sizeof(T)), may_alias));
};

// Rows of memory, `stride` elements apart, that are read soon.
template <class T>
struct Next {
  const T* rows;
  Index count, stride, width;

  void fetch(Index begin, Index end) const {
    for (Index row = begin; row < std::min(end, count); ++row)
      for (Index i = 0; i < width; i += kCacheLine / Index(sizeof(T)))
        __builtin_prefetch(rows + row * stride + i, 0, 2);
  }
};

// c (Rows, columns), rows `c_stride` apart, = a panel, added to c if `add`. The panel is (depth,
// Tile::columns). a is (Rows, depth) with rows `a_stride` apart; if `Turned`, (depth, kTileRows).
template <class T, int Rows, bool Turned>
void tile(const T* a, Index a_stride, const T* panel, Index depth, T* c, Index c_stride,
          Index columns, bool add) {
  using Vector = typename Tile<T>::Vector;
  using Loose = typename Tile<T>::Loose;
  constexpr int lanes = Tile<T>::lanes;
  Vector sums[Rows][kTileVectors];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
    __builtin_prefetch(c + i * c_stride, 1, 3);
#pragma GCC unroll 2
    for (int v = 0; v < kTileVectors; ++v) sums[i][v] = Vector{};
  }
  for (Index p = 0; p < depth; ++p) {
    Vector row[kTileVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kTileVectors; ++v)
      row[v] = *reinterpret_cast<const Loose*>(panel + p * Tile<T>::columns + v * lanes);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const T factor = Turned ? a[p * kTileRows + i] : a[i * a_stride + p];
#pragma GCC unroll 2
      for (int v = 0; v < kTileVectors; ++v) sums[i][v] += factor * row[v];
    }
  }
  for (int i = 0; i < Rows; ++i) {
    T* to = c + i * c_stride;
    if (columns == Tile<T>::columns) {
#pragma GCC unroll 2
      for (int v = 0; v < kTileVectors; ++v) {
        Loose* part = reinterpret_cast<Loose*>(to + v * lanes);
        *part = add ? *part + sums[i][v] : sums[i][v];
      }
    } else {
      T whole[Tile<T>::columns];
      std::memcpy(whole, sums[i], sizeof whole);
      for (Index j = 0; j < columns; ++j) to[j] = add ? to[j] + whole[j] : whole[j];
    }
  }
}

// As `tile`, for any number of rows.
template <class T, bool Turned>
void tiles(const T* a, Index a_stride, const T* panel, Index rows, Index depth, T* c,
           Index c_stride, Index columns, bool add, const Next<T>& next) {
  const Index share = next.count * kTileRows / std::max<Index>(rows, 1) + 1;
  for (Index i = 0; i < rows; i += kTileRows) {
    const Index done = i / kTileRows * share;
    next.fetch(done, done + share);
    const T* from = a + i * (Turned ? depth : a_stride);
    T* to = c + i * c_stride;
    switch (rows - i) {
      case 1: tile<T, 1, Turned>(from, a_stride, panel, depth, to, c_stride, columns, add); break;
      case 2: tile<T, 2, Turned>(from, a_stride, panel, depth, to, c_stride, columns, add); break;
      case 3: tile<T, 3, Turned>(from, a_stride, panel, depth, to, c_stride, columns, add); break;
      case 4: tile<T, 4, Turned>(from, a_stride, panel, depth, to, c_stride, columns, add); break;
      case 5: tile<T, 5, Turned>(from, a_stride, panel, depth, to, c_stride, columns, add); break;
      default: tile<T, 6, Turned>(from, a_stride, panel, depth, to, c_stride, columns, add);
    }
  }
}

// panel (depth, Tile::columns) = the first columns of m (depth, stride); the others are 0.
template <class T>
void copy_panel(const T* m, Index stride, Index depth, Index columns, T* panel) {
  constexpr int width = Tile<T>::columns;
  for (Index p = 0; p < depth; ++p, panel += width) {
    const T* from = m + p * stride;
    if (columns == width) {
      std::memcpy(panel, from, sizeof(T) * width);
    } else {
      std::copy(from, from + columns, panel);
      std::fill(panel + columns, panel + width, T(0));
    }
  }
}

// panel (depth, Tile::columns) = the transposed m (columns, depth), with rows `stride` apart; the
// other columns are 0.
template <class T>
void turn_panel(const T* m, Index stride, Index depth, Index columns, T* panel) {
  constexpr int width = Tile<T>::columns;
  Index done = 0;
  if constexpr (sizeof(T) == 4) {  // blocks of 4 by 4, in vector registers
    typedef T Four __attribute__((vector_size(16)));
    typedef T Anywhere __attribute__((vector_size(16), aligned(sizeof(T)), may_alias));
    // All of a cache line at once: rows a power of two apart would push each other's lines out.
    constexpr Index line = kCacheLine / Index(sizeof(T));
    done = columns == width ? depth / 4 * 4 : 0;
    for (Index begin = 0; begin < done; begin += line) {
      for (int j = 0; j < width; j += 4) {
        for (Index p = begin; p < std::min(begin + line, done); p += 4) {
          const T* from = m + j * stride + p;
          Four rows[4], pairs[4];
          for (int i = 0; i < 4; ++i)
            rows[i] = *reinterpret_cast<const Anywhere*>(from + i * stride);
          for (int i = 0; i < 4; i += 2) {
            pairs[i] = Four{rows[i][0], rows[i + 1][0], rows[i][1], rows[i + 1][1]};
            pairs[i + 1] = Four{rows[i][2], rows[i + 1][2], rows[i][3], rows[i + 1][3]};
          }
          for (int i = 0; i < 4; ++i) {
            const Four &low = pairs[i / 2], &high = pairs[2 + i / 2];
            const int k = i % 2 * 2;
            *reinterpret_cast<Anywhere*>(panel + (p + i) * width + j) =
                Four{low[k], low[k + 1], high[k], high[k + 1]};
          }
        }
      }
    }
  }
  for (Index p = done; p < depth; ++p)
    for (int j = 0; j < width; ++j) panel[p * width + j] = j < columns ? m[j * stride + p] : T(0);
}

// turned: for every kTileRows columns of m (depth, stride), a part (depth, kTileRows).
template <class T>
void turn_rows(const T* m, Index stride, Index depth, Index columns, T* turned) {
  for (Index i = 0; i < columns; i += kTileRows) {
    const Index count = std::min<Index>(kTileRows, columns - i);
    for (Index p = 0; p < depth; ++p, turned += kTileRows) {
      const T* from = m + p * stride + i;
      if (count == kTileRows)
        std::memcpy(turned, from, sizeof(T) * kTileRows);
      else
        for (Index j = 0; j < kTileRows; ++j) turned[j] = j < count ? from[j] : T(0);
    }
  }
}

// Memory for parts of factors, which grows to what the largest product needs.
template <class T>
T* room(Index count) {
  static thread_local std::vector<T> memory;
  const std::size_t more = kCacheLine / sizeof(T);
  if (memory.size() < count + more) memory.resize(count + more);
  void* begin = memory.data();
  std::size_t bytes = memory.size() * sizeof(T);
  return static_cast<T*>(std::align(kCacheLine, count * sizeof(T), begin, bytes));
}

// y (rows, out), rows `y_stride` apart, = x (rows, in) w^T.
template <class T>
void tiled_forward(const T* x, Index x_stride, const T* w, T* y, Index y_stride, Index rows,
                   Index in, Index out) {
  constexpr Index width = Tile<T>::columns;
  T* panel = room<T>(kDepth * width);
  for (Index p = 0; p < in; p += kDepth) {
    const Index depth = std::min(kDepth, in - p);
    for (Index j = 0; j < out; j += width) {
      const Index columns = std::min(width, out - j), rest = out - j - columns;
      turn_panel(w + j * in + p, in, depth, columns, panel);
      const Next<T> next{w + (j + columns) * in + p, std::min(width, rest), in, depth};
      tiles<T, false>(x + p, x_stride, panel, rows, depth, y + j, y_stride, columns, p > 0, next);
    }
  }
}

// dx (rows, in) = dy (rows, out) w, added to dx if `add`.
template <class T>
void tiled_input(const T* dy, Index dy_stride, const T* w, T* dx, Index rows, Index in, Index out,
                 bool add) {
  constexpr Index width = Tile<T>::columns;
  T* panel = room<T>(kDepth * width);
  for (Index p = 0; p < out; p += kDepth) {
    const Index depth = std::min(kDepth, out - p);
    for (Index j = 0; j < in; j += width) {
      const Index columns = std::min(width, in - j), rest = in - j - columns;
      const T* from = w + p * in + j;
      copy_panel(from, in, depth, columns, panel);
      const Next<T> next{from + columns, rest > 0 ? depth : 0, in, std::min(width, rest)};
      tiles<T, false>(dy + p, dy_stride, panel, rows, depth, dx + j, in, columns, add || p > 0,
                      next);
    }
  }
}

// dw (out, in) = dy^T x, added to dw if `add`.
template <class T>
void tiled_weight(const T* dy, Index dy_stride, const T* x, Index x_stride, T* dw, Index rows,
                  Index in, Index out, bool add) {
  constexpr Index width = Tile<T>::columns;
  const Index whole = (out + kTileRows - 1) / kTileRows * kTileRows;
  T* panel = room<T>(std::min(kDepth, rows) * (width + whole));
  for (Index p = 0; p < rows; p += kDepth) {
    const Index depth = std::min(kDepth, rows - p);
    T* turned = panel + depth * width;
    turn_rows(dy + p * dy_stride, dy_stride, depth, out, turned);
    for (Index j = 0; j < in; j += width) {
      const Index columns = std::min(width, in - j);
      copy_panel(x + p * x_stride + j, x_stride, depth, columns, panel);
      tiles<T, true>(turned, 0, panel, out, depth, dw + j, in, columns, add || p > 0, Next<T>{});
    }
  }
}

// Whether this processor is of the kind on which these products were measured to be faster than MKL.
inline bool tiles_pay() {
#if defined(__x86_64__) && defined(__AVX2__) && defined(__FMA__)
  return __builtin_cpu_is("amd");
#else
  return false;
#endif
}

}  // namespace
