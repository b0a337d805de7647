#include <algorithm>

#include "voxloom/core/error.h"
#include "voxloom/image/window.h"
#include "voxloom/serve/interactive/infer_service.h"
#include "voxloom/weights/package_kind.h"

namespace voxloom::serve {
namespace {

constexpr std::string_view kMedSam2Name = "SAM";
constexpr std::string_view kGeodesic = "geodesic";

/// Names stand in URLs, where clients quote them in different ways: no blanks, no separators.
void check_name(const std::string& name, const std::string& given) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  VOXLOOM_CHECK(!name.empty() && name.size() <= 64 && name.front() != '.' &&
                    std::all_of(name.begin(), name.end(), good),
                ErrorCode::kInvalidArgument,
                "--model '{}': must be NAME=PACKAGE, the name with 1 to 64 letters, digits, '_', "
                "'-' or '.' (not first), got '{}'",
                given,
                name);
}

bool is_medsam2(const weights::PackageInfo& info) {
  return info.task == "segment" && info.variant.rfind("medsam2", 0) == 0;
}

/// What a request may choose; the first of each list is what happens without a choice.
Json config_json() {
  Json windows = Json::array({"auto"});
  for (const auto& preset : image::ct_presets()) windows.push_back(std::string(preset.name));
  for (const char* rule : {"percentile", "minmax", "none"}) windows.push_back(rule);
  return {{"window", windows},
          {"direction", {"both", "forward", "backward"}},
          {"merge", {"intersection", "union"}},
          {"components", {"largest", "all"}},
          {"max_slices", 0}};
}

ServedModel make_model(std::string name, std::string package, std::string description) {
  ServedModel model;
  model.name = std::move(name);
  model.package = std::move(package);
  model.description = std::move(description);
  // The same values in /info, in answers and in masks, contiguous and without gaps: viewers that
  // count labels and viewers that read values then agree.
  model.labels = {{"background", 0}, {"intersection", 1}, {"uncertain", 2}};
  model.label_names = {{"intersection", 1}, {"uncertain", 2}};
  model.config = config_json();
  return model;
}

ServedModel geodesic_model(std::string name) {
  return make_model(std::move(name),
                    std::string(kGeodesic),
                    "Seeded segmentation by geodesic distance; needs no trained weights");
}

ServedModel package_model(std::string name, const weights::Package& package) {
  ServedModel model = make_model(std::move(name),
                                 package.folder.string(),
                                 format("{}, {}",
                                        weights::segments_single_slices(package.info)
                                            ? "Interactive segmentation, slice by slice"
                                            : "Interactive 3-D segmentation",
                                        package.info.variant));
  model.variant = package.info.variant;
  return model;
}

}  // namespace

std::vector<ServedModel> served_models(const std::vector<std::string>& given) {
  std::vector<ServedModel> models;
  std::optional<weights::Package> medsam2;
  const auto taken = [&models](std::string_view name) {
    return std::any_of(
        models.begin(), models.end(), [name](const auto& model) { return model.name == name; });
  };

  for (const auto& text : given) {
    const size_t equals = text.find('=');
    const std::string name = text.substr(0, std::min(equals, text.size()));
    const std::string source = equals == std::string::npos ? "" : text.substr(equals + 1);
    check_name(name, text);
    VOXLOOM_CHECK(!source.empty(),
                  ErrorCode::kInvalidArgument,
                  "--model '{}': must be NAME=PACKAGE, got no package",
                  text);
    VOXLOOM_CHECK(!taken(name) && (name != kGeodesic || source == kGeodesic),
                  ErrorCode::kInvalidArgument,
                  "--model '{}': its name must be its own, got a name that is taken",
                  text);
    if (source == kGeodesic) {
      models.push_back(geodesic_model(name));
      continue;
    }
    const auto package = weights::find_package(source);
    VOXLOOM_CHECK(package.info.task == "segment",
                  ErrorCode::kInvalidArgument,
                  "--model '{}': must be for the task segment, got {}",
                  text,
                  package.info.task);
    models.push_back(package_model(name, package));
    if (!medsam2 && is_medsam2(package.info)) medsam2 = package;
  }

  if (!taken(kMedSam2Name)) {
    if (!medsam2) {
      for (auto& package : weights::list_packages()) {
        if (is_medsam2(package.info)) {
          medsam2 = std::move(package);
          break;
        }
      }
    }
    if (medsam2) {
      models.insert(models.begin(), package_model(std::string(kMedSam2Name), *medsam2));
    }
  }
  if (!taken(kGeodesic)) models.push_back(geodesic_model(std::string(kGeodesic)));
  return models;
}

}  // namespace voxloom::serve
