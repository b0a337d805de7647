#include "voxloom/data/augment.h"

#include "voxloom/core/error.h"

namespace voxloom::data {

Example augment(const SourceView& source,
                const Window& window,
                const AugmentOptions& options,
                Rng& rng) {
  if (options.set == "none") {
    Warp cut{window.width, window.height, {}, {}};
    cut.matrix = {
        1, 0, static_cast<double>(window.x), 0, 1, static_cast<double>(window.y), 0, 0, 1};
    return warp(source, cut);
  }
  Example out;
  if (options.set == "nnunet") {
    out = warp(source, nnunet_geometry(window, options.strength, rng));
    nnunet_intensity(out, options.strength, rng);
  } else {
    VOXLOOM_CHECK(options.set == "fluoroscopy",
                  ErrorCode::kInvalidArgument,
                  "augment: must be none, nnunet or fluoroscopy, got '{}'",
                  options.set);
    out = warp(source, fluoroscopy_geometry(window, options.strength, rng));
    fluoroscopy_intensity(out, options.strength, rng);
  }
  clamp(out.image, 0.0F, 1.0F);
  return out;
}

}  // namespace voxloom::data
