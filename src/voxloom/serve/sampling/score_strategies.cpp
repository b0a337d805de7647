#include "voxloom/serve/sampling/score_strategies.h"

namespace voxloom::serve {
namespace {

const char* meaning_of(ScoreKind kind) {
  switch (kind) {
    case ScoreKind::kUncertain:
      return "highest mean entropy of the voxel probabilities";
    case ScoreKind::kDisagree:
      return "least overlap of two answers (forward and backward pass, or two settings)";
    case ScoreKind::kHard:
      return "highest mean focal loss of the model's own answer";
  }
  return "";
}

class ScoreStrategy final : public Strategy {
 public:
  ScoreStrategy(ScoreKind kind, std::shared_ptr<const Scorer> scorer)
      : kind_(kind), scorer_(std::move(scorer)) {}

  Json info(const Datastore& /*store*/) const override {
    const auto s = scorer_->stats();
    return {{"description",
             format("Active learning: the image with the {}; made in the background by {}. {} "
                    "scored ({} prompted by their prediction, {} by the median box of the labelled "
                    "cases), {} pending, {} without a prompt, {} where nothing was found, {} "
                    "failed: images without a score come last, by id",
                    meaning_of(kind_),
                    scorer_->model(),
                    s.scored,
                    s.from_prediction,
                    s.from_cases,
                    s.pending,
                    s.without_prompt,
                    s.nothing_found,
                    s.failed)},
            {"scores",
             {{"scored", s.scored},
              {"from_prediction", s.from_prediction},
              {"from_cases", s.from_cases},
              {"pending", s.pending},
              {"without_prompt", s.without_prompt},
              {"nothing_found", s.nothing_found},
              {"failed", s.failed},
              {"model", scorer_->model()}}}};
  }

  uint64_t revision() const override { return scorer_->revision(); }

  std::optional<Choice> next(const Datastore& store, const SampleRequest& request) override {
    const auto images = open_images(store, request);
    if (images.empty()) return std::nullopt;
    const std::string* best = nullptr;
    std::optional<double> highest;
    for (const auto& image : images) {
      const auto scores = scorer_->find(image.id);
      const auto score = scores ? score_of(*scores, kind_) : std::nullopt;
      if (!score || (highest && *score <= *highest)) continue;
      highest = score;
      best = &image.id;
    }
    const auto stats = scorer_->stats();
    return Choice{best != nullptr ? *best : images.front().id,
                  {{"score", highest ? Json(*highest) : Json()},
                   {"scored", stats.scored},
                   {"pending", stats.pending}}};
  }

 private:
  ScoreKind kind_;
  std::shared_ptr<const Scorer> scorer_;
};

}  // namespace

std::string score_name(ScoreKind kind) {
  switch (kind) {
    case ScoreKind::kUncertain:
      return "uncertain";
    case ScoreKind::kDisagree:
      return "disagree";
    case ScoreKind::kHard:
      return "hard";
  }
  return "";
}

std::optional<double> score_of(const ImageScores& scores, ScoreKind kind) {
  switch (kind) {
    case ScoreKind::kUncertain:
      return scores.entropy;
    case ScoreKind::kDisagree:
      return scores.disagreement;
    case ScoreKind::kHard:
      return scores.hardness;
  }
  return std::nullopt;
}

std::unique_ptr<Strategy> make_score_strategy(ScoreKind kind,
                                              std::shared_ptr<const Scorer> scorer) {
  return std::make_unique<ScoreStrategy>(kind, std::move(scorer));
}

}  // namespace voxloom::serve
