#include "voxloom/core/html.h"

#include <algorithm>

namespace voxloom {
namespace {

std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<uint32_t>(bytes[i + k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += k <= count ? kLetters[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

}  // namespace

std::string html_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html_image(std::span<const std::byte> png, std::string_view alt) {
  return "<img alt=\"" + html_escape(alt) + "\" src=\"data:image/png;base64," + base64(png) + "\">";
}

std::string html_page(std::string_view title, std::string_view body) {
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width\">\n<title>" +
         html_escape(title) +
         "</title>\n<style>\n"
         "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;"
         "color:#1b1f24;background:#fff}\n"
         "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}\n"
         "table{border-collapse:collapse;margin:.5rem 0}\n"
         "th,td{padding:.25rem .8rem;border-bottom:1px solid #d8dee4;text-align:right}\n"
         "th:first-child,td:first-child{text-align:left}\n"
         "img{max-width:100%;border-radius:4px}figure{margin:1rem 0}figcaption{color:#57606a}\n"
         ".note{color:#57606a}\n"
         "@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}"
         "th,td{border-color:#30363d}.note,figcaption{color:#9aa4af}}\n"
         "</style></head><body>\n" +
         std::string(body) + "</body></html>\n";
}

}  // namespace voxloom
