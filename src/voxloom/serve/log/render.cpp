#include "voxloom/serve/log/render.h"

#include "voxloom/core/format.h"
#include "voxloom/core/json_text.h"
#include "voxloom/serve/http/message.h"

namespace voxloom::serve {
namespace {

constexpr size_t kMaxShown = 4096;

/// A peer must not be able to move the reader's cursor or set the title.
std::string plain(std::string_view text) {
  std::string out(text.substr(0, kMaxShown));
  for (size_t i = 0; i < out.size(); ++i) {
    const auto c = static_cast<unsigned char>(out[i]);
    // C1 controls are 0xC2 0x80..0x9F in UTF-8.
    const bool c1 = c == 0xC2 && i + 1 < out.size() &&
                    static_cast<unsigned char>(out[i + 1]) >= 0x80 &&
                    static_cast<unsigned char>(out[i + 1]) < 0xA0;
    if (c < 0x20 || c == 0x7F || c1) out[i] = '?';
    if (c1) out[++i] = '?';
  }
  return out;
}

std::string value_text(const http::Json& value) {
  if (value.is_string()) return plain(value.get<std::string>());
  return plain(value.dump(-1, ' ', false, http::Json::error_handler_t::replace));
}

std::string part(const http::Json& record, const char* key) {
  const auto found = record.find(key);
  return found == record.end() ? std::string() : value_text(*found);
}

std::string_view colour_of(std::string_view level) {
  if (level == "error") return "\x1b[31m";
  if (level == "warn") return "\x1b[33m";
  if (level == "debug") return "\x1b[2m";
  return "\x1b[32m";
}

}  // namespace

std::string render_record(std::string_view json_line, bool colour) {
  const auto record = read_json(json_line).value;
  if (!record.is_object()) return plain(json_line);
  const std::string level = part(record, "level");
  const std::string_view on = colour ? colour_of(level) : std::string_view();
  const std::string_view off = colour ? "\x1b[0m" : "";
  std::string line =
      format("{} {}{:<5}{} {:<10}", part(record, "time"), on, level, off, part(record, "event"));
  const std::string message = part(record, "message");
  if (!message.empty()) line += " " + message;
  const auto fields = record.find("fields");
  if (fields != record.end() && fields->is_object()) {
    for (const auto& [name, value] : fields->items()) {
      line += " " + plain(name) + "=" + value_text(value);
    }
  }
  for (const char* key : {"request", "client"}) {
    const std::string text = part(record, key);
    if (!text.empty()) line += std::string(" ") + key + "=" + text;
  }
  return line;
}

}  // namespace voxloom::serve
