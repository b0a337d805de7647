// The multipart reader: any bytes in any pieces give parts or an HttpError, and the pieces do not
// matter. The first byte chooses the boundary, the second the size of the pieces.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "voxloom/serve/http/multipart.h"

namespace {

using namespace voxloom::serve::http;

class Transcript : public MultipartSink {
 public:
  std::string text;
  bool open = false;

  void field(std::string name, std::string value) override {
    if (open) __builtin_trap();
    text += "field " + name + "=" + value + "\n";
  }
  void begin_file(std::string field, std::string filename, std::string type) override {
    if (open || filename.find_first_of("/\\") != std::string::npos || filename == "..") {
      __builtin_trap();
    }
    open = true;
    text += "file " + field + " " + filename + " " + type + " [";
  }
  void file_data(std::string_view bytes) override {
    if (!open) __builtin_trap();
    text += bytes;
  }
  void end_file() override {
    if (!open) __builtin_trap();
    open = false;
    text += "]\n";
  }
  void drop_file() override {
    end_file();
    text += "dropped\n";
  }
};

std::string read(std::string_view boundary, std::string_view body, size_t piece) {
  Transcript transcript;
  MultipartLimits limits;
  limits.max_field_bytes = 512;
  limits.max_fields = 8;
  limits.max_header_bytes = 256;
  try {
    MultipartParser parser(boundary, transcript, limits);
    for (size_t i = 0; i < body.size(); i += piece) parser.feed(body.substr(i, piece));
    parser.finish();
  } catch (const HttpError& e) {
    transcript.text += e.what();
  }
  return transcript.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  constexpr std::string_view kBoundaries[] = {"b", "--", "----------lImIt_of_THE_fIle_eW_$", "\r"};
  const std::string_view boundary = kBoundaries[data[0] % 4];
  const size_t piece = 1 + data[1] % 64;
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string whole = read(boundary, body, std::max<size_t>(body.size(), 1));
  const std::string pieces = read(boundary, body, piece);
  // A file whose part turns out to be wrong later may have given more or less before that; the
  // rest must be the same.
  if (whole != pieces && whole.find("error parsing") == std::string::npos &&
      pieces.find("error parsing") == std::string::npos) {
    __builtin_trap();
  }
  try {
    static_cast<void>(MultipartParser::boundary_of(body));
  } catch (const HttpError&) {
  }
  return 0;
}
