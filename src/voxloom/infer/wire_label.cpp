#include "voxloom/infer/wire_label.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/image/canvas.h"
#include "voxloom/image/rle.h"
#include "voxloom/image/window.h"
#include "voxloom/io/raster.h"
#include "voxloom/io/volume_io.h"

namespace voxloom::infer {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr int64_t kMargin = 32, kSmallestCrop = 128, kLargestSide = 1 << 16;
constexpr image::Color kGreen{0, 255, 0};

/// Whole numbers separated by commas; false for anything else.
bool parse_numbers(std::string_view text, std::vector<int64_t>& numbers) {
  for (size_t from = 0;;) {
    const size_t comma = std::min(text.find(',', from), text.size());
    const std::string_view part = text.substr(from, comma - from);
    int64_t value = 0;
    const auto result = std::from_chars(part.data(), part.data() + part.size(), value);
    if (part.empty() || result.ec != std::errc{} || result.ptr != part.data() + part.size()) {
      return false;
    }
    numbers.push_back(value);
    if (comma == text.size()) return true;
    from = comma + 1;
  }
}

/// Slice 0 of `picture` within `crop` as a volume of its own.
image::Volume cut(const image::Volume& picture, const Rect& crop) {
  image::Geometry geometry = picture.geometry();
  const int64_t width = geometry.size[0];
  geometry.size = {crop.width(), crop.height(), 1};
  image::Volume part(geometry, picture.type());
  const size_t bytes = image::bytes_per_voxel(picture.type());
  const size_t row = static_cast<size_t>(crop.width()) * bytes;
  for (int64_t y = 0; y < crop.height(); ++y) {
    std::memcpy(
        part.bytes().data() + static_cast<size_t>(y) * row,
        picture.bytes().data() + static_cast<size_t>((crop.y0 + y) * width + crop.x0) * bytes,
        row);
  }
  return part;
}

/// One range of the axis that holds lo ... hi and `side` values where there are as many.
void place(int64_t lo, int64_t hi, int64_t side, int64_t size, int64_t& first, int64_t& last) {
  const int64_t length = std::min(std::max(side, hi - lo + 1), size);
  first = std::clamp((lo + hi + 1) / 2 - length / 2, int64_t{0}, size - length);
  last = first + length - 1;
}

void check_inside(const std::vector<SliceClick>& clicks,
                  const std::optional<Rect>& box,
                  int64_t width,
                  int64_t height) {
  const Rect picture{0, 0, width - 1, height - 1};
  for (const auto& click : clicks) {
    VOXLOOM_CHECK(picture.contains(click.x, click.y),
                  ErrorCode::kInvalidArgument,
                  "--click: must lie inside the picture of {} x {} pixels, got {},{}",
                  width,
                  height,
                  click.x,
                  click.y);
  }
  VOXLOOM_CHECK(!box || (picture.contains(box->x0, box->y0) && picture.contains(box->x1, box->y1)),
                ErrorCode::kInvalidArgument,
                "--box: must lie inside the picture of {} x {} pixels, got {},{},{},{}",
                width,
                height,
                box->x0,
                box->y0,
                box->x1,
                box->y1);
}

/// The prompts in pixels of the crop; negative clicks outside it say nothing about it.
ObjectPrompt prompt_in(const Rect& crop,
                       const std::vector<SliceClick>& clicks,
                       const std::optional<Rect>& box) {
  ObjectPrompt prompt;
  prompt.name = "wire";
  for (const auto& click : clicks) {
    if (!crop.contains(click.x, click.y)) continue;
    prompt.points.push_back({{click.x - crop.x0, click.y - crop.y0, 0}, click.positive});
  }
  if (box) {
    prompt.boxes.push_back(
        {{box->x0 - crop.x0, box->y0 - crop.y0, 0}, {box->x1 - crop.x0, box->y1 - crop.y0, 0}});
  }
  return prompt;
}

image::Canvas draw_overlay(const std::vector<uint8_t>& grey,
                           const std::vector<uint8_t>& mask,
                           int64_t width,
                           int64_t height,
                           const Rect& crop,
                           const std::vector<SliceClick>& clicks,
                           const std::optional<Rect>& box) {
  image::Canvas canvas(width, height);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const auto i = static_cast<size_t>(y * width + x);
      canvas.set(x, y, {grey[i], grey[i], grey[i]});
      if (mask[i] != 0) canvas.blend(x, y, kGreen, 0.4);
    }
  }
  canvas.frame({crop.x0, crop.y0, crop.width(), crop.height()}, {120, 120, 120});
  if (box) canvas.frame({box->x0, box->y0, box->width(), box->height()}, image::kPositiveColor);
  for (const auto& click : clicks) canvas.mark(click.x, click.y, click.positive, 4);
  return canvas;
}

