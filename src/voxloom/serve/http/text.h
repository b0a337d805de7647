#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace voxloom::serve::http {

/// ASCII only: header names, media types and the like are.
[[nodiscard]] bool equals_nocase(std::string_view a, std::string_view b);
[[nodiscard]] std::string to_lower(std::string_view text);
/// Without spaces and tabs at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);
/// "multipart/form-data" of "Multipart/Form-Data; boundary=x".
[[nodiscard]] std::string media_type(std::string_view content_type);
/// A parameter of a header value such as `form-data; name="a"; filename="b"`; quotes taken off.
/// Backslashes stand for themselves (Windows paths come unescaped), but for \" inside quotes.
/// Returns whether it is there.
bool header_parameter(std::string_view value, std::string_view name, std::string& found);
/// The last part of a path with either kind of slash; "" for "." and "..".
[[nodiscard]] std::string base_name(std::string_view path);

}  // namespace voxloom::serve::http
