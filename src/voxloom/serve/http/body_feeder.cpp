#include "voxloom/serve/http/body_feeder.h"

#include <utility>

namespace voxloom::serve::http {
namespace {

constexpr size_t kMostQueued = size_t{4} << 20;
// On a machine whose cores are taken each change of thread waits for a time slice.
constexpr size_t kWorthAThread = size_t{1} << 20;
constexpr size_t kMostSpares = 8;

}  // namespace

void BodyFeeder::State::rethrow() {
  if (!failed) return;
  // Handed over, so that one thread alone has it in the end.
  if (thrown) std::rethrow_exception(std::exchange(thrown, nullptr));
  throw HttpError(500, "the body could not be taken");
}

BodyFeeder::BodyFeeder(WorkerPool& pool, BodyReceiver& receiver, std::function<void(bool)> wake)
    : pool_(pool), receiver_(receiver), wake_(std::move(wake)) {}

void BodyFeeder::push(std::string piece) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->rethrow();
    state_->bytes += piece.size();
    state_->queued.push_back(std::move(piece));
    if (state_->running || state_->bytes < kWorthAThread) return;
    state_->running = true;
  }
  start();
}

void BodyFeeder::finish() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->end = true;
    if (std::exchange(state_->running, true)) return;
  }
  start();
}

void BodyFeeder::start() {
  // The state is the job's too: once `running` is false the feeder may be gone.
  const bool posted = pool_.try_post(
      [state = state_, &receiver = receiver_, wake = wake_] { wake(run(*state, receiver)); });
  if (posted) return;
  const std::lock_guard lock(state_->mutex);
  state_->running = false;
  throw HttpError(503, "the server is busy, try again");
}

/// Returns whether feeding threw.
bool BodyFeeder::run(State& state, BodyReceiver& receiver) {
  std::unique_lock lock(state.mutex);
  std::vector<std::string> pieces;
  while (!state.failed && (!state.queued.empty() || state.end)) {
    pieces.swap(state.queued);
    const bool end = std::exchange(state.end, false);
    lock.unlock();
    std::exception_ptr thrown;
    size_t bytes = 0;
    try {
      for (const std::string& piece : pieces) {
        receiver.feed(piece);
        bytes += piece.size();
      }
      if (end) receiver.finish();
    } catch (...) {
      thrown = std::current_exception();
    }
    lock.lock();
    state.failed = thrown != nullptr;
    state.thrown = std::move(thrown);
    state.bytes -= bytes;
    for (std::string& piece : pieces) {
      if (state.spares.size() < kMostSpares) state.spares.push_back(std::move(piece));
    }
    pieces.clear();
  }
  state.running = false;
  return state.failed;
}

void BodyFeeder::check() const {
  const std::lock_guard lock(state_->mutex);
  state_->rethrow();
}

bool BodyFeeder::failed() const {
  const std::lock_guard lock(state_->mutex);
  return state_->failed;
}

bool BodyFeeder::full() const {
  const std::lock_guard lock(state_->mutex);
  return state_->bytes >= kMostQueued;
}

bool BodyFeeder::busy() const {
  const std::lock_guard lock(state_->mutex);
  return state_->running;
}

std::string BodyFeeder::spare() {
  const std::lock_guard lock(state_->mutex);
  if (state_->spares.empty()) return {};
  std::string out = std::move(state_->spares.back());
  state_->spares.pop_back();
  return out;
}

}  // namespace voxloom::serve::http
