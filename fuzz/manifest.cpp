// Manifests of data sets. The first line with a right fingerprint is put in front of the input, so
// that the lines behind it are reached; what is accepted is written and read back unchanged.
#include "voxloom/dataset/manifest.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "voxloom/core/error.h"
#include "voxloom/core/sha256.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto lines = std::count(input.begin(), input.end(), '\n') +
                     (!input.empty() && input.back() != '\n' ? 1 : 0);
  const std::string framed = R"({"voxloom_manifest":1,"samples":)" + std::to_string(lines) +
                             R"(,"fingerprint":")" + sha256_hex(input) + "\"}\n" +
                             std::string(input);
  for (const std::string_view text : {input, std::string_view(framed)}) {
    try {
      const auto read = dataset::parse_manifest(text, "/data", "fuzz");
      const auto again =
          dataset::parse_manifest(dataset::format_manifest(read.samples, "/data"), "/data", "fuzz");
      for (size_t i = 0; i < read.samples.size(); ++i) {
        if (again.samples[i].id != read.samples[i].id ||
            again.samples[i].classes != read.samples[i].classes ||
            again.samples[i].frame != read.samples[i].frame) {
          __builtin_trap();
        }
      }
    } catch (const Error&) {
    }
  }
  return 0;
}
