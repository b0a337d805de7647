#include "voxloom/kernels/memory_attention.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <mutex>
#include <type_traits>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/kernels/attention.h"
#include "voxloom/kernels/buffer.h"
#include "voxloom/kernels/linear.h"
#include "voxloom/kernels/memory_attention_layer.h"
#include "voxloom/kernels/packing.h"
#include "voxloom/kernels/rope.h"
#include "voxloom/kernels/simd/ops.h"

namespace voxloom::kernels {
namespace {

// What one precision needs: its element, its attention segment, and rows of keys in its format.
template <class Element>
struct Format;

template <>
struct Format<float> {
  using Segment = KeySegment;
  static int64_t rows(int64_t count) { return count; }
  static void pad_values(int64_t /*rows*/, int64_t /*columns*/, float* /*values*/) {}
};

template <>
struct Format<Bf16> {
  using Segment = KeySegmentBf16;
  static int64_t rows(int64_t count) { return padded_rows(count); }
  static void pad_values(int64_t rows, int64_t columns, Bf16* values) {
    pad_transposed(rows, columns, values, padded_rows(rows));
  }
};

// Buffers of one run; kept for the next, because fresh pages cost more than some of the work.
template <class Element>
struct Workspace {
  Buffer<float> state, normed, q, attended;
  Buffer<Element> self_keys, self_values;
  Buffer<Element> bank_keys;  // finished keys of all maps, one layer
  Buffer<Element> pointer_keys, pointer_values;
  Buffer<float> pointer_sum, pointer_key;
};

void parallel_blocks(int64_t rows, const std::function<void(int64_t, int64_t)>& body) {
  const int64_t block = block_rows(rows);
  parallel_for(0, (rows + block - 1) / block, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      body(b * block, std::min(rows, (b + 1) * block) - b * block);
    }
  });
}

void store(const float* x, int64_t count, float* y) {
  std::copy_n(x, count, y);
}
void store(const float* x, int64_t count, Bf16* y) {
  simd::bf16_ops().convert(x, count, y);
}

}  // namespace

struct MemoryKeys::Impl {
  int64_t rows = 0;
  int64_t layers = 0;
  const void* owner = nullptr;
  Buffer<float> projected;   // [layers][rows, C]: u, neither temporal row nor rotation
  Buffer<float> values;      // f32: [Cm][rows]
  Buffer<Bf16> values_bf16;  // bf16: [Cm][padded_rows]
  template <class Element>
  auto& values_as() {
    if constexpr (std::is_same_v<Element, float>) {
      return values;
    } else {
      return values_bf16;
    }
  }
};

MemoryKeys::MemoryKeys() : impl_(std::make_unique<Impl>()) {}
MemoryKeys::~MemoryKeys() = default;
int64_t MemoryKeys::rows() const {
  return impl_->rows;
}
int64_t MemoryKeys::bytes() const {
  return impl_->projected.bytes() + impl_->values.bytes() + impl_->values_bf16.bytes();
}

struct MemoryAttention::Impl {
  MemoryAttentionShape shape;
  Precision precision;
  RopeTable rope;
  std::vector<PackedLayer> layers;
  PackedNorm norm;

  std::mutex mutex;  // guards the two lists
  std::vector<std::unique_ptr<Workspace<float>>> idle_f32;
  std::vector<std::unique_ptr<Workspace<Bf16>>> idle_bf16;

  Impl(const MemoryAttentionShape& s, const MemoryAttentionWeights& weights, Precision p);

  [[nodiscard]] int64_t tokens() const { return shape.grid_height * shape.grid_width; }
  [[nodiscard]] float scale() const {
    return static_cast<float>(1.0 / std::sqrt(static_cast<double>(shape.channels)));
  }

  void apply_norm(const PackedNorm& n, const float* x, int64_t rows, float* y) const {
    simd::f32_ops().layer_norm(
        x, rows, shape.channels, n.weight.data(), n.bias.data(), shape.norm_epsilon, y);
  }

  // Finished keys R(u + W_k t) of one layer, rows [first, first + rows).
  template <class Element>
  void finish_keys(const PackedLayer& layer,
                   const float* projected,
                   int64_t temporal_row,
                   int64_t first,
                   int64_t rows,
                   Element* keys) const;

