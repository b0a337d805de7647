#include "voxloom/serve/interactive/read_prompts.h"

#include <algorithm>
#include <array>

#include "voxloom/core/error.h"
#include "voxloom/serve/interactive/param_values.h"

namespace voxloom::serve {
namespace {

using image::Geometry;
using image::Index3;
using infer::BoxPrompt;
using infer::PointPrompt;

/// A list whose items are lists: how clients write points.
bool looks_like_points(const Json& value) {
  return value.is_array() && !value.empty() && value[0].is_array();
}

/// The labels of the model as text for a message.
std::string label_list(const ServedModel& model) {
  std::string text;
  for (const auto& [name, value] : model.labels.items()) text += (text.empty() ? "" : ", ") + name;
  return text;
}

class PointReader {
 public:
  PointReader(const Geometry& geometry, std::optional<int64_t> slice)
      : geometry_(geometry), slice_(slice) {}

  /// Adds the points of `list`, which the client sent under `key`.
  void add(const std::string& key, const Json& list, bool positive) {
    if (!list.is_array()) bad_param(key, "a list of points [i, j, k]", list);
    for (size_t n = 0; n < list.size(); ++n) {
      const PointPrompt point{voxel_of(list[n], format("{}[{}]", key, n)), positive};
      // The same click twice is one click.
      if (std::find(points_.begin(), points_.end(), point) == points_.end()) {
        points_.push_back(point);
      }
      VOXLOOM_CHECK(points_.size() <= kMostPoints,
                    ErrorCode::kInvalidArgument,
                    "{}: there must be at most {} points in a request",
                    key,
                    kMostPoints);
    }
  }

  [[nodiscard]] const std::vector<PointPrompt>& points() const { return points_; }

 private:
  Index3 voxel_of(const Json& item, const std::string& where) const {
    const bool flat = geometry_.size[2] == 1 || slice_.has_value();
    const bool good = item.is_array() && (item.size() == 3 || (item.size() == 2 && flat));
    if (!good) bad_param(where, "a point [i, j, k]", item);
    Index3 voxel{0, 0, geometry_.size[2] == 1 ? 0 : slice_.value_or(0)};
    for (size_t a = 0; a < item.size(); ++a) voxel[a] = whole_param(item[a], where);
    VOXLOOM_CHECK(geometry_.contains(voxel),
                  ErrorCode::kInvalidArgument,
                  "{}: must lie inside the image of {} voxels, got {}",
                  where,
                  geometry_.size,
                  voxel);
    return voxel;
  }

  const Geometry& geometry_;
  std::optional<int64_t> slice_;
  std::vector<PointPrompt> points_;
};

std::optional<BoxPrompt> read_box(const Json& params, const Geometry& geometry) {
  const Json* const roi = find_param(params, "roi");
  if (roi == nullptr || (roi->is_array() && roi->empty())) return std::nullopt;
  const bool flat = geometry.size[2] == 1;
  if (!roi->is_array() || !(roi->size() == 6 || (roi->size() == 4 && flat))) {
    bad_param("roi", "six whole numbers [i_a, i_b, j_a, j_b, k_a, k_b]", *roi);
  }
  BoxPrompt box;
  for (size_t a = 0; a < roi->size() / 2; ++a) {
    const int64_t first = whole_param((*roi)[2 * a], "roi");
    const int64_t second = whole_param((*roi)[2 * a + 1], "roi");
    box.lo[a] = std::max<int64_t>(0, std::min(first, second));
    box.hi[a] = std::min(geometry.size[a] - 1, std::max(first, second));
    VOXLOOM_CHECK(box.lo[a] <= box.hi[a],
                  ErrorCode::kInvalidArgument,
                  "roi: must meet the image of {} voxels, got {} to {} along axis {}",
                  geometry.size,
                  first,
                  second,
                  "ijk"[a]);
  }
  return box;
}

/// The slice that the client works on, where it works on one.
std::optional<int64_t> read_slice(const Json& params,
                                  const Geometry& geometry,
                                  const std::optional<BoxPrompt>& box) {
  auto slice = number_param(params, "slice");
  if (!slice || *slice < 0) return std::nullopt;
  if (box && (*slice < box->lo[2] || *slice > box->hi[2])) slice = (box->lo[2] + box->hi[2]) / 2;
  VOXLOOM_CHECK(*slice < geometry.size[2],
                ErrorCode::kInvalidArgument,
                "slice: must lie within 0 to {}, got {}",
                geometry.size[2] - 1,
                *slice);
  return slice;
}

/// The prompts on one slice and the order to write nothing else.
void keep_slice(int64_t slice, std::vector<PointPrompt>& points, std::optional<BoxPrompt>& box) {
  std::erase_if(points, [slice](const PointPrompt& p) { return p.voxel[2] != slice; });
  if (box) box->lo[2] = box->hi[2] = slice;
}

/// Slice 0 is also what a client says that knows none: then the last point inside decides.
int64_t slice_of_points(int64_t slice, const std::vector<PointPrompt>& points) {
  if (slice != 0) return slice;
  for (auto point = points.rbegin(); point != points.rend(); ++point) {
    if (point->voxel[2] == 0) return 0;
  }
  for (auto point = points.rbegin(); point != points.rend(); ++point) {
    if (point->positive) return point->voxel[2];
  }
  return slice;
}

}  // namespace

void read_objects(const ServedModel& model,
                  const Json& params,
                  const Geometry& geometry,
                  PromptRequest& request) {
  request.label = text_param(params, "label").value_or("");
  static_cast<void>(flag_param(params, "reset_state"));
  auto box = read_box(params, geometry);
  auto slice = read_slice(params, geometry, box);

  PointReader reader(geometry, slice);
  for (const auto& [key, value] : params.items()) {
    if (value.is_null()) continue;
    const bool named = key == "foreground" || key == "background" || model.labels.contains(key);
    if (named) {
      reader.add(key, value, key != "background");
    } else if (looks_like_points(value) && request.error.empty()) {
      request.error = format("{}: the model '{}' has no such label, its labels are {}",
                             shown(key),
                             model.name,
                             label_list(model));
    }
  }
  if (!request.error.empty()) {
    request.notes.push_back("the mask is blank: " + request.error);
    return;
  }

  auto points = reader.points();
  if (slice) {
    if (!box) slice = slice_of_points(*slice, points);
    keep_slice(*slice, points, box);
    request.options.slice_range = {*slice, *slice};
  }
  const bool positive =
      std::any_of(points.begin(), points.end(), [](const auto& p) { return p.positive; });
  if (!box && !positive) {
    request.notes.emplace_back(points.empty()
                                   ? "the mask is blank: the request has no points and no roi"
                                   : "the mask is blank: points in the background alone select "
                                     "nothing");
    return;
  }
  infer::ObjectPrompt object;
  object.name = "intersection";
  object.value = 1;
  object.points = std::move(points);
  if (box) object.boxes.push_back(*box);
  request.objects.push_back(std::move(object));
}

}  // namespace voxloom::serve
