#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace voxloom::serve {

/// Milliseconds of a clock that never goes back; injected by tests.
using SteadyClock = std::function<int64_t()>;
[[nodiscard]] int64_t steady_now_ms();

/// "::ffff:10.0.0.1" -> "10.0.0.1", and no zone at the end: one client, one address.
[[nodiscard]] std::string normal_address(std::string_view address);
[[nodiscard]] bool is_loopback(std::string_view address);

/// A token bucket per client address. Thread-safe; remembers at most 10,000 addresses (full ones
/// are forgotten first: to forget them changes nothing).
class RequestLimiter {
 public:
  struct Options {
    double per_second = 500.0;  ///< 0: no limit.
    double burst = 2000.0;      ///< Requests at once after a pause; at least 1.
    bool limit_loopback =
        false;  ///< A reverse proxy or a load test on this machine is one address.
  };
  explicit RequestLimiter(Options options, SteadyClock clock = steady_now_ms);

  /// Takes one request. Otherwise: the whole seconds after which the next one passes.
  [[nodiscard]] std::optional<int64_t> refused(std::string_view address);

 private:
  struct Bucket {
    double left = 0.0;
    int64_t at_ms = 0;
  };
  void forget_full(int64_t now);

  Options options_;
  SteadyClock clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
};

/// Slows down who guesses passwords, per client address and per account. Thread-safe.
///
/// The first 5 tries in a row are free. Each further one doubles the time until the next is
/// looked at: 1, 2, 4 s and so on, up to 5 minutes for an address and to 1 minute for an account
/// (others must not be able to lock a person out for long). A right password clears both; 15
/// minutes without a try too. A try counts when it begins, so that many at once gain nothing.
class LoginLimiter {
 public:
  explicit LoginLimiter(SteadyClock clock = steady_now_ms);

  /// Begins a try. Otherwise: the whole seconds to wait.
  [[nodiscard]] std::optional<int64_t> refused(std::string_view address, std::string_view account);
  void succeeded(std::string_view address, std::string_view account);

 private:
  struct Tries {
    int count = 0;
    int64_t last_ms = 0, open_ms = 0;  ///< Of the last try; when the next one is looked at.
  };
  void forget_old(int64_t now);

  SteadyClock clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, Tries> tries_;  ///< "a:" address, "u:" account.
};

/// Which client address may fetch which image without a token, and until when: Slicer downloads
/// the image of an authorised next-sample answer with no header. Thread-safe; at most 10,000.
class ImageAllowance {
 public:
  explicit ImageAllowance(int64_t lifetime_ms, SteadyClock clock = steady_now_ms);

  void allow(std::string_view address, std::string_view image_id);
  [[nodiscard]] bool allowed(std::string_view address, std::string_view image_id);

 private:
  void forget_old(int64_t now);

  int64_t lifetime_ms_;
  SteadyClock clock_;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, int64_t> until_ms_;
};

}  // namespace voxloom::serve
