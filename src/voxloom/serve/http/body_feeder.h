#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "voxloom/serve/http/body.h"
#include "voxloom/serve/http/worker_pool.h"

namespace voxloom::serve::http {

/// Feeds a body to its receiver on a thread of a pool while more of it arrives. That thread goes
/// on as long as there is something to feed, so a fast body costs few changes of thread, and a
/// slow one holds no thread. All members are called by one thread, the one that reads the socket.
class BodyFeeder {
 public:
  /// Pool and receiver must outlive every job: wait until busy() is false before they go.
  /// `wake` is called on the pool's thread after busy() became false; with true where feeding
  /// threw, so that nobody waits for the rest of a body that is refused already.
  BodyFeeder(WorkerPool& pool, BodyReceiver& receiver, std::function<void(bool failed)> wake);

  /// Queues a piece; feeding starts with the first megabyte or the end. Throws what feeding an
  /// earlier one threw; HttpError 503 without a thread.
  void push(std::string piece);
  /// After the last piece.
  void finish();
  [[nodiscard]] bool failed() const;
  /// Throws what feeding threw.
  void check() const;
  /// Whether the peer should wait: some megabytes are queued.
  [[nodiscard]] bool full() const;
  /// Whether a thread uses the receiver.
  [[nodiscard]] bool busy() const;
  /// The memory of a piece that was fed, for the next one; may be empty.
  [[nodiscard]] std::string spare();

 private:
  struct State {
    std::mutex mutex;
    std::vector<std::string> queued, spares;
    size_t bytes = 0;  ///< Queued or being fed.
    bool end = false, running = false, failed = false;
    std::exception_ptr thrown;  ///< Until rethrow() hands it over.

    void rethrow();  ///< What feeding threw, if it did.
  };
  static bool run(State& state, BodyReceiver& receiver);
  void start();

  WorkerPool& pool_;
  BodyReceiver& receiver_;
  std::function<void(bool)> wake_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace voxloom::serve::http
