#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "voxloom/infer/geodesic_field.h"
#include "voxloom/infer/geodesic_growth.h"
#include "voxloom/infer/geodesic_refine.h"
#include "voxloom/infer/merge.h"
#include "voxloom/infer/prompt_plan.h"
#include "voxloom/infer/segmenter.h"

namespace voxloom::infer::geodesic {

/// One click, mask or box of an object, from which a front grows.
struct Source {
  enum class Kind { kClick, kBox, kMask } kind = Kind::kClick;
  std::vector<int64_t> seeds;       ///< Field indices.
  int64_t z = 0;                    ///< The slice of the prompt.
  std::vector<uint8_t> slice_mask;  ///< kMask, kBox: what is known of that slice, [H, W].
  std::optional<Rect> box;          ///< kBox.
  Appearance appearance;
  double expected = 0.0;  ///< kBox: about how many voxels the object has.

  [[nodiscard]] std::string key() const;  ///< The same for equal sources.
};

/// FNV-1a, for cache keys of masks.
[[nodiscard]] uint64_t hash_of(const std::vector<uint8_t>& bytes);

/// See geodesic.h for what it does, step by step.
class GeodesicSession : public SegmentSession {
 public:
  explicit GeodesicSession(std::shared_ptr<image::VolumeSource> volume);

  void set_prompts(const std::vector<ObjectPrompt>& objects) override;
  [[nodiscard]] std::vector<uint8_t> preview_slice(size_t object,
                                                   int64_t z,
                                                   const CancelToken& stop) override;
  void warm(const SegmentOptions& options, int64_t z, const CancelToken& stop) override;
  [[nodiscard]] SegmentResult run(const SegmentOptions& options,
                                  Progress& progress,
                                  const CancelToken& stop) override;

 private:
  /// Where an object may grow.
  struct Domain {
    std::array<int64_t, 2> slices{0, 0};
    std::vector<uint8_t> blocked;  ///< As blocked_for() says.
    std::string key;               ///< Tells growths with other bounds or options apart.
  };

  /// The prompts that an object is grown from; clicks that only correct its border come after.
  struct Prompts {
    std::vector<Source> sources;
    std::vector<image::Index3> rivals;           ///< Clicks in parts that are not the object's.
    std::vector<image::Index3> inside, outside;  ///< Voxels that are known.
  };

  /// What one source selects, and what of it is below the level of the rivals' clicks.
  struct SourceRegion {
    Patch whole, bound;
    bool disputed = false;  ///< Whether `bound` is set.
  };

  /// Makes the field hold all prompts, with the window of `options`.
  void prepare_field(const SegmentOptions& options, const CancelToken& stop);
  /// Makes the field larger. Returns false when it may not grow any more.
  [[nodiscard]] bool enlarge_field(const CancelToken& stop);
  void rebuild_field(const Region& region, const CancelToken& stop);
  [[nodiscard]] Region start_region() const;

  [[nodiscard]] Source source_of_click(const image::Index3& voxel) const;
  [[nodiscard]] std::vector<Source> sources_of(const ObjectPrompt& object) const;
  /// Voxels of the volume for indices of the field.
  [[nodiscard]] std::vector<image::Index3> positions(const std::vector<int64_t>& indices) const;
  /// The clicks of object `index` after the one from which it grows, in their order; before them
  /// the positive clicks of the other objects, as negative ones.
  [[nodiscard]] std::vector<PointPrompt> further_clicks(size_t index) const;
  /// What the object grows from at first: boxes and masks, else its first positive click.
  [[nodiscard]] std::vector<Source> first_sources_of(const ObjectPrompt& object) const;
  /// Voxels of the field that `object` may not have [D, H, W]; empty when it may have all.
  [[nodiscard]] std::vector<uint8_t> blocked_for(const ObjectPrompt& object,
                                                 const SegmentOptions& options) const;
  void block_outside_boxes(const std::vector<BoxPrompt>& boxes,
                           std::vector<uint8_t>& blocked) const;
  /// The prefix of a click's growth to use in place of `prefix`, the best one; says so in notes_
  /// when no border was clear or the region is very large.
  [[nodiscard]] size_t judge_click(const Source& source, const Growth& growth, size_t prefix);
  /// The growth of one source, from the cache when it is there.
  [[nodiscard]] const Growth& growth_of(const Source& source,
                                        const Domain& domain,
                                        const SegmentOptions& options,
                                        const CancelToken& stop);
  [[nodiscard]] bool has_clear_border(const Growth& growth, size_t seeds) const;
  /// The region of one source, from its growth.
  [[nodiscard]] SourceRegion region_of(const Source& source,
                                       const Domain& domain,
                                       const std::vector<image::Index3>& rivals,
                                       const SegmentOptions& options,
                                       const CancelToken& stop);
  /// Border, holes and what the prompts say for certain.
  void finish_patch(Patch& patch,
                    const Prompts& prompts,
                    const std::vector<uint8_t>& blocked,
                    const SegmentOptions& options,
                    const CancelToken& stop) const;
  /// The object as these prompts show it, without corrections.
  [[nodiscard]] Patch grow_object(const ObjectPrompt& object,
                                  const Prompts& prompts,
                                  const Domain& domain,
                                  const SegmentOptions& options,
                                  const CancelToken& stop);
  /// Grows the object from its first prompts, then takes its clicks one by one: each changes the
  /// region around it, or shows a further part (geodesic_local.h).
  [[nodiscard]] Patch build_object(size_t index,
                                   const Domain& domain,
                                   const SegmentOptions& options,
                                   const CancelToken& stop);
  [[nodiscard]] RunMask segment_object(size_t index,
                                       const ObjectPlan& plan,
                                       const SegmentOptions& options,
                                       const CancelToken& stop);

  struct Cached {
    Growth growth;
    bool used = false;
  };

  std::shared_ptr<image::VolumeSource> volume_;
  std::vector<ObjectPrompt> objects_;
  std::string window_ = "auto";
  Clip clip_;
  std::optional<Field> field_;
  FrontScratch scratch_;
  std::map<std::string, Cached> growths_;  ///< Of the present field; those in use only.
  bool touched_side_ = false;              ///< An object came to a side of the field in this run.
  std::vector<std::string> notes_;         ///< Of this run, about the objects' borders.
  SegmentOptions last_options_;
  std::vector<RunMask> masks_;  ///< Of the present prompts; empty: not computed yet.
};

}  // namespace voxloom::infer::geodesic