  template <class Element>
  auto& idle() {
    if constexpr (std::is_same_v<Element, float>) {
      return idle_f32;
    } else {
      return idle_bf16;
    }
  }

  template <class Element>
  void encode(const float* memory, const float* position, MemoryKeys::Impl& keys) const;
  template <class Element>
  void run(const float* x,
           std::span<const MemoryRead> memories,
           std::span<MemoryKeys::Impl* const> keys,
           const PointerTokens& pointers,
           float* out);
  template <class Element>
  void self_attention(const PackedLayer& layer, Workspace<Element>& w) const;
  template <class Element>
  void cross_attention(int64_t index,
                       std::span<const MemoryRead> memories,
                       std::span<MemoryKeys::Impl* const> keys,
                       const PointerTokens& pointers,
                       Workspace<Element>& w) const;
  template <class Element>
  void feed_forward(const PackedLayer& layer, Workspace<Element>& w) const;
};

MemoryAttention::Impl::Impl(const MemoryAttentionShape& s,
                            const MemoryAttentionWeights& weights,
                            Precision p)
    : shape(s),
      precision(p),
      rope(s.channels, s.grid_height, s.grid_width, s.rope_theta),
      layers(pack_layers(s, weights, p)),
      norm(weights.norm, s.channels) {}

template <class Element>
void MemoryAttention::Impl::finish_keys(const PackedLayer& layer,
                                        const float* projected,
                                        int64_t temporal_row,
                                        int64_t first,
                                        int64_t rows,
                                        Element* keys) const {
  const int64_t c = shape.channels;
  const float* shift = layer.temporal_key.data() + temporal_row * c;
  if constexpr (std::is_same_v<Element, float>) {
    rope.apply(projected + first * c, first, rows, keys + first * c, shift);
  } else {
    // A few rows at a time, so that the f32 result is still in the cache when it is rounded.
    constexpr int64_t kStep = 8;
    thread_local Buffer<float> turned;
    float* rotated = turned.ensure(kStep * c);
    for (int64_t r = first; r < first + rows; r += kStep) {
      const int64_t count = std::min(kStep, first + rows - r);
      rope.apply(projected + r * c, r, count, rotated, shift);
      store(rotated, count * c, keys + r * c);
    }
  }
}

template <class Element>
void MemoryAttention::Impl::encode(const float* memory,
                                   const float* position,
                                   MemoryKeys::Impl& keys) const {
  const int64_t c = shape.channels;
  const int64_t cm = shape.memory_channels;
  const int64_t rows = tokens();
  const int64_t stored_rows = Format<Element>::rows(rows);
  const auto count = static_cast<int64_t>(layers.size());
  keys.rows = rows;
  keys.layers = count;
  keys.owner = this;
  float* projected = keys.projected.ensure(count * rows * c);
  Element* values = keys.values_as<Element>().ensure(cm * stored_rows);
  Format<Element>::pad_values(rows, cm, values);
  parallel_blocks(rows, [&](int64_t first, int64_t block) {
    thread_local Buffer<float> buffer;
    float* sum = buffer.ensure(block * cm);
    const int64_t at = first * cm;
    for (int64_t i = 0; i < block * cm; ++i) sum[i] = memory[at + i] + position[at + i];
    transpose(memory + at, block, cm, values + first, stored_rows);
    for (int64_t l = 0; l < count; ++l) {
      const PackedLayer& layer = layers[static_cast<size_t>(l)];
      layer.cross_key.apply(sum, block, projected + (l * rows + first) * c, LinearOutput::kPlain);
    }
  });
}

