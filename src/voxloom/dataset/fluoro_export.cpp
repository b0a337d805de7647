#include "voxloom/dataset/fluoro_export.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>

#include <nlohmann/json.hpp>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/format.h"
#include "voxloom/core/parallel.h"
#include "voxloom/core/sha256.h"
#include "voxloom/dataset/manifest.h"
#include "voxloom/image/rle.h"
#include "voxloom/io/raster.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr int64_t kSheetColumns = 4, kSheetRows = 3;  // frames beside their overlays

/// Returns the SHA-256 of the file.
std::string write_grey(const fs::path& path,
                       int64_t size,
                       std::vector<std::byte> pixels,
                       Overwrite overwrite) {
  io::Raster raster;
  raster.width = raster.height = size;
  raster.pixels = std::move(pixels);
  const std::string png = io::encode_png(raster);
  // Damage after a crash shows: the manifest, which is synced, has the sum of every file.
  AtomicFile file(path, overwrite, Sync::kNo);
  file.write(png);
  file.commit();
  return sha256_hex(png);
}

std::vector<std::byte> as_bytes(const std::vector<uint8_t>& values) {
  std::vector<std::byte> bytes;
  bytes.reserve(values.size());
  for (const uint8_t v : values) bytes.push_back(static_cast<std::byte>(v));
  return bytes;
}

void write_text(const fs::path& path, const std::string& text, Overwrite overwrite) {
  AtomicFile file(path, overwrite);
  file.write(text);
  file.commit();
}

void write_canvas(const fs::path& path, const image::Canvas& canvas, Overwrite overwrite) {
  io::write_png(io::rgb_raster(canvas.width(), canvas.height(), canvas.pixels()), path, overwrite);
}

double rounded(double value, double unit) {
  return std::round(value / unit) * unit;
}

ordered_json wire_json(const FluoroWireTruth& wire) {
  ordered_json stretches = ordered_json::array();
  for (const auto& stretch : wire.stretches) {
    ordered_json points = ordered_json::array(), cnr = ordered_json::array();
    for (size_t i = 0; i < stretch.points.size(); ++i) {
      const auto [x, y] = stretch.points[i];
      points.push_back({rounded(static_cast<double>(x), 1.0 / 64.0),
                        rounded(static_cast<double>(y), 1.0 / 64.0)});
      cnr.push_back(rounded(static_cast<double>(stretch.cnr[i]), 1.0 / 64.0));
    }
    stretches.push_back({{"points", std::move(points)}, {"cnr", std::move(cnr)}});
  }
  ordered_json json = {{"instance", wire.instance},
                       {"visible", wire.visible},
                       {"length_mm", wire.length_mm},
                       {"cnr", wire.cnr},
                       {"matched_snr", wire.matched_snr}};
  json["tip"] = nullptr;
  if (wire.tip) json["tip"] = {(*wire.tip)[0], (*wire.tip)[1]};
  json["centre_line"] = std::move(stretches);
  return json;
}

/// The guidewire's mask as `wire track` writes masks.
ordered_json wire_rle(const FluoroFrame& f) {
  std::vector<uint8_t> wire(f.mask.size());
  std::transform(f.mask.begin(), f.mask.end(), wire.begin(), [](uint8_t value) {
    return static_cast<uint8_t>(value == static_cast<uint8_t>(WireClass::kGuidewire));
  });
  const auto rle = image::encode_rle(wire, f.frame.width, f.frame.height);
  return {{"size", {f.frame.height, f.frame.width}}, {"counts", image::rle_to_string(rle)}};
}

ordered_json frame_json(const FluoroFrame& f) {
  ordered_json wires = ordered_json::array();
  for (const auto& wire : f.wires) wires.push_back(wire_json(wire));
  return {{"frame", f.frame.number},
          {"time_s", f.frame.time_s},
          {"wire_visible", f.wire_visible},
          {"rle", wire_rle(f)},
          {"wires", std::move(wires)}};
}

Role role_of(const std::string& split) {
  return split == "train" ? Role::kTrain : split == "val" ? Role::kVal : Role::kValExtra;
}

/// One sequence's folder.
class SequenceWriter {
 public:
  SequenceWriter(const FluoroExport& job, int64_t index)
      : job_(job),
        name_(format("{}_{:05d}", job.split, index)),
        seed_(fluoro_sequence_seed(static_cast<uint64_t>(job.seed), job.split, index)),
        sequence_(job.options, seed_, index) {
    for (const char* part : {"image", "label", "instance"}) {
      if (std::string_view(part) != "instance" || job.instances) make_output_folder(folder(part));
    }
  }

