#include "voxloom/data/loader_options.h"

#include "voxloom/core/error.h"

namespace voxloom::data {

void LoaderOptions::validate() const {
  const auto check = [](bool good, const char* name, const char* range, int64_t got) {
    VOXLOOM_CHECK(
        good, ErrorCode::kInvalidArgument, "loader {}: must be {}, got {}", name, range, got);
  };
  check(batch_size >= 1 && batch_size <= 65536, "batch size", "within [1, 65536]", batch_size);
  check(crop >= 0 && crop <= 65536, "crop", "within [0, 65536]", crop);
  check(pad_multiple >= 1 && pad_multiple <= 4096, "pad", "within [1, 4096]", pad_multiple);
  check(workers >= 1 && workers <= 1024, "workers", "within [1, 1024]", workers);
  check(prefetch >= 1 && prefetch <= 65536, "prefetch", "within [1, 65536]", prefetch);
  check(frames >= 1 && frames <= 64, "frames", "within [1, 64]", frames);
  check(!boxes.on || crop >= 8, "crop", "at least 8 round boxes", crop);
  check(cache_mb >= 0 && cache_mb <= (int64_t{1} << 30), "cache", "0 or more MB", cache_mb);
  VOXLOOM_CHECK(foreground_share >= 0.0 && foreground_share <= 1.0,
                ErrorCode::kInvalidArgument,
                "loader foreground share: must be within [0, 1], got {}",
                foreground_share);
  VOXLOOM_CHECK(ranks >= 1 && rank >= 0 && rank < ranks && batch_size % ranks == 0,
                ErrorCode::kInvalidArgument,
                "loader batch size: must be a multiple of the number of ranks, {}, got {}",
                ranks,
                batch_size);
  VOXLOOM_CHECK(ranks == 1 || (shuffle && drop_last),
                ErrorCode::kInvalidArgument,
                "loader: several ranks share batches of full size only, got a loader that keeps "
                "the last, smaller one");
  augment.validate();
  if (boxes.on) boxes.rule.validate();
}

}  // namespace voxloom::data
