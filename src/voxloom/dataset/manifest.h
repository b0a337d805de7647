#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/core/atomic_file.h"
#include "voxloom/dataset/sample.h"

namespace voxloom::dataset {

/// The annotated images of one or more data sets.
///
/// File format: JSON lines, UTF-8. The first line is
/// `{"voxloom_manifest": 1, "samples": N, "fingerprint": "<64 hex digits>"}`; every other line is a
/// sample: id, dataset, subset, sequence, frame, image, mask, sha256_image, sha256_mask, role,
/// pixel_mm, bright_object, classes. Paths are relative to the manifest's folder, so that both can
/// move together; `mask` is absent where there is none. `classes` maps the data set's ids, or
/// ranges of them ("128-255"), to class names; ids that it leaves out are unknown. A synthetic
/// image painted on a picture names it in `sha256_background` (absent otherwise). The fingerprint
/// is the SHA-256 of all lines after the first: a manifest that was edited by hand is refused.
struct Manifest {
  std::vector<Sample> samples;  ///< Paths are absolute or relative to the working folder.
  std::string fingerprint;
};

/// What a manifest may cost before it is refused.
inline constexpr size_t kMaxManifestBytes = size_t{1} << 30;
inline constexpr size_t kMaxManifestLine = size_t{1} << 16;
inline constexpr size_t kMaxManifestSamples = size_t{1} << 22;

/// Parses the text of a manifest that lies in `folder`; `where` is its name for messages.
/// Throws kDataCorrupt naming the line, kUnsupported for another version or above the limits.
[[nodiscard]] Manifest parse_manifest(std::string_view text,
                                      const std::filesystem::path& folder,
                                      const std::string& where);
[[nodiscard]] Manifest read_manifest(const std::filesystem::path& path);

/// The text of a manifest that is to lie in `folder`. Throws kInvalidArgument for ids that are
/// empty or used twice.
[[nodiscard]] std::string format_manifest(const std::vector<Sample>& samples,
                                          const std::filesystem::path& folder);
/// Writes it whole or not at all.
void write_manifest(const std::vector<Sample>& samples,
                    const std::filesystem::path& path,
                    Overwrite overwrite);

/// Those of one role, in order.
[[nodiscard]] std::vector<Sample> with_role(const std::vector<Sample>& samples, Role role);

}  // namespace voxloom::dataset
