// The layers of a post-norm transformer encoder, forward and backward, for packed sentences.
//
// The plain reference is harness/training/speedups/packing.py, which computes the same with torch.
// The last layer computes each sentence's first token only. A sentence's tokens are consecutive rows of a matrix (tokens, width); there is no padding, in
// attention neither. All matrices are row-major. Element-wise work runs in one thread; for the matrix
// products see products.h.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "elements.h"
#include "products.h"

namespace {

// One layer's parameters or their gradients. Query, key and value are one matrix (3 width, width).
template <class T>
struct Parameters {
  T *qkv, *qkv_bias, *projection, *projection_bias, *attention_norm, *attention_norm_bias;
  T *up, *up_bias, *down, *down_bias, *output_norm, *output_norm_bias;
};

template <class T>
struct Layer {
  Parameters<T> weights, gradients;
  double attention_norm_epsilon, output_norm_epsilon;
  // Dropped is the number of 65536 random words that drop an element.
  int32_t attention_dropped, projection_dropped, feed_forward_dropped;
};

// `starts` (sentences + 1) are the first rows of the sentences, and the number of tokens.
// `bias` (heads, length, length) is added to attention scores; null for none, as is its gradient.
template <class T>
struct Batch {
  Index sentences, layers, heads, width, inner, length;
  const Index* starts;
  const T* bias;
  T* bias_gradient;
  const uint32_t* seed;  // (64,) random words; null for no dropout
  Gemm<T> gemm;
  Index accumulate;  // whether gradients are added to those that are there
  Index tiled;       // whether matrix products are those of tiles.h
};

// What the backward pass of a layer reads. `rows` is the number of rows after attention: all
// tokens, or one a sentence.
template <class T>
struct Saved {
  Index rows;
  const T* input;           // (tokens, width)
  T *query, *key, *value;   // strides below
  Index query_stride, key_stride, derivative_stride;
  T *weights, *context;     // softmax by sentence, head, query, key; (rows, width)
  T *normed1, *scale1, *middle, *activated, *derivative, *normed2, *scale2, *output;
  Word *attention_words, *projection_words, *feed_forward_words;
};

template <class T>
class Encoder {
 public:
  Encoder(const Batch<T>& batch, const Layer<T>* layers)
      : batch_(batch), layers_(layers), products_{batch.gemm, batch.tiled != 0} {
    for (Index s = 0; s < batch.sentences; ++s) {
      const Index length = batch.starts[s + 1] - batch.starts[s];
      squares_ += length * length;
      longest_ = std::max(longest_, length);
    }
  }

  // Lay out what the layers write. Without `keep`, layers share one part, as no backward follows.
  std::vector<Saved<T>> lay_out(Area& area, bool keep) const {
    const Index tokens = batch_.starts[batch_.sentences], width = batch_.width;
    T* input = area.take<T>(tokens * width);
    T* outputs[2] = {nullptr, nullptr};
    if (!keep)
      for (T*& output : outputs) output = area.take<T>(tokens * width);
    const Index begin = area.used();
    std::vector<Saved<T>> saved;
    for (Index l = 0; l < batch_.layers; ++l) {
      if (!keep) area.back_to(begin);
      const bool first = l == batch_.layers - 1;
      Saved<T> s{};
      s.rows = first ? batch_.sentences : tokens;
      s.input = input;
      if (first) {
        s.query = area.take<T>(s.rows * width);
        s.key = area.take<T>(tokens * 2 * width);
        s.value = s.key + width;
        s.query_stride = width;
        s.key_stride = 2 * width;
      } else {
        s.query = area.take<T>(tokens * 3 * width);
        s.key = s.query + width;
        s.value = s.key + width;
        s.query_stride = s.key_stride = 3 * width;
      }
      const Index scores = batch_.heads * (first ? tokens : squares_);
      s.weights = area.take<T>(scores);
      s.context = area.take<T>(s.rows * width);
      s.normed1 = area.take<T>(s.rows * width);
      s.scale1 = area.take<T>(s.rows);
      s.middle = area.take<T>(s.rows * width);
      s.activated = area.take<T>(s.rows * batch_.inner);
      s.derivative_stride = keep ? batch_.inner : 0;  // without a backward pass, nobody reads it
      s.derivative = area.take<T>(keep ? s.rows * batch_.inner : batch_.inner);
      s.normed2 = area.take<T>(s.rows * width);
      s.scale2 = area.take<T>(s.rows);
      s.output = keep ? area.take<T>(s.rows * width) : outputs[l % 2];
      if (batch_.seed != nullptr) {
        s.attention_words = area.take<Word>(scores);
        s.projection_words = area.take<Word>(s.rows * width);
        s.feed_forward_words = area.take<Word>(s.rows * width);
      }
      saved.push_back(s);
      input = s.output;
    }
    return saved;
  }

