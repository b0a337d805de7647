// A multipart/related body. The first byte says how it is cut: the parts must not depend on that.
#include "voxloom/io/multipart_related.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "voxloom/core/error.h"

namespace {

using namespace voxloom::io;  // NOLINT(*-using-namespace)

struct Collected : PartSink {
  void begin_part(const PartHeaders& headers) override {
    text += "\n<";
    for (const auto& [name, value] : headers) text += name + "=" + value + ";";
    text += ">";
  }
  void part_data(std::string_view bytes) override { text += bytes; }
  void end_part() override { text += "\n."; }
  std::string text;
};

// What was told before the end or the error, and which of them it was.
std::string parse(std::string_view body, size_t piece) {
  Collected c;
  try {
    MultipartParser parser(
        "edge",
        c,
        {.max_header_bytes = 64, .max_preamble_bytes = 64, .max_part_bytes = 128, .max_parts = 4});
    for (; !body.empty(); body.remove_prefix(std::min(piece, body.size()))) {
      parser.feed(body.substr(0, piece));
    }
    parser.finish();
    return c.text + "\nend";
  } catch (const voxloom::Error&) {
    return "error";
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (parse(body, size) != parse(body, data[0] % 16 + 1U)) {
    std::fputs("the parts depend on how the body is cut\n", stderr);
    std::abort();
  }
  try {
    static_cast<void>(multipart_boundary(body));
  } catch (const voxloom::Error&) {
  }
  return 0;
}
