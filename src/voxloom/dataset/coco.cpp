#include "voxloom/dataset/coco.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <unordered_map>
#include <utility>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/io/raster.h"

namespace voxloom::dataset {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMaxListedProblems = 100;
constexpr int64_t kMaxPainted = int64_t{1} << 33;

const ordered_json& field(const ordered_json& object, const char* name) {
  VOXLOOM_CHECK(object.is_object(),
                ErrorCode::kDataCorrupt,
                "must be a JSON object, got {}",
                object.type_name());
  const auto found = object.find(name);
  VOXLOOM_CHECK(found != object.end(), ErrorCode::kDataCorrupt, "'{}': must be there", name);
  return *found;
}

int64_t whole(const ordered_json& value, const char* name) {
  // Some tools write 12.0.
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (number >= -1e15 && number <= 1e15 &&
        number == static_cast<double>(static_cast<int64_t>(number))) {
      return static_cast<int64_t>(number);
    }
  }
  // Above int64's range the library stores unsigned.
  VOXLOOM_CHECK(
      value.is_number_integer() &&
          (!value.is_number_unsigned() ||
           value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())),
      ErrorCode::kDataCorrupt,
      "'{}': must be a whole number, got {}",
      name,
      value.type_name());
  return value.get<int64_t>();
}

const std::string& text_of(const ordered_json& value, const char* name) {
  VOXLOOM_CHECK(value.is_string(),
                ErrorCode::kDataCorrupt,
                "'{}': must be text, got {}",
                name,
                value.type_name());
  return value.get_ref<const std::string&>();
}

const ordered_json& list(const ordered_json& root, const char* name, size_t most) {
  const ordered_json& value = field(root, name);
  VOXLOOM_CHECK(value.is_array(),
                ErrorCode::kDataCorrupt,
                "'{}': must be a list, got {}",
                name,
                value.type_name());
  VOXLOOM_CHECK(value.size() <= most,
                ErrorCode::kUnsupported,
                "'{}': must have at most {} entries, got {}",
                name,
                most,
                value.size());
  return value;
}

CocoImage parse_image(const ordered_json& json) {
  CocoImage image;
  image.id = whole(field(json, "id"), "id");
  image.file_name = text_of(field(json, "file_name"), "file_name");
  image.width = whole(field(json, "width"), "width");
  image.height = whole(field(json, "height"), "height");
  VOXLOOM_CHECK(image.width >= 1 && image.width <= io::kMaxRasterSide && image.height >= 1 &&
                    image.height <= io::kMaxRasterSide &&
                    image.width * image.height <= io::kMaxRasterPixels,
                ErrorCode::kDataCorrupt,
                "the size must be within [1, {}] a side and {} pixels, got {}x{}",
                io::kMaxRasterSide,
                io::kMaxRasterPixels,
                image.width,
                image.height);
  return image;
}

std::vector<std::vector<image::Point2>> parse_polygons(const ordered_json& json) {
  std::vector<std::vector<image::Point2>> polygons;
  for (const auto& part : json) {
    VOXLOOM_CHECK(part.is_array() && part.size() >= 6 && part.size() % 2 == 0,
                  ErrorCode::kDataCorrupt,
                  "a polygon must be a list of at least 3 pairs, got {}",
                  part.is_array() ? format("{} numbers", part.size()) : part.type_name());
    auto& polygon = polygons.emplace_back();
    for (size_t i = 0; i < part.size(); i += 2) {
      VOXLOOM_CHECK(part[i].is_number() && part[i + 1].is_number(),
                    ErrorCode::kDataCorrupt,
                    "a polygon must hold numbers, got {}",
                    (part[i].is_number() ? part[i + 1] : part[i]).type_name());
      polygon.push_back({part[i].get<double>(), part[i + 1].get<double>()});
    }
  }
  VOXLOOM_CHECK(!polygons.empty(), ErrorCode::kDataCorrupt, "must have a polygon, got none");
  return polygons;
}

