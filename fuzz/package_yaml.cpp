// model.yaml: any text gives a value or an Error; what is accepted is written and read back
// unchanged.
#include <cstdint>
#include <string_view>

#include "voxloom/core/error.h"
#include "voxloom/core/yaml_text.h"
#include "voxloom/weights/package.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  nlohmann::ordered_json json;
  try {
    json = parse_yaml(text, "fuzz.yaml");
  } catch (const Error&) {
    return 0;
  }
  // An error here is a find: what was read must be writable.
  if (parse_yaml(to_yaml(json), "again") != json) __builtin_trap();
  try {
    const auto info = weights::package_info_from_json(json, "fuzz.yaml");
    if (weights::package_info_from_json(weights::package_info_to_json(info), "again") != info) {
      __builtin_trap();
    }
  } catch (const Error&) {
  }
  return 0;
}
