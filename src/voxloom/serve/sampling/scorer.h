#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "voxloom/core/cancel.h"
#include "voxloom/serve/datastore/datastore.h"
#include "voxloom/serve/sampling/image_scores.h"
#include "voxloom/serve/sampling/prompt_choice.h"
#include "voxloom/serve/sampling/score_cache.h"

namespace voxloom::serve {

/// Segments one image from a box and says how sure the model is; nothing when it found no object.
/// Called on the scorer's thread, which has a low priority. Should throw kCancelled soon after the
/// token is set.
using ScoreImage = std::function<std::optional<ImageScores>(
    const std::string& id, const infer::BoxPrompt& prompt, const CancelToken& stop)>;

struct ScorerOptions {
  std::filesystem::path cache_file;  ///< STUDIES/.voxloom/scores.jsonl
  std::string model;         ///< Name and version: other scores than this model's are stale.
  uint16_t label = 1;        ///< The value in label maps that is scored.
  int64_t rescan_ms = 2000;  ///< Least time between two looks at a changed datastore.
  /// True while the server computes for a person: the next image waits. May be null.
  std::function<bool()> busy;
};

struct ScorerStats {
  int64_t scored = 0;          ///< Unlabelled images with a score of the present model.
  int64_t pending = 0;         ///< To be scored.
  int64_t without_prompt = 0;  ///< Neither a prediction nor labelled cases.
  int64_t nothing_found = 0;   ///< The model found no object.
  int64_t failed = 0;          ///< Could not be read or segmented; tried again when they change.
  int64_t from_prediction = 0, from_cases = 0;  ///< Of the scored ones, by prompt.
  bool operator==(const ScorerStats&) const = default;
};

/// Scores the unlabelled images of a datastore in the background, one at a time, and keeps what it
/// found on disk, so that a restart goes on where it was. A score is made again when the image
/// file or the model changes, when the image gets another prediction, or when the median box of
/// the labelled cases moves by more than half of itself. Thread-safe.
class Scorer {
 public:
  Scorer(std::shared_ptr<Datastore> store, ScorerOptions options, ScoreImage score);
  ~Scorer();  ///< Stops; the image being scored is cancelled.
  Scorer(const Scorer&) = delete;
  Scorer& operator=(const Scorer&) = delete;

  /// Starts the thread. Without it the caller uses scan() and score_next().
  void start();

  /// The scores of an unlabelled image, if they are known and not stale; never waits for work.
  [[nodiscard]] std::optional<ImageScores> find(const std::string& id) const;
  [[nodiscard]] ScorerStats stats() const;
  [[nodiscard]] const std::string& model() const { return options_.model; }
  /// Grows with each change of find() or stats().
  [[nodiscard]] uint64_t revision() const { return revision_.load(); }

  /// Looks at the datastore: what is scored, what has to be.
  void scan(const CancelToken& stop);
  /// Scores one pending image; false when there is none.
  bool score_next(const CancelToken& stop);

 private:
  enum class State { kScored, kPending, kWithoutPrompt, kNothingFound, kFailed };
  struct Image {
    State state = State::kPending;
    std::string stamp;
    PromptChooser::Prompt prompt;
    ImageScores scores;
  };

  void loop();
  [[nodiscard]] Image look_at(const ImageRecord& record, const CancelToken& stop);
  [[nodiscard]] bool still_valid(const ScoreEntry& entry, const Image& image) const;
  void store_result(const std::string& id, Image image);

  std::shared_ptr<Datastore> store_;
  ScorerOptions options_;
  ScoreImage score_;
  ScoreCache cache_;
  PromptChooser prompts_;  ///< Used by scan() only.
  std::mutex working_;     ///< One scan or one image at a time.
  mutable std::mutex mutex_;
  std::map<std::string, Image> images_;  ///< Unlabelled ones, by id.
  std::atomic<uint64_t> revision_{0};
  std::condition_variable wake_;
  bool stopping_ = false;
  CancelToken stop_;
  std::thread thread_;
};

}  // namespace voxloom::serve