image::Rle parse_rle(const ordered_json& json) {
  const ordered_json& size = field(json, "size");
  VOXLOOM_CHECK(size.is_array() && size.size() == 2,
                ErrorCode::kDataCorrupt,
                "'size': must be [height, width]");
  const int64_t height = whole(size[0], "size"), width = whole(size[1], "size");
  const ordered_json& counts = field(json, "counts");
  if (counts.is_string()) {
    return image::rle_from_string(counts.get_ref<const std::string&>(), height, width);
  }
  VOXLOOM_CHECK(counts.is_array(),
                ErrorCode::kDataCorrupt,
                "'counts': must be a list or text, got {}",
                counts.type_name());
  image::Rle rle{.height = height, .width = width, .counts = {}};
  for (const auto& count : counts) {
    const int64_t run = whole(count, "counts");
    VOXLOOM_CHECK(run >= 0 && run <= image::kMaxRlePixels,
                  ErrorCode::kDataCorrupt,
                  "'counts': must be within [0, {}], got {}",
                  image::kMaxRlePixels,
                  run);
    rle.counts.push_back(static_cast<uint32_t>(run));
  }
  image::validate_rle(rle);
  return rle;
}

CocoObject parse_object(const ordered_json& json, const CocoImage& image) {
  CocoObject object;
  object.category = whole(field(json, "category_id"), "category_id");
  if (const auto crowd = json.find("iscrowd"); crowd != json.end()) {
    object.crowd = crowd->is_boolean() ? crowd->get<bool>() : whole(*crowd, "iscrowd") != 0;
  }
  const ordered_json& shape = field(json, "segmentation");
  VOXLOOM_CHECK(shape.is_array() || shape.is_object(),
                ErrorCode::kDataCorrupt,
                "'segmentation': must be polygons or run lengths, got {}",
                shape.type_name());
  if (shape.is_array()) {
    object.shape = parse_polygons(shape);
    return object;
  }
  auto rle = parse_rle(shape);
  VOXLOOM_CHECK(rle.width == image.width && rle.height == image.height,
                ErrorCode::kDataCorrupt,
                "run lengths must have the size of their image {}x{}, got {}x{}",
                image.width,
                image.height,
                rle.width,
                rle.height);
  object.shape = std::move(rle);
  return object;
}

void parse_images(const ordered_json& root,
                  CocoFile& out,
                  std::unordered_map<int64_t, size_t>& index) {
  size_t number = 0;
  try {
    for (const auto& json : list(root, "images", kMaxCocoImages)) {
      out.images.push_back(parse_image(json));
      const int64_t id = out.images.back().id;
      VOXLOOM_CHECK(index.emplace(id, number).second,
                    ErrorCode::kDataCorrupt,
                    "'id': must be unique, got {} again",
                    id);
      ++number;
    }
  } catch (const Error& error) {
    throw error.with_context(format("image {}", number));
  }
}

void parse_categories(const ordered_json& root, CocoFile& out) {
  for (const auto& json : list(root, "categories", kMaxCocoImages)) {
    const int64_t id = whole(field(json, "id"), "id");
    VOXLOOM_CHECK(out.categories.emplace(id, text_of(field(json, "name"), "name")).second,
                  ErrorCode::kDataCorrupt,
                  "'categories': ids must be unique, got {} again",
                  id);
  }
}

std::string annotation_name(const ordered_json& json, size_t number) {
  if (json.is_object()) {
    const auto id = json.find("id");
    if (id != json.end() && id->is_number_integer()) return format("annotation {}", id->dump());
  }
  return format("annotation at place {}", number);
}

void parse_annotations(const ordered_json& root,
                       const std::unordered_map<int64_t, size_t>& index,
                       const std::string& where,
                       CocoFile& out) {
  size_t number = 0;
  int64_t unusable = 0;
  for (const auto& json : list(root, "annotations", kMaxCocoObjects)) {
    try {
      const int64_t id = whole(field(json, "image_id"), "image_id");
      const auto image = index.find(id);
      VOXLOOM_CHECK(image != index.end(),
                    ErrorCode::kDataCorrupt,
                    "'image_id': must be one of the images, got {}",
                    id);
      auto object = parse_object(json, out.images[image->second]);
      VOXLOOM_CHECK(out.categories.contains(object.category),
                    ErrorCode::kDataCorrupt,
                    "'category_id': must be one of the categories, got {}",
                    object.category);
      out.images[image->second].objects.push_back(std::move(object));
    } catch (const Error& error) {
      if (out.problems.size() < kMaxListedProblems) {
        out.problems.push_back(
            format("'{}' {}: {}", where, annotation_name(json, number), error.what()));
      }
      ++unusable;
    }
    ++number;
  }
  if (static_cast<size_t>(unusable) > out.problems.size()) {
    out.problems.push_back(format(
        "'{}': {} more annotations can't be used", where, unusable - std::ssize(out.problems)));
  }
}