template <class Element>
void MemoryAttention::Impl::self_attention(const PackedLayer& layer, Workspace<Element>& w) const {
  const int64_t c = shape.channels;
  const int64_t n = tokens();
  const int64_t stored = Format<Element>::rows(n);
  float* q = w.q.ensure(n * c);
  float* normed = w.normed.ensure(n * c);
  float* attended = w.attended.ensure(n * c);
  float* state = w.state.data();
  Element* keys = w.self_keys.ensure(stored * c);
  Element* values = w.self_values.ensure(c * stored);
  std::fill(keys + n * c, keys + stored * c, Element{});
  Format<Element>::pad_values(n, c, values);
  parallel_blocks(n, [&](int64_t first, int64_t rows) {
    const int64_t at = first * c;
    apply_norm(layer.norm1, state + at, rows, normed + at);
    layer.self_q.apply(normed + at, rows, q + at, LinearOutput::kPlain);
    rope.apply(q + at, first, rows, q + at);
    thread_local Buffer<float> buffer;
    float* projected = buffer.ensure(rows * c);
    layer.self_k.apply(normed + at, rows, projected, LinearOutput::kPlain);
    rope.apply(projected, first, rows, projected);
    store(projected, rows * c, keys + at);
    layer.self_value.apply(normed + at, rows, projected, LinearOutput::kPlain);
    transpose(projected, rows, c, values + first, stored);
  });
  const typename Format<Element>::Segment segment{keys, values, n, stored};
  attention({.queries = n, .key_channels = c, .value_channels = c},
            q,
            std::span(&segment, 1),
            scale(),
            attended);
}

template <class Element>
void MemoryAttention::Impl::cross_attention(int64_t index,
                                            std::span<const MemoryRead> memories,
                                            std::span<MemoryKeys::Impl* const> keys,
                                            const PointerTokens& pointers,
                                            Workspace<Element>& w) const {
  using Segment = typename Format<Element>::Segment;
  const PackedLayer& layer = layers[static_cast<size_t>(index)];
  const int64_t c = shape.channels;
  const int64_t cm = shape.memory_channels;
  const int64_t n = tokens();
  const int64_t stored = Format<Element>::rows(n);
  float* q = w.q.data();
  float* normed = w.normed.data();
  float* attended = w.attended.data();
  float* state = w.state.data();

  // Residual of self attention, then the queries, while a block of rows is in the cache.
  parallel_blocks(n, [&](int64_t first, int64_t rows) {
    const int64_t at = first * c;
    for (int64_t i = at; i < at + rows * c; ++i) state[i] += attended[i];
    apply_norm(layer.norm2, state + at, rows, normed + at);
    layer.cross_q.apply(normed + at, rows, q + at, LinearOutput::kPlain);
    rope.apply(q + at, first, rows, q + at);
  });

  std::vector<Segment> segments;
  const auto maps = static_cast<int64_t>(memories.size());
  Element* bank = w.bank_keys.ensure(maps * stored * c);
  parallel_for(0, maps * n, 128, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t map = begin / n;
      const int64_t first = begin % n;
      const int64_t rows = std::min(end - begin, n - first);
      finish_keys(layer,
                  keys[map]->projected.data() + index * n * c,
                  memories[map].temporal_row,
                  first,
                  rows,
                  bank + map * stored * c);
      begin += rows;
    }
  });
  for (int64_t map = 0; map < maps; ++map) {
    Element* rows = bank + map * stored * c;
    std::fill(rows + n * c, rows + stored * c, Element{});
    segments.push_back({rows, keys[map]->values_as<Element>().data(), n, stored});
  }
  if (pointers.rows > 0) {
    const int64_t stored_pointers = Format<Element>::rows(pointers.rows);
    float* key = w.pointer_key.ensure(pointers.rows * c);
    Element* rows = w.pointer_keys.ensure(stored_pointers * c);
    layer.cross_key.apply(w.pointer_sum.data(), pointers.rows, key, LinearOutput::kPlain);
    store(key, pointers.rows * c, rows);
    std::fill(rows + pointers.rows * c, rows + stored_pointers * c, Element{});
    segments.push_back({rows, w.pointer_values.data(), pointers.rows, stored_pointers});
  }
  attention({.queries = n, .key_channels = c, .value_channels = cm},
            q,
            std::span<const Segment>(segments),
            scale(),
            attended);
}

template <class Element>
void MemoryAttention::Impl::feed_forward(const PackedLayer& layer, Workspace<Element>& w) const {
  const int64_t c = shape.channels;
  const int64_t cm = shape.memory_channels;
  float* state = w.state.data();
  float* normed = w.normed.data();
  const float* attended = w.attended.data();
  parallel_blocks(tokens(), [&](int64_t first, int64_t rows) {
    const int64_t at = first * c;
    layer.cross_value.apply(attended + first * cm, rows, state + at, LinearOutput::kAdd);
    apply_norm(layer.norm3, state + at, rows, normed + at);
    thread_local Buffer<float> buffer;
    float* hidden = buffer.ensure(rows * shape.hidden_channels);
    layer.linear1.apply(normed + at, rows, hidden, LinearOutput::kRelu);
    layer.linear2.apply(hidden, rows, state + at, LinearOutput::kAdd);
  });
}

