#include "voxloom/data/augment.h"

#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/data/chance.h"

namespace voxloom::data {
namespace {

/// How the frames before the first one are disturbed.
struct TimeChange {
  std::vector<size_t> order;                      ///< Which frame stands at each place.
  std::vector<std::pair<double, double>> shifts;  ///< px, of each place.
};

TimeChange time_as_it_is(size_t frames) {
  TimeChange out;
  for (size_t i = 0; i < frames; ++i) out.order.push_back(i);
  out.shifts.resize(frames);
  return out;
}

TimeChange change_time(size_t frames, double strength, Rng& parent) {
  TimeChange out = time_as_it_is(frames);
  // One number of the parent's, however many frames there are: the first one does not depend on it.
  Rng rng(parent.next());
  const Chance chance{rng, strength};
  if (frames < 2 || !chance(0.2)) return out;
  const auto earlier = [&] { return 1 + rng.below(frames - 1); };
  switch (rng.below(3)) {
    case 0: {
      const size_t lost = earlier();
      out.order[lost] = lost - 1;
      break;
    }
    case 1:
      std::swap(out.order[earlier()], out.order[earlier()]);
      break;
    default:
      for (size_t i = 1; i < frames; ++i) {
        out.shifts[i] = {rng.uniform(-2.0, 2.0), rng.uniform(-2.0, 2.0)};
      }
  }
  return out;
}

std::vector<Example> warp_clip(std::span<const SourceView> frames,
                               const Warp& how,
                               const TimeChange& time) {
  std::vector<Example> out;
  for (size_t i = 0; i < frames.size(); ++i) {
    Warp own = how;
    const auto [dx, dy] = time.shifts[i];
    own.matrix = product({1, 0, dx, 0, 1, dy, 0, 0, 1}, own.matrix);
    out.push_back(warp(frames[time.order[i]], own));
  }
  return out;
}

}  // namespace

std::vector<Example> augment_clip(std::span<const SourceView> frames,
                                  const Window& window,
                                  const AugmentOptions& options,
                                  Rng& rng) {
  if (options.set == "none") {
    Warp cut{window.width, window.height, {}, {}};
    cut.matrix = {
        1, 0, static_cast<double>(window.x), 0, 1, static_cast<double>(window.y), 0, 0, 1};
    return warp_clip(frames, cut, time_as_it_is(frames.size()));
  }
  std::vector<Example> out;
  if (options.set == "nnunet") {
    const Warp how = nnunet_geometry(window, options.strength, rng);
    out = warp_clip(frames, how, time_as_it_is(frames.size()));
    nnunet_intensity(out, options.strength, rng);
  } else {
    VOXLOOM_CHECK(options.set == "fluoroscopy",
                  ErrorCode::kInvalidArgument,
                  "augment: must be none, nnunet or fluoroscopy, got '{}'",
                  options.set);
    const Warp how = fluoroscopy_geometry(window, options.strength, rng);
    out = warp_clip(frames, how, change_time(frames.size(), options.strength, rng));
    fluoroscopy_intensity(out, options.strength, rng);
  }
  for (auto& frame : out) clamp(frame.image, 0.0F, 1.0F);
  return out;
}

Example augment(const SourceView& source,
                const Window& window,
                const AugmentOptions& options,
                Rng& rng) {
  return std::move(augment_clip({&source, 1}, window, options, rng).front());
}

}  // namespace voxloom::data
