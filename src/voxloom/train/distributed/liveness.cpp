#include "voxloom/train/distributed/liveness.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

#include "voxloom/core/format.h"

namespace voxloom::train {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kTrouble = "trouble";
constexpr const char* kEnded = "ended";

std::string life_key(int64_t rank) {
  return format("alive/{}", rank);
}

double seconds(Clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace

struct Liveness::State {
  State(NoticeBoard the_board, const Options& the_options)
      : board(std::move(the_board)),
        options(the_options),
        lives(static_cast<size_t>(options.size)),
        changed(static_cast<size_t>(options.size), Clock::now()),
        looked(Clock::now()) {
    for (int64_t r = 0; r < options.size; ++r) keys.push_back(life_key(r));
  }

  const NoticeBoard board;
  const Options options;
  std::vector<std::string> keys;

  std::mutex mutex;  ///< Of what follows.
  std::condition_variable news;
  std::vector<std::string> lives;          ///< As last seen.
  std::vector<Clock::time_point> changed;  ///< When it was first seen so.
  Clock::time_point looked;                ///< When the board answered last.
  std::optional<std::string> trouble;
  std::optional<std::string> to_report;
  bool reported = false, stop = false, finished = false;

  [[nodiscard]] bool ended(size_t rank) const { return lives[rank] == kEnded; }

  /// Ranks that gave no sign of life since `time`.
  [[nodiscard]] std::vector<int64_t> silent_since(Clock::time_point time) const {
    std::vector<int64_t> out;
    for (int64_t r = 0; r < options.size; ++r) {
      const auto i = static_cast<size_t>(r);
      if (r != options.rank && !ended(i) && changed[i] <= time) out.push_back(r);
    }
    return out;
  }

  /// "rank 1 was lost", "ranks 1, 3 were lost".
  static std::string lost(const std::vector<int64_t>& ranks) {
    std::string text = ranks.size() == 1 ? "rank" : "ranks";
    for (size_t i = 0; i < ranks.size(); ++i) text += format("{} {}", i == 0 ? "" : ",", ranks[i]);
    return text + (ranks.size() == 1 ? " was lost" : " were lost");
  }

  void exchange(int64_t beat) {
    board.put(life_key(options.rank), format("{}", beat));
    std::optional<std::string> mine;
    {
      const std::lock_guard lock(mutex);
      if (to_report && !reported) mine = to_report;
    }
    std::optional<std::string> word;
    if (mine) {
      word = board.put_first(kTrouble, *mine);
    } else if (board.has(kTrouble)) {
      word = board.get({kTrouble}).front();
    }
    std::vector<std::string> now = board.get(keys);
    const std::lock_guard lock(mutex);
    looked = Clock::now();
    if (mine) reported = true;
    if (word && !trouble) trouble = word;
    for (size_t r = 0; r < now.size(); ++r) {
      if (now[r] == lives[r]) continue;
      lives[r] = std::move(now[r]);
      changed[r] = looked;
    }
    const auto silent = silent_since(looked - options.silence);
    if (!silent.empty() && !trouble) {
      to_report = trouble =
          format("{}: no sign of life for {:.0f} s", lost(silent), seconds(options.silence));
    }
    news.notify_all();
  }
};

Liveness::Liveness(NoticeBoard board, const Options& options)
    : state_(std::make_shared<State>(std::move(board), options)) {
  std::thread([state = state_] { watch(state); }).detach();
}

void Liveness::watch(const std::shared_ptr<State>& state) {
  for (int64_t beat = 1;; ++beat) {
    try {
      state->exchange(beat);
    } catch (const std::exception& e) {
      const std::lock_guard lock(state->mutex);
      if (!state->trouble) {
        const std::string why = e.what();
        state->trouble = format("rank 0 was lost: its meeting place does not answer ({})",
                                why.substr(0, why.find('\n')));
      }
      break;
    }
    std::unique_lock lock(state->mutex);
    state->news.wait_for(lock, state->options.period, [&] {
      return state->stop || (state->to_report && !state->reported);
    });
    if (state->stop) break;
  }
  try {
    state->board.put(life_key(state->options.rank), kEnded);
  } catch (const std::exception&) {
    // Nobody is left to be told.
  }
  const std::lock_guard lock(state->mutex);
  state->finished = true;
  state->news.notify_all();
}

Liveness::~Liveness() {
  std::unique_lock lock(state_->mutex);
  state_->stop = true;
  state_->news.notify_all();
  // The thread may be stuck in a network that is gone; it holds the state alive.
  state_->news.wait_for(lock, std::chrono::seconds(2), [&] { return state_->finished; });
}

std::optional<std::string> Liveness::trouble() const {
  const std::lock_guard lock(state_->mutex);
  if (state_->trouble) return state_->trouble;
  const auto silent = Clock::now() - state_->looked;
  if (silent > state_->options.silence) {
    return format("rank 0 was lost: its meeting place has not answered for {:.0f} s",
                  seconds(silent));
  }
  return std::nullopt;
}

std::optional<std::string> Liveness::find_lost() {
  const auto start = Clock::now();
  const auto period = state_->options.period;
  // Whoever is alive counts up within a period, and that is seen within another one.
  const auto end = start + 7 * period;
  std::unique_lock lock(state_->mutex);
  while (Clock::now() < end) {
    if (state_->trouble) return state_->trouble;
    state_->news.wait_until(lock, end);
  }
  if (state_->trouble) return state_->trouble;
  const auto silent = state_->silent_since(start + 3 * period);
  if (silent.empty()) return std::nullopt;
  state_->to_report = state_->trouble = State::lost(silent) + ": its connection broke";
  state_->news.notify_all();
  return state_->trouble;
}

void Liveness::report(const std::string& error) {
  std::unique_lock lock(state_->mutex);
  if (!state_->trouble) state_->trouble = error;
  if (!state_->to_report) state_->to_report = error;
  state_->news.notify_all();
  state_->news.wait_for(
      lock, std::chrono::seconds(3), [&] { return state_->reported || state_->finished; });
}

void Liveness::wait_for_others(std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  std::unique_lock lock(state_->mutex);
  const auto others_ended = [&] {
    for (size_t r = 0; r < state_->lives.size(); ++r) {
      // One that is lost will not end; it was alive a few periods ago at most.
      const bool gone = Clock::now() - state_->changed[r] > 7 * state_->options.period;
      if (static_cast<int64_t>(r) != state_->options.rank && !state_->ended(r) && !gone)
        return false;
    }
    return true;
  };
  state_->news.wait_until(lock, end, others_ended);
}

}  // namespace voxloom::train
