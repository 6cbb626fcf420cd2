// Element-wise functions and small sums, written in vectors of kLanes elements.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

using Index = int64_t;
using Word = uint16_t;

namespace {

constexpr int kLanes = 16;

// xoshiro128++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021) in 16
// independent lanes, so that compilers can use vector instructions.
class Random {
 public:
  explicit Random(const uint32_t* seed) {
    if (seed != nullptr) std::memcpy(state_, seed, sizeof state_);
  }

  void fill(Word* words, Index count) {
    uint32_t drawn[16];
    for (Index done = 0; done < count; done += 32) {
      for (int lane = 0; lane < 16; ++lane) drawn[lane] = next(lane);
      std::memcpy(words + done, drawn, sizeof(Word) * std::min<Index>(32, count - done));
    }
  }

 private:
  uint32_t state_[4][16];

  static uint32_t rotate(uint32_t x, int by) { return (x << by) | (x >> (32 - by)); }

  uint32_t next(int lane) {
    uint32_t &a = state_[0][lane], &b = state_[1][lane], &c = state_[2][lane], &d = state_[3][lane];
    const uint32_t result = rotate(a + d, 7) + a, shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result;
  }
};

// exp(x) for x <= 0: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2]. Relative error below 3e-7.
inline float exponential(float x) {
  x = std::max(x, -87.0f);
  const float n = std::nearbyint(x * 1.44269504f);
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}
inline double exponential(double x) { return std::exp(x); }

// erfc(z) / 2 for z >= 0, given exp(-z^2). The float's polynomial in t = 1 / (1 + z / 2) is a
// least-squares fit of the relative error of erfc(z) / exp(-z^2) on [0, 10]: below 3e-7 there.
inline float upper_tail(float z, float decay) {
  const float t = 1.0f / (1.0f + 0.5f * z);
  float p = -0.0601087077f;
  p = p * t + 0.289446101f;
  p = p * t + -0.496829576f;
  p = p * t + 0.288515146f;
  p = p * t + -0.0333990199f;
  p = p * t + 0.205360429f;
  p = p * t + 0.242479379f;
  p = p * t + 0.282453842f;
  p = p * t + 0.282082358f;
  return 0.5f * (p * t) * decay;
}
inline double upper_tail(double z, double) { return 0.5 * std::erfc(z); }

// GELU(x) = x Phi(x) and its derivative Phi(x) + x phi(x).
template <class T>
void gelu(const T* x, const T* bias, T* value, T* derivative, Index count) {
#pragma omp simd
  for (Index i = 0; i < count; ++i) {
    const T v = x[i] + bias[i], z = std::abs(v) * T(0.70710678118654752440);
    const T decay = exponential(-z * z);
    const T tail = upper_tail(z, decay);
    const T normal = v > 0 ? 1 - tail : tail;
    value[i] = v * normal;
    derivative[i] = normal + v * decay * T(0.39894228040143267794);
  }
}

// out (width) = the sum over `count` rows, `stride` apart, each multiplied by its factor.
template <class T>
void weighted_sum(const T* factors, Index factor_stride, Index count, const T* rows,
                         Index stride, Index width, T* out) {
  Index begin = 0;
  for (; begin + kLanes <= width; begin += kLanes) {
    T sums[kLanes] = {};
    for (Index i = 0; i < count; ++i) {
      const T factor = factors[i * factor_stride];
      const T* row = rows + i * stride + begin;
#pragma omp simd
      for (int lane = 0; lane < kLanes; ++lane) sums[lane] += factor * row[lane];
    }
    std::memcpy(out + begin, sums, sizeof sums);
  }
  for (; begin < width; ++begin) {
    T sum = 0;
    for (Index i = 0; i < count; ++i) sum += factors[i * factor_stride] * rows[i * stride + begin];
    out[begin] = sum;
  }
}

// Transposed (depth, padded), with zeros beyond the rows.
template <class T>
void transpose(const T* rows, Index count, Index stride, Index depth, Index padded,
                      T* transposed) {
  for (Index d = 0; d < depth; ++d) {
    T* to = transposed + d * padded;
    for (Index i = 0; i < count; ++i) to[i] = rows[i * stride + d];
    std::fill(to + count, to + padded, T(0));
  }
}

inline Index padded(Index count) { return (count + kLanes - 1) / kLanes * kLanes; }

// Whole vectors are computed: x has room for padded(count).
template <class T>
void softmax(T* x, Index count) {
  T highest = x[0], sum = 0;
  for (Index i = 1; i < count; ++i) highest = std::max(highest, x[i]);
  for (Index begin = 0; begin < count; begin += kLanes) {
#pragma omp simd
    for (int lane = 0; lane < kLanes; ++lane)
      x[begin + lane] = exponential(std::min(x[begin + lane] - highest, T(0)));
  }
  for (Index i = 0; i < count; ++i) sum += x[i];
  const T inverse = 1 / sum;
  for (Index i = 0; i < count; ++i) x[i] *= inverse;
}

}  // namespace
