#include "voxloom/infer/preview.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/image/slice_view.h"
#include "voxloom/image/statistics.h"
#include "voxloom/image/window.h"
#include "voxloom/infer/prompt_plan.h"
#include "voxloom/io/raster.h"

namespace voxloom::infer {
namespace {

using image::Plane;

constexpr int64_t kKeySide = 360, kGap = 8, kTitle = 18;
constexpr int64_t kSideWidth = 300, kSideHeight = (kKeySide - kTitle) / 2;
constexpr size_t kMaxKeys = 3, kMaxObjects = 6;
constexpr image::Color kGround{24, 26, 30};

using Cut = std::pair<Plane, int64_t>;

/// Cuts through the windowed volume, gathered in one walk through its slices.
class GreyCuts {
 public:
  GreyCuts(image::VolumeSource& volume, const SegmentOptions& options)
      : volume_(volume),
        grey_map_(image::resolve_window(volume, image::parse_window(options.window))) {}

  void want(const Cut& cut) { cuts_[cut]; }

  void read() {
    const auto& g = volume_.geometry();
    for (int64_t z = 0; z < g.size[2]; ++z) {
      const bool needed = std::any_of(cuts_.begin(), cuts_.end(), [z](const auto& item) {
        return item.first.first != Plane::kAxial || item.first.second == z;
      });
      if (!needed) continue;
      const auto slice = image::apply_window(grey_map_, volume_.read_slab(z, z + 1));
      const auto slice_geometry = image::slab_geometry(g, z, z + 1);
      for (auto& [cut, pixels] : cuts_) {
        if (cut.first == Plane::kAxial) {
          if (cut.second == z) pixels = slice;
          continue;
        }
        // Rows come from the top, that is, from the last slice.
        const auto row = image::cut_plane(slice, slice_geometry, cut.first, cut.second);
        pixels.insert(pixels.begin(), row.begin(), row.end());
      }
    }
  }

  [[nodiscard]] const std::vector<uint8_t>& at(const Cut& cut) const { return cuts_.at(cut); }

