// What other programs and users write as text: lines of a job's output, commands, lists of inputs,
// parts, owners of jobs.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/core/line_splitter.h"
#include "voxloom/jobs/child_message.h"
#include "voxloom/jobs/cohort.h"
#include "voxloom/jobs/command_line.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom;
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  std::string whole, parts;
  LineSplitter one(64, [&](std::string_view line) {
    if (line.size() > 3 * 64) __builtin_trap();
    const auto message = jobs::parse_child_line(line);
    // It must fit into JSON as it is: dump throws for bytes that are no UTF-8.
    if (message.text) static_cast<void>(nlohmann::json(*message.text).dump());
    if (message.result) static_cast<void>(message.result->dump());
    whole += std::string(line) + "\n";
  });
  one.feed(text);
  one.finish();
  LineSplitter bytewise(64, [&](std::string_view line) { parts += std::string(line) + "\n"; });
  for (size_t i = 0; i < size; ++i) bytewise.feed(text.substr(i, 1));
  bytewise.finish();
  if (whole != parts) __builtin_trap();
  const auto message = jobs::parse_child_line(clean_text(text));
  if (message.result) static_cast<void>(message.result->dump());

  try {
    const auto words = jobs::split_words(text);
    static_cast<void>(jobs::substitute(words, {{"input", "a b"}, {"output", "{name}"}}));
  } catch (const Error&) {
  }
  try {
    for (const auto& input : jobs::parse_input_list(text, "fuzz", "/nonexistent")) {
      if (input.path.empty()) __builtin_trap();
    }
  } catch (const Error&) {
  }
  try {
    const auto shard = jobs::parse_shard(std::string(text), [](const char*) { return nullptr; });
    if (shard.index < 1 || shard.index > shard.count) __builtin_trap();
  } catch (const Error&) {
  }
  return 0;
}
