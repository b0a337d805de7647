#include "voxloom/serve/sampling/basic_strategies.h"

#include <algorithm>
#include <mutex>

#include "voxloom/core/random.h"

namespace voxloom::serve {
namespace {

class RandomStrategy final : public Strategy {
 public:
  explicit RandomStrategy(uint64_t seed) : rng_(seed) {}

  Json info(const Datastore& /*store*/) const override {
    return {{"description", "Random Strategy: images that were not served lately are likelier"}};
  }

  std::optional<Choice> next(const Datastore& store, const SampleRequest& request) override {
    const auto images = open_images(store, request);
    if (images.empty()) return std::nullopt;
    std::vector<int64_t> weights;
    double total = 0.0;
    for (const auto& image : images) {
      const int64_t last = last_served(image.info, request.strategy);
      weights.push_back(std::max<int64_t>(0, request.now_s - last));
      total += static_cast<double>(weights.back());
    }
    const std::lock_guard lock(mutex_);
    size_t at = 0;
    if (total > 0.0) {
      double left = rng_.uniform() * total;
      for (size_t i = 0; i < weights.size(); ++i) {
        if (weights[i] == 0) continue;
        at = i;  // Rounding may leave something at the end: the last one with a weight then.
        left -= static_cast<double>(weights[i]);
        if (left < 0.0) break;
      }
    } else {
      at = static_cast<size_t>(rng_.below(weights.size()));
    }
    return Choice{images[at].id, {{"weight", weights[at]}}};
  }

 private:
  std::mutex mutex_;
  Rng rng_;
};

class EndStrategy final : public Strategy {
 public:
  explicit EndStrategy(bool first) : first_(first) {}

  Json info(const Datastore& /*store*/) const override {
    return {{"description", first_ ? "Get First Sample" : "Get Last Sample"}};
  }

  std::optional<Choice> next(const Datastore& store, const SampleRequest& request) override {
    const auto images = open_images(store, request);
    if (images.empty()) return std::nullopt;
    return Choice{first_ ? images.front().id : images.back().id, Json::object()};
  }

 private:
  bool first_;
};

}  // namespace

std::unique_ptr<Strategy> make_random_strategy(uint64_t seed) {
  return std::make_unique<RandomStrategy>(seed);
}
std::unique_ptr<Strategy> make_first_strategy() {
  return std::make_unique<EndStrategy>(true);
}
std::unique_ptr<Strategy> make_last_strategy() {
  return std::make_unique<EndStrategy>(false);
}

}  // namespace voxloom::serve