  void forward(const std::vector<Saved<T>>& saved) const {
    Random random(batch_.seed);
    for (Index l = 0; l < batch_.layers; ++l) forward(layers_[l], saved[l], random);
  }

  // `gradient` is that of the last output, and becomes that of the first input.
  // Both have room for (tokens, width); `area` is for scratch.
  void backward(const std::vector<Saved<T>>& saved, T* gradient, Area& area) const {
    const Index begin = area.used();
    for (Index l = batch_.layers - 1; l >= 0; --l) {
      area.back_to(begin);
      backward(layers_[l], saved[l], gradient, area);
    }
  }

  Index scratch() const {
    Area area(nullptr);
    const Index tokens = batch_.starts[batch_.sentences];
    take_scratch(area, tokens);
    return area.most();
  }

 private:
  struct Scratch {
    T *middle, *dropped, *inner, *context, *query, *key, *scores, *applied;
  };

  const Batch<T>& batch_;
  const Layer<T>* layers_;
  Products<T> products_;
  Index squares_ = 0, longest_ = 0;

  Scratch take_scratch(Area& area, Index rows) const {
    const Index tokens = batch_.starts[batch_.sentences], width = batch_.width;
    Scratch s;
    s.middle = area.take<T>(rows * width);
    s.dropped = area.take<T>(rows * width);
    // It also holds the residual's gradient, and some models have fewer inner units than width.
    s.inner = area.take<T>(rows * std::max(batch_.inner, width));
    s.context = area.take<T>(rows * width);
    s.query = area.take<T>(tokens * 3 * width);
    s.key = area.take<T>(tokens * 2 * width);
    s.scores = area.take<T>(longest_ * longest_);
    s.applied = area.take<T>(longest_ * longest_);
    return s;
  }

  void forward(const Layer<T>& layer, const Saved<T>& s, Random& random) const {
    const Index tokens = batch_.starts[batch_.sentences], width = batch_.width;
    const Parameters<T>& w = layer.weights;
    const bool first = s.query_stride == width;
    if (first) {
      // The rows of the first tokens lie `starts` apart: gathered into `middle`, which is free.
      gather_first(s.input, s.middle);
      products_.forward(s.middle, width, w.qkv, s.query, width, s.rows, width, width);
      add_bias(s.query, w.qkv_bias, s.rows, width);
      products_.forward(s.input, width, w.qkv + width * width, s.key, 2 * width, tokens, width,
                        2 * width);
      add_bias(s.key, w.qkv_bias + width, tokens, 2 * width);
    } else {
      products_.forward(s.input, width, w.qkv, s.query, 3 * width, tokens, width, 3 * width);
      add_bias(s.query, w.qkv_bias, tokens, 3 * width);
    }
    attend(layer, s, random, first);
    // The residual's rows: the layer's input, or the first tokens of it.
    const T* residual = s.input;
    if (first) {
      gather_first(s.input, s.output);
      residual = s.output;
    }
    products_.forward(s.context, width, w.projection, s.normed1, width, s.rows, width, width);
    norm(s.normed1, w.projection_bias, residual, s.projection_words, layer.projection_dropped,
         w.attention_norm, w.attention_norm_bias, layer.attention_norm_epsilon, s.scale1, s.middle,
         s.rows, random);
    products_.forward(s.middle, width, w.up, s.activated, batch_.inner, s.rows, width,
                      batch_.inner);
    for (Index row = 0; row < s.rows; ++row)
      gelu(s.activated + row * batch_.inner, w.up_bias, s.activated + row * batch_.inner,
           s.derivative + row * s.derivative_stride, batch_.inner);
    products_.forward(s.activated, batch_.inner, w.down, s.normed2, width, s.rows, batch_.inner,
                      width);
    norm(s.normed2, w.down_bias, s.middle, s.feed_forward_words, layer.feed_forward_dropped,
         w.output_norm, w.output_norm_bias, layer.output_norm_epsilon, s.scale2, s.output, s.rows,
         random);
  }

