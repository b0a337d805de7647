#include "voxloom/infer/geodesic_session.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/image/window.h"
#include "voxloom/infer/geodesic_scores.h"
#include "voxloom/infer/prompt_parse.h"

namespace voxloom::infer::geodesic {
namespace {

// A volume of this many voxels is worked on as a whole (12 bytes a voxel); of larger ones a part
// around the prompts, which grows up to the second number when the object needs it.
constexpr int64_t kWholeVoxels = int64_t{24} << 20;
constexpr int64_t kMostVoxels = int64_t{48} << 20;
constexpr double kStartMargin_mm = 40.0;

class Stopwatch {
 public:
  [[nodiscard]] double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - from_).count();
    from_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point from_ = std::chrono::steady_clock::now();
};

Clip clip_of(image::VolumeSource& volume, const std::string& window) {
  const auto rule = image::parse_window(window);
  if (rule.kind == image::WindowRule::Kind::kAuto) return {};
  const auto map = image::resolve_window(volume, rule);
  return {map.window.lo, map.window.hi};
}

/// Drops what lies beyond `limit` slices in a row without the object, seen from the key slices.
void stop_when_absent(RunMask& mask, const ObjectPlan& plan, int64_t limit) {
  if (limit <= 0) return;
  const auto walk = [&mask, limit](int64_t from, int64_t last, int64_t step) {
    int64_t absent = 0;
    for (int64_t z = from; z != last + step; z += step) {
      if (absent >= limit) mask.set_runs(z, {});
      absent = mask.runs(z).empty() ? absent + 1 : 0;
      if (absent >= limit) absent = limit;
    }
  };
  const int64_t first = std::clamp(plan.keys.front().z, plan.z_lo, plan.z_hi);
  const int64_t last = std::clamp(plan.keys.back().z, plan.z_lo, plan.z_hi);
  walk(last, plan.z_hi, 1);
  walk(first, plan.z_lo, -1);
}

}  // namespace

GeodesicSession::GeodesicSession(std::shared_ptr<image::VolumeSource> volume)
    : volume_(std::move(volume)) {
  volume_->geometry().validate();
}

void GeodesicSession::set_prompts(const std::vector<ObjectPrompt>& objects) {
  validate_prompts(objects, volume_->geometry());
  if (objects == objects_) return;
  objects_ = objects;
  masks_.clear();
}

Region GeodesicSession::start_region() const {
  const auto& g = volume_->geometry();
  Region all{{0, 0, 0}, {g.size[0] - 1, g.size[1] - 1, g.size[2] - 1}};
  if (g.voxel_count() <= kWholeVoxels) return all;
  Region region{all.hi, {0, 0, 0}};
  const auto include = [&](const image::Index3& voxel) {
    for (size_t a = 0; a < 3; ++a) {
      const auto margin = std::max<int64_t>(24, std::lround(kStartMargin_mm / g.spacing_mm[a]));
      region.lo[a] = std::min(region.lo[a], std::max<int64_t>(0, voxel[a] - margin));
      region.hi[a] = std::max(region.hi[a], std::min(all.hi[a], voxel[a] + margin));
    }
  };
  for (const auto& object : objects_) {
    for (const auto& point : object.points) include(point.voxel);
    for (const auto& box : object.boxes) {
      include(box.lo);
      include(box.hi);
    }
    for (const auto& mask : object.masks) {
      include({0, 0, mask.z});
      include({all.hi[0], all.hi[1], mask.z});
    }
  }
  return region;
}

void GeodesicSession::rebuild_field(const Region& region, const CancelToken& stop) {
  VOXLOOM_CHECK(region.voxel_count() <= (int64_t{1} << 31),
                ErrorCode::kUnsupported,
                "geodesic: prompts must lie within {} voxels of each other's surroundings, got {}",
                int64_t{1} << 31,
                region.voxel_count());
  field_.reset();
  growths_.clear();
  field_ = make_field(*volume_, region, clip_, stop);
}

bool GeodesicSession::enlarge_field(const CancelToken& stop) {
  const auto& size = volume_->geometry().size;
  Region region = field_->region;
  for (size_t a = 0; a < 3; ++a) {
    const int64_t more = (region.hi[a] - region.lo[a] + 1) / 4 + 8;
    region.lo[a] = std::max<int64_t>(0, region.lo[a] - more);
    region.hi[a] = std::min(size[a] - 1, region.hi[a] + more);
  }
  if (region == field_->region || region.voxel_count() > kMostVoxels) return false;
  rebuild_field(region, stop);
  return true;
}

