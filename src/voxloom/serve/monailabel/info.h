#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "voxloom/serve/monailabel/services.h"

namespace voxloom::serve {

/// The answer to GET /info/ as text, made again only when something in it changed: a server with
/// thousands of images, each with a strategy of its own, answers it at the speed of a copy.
/// Thread-safe; never waits for a disk or a computation.
class InfoDocument {
 public:
  explicit InfoDocument(Services& services);

  [[nodiscard]] std::shared_ptr<const std::string> text();

 private:
  [[nodiscard]] std::string head() const;

  Services& services_;
  std::mutex mutex_;
  std::string head_;  ///< Name to trainers.
  uint64_t models_revision_ = 0;
  uint64_t store_revision_ = 0;
  std::pair<uint64_t, uint64_t> strategies_revision_;
  std::shared_ptr<const std::string> text_;
};

}  // namespace voxloom::serve
