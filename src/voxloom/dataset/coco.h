#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "voxloom/image/polygon_mask.h"
#include "voxloom/image/rle.h"

namespace voxloom::dataset {

/// One annotated object: the parts of its outline, or run lengths.
struct CocoObject {
  int64_t category = 0;
  bool crowd = false;  ///< A region of objects that were not outlined one by one.
  std::variant<std::vector<std::vector<image::Point2>>, image::Rle> shape;
};

struct CocoImage {
  int64_t id = 0, width = 0, height = 0;
  std::string file_name;
  std::vector<CocoObject> objects;  ///< In the file's order.
};

/// Annotations in COCO's JSON: {"images": [{id, file_name, width, height}], "annotations":
/// [{image_id, category_id, segmentation, iscrowd}], "categories": [{id, name}]}; other fields are
/// left alone. A segmentation is a list of polygons [x0, y0, x1, y1, ...], or {"size": [height,
/// width], "counts": run lengths as a list or as compressed text}.
struct CocoFile {
  std::vector<CocoImage> images;
  std::map<int64_t, std::string> categories;
  std::vector<std::string> problems;  ///< Annotations that can't be used, with their ids.
};

/// What a file may cost before it is refused.
inline constexpr size_t kMaxCocoBytes = size_t{512} << 20;
inline constexpr size_t kMaxCocoImages = size_t{1} << 20;
inline constexpr size_t kMaxCocoObjects = size_t{1} << 22;

/// Parses `text`; `where` is its name for messages. Throws kDataCorrupt for text that is cut off or
/// no COCO JSON, two images or categories of one id, sizes outside [1, kMaxRasterSide];
/// kUnsupported above the limits.
[[nodiscard]] CocoFile parse_coco(std::string_view text, const std::string& where);

/// Mask ids that stand for categories: a category's own id, or one more in files that use the id 0,
/// which is the background of masks. Throws kUnsupported for ids outside [0, 253].
[[nodiscard]] std::map<int64_t, uint8_t> coco_mask_ids(const CocoFile& file,
                                                       const std::string& where);

/// The mask id of crowd regions: neither object nor background.
inline constexpr uint8_t kCocoCrowdId = 255;

/// [height, width] of mask ids, 0 where nothing is outlined. Where objects overlap the smaller one
/// shows (a wire in a catheter); a crowd region never covers an object. `mask_ids` must know every
/// category of the image. Throws kUnsupported when all objects together have more than 2^33 pixels.
[[nodiscard]] std::vector<uint8_t> coco_mask(const CocoImage& image,
                                             const std::map<int64_t, uint8_t>& mask_ids);

}  // namespace voxloom::dataset
