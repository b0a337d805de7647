#pragma once

#include <memory>
#include <string>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/serve/serve_options.h"

namespace voxloom::serve {

/// The whole annotation server: datastore, models, strategies, jobs, accounts, logs and HTTP.
class ServeApp {
 public:
  /// Opens the datastore and reads the accounts. Throws kNotFound, kInvalidArgument, kUnavailable.
  explicit ServeApp(const ServeOptions& options);
  ~ServeApp();
  ServeApp(const ServeApp&) = delete;
  ServeApp& operator=(const ServeApp&) = delete;

  /// Binds the port and answers from now on. Throws kUnavailable.
  void start();
  /// "http://127.0.0.1:8000"
  [[nodiscard]] std::string address() const;
  /// What a person who started it wants to know: images, models, accounts, log port.
  [[nodiscard]] std::vector<std::string> notes() const;
  /// Returns when `stop` is set or SIGTERM arrives.
  void wait(const CancelToken& stop);
  /// Lets running requests end, writes what is pending, ends jobs' children.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace voxloom::serve
