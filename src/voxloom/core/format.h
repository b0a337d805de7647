#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace voxloom {

/// One argument of format(): a number, a flag or text.
///
/// The formatting library stays out of headers because libtorch ships another version of the
/// same one in its include folder (a source that sees both does not compile).
class FormatArg {
 public:
  FormatArg(bool value) : value_(value) {}                                  // NOLINT(*-explicit-*)
  FormatArg(double value) : value_(value) {}                                // NOLINT(*-explicit-*)
  FormatArg(std::string_view value) : value_(value) {}                      // NOLINT(*-explicit-*)
  FormatArg(const std::string& value) : value_(std::string_view(value)) {}  // NOLINT(*-explicit-*)
  FormatArg(const char* value) : value_(std::string_view(value)) {}         // NOLINT(*-explicit-*)
  FormatArg(char value) : value_(std::string(1, value)) {}                  // NOLINT(*-explicit-*)
  template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char>)
      FormatArg(T value) {  // NOLINT(*-explicit-*)
    if constexpr (std::is_signed_v<T>) {
      value_ = static_cast<int64_t>(value);
    } else {
      value_ = static_cast<uint64_t>(value);
    }
  }
  /// Sequences of numbers print as "[1, 2, 3]".
  template <class T>
  requires(std::is_arithmetic_v<typename T::value_type> &&
           !std::is_same_v<typename T::value_type, char>) FormatArg(const T& values)
      : value_(join(values)) {}  // NOLINT(*-explicit-*)

  using Value = std::variant<bool, int64_t, uint64_t, double, std::string_view, std::string>;
  [[nodiscard]] const Value& value() const { return value_; }

 private:
  template <class T>
  static std::string join(const T& values) {
    std::vector<FormatArg> args;
    for (const auto& v : values) args.emplace_back(v);
    return join_args(args);
  }
  static std::string join_args(std::span<const FormatArg> args);

  Value value_;
};

/// Replaces each `{}` (or `{:.2f}` and so on, as in std::format) by the next argument.
/// Throws Error(kInternal) for a pattern that does not fit its arguments.
std::string format_list(std::string_view pattern, std::span<const FormatArg> args);

template <class... Args>
[[nodiscard]] std::string format(std::string_view pattern, const Args&... args) {
  if constexpr (sizeof...(Args) == 0) {
    return format_list(pattern, {});
  } else {
    const FormatArg list[] = {FormatArg(args)...};
    return format_list(pattern, list);
  }
}

}  // namespace voxloom
