#include "voxloom/serve/sampling/prompt_choice.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "voxloom/core/error.h"
#include "voxloom/io/volume_io.h"

namespace voxloom::serve {
namespace {

struct Axis {
  size_t world = 0;
  bool reversed = false;  ///< Indices grow against the world axis.
};

/// The world axis of each voxel axis; every one is used once, also for oblique images.
std::array<Axis, 3> world_axes(const image::Geometry& geometry) {
  static constexpr std::array<std::array<size_t, 3>, 6> kOrders{
      {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}};
  const auto component = [&](size_t world, size_t voxel) {
    return geometry.direction[world * 3 + voxel];
  };
  const auto fit = [&](const std::array<size_t, 3>& order) {
    return std::abs(component(order[0], 0)) + std::abs(component(order[1], 1)) +
           std::abs(component(order[2], 2));
  };
  const auto best =
      *std::max_element(kOrders.begin(), kOrders.end(), [&](const auto& a, const auto& b) {
        return fit(a) < fit(b);
      });
  std::array<Axis, 3> axes;
  for (size_t v = 0; v < 3; ++v) axes[v] = {best[v], component(best[v], v) < 0.0};
  return axes;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

std::optional<infer::BoxPrompt> box_of(const image::LabelVolume& labels, uint16_t value) {
  const auto& size = labels.geometry().size;
  infer::BoxPrompt box{size, {-1, -1, -1}};
  const auto voxels = labels.voxels();
  size_t i = 0;
  for (int64_t z = 0; z < size[2]; ++z) {
    for (int64_t y = 0; y < size[1]; ++y) {
      for (int64_t x = 0; x < size[0]; ++x, ++i) {
        if (voxels[i] != value) continue;
        const image::Index3 at{x, y, z};
        for (size_t a = 0; a < 3; ++a) {
          box.lo[a] = std::min(box.lo[a], at[a]);
          box.hi[a] = std::max(box.hi[a], at[a]);
        }
      }
    }
  }
  if (box.hi[2] < 0) return std::nullopt;
  return box;
}

}  // namespace

RelativeBox relative_box(const image::Geometry& geometry, const infer::BoxPrompt& box) {
  const auto axes = world_axes(geometry);
  RelativeBox out;
  for (size_t v = 0; v < 3; ++v) {
    const auto n = static_cast<double>(geometry.size[v]);
    double lo = static_cast<double>(box.lo[v]) / n, hi = static_cast<double>(box.hi[v] + 1) / n;
    if (axes[v].reversed) {
      std::swap(lo, hi);
      lo = 1.0 - lo;
      hi = 1.0 - hi;
    }
    out.lo[axes[v].world] = lo;
    out.hi[axes[v].world] = hi;
  }
  return out;
}

infer::BoxPrompt voxel_box(const image::Geometry& geometry, const RelativeBox& box) {
  const auto axes = world_axes(geometry);
  infer::BoxPrompt out;
  for (size_t v = 0; v < 3; ++v) {
    double lo = box.lo[axes[v].world], hi = box.hi[axes[v].world];
    if (axes[v].reversed) {
      std::swap(lo, hi);
      lo = 1.0 - lo;
      hi = 1.0 - hi;
    }
    const auto n = static_cast<double>(geometry.size[v]);
    out.lo[v] = std::clamp<int64_t>(std::llround(lo * n), 0, geometry.size[v] - 1);
    out.hi[v] = std::clamp<int64_t>(std::llround(hi * n) - 1, out.lo[v], geometry.size[v] - 1);
  }
  return out;
}

RelativeBox median_box(const std::vector<RelativeBox>& boxes) {
  RelativeBox out;
  for (size_t a = 0; a < 3; ++a) {
    std::vector<double> lo, hi;
    for (const auto& box : boxes) {
      lo.push_back(box.lo[a]);
      hi.push_back(box.hi[a]);
    }
    out.lo[a] = median(lo);
    out.hi[a] = median(hi);
  }
  return out;
}

double box_overlap(const infer::BoxPrompt& a, const infer::BoxPrompt& b) {
  double shared = 1.0, first = 1.0, second = 1.0;
  for (size_t k = 0; k < 3; ++k) {
    const int64_t length = std::min(a.hi[k], b.hi[k]) - std::max(a.lo[k], b.lo[k]) + 1;
    shared *= static_cast<double>(std::max<int64_t>(0, length));
    first *= static_cast<double>(a.hi[k] - a.lo[k] + 1);
    second *= static_cast<double>(b.hi[k] - b.lo[k] + 1);
  }
  return shared / (first + second - shared);
}

std::string file_stamp(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const auto ticks = [&error](const fs::path& file) {
    return static_cast<int64_t>(fs::last_write_time(file, error).time_since_epoch().count());
  };
  const auto status = fs::status(path, error);
  VOXLOOM_CHECK(fs::exists(status), ErrorCode::kNotFound, "scores: the image must exist, got none");
  if (!fs::is_directory(status)) {
    const auto size = fs::file_size(path, error);
    return format("{}:{}", size, ticks(path));
  }
  uintmax_t total = 0, files = 0;
  int64_t newest = 0;
  for (fs::recursive_directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    if (!at->is_regular_file(ignored)) continue;
    total += at->file_size(ignored);
    newest = std::max(newest, ticks(at->path()));
    ++files;
  }
  return format("{}:{}:{}", total, newest, files);
}

const PromptChooser::KnownLabel* PromptChooser::look_at(const std::string& id, const char* tag) {
  try {
    const auto path = store_.label_path(id, tag);
    auto stamp = file_stamp(path);
    auto& known = known_[{id, tag}];
    if (known.stamp != stamp) {
      // First: a file that can't be read is not tried again until it changes.
      known = {std::move(stamp), std::nullopt, {}};
      const auto labels = io::read_labels(path);
      known.geometry = labels.geometry();
      known.box = box_of(labels, label_);
    }
    return known.box ? &known : nullptr;
  } catch (const Error&) {
    return nullptr;
  }
}

void PromptChooser::update(const CancelToken& stop) {
  std::vector<RelativeBox> boxes;
  std::set<std::string> present;
  for (const auto& id : store_.image_ids()) {
    stop.check();
    const auto record = store_.find(id);
    if (!record) continue;
    present.insert(id);
    if (!record->completed()) continue;
    if (const auto* known = look_at(id, kFinalTag)) {
      boxes.push_back(relative_box(known->geometry, *known->box));
    }
  }
  std::erase_if(known_, [&](const auto& entry) { return !present.contains(entry.first.first); });
  std::erase_if(grids_, [&](const auto& entry) { return !present.contains(entry.first); });
  cases_ = boxes.size();
  median_ = boxes.empty() ? std::nullopt : std::optional(median_box(boxes));
}

PromptChooser::Prompt PromptChooser::choose(const ImageRecord& image,
                                            const std::string& stamp,
                                            const CancelToken& stop) {
  if (image.label(kOriginalTag) != nullptr) {
    if (const auto* known = look_at(image.id, kOriginalTag)) {
      return {PromptOrigin::kPrediction, *known->box};
    }
  }
  if (!median_) return {};
  auto& [known_stamp, grid] = grids_[image.id];
  if (known_stamp != stamp) {
    known_stamp.clear();  // Stays so when the image can't be read.
    grid = io::open_volume(store_.image_path(image.id, stop))->geometry();
    known_stamp = stamp;
  }
  return {PromptOrigin::kCases, voxel_box(grid, *median_)};
}

}  // namespace voxloom::serve
