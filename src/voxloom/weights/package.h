#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/core/atomic_file.h"
#include "voxloom/weights/fingerprint.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::weights {

/// The files of a model package. Append only.
inline constexpr const char* kModelYaml = "model.yaml";
inline constexpr const char* kWeightsFile = "weights.safetensors";
inline constexpr const char* kCardFile = "card.md";

/// One value of the label maps that a model makes.
struct PackageLabel {
  int64_t value = 1;
  std::string name;
  bool operator==(const PackageLabel&) const = default;
};

/// How well a lower precision agrees with f32, measured when the package was made.
struct PrecisionGate {
  double mask_dice = 0.0;  ///< Smallest Dice between the masks of both, over the slices.
  bool passed = false;     ///< Dice at least 0.98 where it was measured.
  int64_t slices = 0;
  std::string host;  ///< The processor that it was measured on.
  bool operator==(const PrecisionGate&) const = default;
};

/// The content of model.yaml, format version 1:
///
///     format_version: 1
///     task: segment                 # segment | wire | stage | anomaly
///     architecture: sam2.1-hiera    # or efficienttam, ...
///     variant: medsam2_t512
///     options: {...}                # of the architecture, as it describes them
///     preprocessing: {...}
///     labels: [- value, name]
///     weights: {sha256, fingerprint, parameters}
///     licence: Apache-2.0
///     source: {file, sha256}
///     precision_gate: {bf16: {mask_dice, passed, slices, host}}
///     created_by: voxloom 0.1.0
struct PackageInfo {
  int64_t format_version = 1;
  std::string task, architecture, variant;
  nlohmann::ordered_json options = nlohmann::ordered_json::object();
  nlohmann::ordered_json preprocessing = nlohmann::ordered_json::object();
  std::vector<PackageLabel> labels;
  std::string weights_sha256;       ///< Of weights.safetensors; write_package() fills it.
  std::string weights_fingerprint;  ///< Fingerprint::weights_sha256; write_package() fills it.
  int64_t parameters = 0;           ///< write_package() fills it.
  std::string licence;
  std::string source_file, source_sha256;  ///< The converted file; empty when trained here.
  std::optional<PrecisionGate> bf16;
  std::string created_by;
  bool operator==(const PackageInfo&) const = default;
};

[[nodiscard]] nlohmann::ordered_json package_info_to_json(const PackageInfo& info);
/// Throws kUnsupported for a newer format version, else kDataCorrupt with every problem at once.
[[nodiscard]] PackageInfo package_info_from_json(const nlohmann::ordered_json& json,
                                                 const std::string& where);
/// The same from the text of model.yaml.
[[nodiscard]] PackageInfo parse_package_info(std::string_view yaml, const std::string& where);

struct Package {
  std::filesystem::path folder;
  PackageInfo info;
  /// The folder's name: what `--model NAME` finds.
  [[nodiscard]] std::string name() const;
};

/// Reads and validates model.yaml and that the other files are there; the weights themselves are
/// not read. Throws kNotFound when `folder` is no package, kDataCorrupt with every problem.
[[nodiscard]] Package read_package(const std::filesystem::path& folder);

/// The tensors, as views of the mapped file. Throws kDataCorrupt when their number of elements is
/// not the one that model.yaml records.
[[nodiscard]] StateDict read_package_weights(const Package& package);

/// Makes a package: all files go to a temporary folder that is renamed into place, so it appears
/// whole or not at all. With kReplace an existing package (a folder with model.yaml, or an empty
/// one) is replaced; any other existing folder is refused. Fills the weights' fields of `info`
/// and returns what was written.
Package write_package(const std::filesystem::path& folder,
                      PackageInfo info,
                      const StateDict& tensors,
                      std::string_view card,
                      Overwrite overwrite);

/// Rewrites model.yaml of an existing package (a gate measured later).
void update_package_info(const Package& package);

struct PackageVerification {
  bool intact = false;
  std::vector<std::string> problems;  ///< Empty when intact.
  std::string weights_sha256;         ///< Recomputed.
  Fingerprint fingerprint;            ///< Recomputed.
};
/// Recomputes every checksum.
[[nodiscard]] PackageVerification verify_package(const Package& package);

/// Where packages are looked for, in this order: the folders of $VOXLOOM_MODELS (separated by
/// colons), ./models, share/voxloom/models beside the installed library, and
/// $XDG_DATA_HOME/voxloom/models (~/.local/share where unset). Only folders that exist.
[[nodiscard]] std::vector<std::filesystem::path> package_folders();

/// A folder with a model.yaml that can't be used, and why.
struct BrokenPackage {
  std::filesystem::path folder;
  std::string problem;
};

/// Every valid package directly inside `folders`, in their order, then by name. Others are left
/// out and, with `broken`, reported there. Hidden folders, and those that a server put aside
/// (NAME.TIME.deleted), are no packages.
[[nodiscard]] std::vector<Package> list_packages(
    const std::vector<std::filesystem::path>& folders = package_folders(),
    std::vector<BrokenPackage>* broken = nullptr);

/// A package by path or by folder name. Throws kNotFound listing what there is.
[[nodiscard]] Package find_package(
    const std::string& name_or_path,
    const std::vector<std::filesystem::path>& folders = package_folders());

}  // namespace voxloom::weights