 private:
  image::VolumeSource& volume_;
  image::GreyMap grey_map_;
  std::map<Cut, std::vector<uint8_t>> cuts_;
};

image::Vec3 position(const image::Index3& voxel) {
  return {
      static_cast<double>(voxel[0]), static_cast<double>(voxel[1]), static_cast<double>(voxel[2])};
}

size_t fixed_axis(Plane plane) {
  return plane == Plane::kAxial ? 2 : plane == Plane::kCoronal ? 1 : 0;
}

void draw_prompts(image::Canvas& canvas,
                  image::SliceView& view,
                  const image::PlaneGrid& grid,
                  const ObjectPrompt& object) {
  const size_t axis = fixed_axis(grid.plane);
  for (const auto& box : object.boxes) {
    if (grid.index < box.lo[axis] || grid.index > box.hi[axis]) continue;
    view.draw_box(position(box.lo), position(box.hi), image::kWhite);
  }
  for (const auto& point : object.points) {
    if (point.voxel[axis] == grid.index) {
      view.draw_click(position(point.voxel), point.positive);
      continue;
    }
    // A click on another cut: a dot where it would be.
    const auto [x, y] = view.canvas_pixel(grid.pixel_of(position(point.voxel)));
    canvas.fill({x - 2, y - 2, 5, 5}, image::kBlack);
    canvas.fill({x - 1, y - 1, 3, 3},
                point.positive ? image::kPositiveColor : image::kNegativeColor);
  }
}

/// Where an object is cut: at its first click inside, else in the middle of its label, else of its
/// box.
image::Index3 middle_of(const image::LabelVolume& labels, const ObjectPrompt& object, int64_t key) {
  for (const auto& point : object.points) {
    // A click inside shows more than the middle of a curved object, which may lie outside it.
    if (point.positive) return point.voxel;
  }
  for (const auto& row : image::label_statistics(labels)) {
    if (row.value != object.value) continue;
    return {(row.box_min[0] + row.box_max[0]) / 2, (row.box_min[1] + row.box_max[1]) / 2, key};
  }
  if (!object.boxes.empty()) {
    const auto& box = object.boxes.front();
    return {(box.lo[0] + box.hi[0]) / 2, (box.lo[1] + box.hi[1]) / 2, key};
  }
  const auto& size = labels.geometry().size;
  return {size[0] / 2, size[1] / 2, key};
}

std::string cut_title(const Cut& cut) {
  switch (cut.first) {
    case Plane::kAxial:
      return format("axial z = {}", cut.second);
    case Plane::kCoronal:
      return format("coronal y = {}", cut.second);
    case Plane::kSagittal:
      return format("sagittal x = {}", cut.second);
  }
  return {};
}

std::string png_of(const image::Canvas& canvas) {
  return io::encode_png(io::rgb_raster(canvas.width(), canvas.height(), canvas.pixels()));
}

struct ObjectRow {
  std::vector<Cut> keys;
  Cut coronal, sagittal;
};

}  // namespace

image::Canvas draw_preview(image::VolumeSource& volume,
                           const image::LabelVolume& labels,
                           const std::vector<ObjectPrompt>& objects,
                           const SegmentOptions& options) {
  const auto& g = volume.geometry();
  GreyCuts grey(volume, options);
  std::vector<ObjectRow> rows;
  size_t most_keys = 1;
  for (size_t i = 0; i < std::min(kMaxObjects, objects.size()); ++i) {
    const auto plan = plan_object(objects[i], g, options);
    ObjectRow row;
    for (size_t k = 0; k < std::min(kMaxKeys, plan.keys.size()); ++k) {
      row.keys.emplace_back(Plane::kAxial, plan.keys[k].z);
      grey.want(row.keys.back());
    }
    const auto middle = middle_of(labels, objects[i], plan.keys.front().z);
    row.coronal = {Plane::kCoronal, middle[1]};
    row.sagittal = {Plane::kSagittal, middle[0]};
    grey.want(row.coronal);
    grey.want(row.sagittal);
    most_keys = std::max(most_keys, row.keys.size());
    rows.push_back(std::move(row));
  }
  grey.read();

  const auto columns = static_cast<int64_t>(most_keys);
  const int64_t row_height = kTitle + kKeySide + kGap;
  image::Canvas canvas(kGap + columns * (kKeySide + kGap) + kSideWidth + kGap,
                       kGap + static_cast<int64_t>(rows.size()) * row_height,
                       kGround);
  const auto draw = [&](const Cut& cut,
                        const image::PixelRect& rect,
                        const ObjectPrompt& object,
                        const std::string& title) {
    canvas.text(rect.x, rect.y - kTitle + 5, title, image::label_color(object.value));
    const auto grid = image::plane_grid(g, cut.first, cut.second);
    image::SliceView view(canvas, rect, grid);
    view.draw_image(grey.at(cut));
    view.draw_labels(image::cut_plane(labels.voxels(), g, cut.first, cut.second));
    draw_prompts(canvas, view, grid, object);
  };
  for (size_t r = 0; r < rows.size(); ++r) {
    const ObjectPrompt& object = objects[r];
    int64_t x = kGap;
    const int64_t y = kGap + static_cast<int64_t>(r) * row_height + kTitle;
    for (const Cut& cut : rows[r].keys) {
      draw(cut, {x, y, kKeySide, kKeySide}, object, object.name + ": " + cut_title(cut));
      x += kKeySide + kGap;
    }
    const int64_t below = y + kSideHeight + kTitle;
    draw(rows[r].coronal, {x, y, kSideWidth, kSideHeight}, object, cut_title(rows[r].coronal));
    draw(
        rows[r].sagittal, {x, below, kSideWidth, kSideHeight}, object, cut_title(rows[r].sagittal));
  }
  return canvas;
}

void write_preview(image::VolumeSource& volume,
                   const image::LabelVolume& labels,
                   const std::vector<ObjectPrompt>& objects,
                   const SegmentOptions& options,
                   const std::filesystem::path& path,
                   Overwrite overwrite) {
  AtomicFile file(path, overwrite);
  file.write(png_of(draw_preview(volume, labels, objects, options)));
  file.commit();
}

std::vector<std::byte> comparison_picture(image::VolumeSource& volume,
                                          std::span<const uint8_t> truth,
                                          const image::LabelVolume& labels,
                                          int64_t z,
                                          const SegmentOptions& options) {
  const auto& g = volume.geometry();
  const Cut cut{Plane::kAxial, z};
  GreyCuts grey(volume, options);
  grey.want(cut);
  grey.read();
  auto predicted = image::cut_plane(labels.voxels(), g, cut.first, cut.second);
  VOXLOOM_CHECK(truth.size() == predicted.size(),
                ErrorCode::kInvalidArgument,
                "comparison: the reference must hold {} pixels, got {}",
                predicted.size(),
                truth.size());
  // Value 2 is the reference's colour, 1 the result's.
  std::vector<uint16_t> reference(truth.size());
  std::transform(truth.begin(), truth.end(), reference.begin(), [](uint8_t v) {
    return static_cast<uint16_t>(v != 0 ? 2 : 0);
  });
  image::Canvas canvas(2 * kKeySide + kGap, kKeySide + kTitle, kGround);
  int64_t x = 0;
  for (const auto& [title, pixels] : {std::pair{"reference", &reference}, {"result", &predicted}}) {
    canvas.text(x + 2, 5, title);
    image::SliceView view(
        canvas, {x, kTitle, kKeySide, kKeySide}, image::plane_grid(g, cut.first, cut.second));
    view.draw_image(grey.at(cut));
    view.draw_labels(*pixels);
    x += kKeySide + kGap;
  }
  const std::string png = png_of(canvas);
  const auto bytes = std::as_bytes(std::span(png.data(), png.size()));
  return {bytes.begin(), bytes.end()};
}

}  // namespace voxloom::infer
