// AdamW on many tensors in one pass over memory, and the norm by which gradients are clipped.
//
// Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2, with the decay
// scaled by the learning rate. The plain reference is torch.optim.AdamW.

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace {

using Index = int64_t;

struct Tensor {
  float *parameter, *gradient, *mean, *square;
  Index count;
};

constexpr Index kBlock = 4096;

// Calls `work` with each tensor, and the part of it that lies in [begin, end) of all elements.
template <class Work>
void each_part(const Tensor* tensors, Index count, Index begin, Index end, const Work& work) {
  for (const Tensor* t = tensors; t != tensors + count && end > 0; ++t) {
    const Index from = std::max<Index>(begin, 0), to = std::min(end, t->count);
    if (from < to) work(*t, from, to);
    begin -= t->count;
    end -= t->count;
  }
}

}  // namespace

// Returns the sum of the squared gradients in [begin, end). Blocks are added in double precision.
extern "C" double squared_norm(const Tensor* tensors, Index count, Index begin, Index end) {
  double total = 0;
  each_part(tensors, count, begin, end, [&](const Tensor& t, Index from, Index to) {
    for (Index block = from; block < to; block += kBlock) {
      const Index last = std::min(block + kBlock, to);
      const float* gradient = t.gradient;
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (Index i = block; i < last; ++i) sum += gradient[i] * gradient[i];
      total += sum;
    }
  });
  return total;
}

// Takes step number `step` (from 1) with gradients multiplied by `scale`.
extern "C" void adamw(const Tensor* tensors, Index count, Index begin, Index end,
                      double learning_rate, double decay, double beta1, double beta2,
                      double epsilon, Index step, double scale) {
  const float rate = float(learning_rate / (1 - std::pow(beta1, double(step))));
  const float correction = float(1 / std::sqrt(1 - std::pow(beta2, double(step))));
  const float mean_weight = float(1 - beta1), square_weight = float(1 - beta2);
  const float shrink = float(1 - learning_rate * decay);
  const float kept_square = float(beta2), least = float(epsilon), factor = float(scale);
  each_part(tensors, count, begin, end, [&](const Tensor& t, Index from, Index to) {
    float *parameter = t.parameter, *mean = t.mean, *square = t.square;
    const float* gradient = t.gradient;
#pragma omp simd
    for (Index i = from; i < to; ++i) {
      const float g = gradient[i] * factor;
      const float m = mean[i] + mean_weight * (g - mean[i]);
      const float s = kept_square * square[i] + square_weight * g * g;
      mean[i] = m;
      square[i] = s;
      parameter[i] = parameter[i] * shrink - rate * m / (std::sqrt(s) * correction + least);
    }
  });
}
