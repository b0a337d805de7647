#pragma once

#include <span>
#include <vector>

#include "voxloom/core/random.h"
#include "voxloom/data/augment_options.h"
#include "voxloom/data/warp.h"

namespace voxloom::data {

/// Which part of an image becomes an example.
struct Window {
  int64_t x = 0, y = 0;  ///< Top left pixel; may lie outside.
  int64_t width = 0, height = 0;
  bool crop = false;  ///< Part of an image, free to be turned by any angle; else a whole frame.
};

/// Cuts `window` out of `source` and augments it: one resampling for all geometry, then the
/// intensities of the image alone. Pixels end within [0, 1]. The result depends on the arguments
/// and the state of `rng` alone.
///
/// Sets (probability of each, times `strength`): "none" cuts only. "nnunet" is nnU-Net's default
/// (guidewire.md 5.1): rotation and scale 0.2, noise 0.1, blur 0.2 x 0.5, brightness and contrast
/// 0.15, low resolution 0.25 x 0.5, gamma on the negative 0.1, gamma 0.3, mirror 0.5 an axis. Noise
/// is in units of the image's standard deviation, which is 1 where nnU-Net runs; what nnU-Net calls
/// its variance, 0 to 0.1, it uses as a standard deviation (batchgeneratorsv2 0.3.6), and so do we.
/// "fluoroscopy" is the list of 5.2.
[[nodiscard]] Example augment(const SourceView& source,
                              const Window& window,
                              const AugmentOptions& options,
                              Rng& rng);

/// The same for a clip: the frame with the mask first, then those before it, all of one size. What
/// happens is drawn once for all frames, so that geometry, blur and display are one for a clip;
/// noise is drawn for each. "fluoroscopy" also disturbs time (0.2): an earlier frame is lost, two
/// change places, or they lie up to 2 px beside.
[[nodiscard]] std::vector<Example> augment_clip(std::span<const SourceView> frames,
                                                const Window& window,
                                                const AugmentOptions& options,
                                                Rng& rng);

/// The parts of augment(), for each set: geometry as a map, then what changes the image.
[[nodiscard]] Warp nnunet_geometry(const Window& window, double strength, Rng& rng);
void nnunet_intensity(std::span<Example> clip, double strength, Rng& rng);
[[nodiscard]] Warp fluoroscopy_geometry(const Window& window, double strength, Rng& rng);
void fluoroscopy_intensity(std::span<Example> clip, double strength, Rng& rng);

}  // namespace voxloom::data
