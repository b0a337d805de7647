// The DICOM JSON model: only voxloom::Error may leave the reader.
#include <cstdint>

#include "voxloom/core/error.h"
#include "voxloom/io/dicomweb_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto sets = voxloom::io::parse_dicom_json({reinterpret_cast<const char*>(data), size},
                                                    {.max_depth = 4, .max_elements = 10000});
    for (const auto& o : sets) {
      for (const auto& [tag, element] : o.elements) {
        static_cast<void>(o.integer(tag));
        static_cast<void>(o.items(tag).size());
      }
    }
  } catch (const voxloom::Error& e) {
    if (e.code() == voxloom::ErrorCode::kInternal) __builtin_trap();
  }
  return 0;
}
