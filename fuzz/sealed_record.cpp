// Records of sealed files, as they come with data. What is accepted is written and read back
// unchanged.
#include <cstdint>
#include <string_view>

#include "voxloom/core/error.h"
#include "voxloom/dataset/sealed.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom::dataset;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char* root : {"/data", ""}) {
    try {
      const auto read = parse_sealed_record(text, root, "fuzz");
      const auto again =
          parse_sealed_record(format_sealed_record(read, RootEntry::kWith), {}, "fuzz");
      if (again.folders != read.folders || again.files != read.files ||
          again.sha256 != read.sha256 || again.root != read.root) {
        __builtin_trap();
      }
    } catch (const voxloom::Error&) {
    }
  }
  return 0;
}