void write_mask_png(const fs::path& path,
                    const std::vector<uint8_t>& mask,
                    int64_t width,
                    int64_t height,
                    Overwrite overwrite) {
  io::Raster raster{.width = width, .height = height};
  for (const uint8_t value : mask)
    raster.pixels.push_back(std::byte{value != 0 ? uint8_t{255} : uint8_t{0}});
  io::write_png(raster, path, overwrite);
}

ordered_json rect_json(const Rect& rect) {
  return {rect.x0, rect.y0, rect.width(), rect.height()};
}

}  // namespace

void WireLabelOptions::visit(OptionList& list) {
  list.positional("IMAGE", image, "Picture or X-ray run: PNG, JPEG, TIFF, DICOM.").as_required();
  list.option("--model", model, "Package of a segment model (SAM-Med2D), or geodesic.")
      .with_value_name("PACKAGE|geodesic")
      .as_required();
  list.option("--output", output, "Folder for mask.png, overlay.png and label.json (also -o).")
      .with_value_name("DIR")
      .as_required();
  list.option("--click", clicks, "A pixel of the wire (+, the default) or beside it (-).")
      .with_value_name("X,Y[,+|-]");
  list.option("--box", box, "A box around the wire, both corners inside.")
      .with_value_name("X0,Y0,X1,Y1");
  list.option("--crop",
              crop,
              "Square that the model sees: auto (around the prompts, 128 px or more), none, or its "
              "side in pixels.")
      .with_value_name("auto|none|PX");
  list.option("--frame", frame, "Which frame of a file with several.").with_range(0, 1e6);
  list.option("--window", window, "Grey values shown to the model: auto, percentile, LO,HI, ...")
      .with_value_name("LO,HI|RULE");
  list.choice("--components",
              components,
              {"largest", "all"},
              "Keep the largest part and those with a click, or all parts.");
  runtime.visit(list);
}

void WireLabelOptions::validate() const {
  bool positive = !box.empty();
  for (const auto& click : clicks) positive = parse_click(click).positive || positive;
  if (!box.empty()) static_cast<void>(parse_picture_box(box));
  VOXLOOM_CHECK(
      positive,
      ErrorCode::kInvalidArgument,
      "no prompt: give --click X,Y on the wire or --box X0,Y0,X1,Y1, got {} negative clicks",
      clicks.size());
  static_cast<void>(parse_crop(crop));
  static_cast<void>(image::parse_window(window));
  runtime.validate();
}

SliceClick parse_click(std::string_view text) {
  SliceClick click;
  std::string_view numbers = text;
  if (numbers.ends_with(",+") || numbers.ends_with(",-")) {
    click.positive = numbers.back() == '+';
    numbers.remove_suffix(2);
  }
  std::vector<int64_t> values;
  VOXLOOM_CHECK(parse_numbers(numbers, values) && values.size() == 2,
                ErrorCode::kInvalidArgument,
                "--click: must be x,y in whole pixels, then ,+ (on the wire; the default) or ,- "
                "(not on it), such as 120,88,-, got '{}'",
                text);
  click.x = values[0];
  click.y = values[1];
  return click;
}

Rect parse_picture_box(std::string_view text) {
  std::vector<int64_t> v;
  VOXLOOM_CHECK(parse_numbers(text, v) && v.size() == 4,
                ErrorCode::kInvalidArgument,
                "--box: must be x0,y0,x1,y1 in whole pixels (both corners inside), such as "
                "80,60,130,110, got '{}'",
                text);
  return {std::min(v[0], v[2]), std::min(v[1], v[3]), std::max(v[0], v[2]), std::max(v[1], v[3])};
}

std::optional<int64_t> parse_crop(std::string_view text) {
  if (text == "auto") return 0;
  if (text == "none") return std::nullopt;
  std::vector<int64_t> values;
  VOXLOOM_CHECK(parse_numbers(text, values) && values.size() == 1 && values[0] >= 16 &&
                    values[0] <= kLargestSide,
                ErrorCode::kInvalidArgument,
                "--crop: must be auto, none or 16 to {} pixels, got '{}'",
                kLargestSide,
                text);
  return values[0];
}

