#include "voxloom/infer_ml/convert.h"

#include <nlohmann/json.hpp>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/core/program_files.h"
#include "voxloom/core/sha256.h"
#include "voxloom/engine/export.h"
#include "voxloom/engine/precision_gate.h"
#include "voxloom/infer_ml/sam2_network.h"
#include "voxloom/infer_ml/slice_reader.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/models/sam2/detect.h"
#include "voxloom/models/sam2/sam2.h"
#include "voxloom/models/sam_med2d/options.h"
#include "voxloom/weights/checkpoint.h"
#include "voxloom/weights/package.h"

namespace voxloom::infer_ml {
namespace {

using nlohmann::ordered_json;
namespace sam2 = models::sam2;
namespace med2d = models::sam_med2d;

bool is_medsam2(const sam2::Sam2Options& options) {
  return options.variant.rfind("medsam2", 0) == 0;
}

/// What the releases say about their own terms; `--licence` overrides it.
std::string licence_of(const sam2::Sam2Options& options) {
  if (is_medsam2(options)) return "CC-BY-SA-4.0, research and education only (MedSAM2 weights)";
  if (options.trunk == sam2::TrunkKind::kVit) return "as published with EfficientMedSAM";
  return "Apache-2.0 (SAM 2.1 checkpoints)";
}

ordered_json options_json(const sam2::Sam2Options& options) {
  return {{"image_size", options.image_size},
          {"trunk", options.trunk == sam2::TrunkKind::kHiera ? "hiera" : "vit"},
          {"memories", options.num_memories},
          {"pointers", options.max_pointers}};
}

ordered_json preprocessing_json(const sam2::Sam2Options& options) {
  return {{"window", "CT: level and width in HU; others: percentiles 0.5 and 99.5 of voxels > 0"},
          {"resize", "Pillow bicubic, 8 bit"},
          {"image_size", options.image_size},
          {"mean", {0.485, 0.456, 0.406}},
          {"std", {0.229, 0.224, 0.225}}};
}

std::string card_text(const weights::PackageInfo& info) {
  const bool slices = info.architecture == med2d::kArchitecture;
  return "# " + info.variant + "\n\nInteractive " + (slices ? "2-D" : "3-D") +
         " segmentation from boxes, clicks and masks (architecture " + info.architecture +
         ").\n\n- Converted from `" + info.source_file + "` (SHA-256 " + info.source_sha256 +
         ")\n- Licence: " + info.licence + "\n- Not a medical device. Check every result.\n";
}

/// A few neighbouring slices of the bundled MR series.
engine::GateCase bundled_case(int64_t image_size) {
  // A slice at 1024 costs about twelve times one at 512.
  const bool large = image_size > 512;
  const int64_t slices = large ? 3 : 7;
  constexpr int64_t kMiddle = 15;
  const std::shared_ptr<image::VolumeSource> volume =
      io::open_volume(bundled_path("examples/vs_mr_dicom"));
  const auto grey_map = image::resolve_window(*volume, image::parse_window("percentile"));
  SliceReader reader(volume, grey_map, image_size);
  engine::GateCase item;
  item.width = volume->geometry().size[0];
  item.height = volume->geometry().size[1];
  const int64_t first = kMiddle - slices / 2;
  for (int64_t z = first; z < first + slices; ++z) item.images.push_back(reader.read(z));
  item.key = slices / 2;
  item.boxes =
      engine::simulated_boxes(item.images[static_cast<size_t>(item.key)], item.height, item.width);
  if (large) item.boxes.resize(std::min<size_t>(item.boxes.size(), 2));
  return item;
}

/// Both precisions as a run of the package would compute them; what they compile stays cached.
weights::PrecisionGate measure_gate(const std::filesystem::path& package, Progress& progress) {
  infer::RuntimeOptions runtime;
  runtime.precision = "f32";
  const auto reference = load_network(package.string(), runtime);
  runtime.precision = "bf16";
  const auto tested = load_network(package.string(), runtime);
  const engine::GateCase cases[] = {bundled_case(reference->model->options.image_size)};
  return engine::measure_precision_gate({reference->model, reference->encoder.get()},
                                        {tested->model, tested->encoder.get()},
                                        cases,
                                        progress);
}

/// What a checkpoint turned out to be.
struct Recognised {
  weights::PackageInfo info;  ///< Architecture, variant, options, preprocessing, licence.
  int64_t image_size = 0;
  const char* chosen_by = "keys";
  bool has_gate = true;  ///< bf16 is measured against f32.
};

void check_keys(const infer::ConvertOptions& options,
                const std::string& variant,
                const tensor::KeyDiff& problems) {
  VOXLOOM_CHECK(problems.empty(),
                ErrorCode::kDataCorrupt,
                "checkpoint '{}' does not fit variant {}: {}",
                options.checkpoint.string(),
                variant,
                problems.describe());
}

Recognised recognise_sam2(const infer::ConvertOptions& options,
                          const weights::Checkpoint& checkpoint) {
  const auto network = sam2::detect_options(checkpoint.tensors,
                                            options.variant == "auto" ? "" : options.variant,
                                            options.checkpoint.filename().string());
  check_keys(options, network.variant, sam2::check_keys(network, checkpoint.tensors));
  Recognised found;
  if (options.variant != "auto") {
    found.chosen_by = "--variant";
  } else if (sam2::matching_variants(checkpoint.tensors).size() != 1) {
    found.chosen_by = "file name";
  }
  found.info.architecture =
      network.trunk == sam2::TrunkKind::kVit ? "efficienttam" : "sam2.1-hiera";
  found.info.variant = network.variant;
  found.info.options = options_json(network);
  found.info.preprocessing = preprocessing_json(network);
  found.info.licence = licence_of(network);
  found.image_size = network.image_size;
  return found;
}

Recognised recognise_sam_med2d(const infer::ConvertOptions& options,
                               const weights::Checkpoint& checkpoint) {
  VOXLOOM_CHECK(options.variant == "auto" || options.variant == med2d::kPublishedVariant,
                ErrorCode::kInvalidArgument,
                "--variant '{}': must be auto or {} for a SAM-Med2D checkpoint, got keys of SAM 1 "
                "in '{}'",
                options.variant,
                med2d::kPublishedVariant,
                options.checkpoint.string());
  auto network = med2d::detect_options(checkpoint.tensors, options.checkpoint.filename().string());
  Recognised found;
  if (options.variant != "auto") {
    network = {};
    found.chosen_by = "--variant";
  }
  found.info.architecture = med2d::kArchitecture;
  found.info.variant = med2d::variant_name(network);
  check_keys(options,
             found.info.variant,
             tensor::diff_keys(med2d::expected_keys(network), checkpoint.tensors));
  found.info.options = med2d::options_to_json(network);
  found.info.preprocessing = {
      {"window", "8 bit as stored; CT: level and width in HU; others: percentiles 0.5 and 99.5"},
      {"resize", "nearest"},
      {"image_size", network.image_size},
      {"mean", {123.675, 116.28, 103.53}},
      {"std", {58.395, 57.12, 57.375}}};
  found.info.licence = "Apache-2.0 (SAM-Med2D)";
  found.image_size = network.image_size;
  found.has_gate = false;  // its bench case is a pass through a stack, which this network has not
  return found;
}

}  // namespace

ordered_json convert_model(const infer::ConvertOptions& options, Progress& progress) {
  const torch::NoGradGuard no_grad;
  at::set_num_threads(thread_budget());
  const auto overwrite = options.force ? Overwrite::kReplace : Overwrite::kRefuse;
  std::error_code ignored;
  VOXLOOM_CHECK(
      options.force || !std::filesystem::exists(options.output / weights::kModelYaml, ignored),
      ErrorCode::kAlreadyExists,
      "output '{}' exists; use --force to overwrite it",
      options.output.string());

  progress.begin("read checkpoint", 0);
  const auto checkpoint = weights::read_checkpoint(options.checkpoint);
  const std::string file_name = options.checkpoint.filename().string();
  const Recognised found = med2d::is_sam_checkpoint(checkpoint.tensors)
                               ? recognise_sam_med2d(options, checkpoint)
                               : recognise_sam2(options, checkpoint);
  progress.end();

  weights::PackageInfo info = found.info;
  info.task = "segment";
  info.labels = {{1, "object"}};
  if (!options.licence.empty()) info.licence = options.licence;
  info.source_file = file_name;
  info.source_sha256 = sha256_file(options.checkpoint);
  info.created_by = std::string("voxloom ") + infer::build_id();

  progress.begin("write package", 0);
  auto package =
      weights::write_package(options.output, info, checkpoint.tensors, card_text(info), overwrite);
  progress.end();
  if (options.gate && found.has_gate) {
    package.info.bf16 = measure_gate(package.folder, progress);
    weights::update_package_info(package);
  }

  ordered_json result{{"package", package.folder.string()},
                      {"variant", package.info.variant},
                      {"chosen_by", found.chosen_by},
                      {"image_size", found.image_size},
                      {"tensors", checkpoint.tensors.size()},
                      {"elements", package.info.parameters},
                      {"weights_fingerprint", package.info.weights_fingerprint},
                      {"source_sha256", package.info.source_sha256},
                      {"licence", package.info.licence}};
  if (package.info.bf16) {
    result["bf16"] = {{"mask_dice", package.info.bf16->mask_dice},
                      {"passed", package.info.bf16->passed},
                      {"slices", package.info.bf16->slices}};
  }
  return result;
}

ordered_json export_model(const infer::ExportOptions& options, Progress& progress) {
  return engine::export_onnx(weights::find_package(options.package),
                             options.output,
                             options.force ? Overwrite::kReplace : Overwrite::kRefuse,
                             progress);
}

}  // namespace voxloom::infer_ml
