#include "voxloom/kernels/attention.h"

#include <algorithm>
#include <limits>
#include <numbers>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/kernels/buffer.h"
#include "voxloom/kernels/packing.h"
#include "voxloom/kernels/simd/ops.h"

namespace voxloom::kernels {
namespace {

// Keys in a block: their scores for one tile of queries (16 KiB at 32 lanes) stay in the
// first-level cache between the two products. A multiple of kBf16RowMultiple.
constexpr int64_t kKeyBlock = 128;

// Tiles of queries that share one pass over the keys: with more, a key block is read more often
// from the second-level cache and less often from behind it, but their state grows.
constexpr int64_t kGroupTiles = 4;

struct F32Traits {
  using Segment = KeySegment;
  using Element = float;
  const simd::F32Ops& ops = simd::f32_ops();

  static int64_t depth(int64_t k) { return k; }
  // Scores turn into probabilities in place.
  const float* softmax(float* scores,
                       float* /*probabilities*/,
                       int64_t rows,
                       int64_t /*padded*/,
                       float* max,
                       float* sum,
                       float* factor,
                       bool* changed) const {
    *changed = ops.softmax_step(scores, rows, max, sum, factor);
    return scores;
  }
  static constexpr bool kSeparateProbabilities = false;
};

struct Bf16Traits {
  using Segment = KeySegmentBf16;
  using Element = Bf16;
  const simd::Bf16Ops& ops = simd::bf16_ops();

  static int64_t depth(int64_t k) { return padded_rows(k); }
  const Bf16* softmax(float* scores,
                      Bf16* probabilities,
                      int64_t rows,
                      int64_t padded,
                      float* max,
                      float* sum,
                      float* factor,
                      bool* changed) const {
    *changed = ops.softmax_step(scores, rows, padded, max, sum, factor, probabilities);
    return probabilities;
  }
  static constexpr bool kSeparateProbabilities = true;
};

// One thread's working memory; kept between calls.
template <class Element>
struct Scratch {
  Buffer<Element> queries;
  Buffer<float> sums;
  Buffer<float> scores;
  Buffer<Element> probabilities;
};

template <class Traits>
class Pass {
 public:
  using Element = typename Traits::Element;
  using Segment = typename Traits::Segment;

  Pass(const AttentionShape& shape, const float* q, std::span<const Segment> segments, float scale)
      : shape_(shape),
        q_(q),
        segments_(segments),
        // Base 2 throughout: exp(s) = 2^(s log2 e).
        scale_(static_cast<float>(scale * std::numbers::log2e)),
        lanes_(traits_.ops.lanes),
        tiles_((shape.queries + lanes_ - 1) / lanes_) {}

  [[nodiscard]] int64_t tiles() const { return tiles_; }

  // Tiles [first, last), at most kGroupTiles, against all keys.
  void run_group(int64_t first, int64_t last, float* out) const {
    thread_local Scratch<Element> scratch;
    const int64_t count = last - first;
    const int64_t panel = traits_.depth(shape_.key_channels) * lanes_;
    const int64_t sum_size = shape_.value_channels * lanes_;
    Element* queries = scratch.queries.ensure(count * panel);
    float* sums = scratch.sums.zeros(count * sum_size);
    float* scores = scratch.scores.ensure(kKeyBlock * lanes_);
    Element* probabilities =
        Traits::kSeparateProbabilities ? scratch.probabilities.ensure(kKeyBlock * lanes_) : nullptr;
    float max[kGroupTiles * simd::kMaxLanes];
    float total[kGroupTiles * simd::kMaxLanes];
    std::fill(max, max + count * lanes_, -std::numeric_limits<float>::infinity());
    std::fill(total, total + count * lanes_, 0.0F);

    for (int64_t t = 0; t < count; ++t) {
      const int64_t row = (first + t) * lanes_;
      pack_panel(q_ + row * shape_.key_channels,
                 shape_.key_channels,
                 std::min(lanes_, shape_.queries - row),
                 shape_.key_channels,
                 lanes_,
                 scale_,
                 queries + t * panel);
    }
    for (const Segment& segment : segments_) {
      for (int64_t key = 0; key < segment.rows; key += kKeyBlock) {
        for (int64_t t = 0; t < count; ++t) {
          add_block(segment,
                    key,
                    queries + t * panel,
                    scores,
                    probabilities,
                    max + t * lanes_,
                    total + t * lanes_,
                    sums + t * sum_size);
        }
      }
    }
    for (int64_t t = 0; t < count; ++t) {
      write_tile(first + t, sums + t * sum_size, total + t * lanes_, out);
    }
  }

