#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "voxloom/train/distributed/communicator.h"
#include "voxloom/train/task.h"

namespace voxloom::train {

/// What one rank knows of a step after its backward passes.
struct StepReport {
  double loss = 0.0;    ///< Mean over its batches; not a number when one was not finite.
  Metrics terms;        ///< Means over its batches.
  int64_t items = 0;    ///< Samples.
  std::string batches;  ///< Which, for messages; stays with its rank.
  std::string used;     ///< GradientBuckets::used().
  bool stop = false;    ///< This rank was asked to stop.
};

/// The step of all ranks together: means of losses and terms (a term that a rank lacks counts as
/// 0), sums of items, `used` and `stop` where any rank says so. The same on all ranks.
[[nodiscard]] StepReport exchange_reports(Communicator& ranks, const StepReport& own);

/// The batches of the ranks whose loss is not finite, or of all ranks when all are: "rank 1: batch
/// 'a, b'". The same on all ranks.
[[nodiscard]] std::string exchange_batches(Communicator& ranks, const StepReport& own);

/// exchange_reports() of reports that are here already, in order of rank.
[[nodiscard]] StepReport joint_report(const std::vector<StepReport>& reports);
[[nodiscard]] std::string joint_batches(const std::vector<StepReport>& reports);

}  // namespace voxloom::train
