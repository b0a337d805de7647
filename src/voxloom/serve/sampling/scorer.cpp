#include "voxloom/serve/sampling/scorer.h"

#include <algorithm>
#include <chrono>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"

namespace voxloom::serve {
namespace {

using namespace std::chrono_literals;

/// This thread yields to all others of the machine.
void lower_priority() {
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 19));
}

// A median box that has this in common with the one before makes no other score.
constexpr double kSameBox = 0.5;

}  // namespace

Scorer::Scorer(std::shared_ptr<Datastore> store, ScorerOptions options, ScoreImage score)
    : store_(std::move(store)),
      options_(std::move(options)),
      score_(std::move(score)),
      cache_(options_.cache_file),
      prompts_(*store_, options_.label) {}

Scorer::~Scorer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.cancel();
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Scorer::start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { loop(); });
}

std::optional<ImageScores> Scorer::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = images_.find(id);
  if (found == images_.end() || found->second.state != State::kScored) return std::nullopt;
  return found->second.scores;
}

ScorerStats Scorer::stats() const {
  ScorerStats stats;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, image] : images_) {
    switch (image.state) {
      case State::kScored:
        ++stats.scored;
        ++(image.prompt.origin == PromptOrigin::kPrediction ? stats.from_prediction
                                                            : stats.from_cases);
        break;
      case State::kPending:
        ++stats.pending;
        break;
      case State::kWithoutPrompt:
        ++stats.without_prompt;
        break;
      case State::kNothingFound:
        ++stats.nothing_found;
        break;
      case State::kFailed:
        ++stats.failed;
        break;
    }
  }
  return stats;
}

bool Scorer::still_valid(const ScoreEntry& entry, const Image& image) const {
  if (entry.model != options_.model || entry.label != options_.label ||
      entry.stamp != image.stamp || entry.origin != image.prompt.origin) {
    return false;
  }
  return image.prompt.origin == PromptOrigin::kPrediction
             ? entry.box == image.prompt.box
             : box_overlap(entry.box, image.prompt.box) >= kSameBox;
}

Scorer::Image Scorer::look_at(const ImageRecord& record, const CancelToken& stop) {
  Image image;
  image.stamp = file_stamp(store_->image_path(record.id, stop));
  image.prompt = prompts_.choose(record, image.stamp, stop);
  if (image.prompt.origin == PromptOrigin::kNone) {
    image.state = State::kWithoutPrompt;
    return image;
  }
  const auto entry = cache_.find(record.id);
  if (!entry || !still_valid(*entry, image)) return image;
  image.prompt.box = entry->box;
  image.scores = entry->scores;
  image.state = image.scores == ImageScores{} ? State::kNothingFound : State::kScored;
  return image;
}

void Scorer::scan(const CancelToken& stop) {
  const std::lock_guard working(working_);
  prompts_.update(stop);
  std::map<std::string, Image> found;
  for (const auto& id : store_->image_ids()) {
    stop.check();
    const auto record = store_->find(id);
    if (!record || record->completed()) continue;
    try {
      found.emplace(id, look_at(*record, stop));
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kCancelled) throw;
      found.emplace(id, Image{.state = State::kFailed, .stamp = {}, .prompt = {}, .scores = {}});
    }
  }
  const std::lock_guard lock(mutex_);
  for (auto& [id, image] : found) {
    // What failed fails again until something about it changes.
    const auto before = images_.find(id);
    if (before != images_.end() && before->second.state == State::kFailed &&
        image.state == State::kPending && before->second.stamp == image.stamp &&
        before->second.prompt.box == image.prompt.box) {
      image.state = State::kFailed;
    }
  }
  images_ = std::move(found);
  ++revision_;
}

void Scorer::store_result(const std::string& id, Image image) {
  const std::lock_guard lock(mutex_);
  images_.insert_or_assign(id, std::move(image));
  ++revision_;
}

bool Scorer::score_next(const CancelToken& stop) {
  const std::lock_guard working(working_);
  std::string id;
  Image image;
  {
    const std::lock_guard lock(mutex_);
    // Predictions first: their prompts are the better ones.
    const auto pending = [](PromptOrigin origin) {
      return [origin](const auto& entry) {
        return entry.second.state == State::kPending && entry.second.prompt.origin == origin;
      };
    };
    auto next = std::find_if(images_.begin(), images_.end(), pending(PromptOrigin::kPrediction));
    if (next == images_.end()) {
      next = std::find_if(images_.begin(), images_.end(), pending(PromptOrigin::kCases));
    }
    if (next == images_.end()) return false;
    id = next->first;
    image = next->second;
  }
  try {
    const auto scores = score_(id, image.prompt.box, stop);
    image.scores = scores.value_or(ImageScores{});
    image.state = image.scores == ImageScores{} ? State::kNothingFound : State::kScored;
    cache_.put({.id = id,
                .stamp = image.stamp,
                .model = options_.model,
                .label = options_.label,
                .origin = image.prompt.origin,
                .box = image.prompt.box,
                .scores = image.scores});
  } catch (const std::exception& e) {
    const auto* error = dynamic_cast<const Error*>(&e);
    if (stop.cancelled() || (error != nullptr && error->code() == ErrorCode::kCancelled)) throw;
    image.state = State::kFailed;
    VOXLOOM_LOG_WARN("scores: an image could not be scored ({})",
                     error != nullptr ? error_code_name(error->code()) : "internal");
  }
  store_result(id, std::move(image));
  return true;
}

void Scorer::loop() {
  lower_priority();
  std::optional<uint64_t> seen;
  auto next_scan = std::chrono::steady_clock::now();
  for (;;) {
    bool more = false;
    try {
      const auto now = std::chrono::steady_clock::now();
      const uint64_t revision = store_->revision();
      if (seen != revision && now >= next_scan) {
        scan(stop_);
        seen = revision;
        next_scan =
            std::chrono::steady_clock::now() + std::chrono::milliseconds(options_.rescan_ms);
      }
      if (!options_.busy || !options_.busy()) more = score_next(stop_);
    } catch (const Error& e) {
      // The datastore may be away for a while; images that fail are counted, not thrown.
      if (e.code() != ErrorCode::kCancelled) {
        VOXLOOM_LOG_WARN("scores: the datastore can't be read ({})", error_code_name(e.code()));
      }
    } catch (const std::exception&) {
      VOXLOOM_LOG_WARN("scores: the datastore can't be read (internal)");
    }
    std::unique_lock lock(mutex_);
    if (stopping_) return;
    if (!more) wake_.wait_for(lock, 500ms, [this] { return stopping_; });
    if (stopping_) return;
  }
}

}  // namespace voxloom::serve