 private:
  void add_block(const Segment& segment,
                 int64_t key,
                 const Element* queries,
                 float* scores,
                 Element* probabilities,
                 float* max,
                 float* total,
                 float* sums) const {
    const int64_t rows = std::min(kKeyBlock, segment.rows - key);
    const int64_t depth = traits_.depth(rows);
    traits_.ops.gemm(rows,
                     shape_.key_channels,
                     segment.keys + key * shape_.key_channels,
                     shape_.key_channels,
                     queries,
                     scores,
                     lanes_,
                     false);
    float factor[simd::kMaxLanes];
    bool changed = false;
    const Element* p =
        traits_.softmax(scores, probabilities, rows, depth, max, total, factor, &changed);
    if (changed) traits_.ops.scale_lanes(sums, shape_.value_channels, factor);
    traits_.ops.gemm(shape_.value_channels,
                     depth,
                     segment.values + key,
                     segment.value_stride,
                     p,
                     sums,
                     lanes_,
                     true);
  }

  // sums [Dv][lanes] / total -> rows of out.
  void write_tile(int64_t tile, const float* sums, const float* total, float* out) const {
    const int64_t row = tile * lanes_;
    const int64_t rows = std::min(lanes_, shape_.queries - row);
    for (int64_t r = 0; r < rows; ++r) {
      float* y = out + (row + r) * shape_.value_channels;
      const float inverse = 1.0F / total[r];
      for (int64_t c = 0; c < shape_.value_channels; ++c) y[c] = sums[c * lanes_ + r] * inverse;
    }
  }

  AttentionShape shape_;
  const float* q_;
  std::span<const Segment> segments_;
  float scale_;
  Traits traits_;
  int64_t lanes_;
  int64_t tiles_;
};

template <class Traits>
void run(const AttentionShape& shape,
         const float* q,
         std::span<const typename Traits::Segment> segments,
         float scale,
         float* out) {
  VOXLOOM_CHECK(shape.queries > 0 && shape.key_channels > 0 && shape.value_channels > 0,
                ErrorCode::kInvalidArgument,
                "attention: queries and channels must be positive, got {}, {} and {}",
                shape.queries,
                shape.key_channels,
                shape.value_channels);
  int64_t keys = 0;
  for (const auto& segment : segments) {
    VOXLOOM_CHECK(segment.rows >= 0 && segment.value_stride >= Traits::depth(segment.rows),
                  ErrorCode::kInvalidArgument,
                  "attention: a segment of {} rows needs a value stride of at least {}, got {}",
                  segment.rows,
                  Traits::depth(segment.rows),
                  segment.value_stride);
    keys += segment.rows;
  }
  VOXLOOM_CHECK(keys > 0, ErrorCode::kInvalidArgument, "attention: must have a key, got none");
  VOXLOOM_CHECK(Traits::depth(shape.key_channels) == shape.key_channels,
                ErrorCode::kInvalidArgument,
                "attention: key channels in bf16 must be a multiple of {}, got {}",
                kBf16RowMultiple,
                shape.key_channels);

  const Pass<Traits> pass(shape, q, segments, scale);
  // Smaller groups where there are more threads than full groups.
  const int64_t threads = thread_budget();
  const int64_t share = (pass.tiles() + threads - 1) / threads;
  const int64_t group = std::clamp<int64_t>(share, 1, kGroupTiles);
  const int64_t groups = (pass.tiles() + group - 1) / group;
  parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      pass.run_group(g * group, std::min(pass.tiles(), (g + 1) * group), out);
    }
  });
}

}  // namespace

void attention(const AttentionShape& shape,
               const float* q,
               std::span<const KeySegment> segments,
               float scale,
               float* out) {
  run<F32Traits>(shape, q, segments, scale, out);
}

void attention(const AttentionShape& shape,
               const float* q,
               std::span<const KeySegmentBf16> segments,
               float scale,
               float* out) {
  run<Bf16Traits>(shape, q, segments, scale, out);
}

}  // namespace voxloom::kernels
