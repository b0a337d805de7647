#include "voxloom/serve/sampling/scoring.h"

#include <set>

#include "voxloom/core/error.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/metrics/overlap.h"
#include "voxloom/serve/sampling/prompt_choice.h"

namespace voxloom::serve {
namespace {

Json mean_dice(const image::LabelVolume& truth, const image::LabelVolume& predicted) {
  // Directions and origins are rounded differently by different programs; the voxels must match.
  if (!image::same_grid(truth.geometry(), predicted.geometry(), 0.1)) return {};
  double sum = 0.0;
  int64_t values = 0;
  bool only_predicted = false;
  // Values that only the prediction has (as that of "uncertain") are not part of the question,
  // unless the truth is empty.
  for (const auto& [value, overlap] : metrics::count_overlaps(truth.voxels(), predicted.voxels())) {
    if (overlap.truth() == 0) {
      only_predicted = true;
      continue;
    }
    sum += overlap.dice();
    ++values;
  }
  if (values == 0) return only_predicted ? 0.0 : 1.0;
  return sum / static_cast<double>(values);
}

}  // namespace

Json dice_of_files(const std::filesystem::path& truth, const std::filesystem::path& predicted) {
  return mean_dice(io::read_labels(truth), io::read_labels(predicted));
}

Json ScoringMethods::info() {
  return {{"dice", {{"description", "Dice of the original label (prediction) and the final one"}}}};
}

Json ScoringMethods::dice_of(Datastore& store, const std::string& id) {
  try {
    const auto truth = store.label_path(id, kFinalTag);
    const auto predicted = store.label_path(id, kOriginalTag);
    auto stamps = file_stamp(truth) + "," + file_stamp(predicted);
    {
      const std::lock_guard lock(mutex_);
      const auto known = known_.find(id);
      if (known != known_.end() && known->second.stamps == stamps) return known->second.score;
    }
    Json score;
    try {
      score = dice_of_files(truth, predicted);
    } catch (const Error&) {
      score = nullptr;  // Remembered: a file that can't be read is not read again and again.
    }
    const std::lock_guard lock(mutex_);
    known_.insert_or_assign(id, Known{std::move(stamps), score});
    return score;
  } catch (const Error&) {
    return {};
  }
}

Json ScoringMethods::run(std::string_view method,
                         Datastore& store,
                         Progress& progress,
                         const CancelToken& stop) {
  VOXLOOM_CHECK(
      method == "dice", ErrorCode::kNotFound, "scoring: the method must be dice, got '{}'", method);
  Json scores = Json::object();
  const auto ids = store.image_ids();
  progress.begin("dice", static_cast<int64_t>(ids.size()));
  std::set<std::string> present;
  for (const auto& id : ids) {
    stop.check();
    const auto image = store.find(id);
    if (image && image->label(kFinalTag) != nullptr && image->label(kOriginalTag) != nullptr) {
      present.insert(id);
      const auto score = dice_of(store, id);
      scores[id] = score;
      const auto before = image->info.is_object() ? image->info.find("dice") : image->info.end();
      const bool same = image->info.is_object() && before != image->info.end() && *before == score;
      if (!score.is_null() && !same) store.update_image_info(id, {{"dice", score}});
    }
    progress.advance(1);
  }
  progress.end();
  const std::lock_guard lock(mutex_);
  std::erase_if(known_, [&](const auto& entry) { return !present.contains(entry.first); });
  return scores;
}

}  // namespace voxloom::serve