Rect label_crop(const std::vector<SliceClick>& clicks,
                const std::optional<Rect>& box,
                int64_t width,
                int64_t height,
                int64_t side) {
  Rect span{width, height, -1, -1};
  const auto include = [&](int64_t x, int64_t y) {
    span = {std::min(span.x0, x), std::min(span.y0, y), std::max(span.x1, x), std::max(span.y1, y)};
  };
  for (const auto& click : clicks) {
    if (click.positive) include(click.x, click.y);
  }
  if (box) {
    include(box->x0, box->y0);
    include(box->x1, box->y1);
  }
  VOXLOOM_CHECK(span.x1 >= span.x0,
                ErrorCode::kInvalidArgument,
                "wire label: must have a positive click or a box, got neither");
  const int64_t longest = std::max(span.width(), span.height());
  const int64_t wanted =
      side == 0 ? std::max(longest + 2 * kMargin, kSmallestCrop) : std::max(side, longest);
  Rect crop;
  place(span.x0, span.x1, wanted, width, crop.x0, crop.x1);
  place(span.y0, span.y1, wanted, height, crop.y0, crop.y1);
  return crop;
}

ordered_json label_wire(const WireLabelOptions& options,
                        Progress& progress,
                        const CancelToken& stop) {
  options.validate();
  const auto overwrite = options.force ? Overwrite::kReplace : Overwrite::kRefuse;
  const fs::path folder = options.output;
  std::vector<SliceClick> clicks;
  for (const auto& click : options.clicks) clicks.push_back(parse_click(click));
  std::optional<Rect> box;
  if (!options.box.empty()) box = parse_picture_box(options.box);

  const auto source = io::open_volume(options.image);
  const auto& size = source->geometry().size;
  VOXLOOM_CHECK(options.frame < size[2],
                ErrorCode::kInvalidArgument,
                "--frame: must be one of the {} of '{}', counted from 0, got {}",
                size[2],
                options.image,
                options.frame);
  check_inside(clicks, box, size[0], size[1]);
  make_output_folder(folder);
  for (const char* name : {"mask.png", "overlay.png", "label.json"}) {
    check_output(folder / name, overwrite);
  }
  image::Volume picture = source->read_slab(options.frame, options.frame + 1);
  const auto side = parse_crop(options.crop);
  const Rect crop = side ? label_crop(clicks, box, size[0], size[1], *side)
                         : Rect{0, 0, size[0] - 1, size[1] - 1};
  const ObjectPrompt prompt = prompt_in(crop, clicks, box);

  const auto start = Clock::now();
  const auto segmenter = make_segmenter(options.model, options.runtime);
  const auto loaded = Clock::now();
  const auto session = segmenter->open(image::make_source(cut(picture, crop)));
  session->set_prompts({prompt});
  const SegmentResult found =
      session->run({.window = options.window, .components = options.components}, progress, stop);
  const auto done = Clock::now();

  std::vector<uint8_t> mask(static_cast<size_t>(size[0] * size[1]), 0);
  const auto voxels = found.labels.voxels();
  for (int64_t y = 0; y < crop.height(); ++y) {
    for (int64_t x = 0; x < crop.width(); ++x) {
      mask[static_cast<size_t>((crop.y0 + y) * size[0] + crop.x0 + x)] =
          voxels[static_cast<size_t>(y * crop.width() + x)] != 0 ? 1 : 0;
    }
  }
  const auto rle = image::encode_rle(mask, size[0], size[1]);
  const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
  ordered_json clicks_json = ordered_json::array();
  for (const auto& click : clicks) {
    clicks_json.push_back({{"x", click.x}, {"y", click.y}, {"positive", click.positive}});
  }
  ordered_json json{{"image", options.image},
                    {"frame", options.frame},
                    {"size", {size[0], size[1]}},
                    {"model", found.report.model},
                    {"engine", found.report.engine},
                    {"precision", found.report.precision},
                    {"clicks", clicks_json}};
  if (box) json["box"] = rect_json(*box);
  json["crop"] = rect_json(crop);
  json["bbox"] = image::rle_box(rle);
  json["area"] = image::rle_area(rle);
  json["rle"] = {{"size", {size[1], size[0]}}, {"counts", image::rle_to_string(rle)}};
  json["times_s"] = {{"load_model", seconds(loaded - start)}, {"label", seconds(done - loaded)}};
  json["notes"] = found.report.notes;
  const size_t outside = clicks.size() - prompt.points.size();
  if (outside > 0) {
    json["notes"].push_back(format("{} negative clicks outside the crop were left out", outside));
  }

  auto whole = image::make_source(std::move(picture));
  const auto grey_map = image::resolve_window(*whole, image::parse_window(options.window));
  const auto grey = image::apply_window(grey_map, whole->read_slab(0, 1));
  const auto canvas = draw_overlay(grey, mask, size[0], size[1], crop, clicks, box);
  write_mask_png(folder / "mask.png", mask, size[0], size[1], overwrite);
  io::write_png(io::rgb_raster(canvas.width(), canvas.height(), canvas.pixels()),
                folder / "overlay.png",
                overwrite);
  AtomicFile file(folder / "label.json", overwrite);
  file.write(json.dump(2) + "\n");
  file.commit();
  return json;
}

}  // namespace voxloom::infer
