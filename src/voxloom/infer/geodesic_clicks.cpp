// How the clicks of one object build on one another.
#include <algorithm>

#include "voxloom/infer/geodesic_local.h"
#include "voxloom/infer/geodesic_session.h"

namespace voxloom::infer::geodesic {

std::vector<PointPrompt> GeodesicSession::further_clicks(size_t index) const {
  const ObjectPrompt& object = objects_[index];
  const bool drawn = !object.boxes.empty() || !object.masks.empty();
  std::vector<PointPrompt> clicks;
  for (size_t k = 0; k < objects_.size(); ++k) {
    if (k == index) continue;
    for (const auto& point : objects_[k].points) {
      if (point.positive) clicks.push_back({point.voxel, false});
    }
  }
  bool first = !drawn;
  for (const auto& point : object.points) {
    if (point.positive && first) {
      first = false;  // The object grows from this one.
    } else {
      clicks.push_back(point);
    }
  }
  return clicks;
}

Patch GeodesicSession::build_object(size_t index,
                                    const Domain& domain,
                                    const SegmentOptions& options,
                                    const CancelToken& stop) {
  const Field& field = *field_;
  const ObjectPrompt& object = objects_[index];
  Prompts prompts;
  prompts.sources = first_sources_of(object);
  if (prompts.sources.empty()) return {};
  const size_t notes = notes_.size();
  std::vector<LocalEdit> edits;
  std::vector<std::string> faint;
  std::vector<image::Index3> inside, outside;  // All clicks so far.
  for (const auto& source : prompts.sources) {
    if (source.kind == Source::Kind::kClick) inside.push_back(positions(source.seeds).front());
  }
  const auto apply_one = [&](const LocalEdit& edit, Patch& patch) {
    apply(edit, edit.add ? outside : inside, field, domain.slices, domain.blocked, patch, stop);
  };
  Patch patch = grow_object(object, prompts, domain, options, stop);
  for (const auto& click : further_clicks(index)) {
    auto role = role_of(patch, click.voxel, click.positive, field.spacing_mm);
    Source source = source_of_click(click.voxel);
    using Kind = ClickRole::Kind;
    if (role.kind == Kind::kGlobal && role.reach_mm > 0.0 &&
        !has_clear_border(growth_of(source, domain, options, stop), source.seeds.size())) {
      role.kind = Kind::kLocal;
      faint.push_back(
          format("click {},{},{}: no clear border was found; at most {:.0f} mm around it are added",
                 click.voxel[0],
                 click.voxel[1],
                 click.voxel[2],
                 role.reach_mm));
    }
    (click.positive ? inside : outside).push_back(click.voxel);
    if (role.kind == Kind::kLocal) {
      edits.push_back({click.voxel, click.positive, role.reach_mm, std::move(source.appearance)});
      apply_one(edits.back(), patch);
      continue;
    }
    if (role.kind == Kind::kAgrees) {
      (click.positive ? prompts.inside : prompts.outside).push_back(click.voxel);
      continue;
    }
    if (click.positive) {
      prompts.sources.push_back(std::move(source));
    } else {
      prompts.rivals.push_back(click.voxel);
      prompts.outside.push_back(click.voxel);
    }
    notes_.resize(notes);
    patch = grow_object(object, prompts, domain, options, stop);
    for (const auto& edit : edits) apply_one(edit, patch);
  }
  const auto put = [&](const image::Index3& voxel, uint8_t value) {
    if (patch.region.contains(voxel)) patch.mask[static_cast<size_t>(patch.index(voxel))] = value;
  };
  notes_.insert(notes_.end(), faint.begin(), faint.end());
  for (const auto& voxel : inside) put(voxel, 1);
  for (const auto& voxel : outside) put(voxel, 0);
  return patch;
}

RunMask GeodesicSession::segment_object(size_t index,
                                        const ObjectPlan& plan,
                                        const SegmentOptions& options,
                                        const CancelToken& stop) {
  Domain domain;
  domain.slices = {plan.z_lo, plan.z_hi};
  domain.blocked = blocked_for(objects_[index], options);
  domain.key = format("{}|{}|{}",
                      options.leak_control,
                      domain.slices,
                      domain.blocked.empty() ? 0 : hash_of(domain.blocked));
  const Patch patch = build_object(index, domain, options, stop);
  RunMask mask(volume_->geometry().size);
  if (patch.mask.empty()) return mask;
  const int64_t width = volume_->geometry().size[0], height = volume_->geometry().size[1];
  const auto size = patch.region.size();
  std::vector<uint8_t> slice(static_cast<size_t>(width * height));
  for (int64_t z = patch.region.lo[2]; z <= patch.region.hi[2]; ++z) {
    std::fill(slice.begin(), slice.end(), uint8_t{0});
    for (int64_t y = patch.region.lo[1]; y <= patch.region.hi[1]; ++y) {
      const uint8_t* row = patch.mask.data() + patch.index({patch.region.lo[0], y, z});
      for (int64_t x = 0; x < size[0]; ++x) {
        if (row[x] != 0 && may_write(plan, patch.region.lo[0] + x, y, z)) {
          slice[static_cast<size_t>(y * width + patch.region.lo[0] + x)] = 1;
        }
      }
    }
    mask.set_slice(z, slice);
  }
  return mask;
}

}  // namespace voxloom::infer::geodesic
