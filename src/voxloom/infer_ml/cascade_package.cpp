#include "voxloom/infer_ml/cascade_package.h"

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/infer_ml/cascade.h"
#include "voxloom/tensor/load.h"

namespace voxloom::infer_ml {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kDetectorPrefix = "detector.", kSegmenterPrefix = "segmenter.";
constexpr int64_t kUsualSide = 224;

std::shared_ptr<weights::StateDict> below(const weights::StateDict& all, std::string_view prefix) {
  auto part = std::make_shared<weights::StateDict>();
  for (const auto& entry : all.entries()) {
    if (entry.name.starts_with(prefix)) part->add(entry.name.substr(prefix.size()), entry.tensor);
  }
  return part;
}

void add_all(weights::StateDict& to, std::string_view prefix, const weights::StateDict& from) {
  for (const auto& entry : from.entries()) to.add(std::string(prefix) + entry.name, entry.tensor);
}

weights::Package wire_package(const std::string& name, const char* flag) {
  auto package = weights::find_package(name);
  VOXLOOM_CHECK(package.info.task == "wire" && package.info.architecture != kCascadeName,
                ErrorCode::kInvalidArgument,
                "{} '{}': must be a package of one wire network, got {} {}",
                flag,
                name,
                package.info.task,
                package.info.architecture);
  return package;
}

infer::CascadeRules rules_of(const ordered_json& json, const std::string& where) {
  infer::CascadeRules rules;
  OptionList list;
  rules.visit(list);
  list.read_json(json, where);
  rules.validate();
  return rules;
}

std::string card_of(const weights::Package& detector, const weights::Package& segmenter) {
  std::string card = format(
      "# Cascade\n\nA detector finds boxes, {} segments crops round them. Made with `voxloom wire "
      "cascade`. For research; not a medical device.\n",
      segmenter.info.architecture);
  for (const auto* part : {&detector, &segmenter}) {
    card +=
        "\n## " + part->name() + "\n\n" + read_text_file(part->folder / weights::kCardFile) + "\n";
  }
  return card;
}

}  // namespace

CascadeParts read_cascade(const weights::Package& package) {
  const std::string where = package.folder.string();
  CascadeParts parts;
  try {
    const auto& options = package.info.options;
    parts.detector_options = options.at("detector");
    parts.segmenter_options = options.at("segmenter_options");
    parts.segmenter_name = options.at("segmenter").get<std::string>();
    parts.rules = rules_of(options.at("rules"), where);
  } catch (const nlohmann::json::exception&) {
    throw Error(
        ErrorCode::kDataCorrupt,
        format("{}: a cascade's options must have detector, segmenter, segmenter_options and rules",
               where));
  }
  const auto all = weights::read_package_weights(package);
  auto detector_state = below(all, kDetectorPrefix);
  auto segmenter_state = below(all, kSegmenterPrefix);
  VOXLOOM_CHECK(detector_state->size() + segmenter_state->size() == all.size(),
                ErrorCode::kDataCorrupt,
                "{}: keys of a cascade must begin with detector. or segmenter., got {} others",
                where,
                all.size() - detector_state->size() - segmenter_state->size());
  parts.detector = models::wire::make_detector(parts.detector_options, 0);
  parts.segmenter =
      models::wire::make_wire_network(parts.segmenter_name, parts.segmenter_options, 0);
  VOXLOOM_CHECK(parts.segmenter->in_channels() == 1,
                ErrorCode::kInvalidArgument,
                "{}: a cascade's segmenter must look at one frame at a time, got {} with {}",
                where,
                parts.segmenter_name,
                parts.segmenter->in_channels());
  tensor::load_state_dict(*parts.detector, *detector_state, where);
  tensor::load_state_dict(*parts.segmenter, *segmenter_state, where);
  parts.detector->eval();
  parts.segmenter->eval();
  parts.detector_state = std::move(detector_state);
  parts.segmenter_state = std::move(segmenter_state);
  return parts;
}

weights::Package make_cascade_package(const infer::CascadeOptions& options) {
  const auto detector = wire_package(options.detector, "--detector");
  const auto segmenter = wire_package(options.segmenter, "--segmenter");
  VOXLOOM_CHECK(detector.info.architecture == models::wire::kDetectorName,
                ErrorCode::kInvalidArgument,
                "--detector '{}': must be a detector, got {}",
                options.detector,
                detector.info.architecture);
  VOXLOOM_CHECK(segmenter.info.architecture != models::wire::kDetectorName,
                ErrorCode::kInvalidArgument,
                "--segmenter '{}': must give a mask, got a detector",
                options.segmenter);
  const auto first =
      wire_preprocessing_from_json(detector.info.preprocessing, detector.folder.string());
  auto second =
      wire_preprocessing_from_json(segmenter.info.preprocessing, segmenter.folder.string());
  VOXLOOM_CHECK(first.bright_object == second.bright_object,
                ErrorCode::kInvalidArgument,
                "cascade: both networks must be for dark or both for bright objects, got {} and {}",
                first.bright_object ? "bright" : "dark",
                second.bright_object ? "bright" : "dark");
  infer::CascadeRules rules = options.rules;
  if (rules.crops.side == 0) {
    rules.crops.side = second.crop_side > 0 ? second.crop_side : kUsualSide;
  }
  rules.validate();
  OptionList list;
  rules.visit(list);
  second.crop_side = 0;  // Says how a network for crops was trained; a cascade takes frames.

  // The networks are built before anything is written: what doesn't fit is said now.
  const int64_t channels = load_wire_network(segmenter)->in_channels();
  VOXLOOM_CHECK(channels == 1,
                ErrorCode::kInvalidArgument,
                "--segmenter '{}': must look at one frame at a time, got {}",
                options.segmenter,
                channels);
  weights::StateDict all;
  const auto detector_state = weights::read_package_weights(detector);
  const auto segmenter_state = weights::read_package_weights(segmenter);
  auto network = models::wire::make_detector(detector.info.options, 0);
  tensor::load_state_dict(
      *network, detector_state, (detector.folder / weights::kWeightsFile).string());
  add_all(all, kDetectorPrefix, detector_state);
  add_all(all, kSegmenterPrefix, segmenter_state);
  const bool same = detector.info.licence == segmenter.info.licence;
  weights::PackageInfo info{
      .task = "wire",
      .architecture = kCascadeName,
      .variant = format("{}+{}", models::wire::kDetectorName, segmenter.info.architecture),
      .options = {{"detector", detector.info.options},
                  {"segmenter", segmenter.info.architecture},
                  {"segmenter_options", segmenter.info.options},
                  {"rules", list.to_json()}},
      .preprocessing = wire_preprocessing_to_json(second),
      .labels = segmenter.info.labels,
      .licence =
          same ? detector.info.licence : detector.info.licence + " AND " + segmenter.info.licence,
      .created_by = segmenter.info.created_by};
  return weights::write_package(options.output,
                                std::move(info),
                                all,
                                card_of(detector, segmenter),
                                options.force ? Overwrite::kReplace : Overwrite::kRefuse);
}

}  // namespace voxloom::infer_ml
