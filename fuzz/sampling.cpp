// What the sampling part reads that it did not write itself: lines of the score cache, answers of
// strategy commands, command lines.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "voxloom/core/error.h"
#include "voxloom/serve/sampling/external_strategy.h"
#include "voxloom/serve/sampling/image_scores.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  try {
    switch (data[0] % 3) {
      case 0:
        if (const auto entry = voxloom::serve::parse_score_line(text)) {
          // What was read is what is written.
          const auto again = voxloom::serve::parse_score_line(voxloom::serve::score_line(*entry));
          if (!again || !(*again == *entry)) std::abort();
        }
        break;
      case 1:
        static_cast<void>(voxloom::serve::parse_external_answer(text));
        break;
      default:
        static_cast<void>(voxloom::serve::parse_external_command(text));
    }
  } catch (const voxloom::Error&) {
  }
  return 0;
}
