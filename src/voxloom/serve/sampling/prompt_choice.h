#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "voxloom/image/geometry.h"
#include "voxloom/infer/prompt.h"
#include "voxloom/serve/datastore/datastore.h"
#include "voxloom/serve/sampling/image_scores.h"

namespace voxloom::serve {

/// A box as fractions of the image along the patient's axes (the world axis nearest to each voxel
/// axis, from its low end): the same organ has about the same numbers in images that are stored
/// in different orders.
struct RelativeBox {
  image::Vec3 lo{}, hi{};  ///< Within [0, 1].
};

[[nodiscard]] RelativeBox relative_box(const image::Geometry& geometry,
                                       const infer::BoxPrompt& box);
[[nodiscard]] infer::BoxPrompt voxel_box(const image::Geometry& geometry, const RelativeBox& box);
/// Each end's median over the boxes; of an even number, the mean of the middle two.
[[nodiscard]] RelativeBox median_box(const std::vector<RelativeBox>& boxes);
/// Shared volume over joint volume, in voxels.
[[nodiscard]] double box_overlap(const infer::BoxPrompt& a, const infer::BoxPrompt& b);

/// "SIZE:MTIME" of a file; of a folder, the sum of the sizes and the newest of its files, with
/// their number. Throws kNotFound.
[[nodiscard]] std::string file_stamp(const std::filesystem::path& path);

/// Chooses what an unlabelled image is prompted with. Label files, and the headers of images, are
/// read once for each stamp.
/// Not thread-safe.
class PromptChooser {
 public:
  struct Prompt {
    PromptOrigin origin = PromptOrigin::kNone;
    infer::BoxPrompt box;
  };

  /// `label`: the value in label maps.
  PromptChooser(Datastore& store, uint16_t label) : store_(store), label_(label) {}

  /// Looks at the labelled cases: call when the datastore changed. A label that can't be read is
  /// left out.
  void update(const CancelToken& stop);
  /// The bounding box of `label` in the image's `original` label if it has any, else the median
  /// box of the labelled cases, else none.
  /// `stamp`: of the image file. Throws when the image can't be read.
  [[nodiscard]] Prompt choose(const ImageRecord& image,
                              const std::string& stamp,
                              const CancelToken& stop);

  [[nodiscard]] size_t cases() const { return cases_; }

 private:
  struct KnownLabel {
    std::string stamp;
    std::optional<infer::BoxPrompt> box;
    image::Geometry geometry;
  };
  [[nodiscard]] const KnownLabel* look_at(const std::string& id, const char* tag);

  Datastore& store_;
  uint16_t label_;
  std::map<std::pair<std::string, std::string>, KnownLabel> known_;       ///< By id and tag.
  std::map<std::string, std::pair<std::string, image::Geometry>> grids_;  ///< Stamp; by id.
  std::optional<RelativeBox> median_;
  size_t cases_ = 0;
};

}  // namespace voxloom::serve