  void write(int64_t i, FluoroExportResult& result) {
    const FluoroFrame f = sequence_.frame(i);
    const std::string file = format("{:05d}.png", i);
    Sample sample;
    sample.id = format("simulator/{}/{:05d}", name_, i);
    sample.dataset = "Simulator";
    sample.subset = job_.split;
    sample.sequence = name_;
    sample.frame = i;
    sample.image = folder("image") / file;
    sample.mask = folder("label") / file;
    sample.role = role_of(job_.split);
    sample.pixel_mm = f.frame.pixel_mm;
    sample.bright_object = sequence_.parameters().inverted;
    sample.dose_ngy = sequence_.parameters().dose_ngy;
    sample.curves = folder("label") / "sequence.json";
    sample.classes = unified_class_map();
    std::vector<std::byte> grey;
    grey.reserve(f.frame.pixels.size());
    for (const float v : f.frame.pixels) {
      grey.push_back(static_cast<std::byte>(static_cast<int>(v * 255.0F + 0.5F)));
    }
    const int64_t size = f.frame.width;
    sample.sha256_image = write_grey(sample.image, size, std::move(grey), job_.overwrite);
    sample.sha256_mask = write_grey(sample.mask, size, as_bytes(f.mask), job_.overwrite);
    if (job_.instances) {
      write_grey(folder("instance") / file, size, as_bytes(f.instance), job_.overwrite);
    }
    result.histogram.add(sequence_.parameters().dose_ngy, f);
    const bool wire = std::any_of(
        f.wires.begin(), f.wires.end(), [](const auto& w) { return !w.stretches.empty(); });
    result.frames_with_wire += wire ? 1 : 0;
    result.frames_visible += f.wire_visible ? 1 : 0;
    result.samples.push_back(std::move(sample));
    frames_.push_back(frame_json(f));
    if (i == job_.options.frames / 2) middle_ = f;
  }

  void finish() {
    const ordered_json json = {
        {"sequence", name_},
        {"split", job_.split},
        {"seed", seed_},
        {"fps", job_.options.fps},
        {"label_rule", "centre of the pixel within max(radius, 0.75 px) of the axis"},
        {"visible_rule", "at least 2 mm in the field and matched_snr >= 5"},
        {"parameters", to_json(sequence_.parameters())},
        {"frames", frames_}};
    write_text(folder("label") / "sequence.json", json.dump() + "\n", job_.overwrite);
  }

  [[nodiscard]] const std::optional<FluoroFrame>& middle() const { return middle_; }

 private:
  [[nodiscard]] fs::path folder(const char* part) const { return job_.folder / part / name_; }

  const FluoroExport& job_;
  std::string name_;
  uint64_t seed_;
  FluoroSequence sequence_;
  ordered_json frames_ = ordered_json::array();
  std::optional<FluoroFrame> middle_;
};

image::Canvas contact_sheet(const std::vector<std::optional<FluoroFrame>>& frames, int64_t size) {
  const auto count = static_cast<int64_t>(frames.size());
  const int64_t columns = std::min(kSheetColumns, count);
  const int64_t rows = (count + columns - 1) / columns;
  image::Canvas sheet(2 * columns * size, rows * size);
  for (int64_t i = 0; i < count; ++i) {
    const auto& frame = frames[static_cast<size_t>(i)];
    if (!frame) continue;
    const int64_t x = 2 * (i % columns) * size, y = i / columns * size;
    sheet.paste(draw_frame(*frame), x, y);
    sheet.paste(draw_overlay(*frame), x + size, y);
  }
  return sheet;
}

/// How many sequences the picture shows: no more than a canvas can hold.
int64_t sheet_count(const FluoroExport& job) {
  const int64_t columns =
      std::max<int64_t>(1, std::min(kSheetColumns, 8192 / (2 * job.options.size)));
  return std::min(job.sequences, columns == kSheetColumns ? kSheetColumns * kSheetRows : columns);
}

}  // namespace

FluoroExportResult export_fluoro(const FluoroExport& job,
                                 Progress& progress,
                                 const CancelToken& stop) {
  const fs::path manifest = job.folder / "manifest.jsonl";
  const std::vector<fs::path> outputs = {manifest,
                                         job.folder / "cnr_histogram.json",
                                         job.folder / "cnr_histogram.png",
                                         job.folder / "contact_sheet.png"};
  for (const auto& path : outputs) check_output(path, job.overwrite);
  // Until the new one is complete, no manifest may speak of files that are being replaced.
  std::error_code ignored;
  fs::remove(manifest, ignored);

  std::vector<FluoroExportResult> parts(static_cast<size_t>(job.sequences));
  std::vector<std::optional<FluoroFrame>> shown(static_cast<size_t>(sheet_count(job)));
  std::mutex mutex;
  progress.begin("simulate frames", job.sequences * job.options.frames);
  parallel_for(0, job.sequences, 1, [&](int64_t first, int64_t last) {
    for (int64_t s = first; s < last; ++s) {
      stop.check();
      SequenceWriter writer(job, s);
      auto& part = parts[static_cast<size_t>(s)];
      for (int64_t i = 0; i < job.options.frames; ++i) {
        stop.check();
        writer.write(i, part);
        const std::lock_guard lock(mutex);
        progress.advance(1);
      }
      writer.finish();
      if (static_cast<size_t>(s) < shown.size()) shown[static_cast<size_t>(s)] = writer.middle();
    }
  });
  progress.end();

  FluoroExportResult all;
  for (auto& part : parts) {
    std::move(part.samples.begin(), part.samples.end(), std::back_inserter(all.samples));
    all.histogram.merge(part.histogram);
    all.frames_with_wire += part.frames_with_wire;
    all.frames_visible += part.frames_visible;
  }
  write_text(outputs[1], all.histogram.to_json().dump(2) + "\n", job.overwrite);
  write_canvas(outputs[2], all.histogram.draw(), job.overwrite);
  write_canvas(outputs[3], contact_sheet(shown, job.options.size), job.overwrite);
  write_text(manifest, format_manifest(all.samples, job.folder), job.overwrite);
  return all;
}

}  // namespace voxloom::dataset
