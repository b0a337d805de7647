#include "voxloom/serve/auth/limits.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace voxloom::serve {
namespace {

constexpr size_t kMostRemembered = 10000;
constexpr int kFreeTries = 5;
constexpr int64_t kForgetTriesMs = 15 * 60 * 1000;
constexpr int64_t kLongestAddressMs = 5 * 60 * 1000, kLongestAccountMs = 60 * 1000;

int64_t whole_seconds(int64_t ms) {
  return std::max<int64_t>(1, (ms + 999) / 1000);
}

int64_t delay_ms(int count, int64_t longest_ms) {
  if (count < kFreeTries) return 0;
  return std::min(longest_ms, int64_t{1000} << std::min(count - kFreeTries, 30));
}

}  // namespace

int64_t steady_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string normal_address(std::string_view address) {
  constexpr std::string_view kMapped = "::ffff:";
  if (address.rfind(kMapped, 0) == 0 && address.find('.') != std::string_view::npos) {
    address.remove_prefix(kMapped.size());
  }
  return std::string(address.substr(0, address.find('%')));
}

bool is_loopback(std::string_view address) {
  return address == "::1" || normal_address(address).rfind("127.", 0) == 0;
}

RequestLimiter::RequestLimiter(Options options, SteadyClock clock)
    : options_(options), clock_(std::move(clock)) {
  options_.burst = std::max(1.0, options_.burst);
}

std::optional<int64_t> RequestLimiter::refused(std::string_view address) {
  if (options_.per_second <= 0.0) return std::nullopt;
  if (!options_.limit_loopback && is_loopback(address)) return std::nullopt;
  const int64_t now = clock_();
  const std::lock_guard lock(mutex_);
  if (buckets_.size() >= kMostRemembered) forget_full(now);
  const auto [place, fresh] = buckets_.try_emplace(normal_address(address));
  Bucket& bucket = place->second;
  if (fresh) {
    bucket.left = options_.burst;
  } else {
    const double passed_s = static_cast<double>(now - bucket.at_ms) / 1000.0;
    bucket.left = std::min(options_.burst, bucket.left + passed_s * options_.per_second);
  }
  bucket.at_ms = now;
  if (bucket.left >= 1.0) {
    bucket.left -= 1.0;
    return std::nullopt;
  }
  const double wait_s = (1.0 - bucket.left) / options_.per_second;
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(wait_s)));
}

void RequestLimiter::forget_full(int64_t now) {
  std::erase_if(buckets_, [&](const auto& item) {
    const double passed_s = static_cast<double>(now - item.second.at_ms) / 1000.0;
    return item.second.left + passed_s * options_.per_second >= options_.burst;
  });
  // So many busy addresses at once: start again rather than grow.
  if (buckets_.size() >= kMostRemembered) buckets_.clear();
}

LoginLimiter::LoginLimiter(SteadyClock clock) : clock_(std::move(clock)) {}

std::optional<int64_t> LoginLimiter::refused(std::string_view address, std::string_view account) {
  const int64_t now = clock_();
  const std::lock_guard lock(mutex_);
  if (tries_.size() + 2 > kMostRemembered) forget_old(now);
  // Account names are as long as an attacker likes; known ones are short.
  Tries& from = tries_["a:" + normal_address(address)];
  Tries& on = tries_["u:" + std::string(account.substr(0, 64))];
  for (Tries* tries : {&from, &on}) {
    if (now - tries->last_ms > kForgetTriesMs) *tries = {};
  }
  const int64_t open_ms = std::max(from.open_ms, on.open_ms);
  if (now < open_ms) return whole_seconds(open_ms - now);
  for (Tries* tries : {&from, &on}) {
    ++tries->count;
    tries->last_ms = now;
  }
  from.open_ms = now + delay_ms(from.count, kLongestAddressMs);
  on.open_ms = now + delay_ms(on.count, kLongestAccountMs);
  return std::nullopt;
}

void LoginLimiter::succeeded(std::string_view address, std::string_view account) {
  const std::lock_guard lock(mutex_);
  tries_.erase("a:" + normal_address(address));
  tries_.erase("u:" + std::string(account.substr(0, 64)));
}

void LoginLimiter::forget_old(int64_t now) {
  std::erase_if(tries_,
                [&](const auto& item) { return now - item.second.last_ms > kForgetTriesMs; });
  if (tries_.size() + 2 <= kMostRemembered) return;
  // A flood of made-up names or addresses: the ones with few tries go first, so that it can't
  // wash away the count of an account under attack.
  std::erase_if(tries_, [](const auto& item) { return item.second.count < kFreeTries; });
  if (tries_.size() + 2 > kMostRemembered) tries_.clear();
}

ImageAllowance::ImageAllowance(int64_t lifetime_ms, SteadyClock clock)
    : lifetime_ms_(lifetime_ms), clock_(std::move(clock)) {}

void ImageAllowance::allow(std::string_view address, std::string_view image_id) {
  const int64_t now = clock_();
  const std::lock_guard lock(mutex_);
  if (until_ms_.size() >= kMostRemembered) forget_old(now);
  until_ms_[{normal_address(address), std::string(image_id)}] = now + lifetime_ms_;
}

bool ImageAllowance::allowed(std::string_view address, std::string_view image_id) {
  const int64_t now = clock_();
  const std::lock_guard lock(mutex_);
  const auto found = until_ms_.find({normal_address(address), std::string(image_id)});
  if (found == until_ms_.end()) return false;
  if (now < found->second) return true;
  until_ms_.erase(found);
  return false;
}

void ImageAllowance::forget_old(int64_t now) {
  std::erase_if(until_ms_, [&](const auto& item) { return item.second <= now; });
  if (until_ms_.size() >= kMostRemembered) until_ms_.clear();
}

}  // namespace voxloom::serve