void GeodesicSession::prepare_field(const SegmentOptions& options, const CancelToken& stop) {
  if (!field_ || options.window != window_) {
    clip_ = clip_of(*volume_, options.window);
    window_ = options.window;
    field_.reset();
  }
  const Region needed = start_region();
  if (field_ && field_->region.contains(needed.lo) && field_->region.contains(needed.hi)) return;
  rebuild_field(field_ ? Region{{std::min(needed.lo[0], field_->region.lo[0]),
                                 std::min(needed.lo[1], field_->region.lo[1]),
                                 std::min(needed.lo[2], field_->region.lo[2])},
                                {std::max(needed.hi[0], field_->region.hi[0]),
                                 std::max(needed.hi[1], field_->region.hi[1]),
                                 std::max(needed.hi[2], field_->region.hi[2])}}
                       : needed,
                stop);
}

void GeodesicSession::warm(const SegmentOptions& options, int64_t z, const CancelToken& stop) {
  // The field of a larger volume lies around the prompts, which nobody knows yet.
  if (volume_->geometry().voxel_count() > kWholeVoxels) return;
  static_cast<void>(z);  // the field has all slices
  options.validate();
  stop.check();
  prepare_field(options, stop);
}

SegmentResult GeodesicSession::run(const SegmentOptions& options,
                                   Progress& progress,
                                   const CancelToken& stop) {
  options.validate();
  VOXLOOM_CHECK(!objects_.empty(),
                ErrorCode::kInvalidArgument,
                "prompts: must name an object with a point, box or mask, got none");
  const auto& geometry = volume_->geometry();
  SegmentResult result;
  auto& report = result.report;
  report.model = "geodesic";
  report.engine = "native";
  report.precision = "f32";
  report.device = "cpu";
  std::vector<ObjectPlan> plans;
  for (const auto& object : objects_) {
    plans.push_back(plan_object(object, geometry, options));
    const auto& notes = plans.back().notes;
    report.notes.insert(report.notes.end(), notes.begin(), notes.end());
  }
  masks_.clear();
  Stopwatch watch;
  stop.check();
  progress.begin("prepare image", 1);
  prepare_field(options, stop);
  progress.advance(1);
  progress.end();
  report.times_s.emplace_back("prepare", watch.lap());

  progress.begin("segment", static_cast<int64_t>(objects_.size()));
  std::vector<MergedObject> merged;
  bool capped = false;
  for (;;) {
    merged.clear();
    touched_side_ = false;
    notes_.clear();
    for (auto& [key, cached] : growths_) cached.used = false;
    for (size_t k = 0; k < objects_.size(); ++k) {
      MergedMask mask;
      mask.certain = segment_object(k, plans[k], options, stop);
      mask.uncertain = RunMask(geometry.size);
      stop_when_absent(mask.certain, plans[k], options.stop_after_absent);
      if (options.components == Components::kLargest) keep_largest(mask, objects_[k].points);
      merged.push_back({objects_[k].name, objects_[k].value, std::move(mask)});
    }
    if (!touched_side_) break;
    capped = !enlarge_field(stop);
    if (capped) break;
  }
  std::erase_if(growths_, [](const auto& entry) { return !entry.second.used; });
  progress.advance(static_cast<int64_t>(objects_.size()));
  progress.end();
  report.times_s.emplace_back("segment", watch.lap());
  report.notes.insert(report.notes.end(), notes_.begin(), notes_.end());
  for (const auto& object : merged) {
    if (object.mask.certain.empty()) {
      report.notes.push_back(format("object '{}': no voxel was selected", object.name));
    }
  }
  if (capped) {
    report.notes.push_back(
        "an object reaches the end of the part of the volume that fits the memory limit and may be "
        "cut there; use --max-distance-mm or a box");
  }
  if (field_->nan_voxels > 0) {
    report.notes.push_back(
        format("{} voxels are not finite and were taken as the darkest", field_->nan_voxels));
  }
  result.labels = compose_labels(geometry, merged, stop);
  report.times_s.emplace_back("write labels", watch.lap());
  if (options.scores) {
    for (const auto& object : merged) {
      report.scores.push_back(score_object(*field_, object.mask.certain, stop));
    }
    report.times_s.emplace_back("score", watch.lap());
  }
  for (auto& object : merged) masks_.push_back(std::move(object.mask.certain));
  last_options_ = options;
  return result;
}

std::vector<uint8_t> GeodesicSession::preview_slice(size_t object,
                                                    int64_t z,
                                                    const CancelToken& stop) {
  VOXLOOM_CHECK(object < objects_.size(),
                ErrorCode::kInvalidArgument,
                "preview: must name one of {} objects, got {}",
                objects_.size(),
                object);
  VOXLOOM_CHECK(z >= 0 && z < volume_->geometry().size[2],
                ErrorCode::kInvalidArgument,
                "preview: must name a slice 0 to {}, got {}",
                volume_->geometry().size[2] - 1,
                z);
  if (masks_.empty()) {
    Progress quiet;
    static_cast<void>(run(last_options_, quiet, stop));
  }
  return masks_[object].slice(z);
}

}  // namespace voxloom::infer::geodesic