  static void add_bias(T* matrix, const T* bias, Index rows, Index width) {
    for (Index row = 0; row < rows; ++row) {
      T* x = matrix + row * width;
#pragma omp simd
      for (Index i = 0; i < width; ++i) x[i] += bias[i];
    }
  }

  void gather_first(const T* from, T* to) const {
    for (Index s = 0; s < batch_.sentences; ++s)
      std::memcpy(to + s * batch_.width, from + batch_.starts[s] * batch_.width,
                  sizeof(T) * batch_.width);
  }

  static T factor(int32_t dropped) { return T(65536.0 / (65536 - dropped)); }

  // x becomes (v - mean) / sd of v = dropout(x + bias) + residual, and `output` its scaled form.
  void norm(T* x, const T* bias, const T* residual, Word* words, int32_t dropped, const T* weight,
            const T* shift, double epsilon, T* scales, T* output, Index rows,
            Random& random) const {
    const Index width = batch_.width;
    const bool drops = words != nullptr && dropped > 0;
    if (drops) random.fill(words, rows * width);
    const T scale = factor(dropped);
    for (Index row = 0; row < rows; ++row) {
      T* v = x + row * width;
      const T* r = residual + row * width;
      T sum = 0;
      if (drops) {
        const Word* word = words + row * width;
#pragma omp simd reduction(+ : sum)
        for (Index i = 0; i < width; ++i) {
          v[i] = (word[i] >= dropped ? (v[i] + bias[i]) * scale : T(0)) + r[i];
          sum += v[i];
        }
      } else {
#pragma omp simd reduction(+ : sum)
        for (Index i = 0; i < width; ++i) {
          v[i] = v[i] + bias[i] + r[i];
          sum += v[i];
        }
      }
      const T mean = sum / width;
      T squares = 0;
#pragma omp simd reduction(+ : squares)
      for (Index i = 0; i < width; ++i) squares += (v[i] - mean) * (v[i] - mean);
      const T inverse = 1 / std::sqrt(squares / width + T(epsilon));
      scales[row] = inverse;
      T* out = output + row * width;
#pragma omp simd
      for (Index i = 0; i < width; ++i) {
        v[i] = (v[i] - mean) * inverse;
        out[i] = v[i] * weight[i] + shift[i];
      }
    }
  }

  void attend(const Layer<T>& layer, const Saved<T>& s, Random& random, bool first) const {
    const Index heads = batch_.heads, depth = batch_.width / heads;
    const T scaling = 1 / std::sqrt(T(depth));
    const bool drops = s.attention_words != nullptr && layer.attention_dropped > 0;
    const Index tokens = batch_.starts[batch_.sentences];
    if (drops) random.fill(s.attention_words, heads * (first ? tokens : squares_));
    const T scale = factor(layer.attention_dropped);
    Index place = 0;
    std::vector<T> transposed(padded(longest_) * depth), scores(padded(longest_));
    for (Index sentence = 0; sentence < batch_.sentences; ++sentence) {
      const Index start = batch_.starts[sentence];
      const Index keys = batch_.starts[sentence + 1] - start, queries = first ? 1 : keys;
      const Index query_start = first ? sentence : start, room = padded(keys);
      for (Index head = 0; head < heads; ++head) {
        const Index offset = start * s.key_stride + head * depth;
        transpose(s.key + offset, keys, s.key_stride, depth, room, transposed.data());
        for (Index i = 0; i < queries; ++i, place += keys) {
          const T* query = s.query + (query_start + i) * s.query_stride + head * depth;
          T* score = scores.data();
          weighted_sum(query, 1, depth, transposed.data(), room, room, score);
          const T* bias = nullptr;
          if (batch_.bias != nullptr) bias = batch_.bias + (head * batch_.length + i) * batch_.length;
          for (Index j = 0; j < keys; ++j)
            score[j] = score[j] * scaling + (bias != nullptr ? bias[j] : T(0));
          softmax(score, keys);
          std::memcpy(s.weights + place, score, sizeof(T) * keys);
          if (drops) {
            const Word* word = s.attention_words + place;
            for (Index j = 0; j < keys; ++j)
              score[j] = word[j] >= layer.attention_dropped ? score[j] * scale : T(0);
          }
          weighted_sum(score, 1, keys, s.value + offset, s.key_stride, depth,
                       s.context + (query_start + i) * batch_.width + head * depth);
        }
      }
    }
  }

