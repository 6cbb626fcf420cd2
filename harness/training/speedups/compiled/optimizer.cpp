// AdamW on many tensors in one pass over memory, and the norm by which gradients are clipped.
//
// Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2, with the decay
// scaled by the learning rate. The plain reference is torch.optim.AdamW.

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace {

using Index = int64_t;

template <class T>
struct Tensor {
  T *parameter, *gradient, *mean, *square;
  Index count;
};

constexpr Index kBlock = 4096;

// Calls `work` with each tensor, and the part of it that lies in [begin, end) of all elements.
template <class T, class Work>
void each_part(const Tensor<T>* tensors, Index count, Index begin, Index end, const Work& work) {
  for (const Tensor<T>* t = tensors; t != tensors + count && end > 0; ++t) {
    const Index from = std::max<Index>(begin, 0), to = std::min(end, t->count);
    if (from < to) work(*t, from, to);
    begin -= t->count;
    end -= t->count;
  }
}

// Returns the sum of the squared gradients in [begin, end). Blocks are added in double precision.
template <class T>
double squared_norm(const Tensor<T>* tensors, Index count, Index begin, Index end) {
  double total = 0;
  each_part(tensors, count, begin, end, [&](const Tensor<T>& t, Index from, Index to) {
    for (Index block = from; block < to; block += kBlock) {
      const Index last = std::min(block + kBlock, to);
      const T* gradient = t.gradient;
      T sum = 0;
#pragma omp simd reduction(+ : sum)
      for (Index i = block; i < last; ++i) sum += gradient[i] * gradient[i];
      total += double(sum);
    }
  });
  return total;
}

struct Settings {
  double learning_rate, decay, beta1, beta2, epsilon;
  Index step;    // from 1
  double scale;  // of the gradients
};

template <class T>
void adamw(const Tensor<T>* tensors, Index count, Index begin, Index end, const Settings* by) {
  const T rate = T(by->learning_rate / (1 - std::pow(by->beta1, double(by->step))));
  const T correction = T(1 / std::sqrt(1 - std::pow(by->beta2, double(by->step))));
  const T shrink = T(1 - by->learning_rate * by->decay), mean_weight = T(1 - by->beta1);
  const T kept_square = T(by->beta2), square_weight = T(1 - by->beta2);
  const T epsilon = T(by->epsilon), scale = T(by->scale);
  each_part(tensors, count, begin, end, [&](const Tensor<T>& t, Index from, Index to) {
    T *parameter = t.parameter, *mean = t.mean, *square = t.square;
    const T* gradient = t.gradient;
#pragma omp simd
    for (Index i = from; i < to; ++i) {
      const T g = gradient[i] * scale;
      const T m = mean[i] + mean_weight * (g - mean[i]);
      const T s = kept_square * square[i] + square_weight * g * g;
      mean[i] = m;
      square[i] = s;
      parameter[i] = parameter[i] * shrink - rate * m / (std::sqrt(s) * correction + epsilon);
    }
  });
}

}  // namespace

#define EXPORT(T)                                                                             \
  extern "C" double squared_norm_##T(const Tensor<T>* tensors, Index count, Index begin,      \
                                     Index end) {                                             \
    return squared_norm(tensors, count, begin, end);                                          \
  }                                                                                           \
  extern "C" void adamw_##T(const Tensor<T>* tensors, Index count, Index begin, Index end,    \
                            const Settings* settings) {                                       \
    adamw(tensors, count, begin, end, settings);                                              \
  }

EXPORT(float)
EXPORT(double)
