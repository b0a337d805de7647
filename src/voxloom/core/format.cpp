#include "voxloom/core/format.h"

#include <fmt/args.h>
#include <fmt/format.h>

#include "voxloom/core/error.h"

namespace voxloom {

std::string format_list(std::string_view pattern, std::span<const FormatArg> args) {
  fmt::dynamic_format_arg_store<fmt::format_context> store;
  store.reserve(args.size(), 0);
  for (const FormatArg& arg : args) {
    std::visit([&store](const auto& value) { store.push_back(value); }, arg.value());
  }
  try {
    return fmt::vformat(fmt::string_view(pattern.data(), pattern.size()), store);
  } catch (const fmt::format_error& e) {
    throw Error(ErrorCode::kInternal,
                "bad format pattern '" + std::string(pattern) + "': " + e.what());
  }
}

std::string FormatArg::join_args(std::span<const FormatArg> args) {
  std::string text = "[";
  for (size_t i = 0; i < args.size(); ++i) {
    if (i > 0) text += ", ";
    text += format_list("{}", args.subspan(i, 1));
  }
  return text + "]";
}

}  // namespace voxloom