  void backward(const Layer<T>& layer, const Saved<T>& s, T* gradient, Area& area) const {
    const Index tokens = batch_.starts[batch_.sentences], width = batch_.width;
    const Index inner = batch_.inner, rows = s.rows;
    const bool first = s.query_stride == width, add = batch_.accumulate != 0;
    const Parameters<T>&w = layer.weights, &g = layer.gradients;
    const Scratch x = take_scratch(area, rows);

    // Feed-forward. `middle` collects the gradient of the layer's middle, `dropped` that of down.
    norm_backward(gradient, s.normed2, s.scale2, w.output_norm, s.feed_forward_words,
                  layer.feed_forward_dropped, x.middle, x.dropped, g.output_norm,
                  g.output_norm_bias, g.down_bias, rows, add);
    products_.weight(x.dropped, width, s.activated, inner, g.down, rows, inner, width, add);
    products_.input(x.dropped, width, w.down, x.inner, rows, inner, width, false);
    clear(g.up_bias, inner, add);
    for (Index row = 0; row < rows; ++row) {
      T* d = x.inner + row * inner;
      const T* derivative = s.derivative + row * inner;
#pragma omp simd
      for (Index i = 0; i < inner; ++i) {
        d[i] *= derivative[i];
        g.up_bias[i] += d[i];
      }
    }
    products_.weight(x.inner, inner, s.middle, width, g.up, rows, width, inner, add);
    products_.input(x.inner, inner, w.up, x.middle, rows, width, inner, true);

    // Attention. `gradient` collects the gradient of the layer's input; for first tokens, `residual`.
    T* residual = first ? x.inner : gradient;
    norm_backward(x.middle, s.normed1, s.scale1, w.attention_norm, s.projection_words,
                  layer.projection_dropped, residual, x.dropped, g.attention_norm,
                  g.attention_norm_bias, g.projection_bias, rows, add);
    products_.weight(x.dropped, width, s.context, width, g.projection, rows, width, width, add);
    products_.input(x.dropped, width, w.projection, x.context, rows, width, width, false);
    attend_backward(layer, s, x, first);
    clear(g.qkv_bias, 3 * width, add);
    if (!first) {
      add_rows(x.query, tokens, 3 * width, g.qkv_bias);
      products_.weight(x.query, 3 * width, s.input, width, g.qkv, tokens, width, 3 * width, add);
      products_.input(x.query, 3 * width, w.qkv, gradient, tokens, width, 3 * width, true);
      return;
    }
    add_rows(x.query, rows, width, g.qkv_bias);
    add_rows(x.key, tokens, 2 * width, g.qkv_bias + width);
    gather_first(s.input, x.middle);
    products_.weight(x.query, width, x.middle, width, g.qkv, rows, width, width, add);
    products_.weight(x.key, 2 * width, s.input, width, g.qkv + width * width, tokens, width,
                     2 * width, add);
    products_.input(x.query, width, w.qkv, residual, rows, width, width, true);
    products_.input(x.key, 2 * width, w.qkv + width * width, gradient, tokens, width, 2 * width,
                    false);
    for (Index sentence = 0; sentence < batch_.sentences; ++sentence) {
      T* to = gradient + batch_.starts[sentence] * width;
      for (Index i = 0; i < width; ++i) to[i] += residual[sentence * width + i];
    }
  }

