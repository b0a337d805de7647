#include "voxloom/jobs/child_message.h"

#include <algorithm>

#include "voxloom/core/json_text.h"

namespace voxloom::jobs {
namespace {

using nlohmann::ordered_json;

std::optional<ordered_json> parse_object(std::string_view line) {
  if (line.empty() || line[0] != '{') return std::nullopt;
  ordered_json value = read_json(line).value;
  if (!value.is_object()) return std::nullopt;
  return value;
}

}  // namespace

ChildMessage parse_child_line(std::string_view line) {
  ChildMessage message;
  auto object = parse_object(line);
  if (object) {
    const auto progress = object->find("progress");
    if (progress != object->end() && progress->is_number()) {
      message.progress = std::clamp(progress->get<double>(), 0.0, 1.0);
    }
    const auto text = object->find("message");
    if (text != object->end() && text->is_string()) message.text = text->get<std::string>();
    const auto result = object->find("result");
    if (result != object->end()) message.result = std::move(*result);
  }
  if (!message.progress && !message.text && !message.result) message.text = std::string(line);
  return message;
}

}  // namespace voxloom::jobs