/// The parts of an object; what is inside twice does no harm.
std::vector<image::Rle> parts_of(const CocoObject& object, const CocoImage& image) {
  if (const auto* rle = std::get_if<image::Rle>(&object.shape)) return {*rle};
  std::vector<image::Rle> parts;
  for (const auto& polygon : std::get<0>(object.shape)) {
    parts.push_back(image::polygon_rle(polygon, image.width, image.height));
  }
  return parts;
}

/// Calls paint(pixel) with the index in [height, width] of every pixel inside.
template <class Fn>
void for_each_pixel(const image::Rle& rle, Fn paint) {
  int64_t at = 0;
  for (size_t i = 0; i < rle.counts.size(); ++i) {
    const int64_t end = at + rle.counts[i];
    if (i % 2 == 0) at = end;
    for (; at < end; ++at) {
      paint(static_cast<size_t>(at % rle.height * rle.width + at / rle.height));
    }
  }
}

}  // namespace

CocoFile parse_coco(std::string_view text, const std::string& where) {
  const auto root = parse_json(text,
                               format("'{}'", where),
                               ErrorCode::kDataCorrupt,
                               {.max_bytes = kMaxCocoBytes, .max_depth = 16});
  CocoFile out;
  try {
    std::unordered_map<int64_t, size_t> index;
    parse_images(root, out, index);
    parse_categories(root, out);
    parse_annotations(root, index, where, out);
  } catch (const Error& error) {
    throw error.with_context(format("'{}'", where));
  }
  return out;
}

std::map<int64_t, uint8_t> coco_mask_ids(const CocoFile& file, const std::string& where) {
  const int64_t shift = file.categories.contains(0) ? 1 : 0;
  std::map<int64_t, uint8_t> ids;
  for (const auto& [id, name] : file.categories) {
    VOXLOOM_CHECK(id >= 0 && id + shift <= 253,
                  ErrorCode::kUnsupported,
                  "'{}': category ids must be within [0, {}], got {}",
                  where,
                  253 - shift,
                  id);
    ids[id] = static_cast<uint8_t>(id + shift);
  }
  return ids;
}

std::vector<uint8_t> coco_mask(const CocoImage& image, const std::map<int64_t, uint8_t>& mask_ids) {
  // The largest is painted first. Outlines are drawn anew for painting: a picture may have
  // thousands, and their runs are not held at the same time.
  std::vector<int64_t> areas;
  int64_t painted = 0;
  for (const auto& object : image.objects) {
    areas.push_back(0);
    for (const auto& part : parts_of(object, image)) areas.back() += image::rle_area(part);
    painted += areas.back();
    VOXLOOM_CHECK(painted <= kMaxPainted,
                  ErrorCode::kUnsupported,
                  "image '{}': its objects must have at most {} pixels together",
                  image.file_name,
                  kMaxPainted);
  }
  std::vector<size_t> order(image.objects.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(
      order.begin(), order.end(), [&](size_t a, size_t b) { return areas[a] > areas[b]; });

  std::vector<uint8_t> mask(static_cast<size_t>(image.width * image.height));
  for (const bool crowd : {false, true}) {
    for (const size_t i : order) {
      const CocoObject& object = image.objects[i];
      if (object.crowd != crowd) continue;
      const uint8_t id = crowd ? kCocoCrowdId : mask_ids.at(object.category);
      for (const auto& part : parts_of(object, image)) {
        for_each_pixel(part, [&](size_t p) {
          if (!crowd || mask[p] == 0) mask[p] = id;
        });
      }
    }
  }
  return mask;
}

}  // namespace voxloom::dataset
