#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace voxloom {

/// Text made safe for HTML.
[[nodiscard]] std::string html_escape(std::string_view text);

/// <img> with the PNG's bytes inside, so that a report is one file.
[[nodiscard]] std::string html_image(std::span<const std::byte> png, std::string_view alt);

/// A whole page with the reports' style. `body` is HTML.
[[nodiscard]] std::string html_page(std::string_view title, std::string_view body);

}  // namespace voxloom
