#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/core/rank_environment.h"
#include "voxloom/train/named_tensors.h"

namespace voxloom::train {

/// A sum over ranks that is under way.
class PendingSum {
 public:
  virtual ~PendingSum() = default;
  /// Returns when the sum is in the tensor. Throws as Communicator does.
  virtual void wait() = 0;
};

/// What the processes ("ranks") of one distributed training say to each other. All ranks make the
/// same calls in the same order; sums give all ranks the same bits.
///
/// Every call throws kUnavailable when a rank is lost or left with an error, naming it and what it
/// said as far as that is known, within seconds of the loss.
class Communicator {
 public:
  virtual ~Communicator() = default;
  [[nodiscard]] virtual int64_t rank() const = 0;
  [[nodiscard]] virtual int64_t size() const = 0;

  /// Begins to add up a contiguous tensor over all ranks, in place. It must not be touched until
  /// wait(). Sums run in the background, in the order of these calls.
  [[nodiscard]] virtual std::unique_ptr<PendingSum> start_sum(const at::Tensor& tensor) = 0;
  /// The same at once, on a channel of its own: small sums don't queue behind gradients.
  virtual void sum(const at::Tensor& tensor) = 0;
  /// The text of every rank, in order.
  [[nodiscard]] virtual std::vector<std::string> gather(const std::string& text) = 0;
  /// Rank 0's bytes on all ranks: a contiguous tensor of bytes, of the same size everywhere.
  virtual void broadcast(const at::Tensor& bytes) = 0;

  /// Tells the others that this rank leaves because of an error, and why. Never throws.
  virtual void leave_with(const std::string& error) noexcept = 0;
};

struct JoinOptions {
  double join_timeout_s = 120.0;  ///< For all ranks to come.
  double silence_s = 20.0;        ///< A rank that gives no sign of life for so long is lost.
};

/// Meets the other ranks. `settings` are what all ranks must agree in: an object.
///
/// Throws kUnavailable when the port of rank 0 is taken, when rank 0 does not answer, or when not
/// all ranks came in time (saying which); kInvalidArgument listing the settings that differ;
/// kUnsupported in a build without VOXLOOM_DISTRIBUTED.
[[nodiscard]] std::unique_ptr<Communicator> join_ranks(const RankInfo& place,
                                                       const JoinOptions& options,
                                                       const nlohmann::ordered_json& settings);

struct RunInfo;

/// The rank that a launcher put into the environment (rank_from_environment()), joined; nothing
/// when this is the only process. All ranks must agree in what run.yaml holds them to: options that
/// change the result, data, version.
[[nodiscard]] std::unique_ptr<Communicator> join_from_environment(const JoinOptions& options,
                                                                  const RunInfo& info);

/// Rank 0's text on all ranks.
[[nodiscard]] std::string broadcast_text(Communicator& ranks, const std::string& text);
/// Rank 0's values in the tensors of all ranks, which have the same shapes and types everywhere.
void broadcast_tensors(Communicator& ranks, const NamedTensors& tensors);

/// Throws kInternal naming the ranks whose tensors are not those of rank 0, bit for bit.
void check_same_tensors(Communicator& ranks, const NamedTensors& tensors);

/// Runs `work`; what it throws is told to the other ranks, so that they end too. `ranks` may be
/// null: one process.
template <class Work>
auto together(Communicator* ranks, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const Error& e) {
    // Ranks stop on request together.
    if (ranks != nullptr && e.code() != ErrorCode::kCancelled) ranks->leave_with(e.what());
    throw;
  } catch (const std::exception& e) {
    if (ranks != nullptr) ranks->leave_with(e.what());
    throw;
  }
}

}  // namespace voxloom::train