  static void clear(T* vector, Index count, bool add) {
    if (!add) std::fill(vector, vector + count, T(0));
  }

  static void add_rows(const T* matrix, Index rows, Index width, T* sum) {
    for (Index row = 0; row < rows; ++row) {
      const T* x = matrix + row * width;
#pragma omp simd
      for (Index i = 0; i < width; ++i) sum[i] += x[i];
    }
  }

  // `sum` receives the gradient of the normalised sum, `dropped` that of dropout's input.
  void norm_backward(const T* gradient, const T* normed, const T* scales, const T* weight,
                     const Word* words, int32_t threshold, T* sum, T* dropped, T* weight_gradient,
                     T* shift_gradient, T* bias_gradient, Index rows, bool add) const {
    const Index width = batch_.width;
    clear(weight_gradient, width, add);
    clear(shift_gradient, width, add);
    clear(bias_gradient, width, add);
    const bool drops = words != nullptr && threshold > 0;
    const T factor_of_kept = factor(threshold);
    for (Index row = 0; row < rows; ++row) {
      const T *dy = gradient + row * width, *n = normed + row * width;
      T mean = 0, projection = 0;
#pragma omp simd reduction(+ : mean, projection)
      for (Index i = 0; i < width; ++i) {
        const T d = dy[i] * weight[i];
        mean += d;
        projection += d * n[i];
        weight_gradient[i] += dy[i] * n[i];
        shift_gradient[i] += dy[i];
      }
      mean /= width;
      projection /= width;
      const T scale = scales[row];
      T *to = sum + row * width, *kept = dropped + row * width;
      if (drops) {
        const Word* word = words + row * width;
#pragma omp simd
        for (Index i = 0; i < width; ++i) {
          const T d = (dy[i] * weight[i] - mean - n[i] * projection) * scale;
          to[i] = d;
          kept[i] = word[i] >= threshold ? d * factor_of_kept : T(0);
          bias_gradient[i] += kept[i];
        }
      } else {
#pragma omp simd
        for (Index i = 0; i < width; ++i) {
          const T d = (dy[i] * weight[i] - mean - n[i] * projection) * scale;
          to[i] = kept[i] = d;
          bias_gradient[i] += d;
        }
      }
    }
  }

