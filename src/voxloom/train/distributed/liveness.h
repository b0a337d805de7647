#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace voxloom::train {

/// Short texts that all ranks see: what Liveness needs of a store. Calls may throw when the store
/// is gone; they come from one thread.
struct NoticeBoard {
  std::function<void(const std::string& key, const std::string& text)> put;
  /// As put(), unless the key is there; gives what is there afterwards.
  std::function<std::string(const std::string& key, const std::string& text)> put_first;
  std::function<bool(const std::string& key)> has;
  std::function<std::vector<std::string>(const std::vector<std::string>& keys)> get;
};

/// Watches whether all ranks are alive, on a thread: every rank counts up a number of its own on
/// the board, and whose number stands still is lost. A rank that ends because of an error says so
/// on the board. So a wait for a rank that will never come ends, however long a wait may be when
/// all is well.
class Liveness {
 public:
  struct Options {
    int64_t rank = 0, size = 1;
    std::chrono::milliseconds period{500};
    std::chrono::milliseconds silence{20000};  ///< After which a rank is lost.
  };

  /// All ranks construct theirs before the first may be taken for lost.
  Liveness(NoticeBoard board, const Options& options);
  /// Says that this rank has ended well, unless something failed.
  ~Liveness();
  Liveness(const Liveness&) = delete;
  Liveness& operator=(const Liveness&) = delete;

  /// What is wrong, nothing when all is well: "rank 1 was lost: ...", "rank 1 stopped: ...".
  [[nodiscard]] std::optional<std::string> trouble() const;

  /// After a connection broke: who it was. Takes a few periods; nothing when all ranks live.
  [[nodiscard]] std::optional<std::string> find_lost();

  /// Puts an error of this rank on the board; what was there first stays.
  void report(const std::string& error);

  /// Waits until the others have ended or are lost, at most `limit`: rank 0 holds the board.
  void wait_for_others(std::chrono::milliseconds limit);

 private:
  struct State;
  static void watch(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;  ///< The thread's too: it may hang in a dead network.
};

}  // namespace voxloom::train
