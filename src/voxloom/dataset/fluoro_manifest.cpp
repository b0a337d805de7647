#include <nlohmann/json.hpp>

#include "voxloom/core/sha256.h"
#include "voxloom/dataset/fluoro_export.h"

namespace voxloom::dataset {

std::string fluoro_manifest(const std::vector<Sample>& samples,
                            const std::filesystem::path& folder) {
  const nlohmann::ordered_json classes = {{"0", "background"},
                                          {"1", "guidewire"},
                                          {"2", "catheter"},
                                          {"3", "other_device"},
                                          {"4", "vessel"},
                                          {"255", "ignore"}};
  std::string lines;
  for (const auto& s : samples) {
    const std::string role = s.role == Role::kTrain ? "train"
                             : s.role == Role::kVal ? "val"
                                                    : "val_extra";
    const nlohmann::ordered_json line = {
        {"id", s.id},
        {"dataset", s.dataset},
        {"subset", s.subset},
        {"sequence", s.sequence},
        {"frame", s.frame},
        {"image", s.image.lexically_relative(folder).generic_string()},
        {"mask", s.mask.lexically_relative(folder).generic_string()},
        {"sha256_image", s.sha256_image},
        {"sha256_mask", s.sha256_mask},
        {"role", role},
        {"pixel_mm", s.pixel_mm},
        {"bright_object", s.bright_object},
        {"classes", classes}};
    lines += line.dump() + "\n";
  }
  const nlohmann::ordered_json header = {
      {"voxloom_manifest", 1}, {"samples", samples.size()}, {"fingerprint", sha256_hex(lines)}};
  return header.dump() + "\n" + lines;
}

}  // namespace voxloom::dataset
