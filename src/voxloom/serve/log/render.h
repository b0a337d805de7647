#pragma once

#include <string>
#include <string_view>

namespace voxloom::serve {

/// A record's JSON line as a line for people, without its end:
///     2026-01-31T12:00:00.123Z info  request   answered  status=200 request=12 client=c-...
/// Escape sequences colour it where `colour`. The line may come from anyone: control characters
/// are replaced, and what is no record is shown as it is.
[[nodiscard]] std::string render_record(std::string_view json_line, bool colour);

}  // namespace voxloom::serve
