#pragma once

#include <memory>
#include <string>

#include "voxloom/serve/sampling/scorer.h"
#include "voxloom/serve/sampling/strategy.h"

namespace voxloom::serve {

enum class ScoreKind { kUncertain, kDisagree, kHard };

[[nodiscard]] std::string score_name(ScoreKind kind);  ///< "uncertain", "disagree", "hard".
[[nodiscard]] std::optional<double> score_of(const ImageScores& scores, ScoreKind kind);

/// The unlabelled image with the highest score; of equal ones the first by id. Images without a
/// score come after those with one, in order of id. Uses what the scorer has found so far and
/// computes nothing; the answer's `score` is null for an image without one, `scored` and `pending`
/// count images, so that a client sees how much the choice rests on.
[[nodiscard]] std::unique_ptr<Strategy> make_score_strategy(ScoreKind kind,
                                                            std::shared_ptr<const Scorer> scorer);

}  // namespace voxloom::serve