  // From x.context, the gradient of the context, to x.query (and x.key, for first tokens).
  void attend_backward(const Layer<T>& layer, const Saved<T>& s, const Scratch& x,
                       bool first) const {
    const Index heads = batch_.heads, width = batch_.width, depth = width / heads;
    const T scaling = 1 / std::sqrt(T(depth));
    const bool drops = s.attention_words != nullptr && layer.attention_dropped > 0;
    const T scale = factor(layer.attention_dropped);
    T* query_gradient = x.query;
    T* key_gradient = first ? x.key : x.query + width;
    T* value_gradient = key_gradient + width;
    std::vector<T> transposed(padded(longest_) * depth), gradients(padded(longest_));
    Index place = 0;
    for (Index sentence = 0; sentence < batch_.sentences; ++sentence) {
      const Index start = batch_.starts[sentence];
      const Index keys = batch_.starts[sentence + 1] - start, queries = first ? 1 : keys;
      const Index query_start = first ? sentence : start, room = padded(keys);
      for (Index head = 0; head < heads; ++head) {
        const Index offset = start * s.key_stride + head * depth;
        const Index query_offset = query_start * s.query_stride + head * depth;
        const T* context = x.context + query_start * width + head * depth;
        transpose(s.value + offset, keys, s.key_stride, depth, room, transposed.data());
        for (Index i = 0; i < queries; ++i, place += keys) {
          const T* weights = s.weights + place;
          const Word* word = s.attention_words + place;
          T *applied = x.applied + i * keys, *d_scores = x.scores + i * keys;
          T* d = gradients.data();
          weighted_sum(context + i * width, 1, depth, transposed.data(), room, room, d);
          T sum = 0;
          for (Index j = 0; j < keys; ++j) {
            const T kept = !drops ? T(1) : word[j] >= layer.attention_dropped ? scale : T(0);
            applied[j] = weights[j] * kept;
            d[j] *= kept;
            sum += d[j] * weights[j];
          }
          for (Index j = 0; j < keys; ++j) d[j] = weights[j] * (d[j] - sum);
          if (batch_.bias_gradient != nullptr) {
            T* to = batch_.bias_gradient + (head * batch_.length + i) * batch_.length;
            for (Index j = 0; j < keys; ++j) to[j] += d[j];
          }
          for (Index j = 0; j < keys; ++j) d_scores[j] = d[j] * scaling;
          weighted_sum(d_scores, 1, keys, s.key + offset, s.key_stride, depth,
                       query_gradient + query_offset + i * s.query_stride);
        }
        for (Index j = 0; j < keys; ++j) {
          const Index to = offset + j * s.key_stride;
          weighted_sum(x.scores + j, keys, queries, s.query + query_offset, s.query_stride, depth,
                       key_gradient + to);
          weighted_sum(x.applied + j, keys, queries, context, width, depth, value_gradient + to);
        }
      }
    }
  }
};

template <class T>
Index size_of(const Batch<T>* batch, bool keep) {
  Area area(nullptr);
  Encoder<T>(*batch, nullptr).lay_out(area, keep);
  return area.most();
}

template <class T>
void run_forward(const Batch<T>* batch, const Layer<T>* layers, char* buffer, bool keep,
                 const T* hidden, const Index* rows, T* output) {
  Area area(buffer);
  const Encoder<T> encoder(*batch, layers);
  const auto saved = encoder.lay_out(area, keep);
  T* input = const_cast<T*>(saved.front().input);
  const Index tokens = batch->starts[batch->sentences];
  for (Index row = 0; row < tokens; ++row)
    std::memcpy(input + row * batch->width, hidden + rows[row] * batch->width,
                sizeof(T) * batch->width);
  encoder.forward(saved);
  std::memcpy(output, saved.back().output, sizeof(T) * batch->sentences * batch->width);
}

template <class T>
void run_backward(const Batch<T>* batch, const Layer<T>* layers, char* buffer, char* scratch,
                  const T* output_gradient, const Index* rows, T* hidden_gradient) {
  Area area(buffer), rest(scratch);
  const Encoder<T> encoder(*batch, layers);
  const auto saved = encoder.lay_out(area, true);
  const Index tokens = batch->starts[batch->sentences], width = batch->width;
  T* gradient = rest.take<T>(tokens * width);
  std::memcpy(gradient, output_gradient, sizeof(T) * batch->sentences * width);
  encoder.backward(saved, gradient, rest);
  for (Index row = 0; row < tokens; ++row)
    std::memcpy(hidden_gradient + rows[row] * width, gradient + row * width, sizeof(T) * width);
}

template <class T>
Index scratch_of(const Batch<T>* batch) {
  const Index tokens = batch->starts[batch->sentences];
  return Encoder<T>(*batch, nullptr).scratch() + (tokens * batch->width * Index(sizeof(T)) + 64);
}

}  // namespace

#define EXPORT(T)                                                                        \
  extern "C" Index size_##T(const Batch<T>* batch, int32_t keep) {                          \
    return size_of(batch, keep != 0);                                                          \
  }                                                                                            \
  extern "C" Index scratch_##T(const Batch<T>* batch) { return scratch_of(batch); }         \
  extern "C" void forward_##T(const Batch<T>* batch, const Layer<T>* layers, char* buffer,  \
                                 int32_t keep, const T* hidden, const Index* rows, T* out) {   \
    run_forward(batch, layers, buffer, keep != 0, hidden, rows, out);                          \
  }                                                                                            \
  extern "C" void backward_##T(const Batch<T>* batch, const Layer<T>* layers, char* buffer, \
                                  char* scratch, const T* gradient, const Index* rows,         \
                                  T* hidden) {                                                 \
    run_backward(batch, layers, buffer, scratch, gradient, rows, hidden);                      \
  }

extern "C" int32_t tiles_pay_here() { return tiles_pay(); }

EXPORT(float)
EXPORT(double)
