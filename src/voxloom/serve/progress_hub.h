#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "voxloom/serve/http/router.h"
#include "voxloom/serve/interactive/infer_service.h"

namespace voxloom::serve {

/// Tells WebSockets how far inferences are. Thread-safe; a slow socket never holds anything up.
class ProgressHub {
 public:
  /// {"client": ..., "model": ..., "stage": ..., "done": 12, "total": 64} to every socket that
  /// asked for that client. At most about ten a second of one stage, its end always.
  void publish(const InferProgress& progress);

  /// WebSocket /progress?client_id=...: the progress of that client's inferences.
  [[nodiscard]] http::Route route();

 private:
  struct Listener {
    std::string client;
    std::weak_ptr<http::WebSocket> socket;
  };
  std::mutex mutex_;
  std::vector<Listener> listeners_;
  std::string last_stage_;
  int64_t last_ms_ = 0;
};

}  // namespace voxloom::serve