template <class Element>
void MemoryAttention::Impl::run(const float* x,
                                std::span<const MemoryRead> memories,
                                std::span<MemoryKeys::Impl* const> keys,
                                const PointerTokens& pointers,
                                float* out) {
  std::unique_ptr<Workspace<Element>> owned;
  {
    const std::lock_guard lock(mutex);
    auto& list = idle<Element>();
    if (!list.empty()) {
      owned = std::move(list.back());
      list.pop_back();
    }
  }
  if (owned == nullptr) owned = std::make_unique<Workspace<Element>>();
  Workspace<Element>& w = *owned;

  const int64_t n = tokens();
  const int64_t cm = shape.memory_channels;
  std::copy_n(x, n * shape.channels, w.state.ensure(n * shape.channels));
  if (pointers.rows > 0) {
    const int64_t stored = Format<Element>::rows(pointers.rows);
    float* sum = w.pointer_sum.ensure(pointers.rows * cm);
    for (int64_t i = 0; i < pointers.rows * cm; ++i) {
      sum[i] = pointers.tokens[i] + pointers.positions[i];
    }
    Element* values = w.pointer_values.ensure(cm * stored);
    transpose(pointers.tokens, pointers.rows, cm, values, stored);
    Format<Element>::pad_values(pointers.rows, cm, values);
  }
  for (size_t l = 0; l < layers.size(); ++l) {
    self_attention(layers[l], w);
    cross_attention(static_cast<int64_t>(l), memories, keys, pointers, w);
    feed_forward(layers[l], w);
  }
  parallel_blocks(n, [&](int64_t first, int64_t rows) {
    const int64_t at = first * shape.channels;
    apply_norm(norm, w.state.data() + at, rows, out + at);
  });
  const std::lock_guard lock(mutex);
  idle<Element>().push_back(std::move(owned));
}

MemoryAttention::MemoryAttention(const MemoryAttentionShape& shape,
                                 const MemoryAttentionWeights& weights,
                                 Precision precision) {
  check_memory_attention(shape, weights);
  impl_ = std::make_unique<Impl>(shape, weights, precision);
}

MemoryAttention::~MemoryAttention() = default;

const MemoryAttentionShape& MemoryAttention::shape() const {
  return impl_->shape;
}
Precision MemoryAttention::precision() const {
  return impl_->precision;
}

std::shared_ptr<const MemoryKeys> MemoryAttention::encode(const float* memory,
                                                          const float* position) const {
  auto keys = std::make_shared<MemoryKeys>();
  if (impl_->precision == Precision::kF32) {
    impl_->encode<float>(memory, position, *keys->impl_);
  } else {
    impl_->encode<Bf16>(memory, position, *keys->impl_);
  }
  return keys;
}

void MemoryAttention::run(const float* x,
                          std::span<const MemoryRead> memories,
                          const PointerTokens& pointers,
                          float* out) const {
  VOXLOOM_CHECK(!memories.empty() || pointers.rows > 0,
                ErrorCode::kInvalidArgument,
                "memory attention: must have a memory or a pointer, got none");
  std::vector<MemoryKeys::Impl*> keys;
  for (const MemoryRead& memory : memories) {
    VOXLOOM_CHECK(memory.keys != nullptr && memory.keys->impl_->owner == impl_.get(),
                  ErrorCode::kInvalidArgument,
                  "memory attention: keys must come from encode of the same object, got others");
    VOXLOOM_CHECK(memory.temporal_row >= 0 && memory.temporal_row < impl_->shape.temporal_rows,
                  ErrorCode::kInvalidArgument,
                  "memory attention: temporal row must be 0 to {}, got {}",
                  impl_->shape.temporal_rows - 1,
                  memory.temporal_row);
    keys.push_back(memory.keys->impl_.get());
  }
  if (impl_->precision == Precision::kF32) {
    impl_->run<float>(x, memories, keys, pointers, out);
  } else {
    impl_->run<Bf16>(x, memories, keys, pointers, out);
  }
}

}  // namespace voxloom::kernels
