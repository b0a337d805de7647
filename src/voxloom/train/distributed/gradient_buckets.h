#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "voxloom/train/distributed/communicator.h"

namespace voxloom::train {

/// How many bytes of gradient are sent at once. The first bucket is small, so that sending begins
/// early in the backward pass.
struct BucketSizes {
  int64_t first_bytes = 1 << 20;
  int64_t bytes = 25 << 20;
};

/// Indices of parameters, bucket by bucket: from the last parameter to the first, since the
/// backward pass gives the gradients of the last layers first. A bucket holds tensors of one type
/// and device and at most its size, but at least one tensor. It depends on shapes alone and never
/// changes during a run: which ranks' numbers are added first depends on where in a bucket they
/// lie, so a resumed run must have the same ones.
[[nodiscard]] std::vector<std::vector<size_t>> plan_buckets(
    const std::vector<at::Tensor>& parameters, const BucketSizes& sizes);

/// Averages gradients over all ranks while the backward pass still runs: as soon as all gradients
/// of a bucket are there, and the buckets before it were sent, its sum over ranks starts.
///
///     buckets.arm();                       // before the last backward pass of a step
///     loss.backward();
///     buckets.finish(used_by_any_rank);    // .grad holds the mean, the same bits on all ranks
class GradientBuckets {
 public:
  /// All ranks give the same parameters in the same order.
  GradientBuckets(std::vector<at::Tensor> parameters,
                  Communicator& ranks,
                  const BucketSizes& sizes = {});
  ~GradientBuckets();
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  /// The next backward pass is the last one before finish().
  void arm();
  /// For each parameter '1' when it has a gradient on this rank, else '0'. After the backward pass.
  [[nodiscard]] std::string used() const;
  /// Waits for all sums. A parameter that no rank has a gradient of (`used_by_any_rank` '0') is
  /// left without one; a rank that lacks one others have counts as zero.
  void finish(const std::string& used_by_any_rank);

  /// Buckets that were sent during the last backward pass, before finish() was called.
  [[nodiscard]] int64_t sent_early() const { return sent_early_; }
  [[nodiscard]] size_t count() const { return buckets_.size(); }

 private:
  struct Bucket {
    std::vector<size_t> members;
    std::vector<at::Tensor> views;  ///< Of `flat`, laid out as the parameters are.
    at::Tensor flat;
    size_t missing = 0;  ///< Gradients that are not there yet.
    std::unique_ptr<PendingSum> pending;
  };
  class Hook;

  void ready(size_t parameter);
  void send(Bucket& bucket);

  std::vector<at::Tensor> parameters_;
  Communicator& ranks_;
  std::vector<Bucket> buckets_;
  std::vector<size_t> bucket_of_;  ///< [parameter]
  size_t next_ = 0;                ///< Bucket to send next.
  int64_t sent_early_ = 0;
  bool armed_ = false;
};

}  // namespace voxloom::train
