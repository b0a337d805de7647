#include "html.h"

#include <algorithm>

#include "voxloom/core/format.h"

namespace voxloom::app {
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

std::string svg_strip_plot(std::string_view title, std::span<const StripRow> rows) {
  constexpr double kLeft = 110, kPlot = 560, kRow = 34, kTop = 16;
  const double height = kTop + kRow * static_cast<double>(rows.size()) + 30;
  const auto x_of = [&](double value) { return kLeft + kPlot * std::clamp(value, 0.0, 1.0); };
  std::string out = format(
      "<svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {:.0f} {:.0f}\" width=\"{:.0f}\" "
      "font-size=\"12\" fill=\"currentColor\">",
      html_escape(title),
      kLeft + kPlot + 30,
      height,
      kLeft + kPlot + 30);
  for (int tick = 0; tick <= 10; tick += 2) {
    const double x = x_of(tick / 10.0);
    out += format(
        "<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.0f}\" y2=\"{:.0f}\" stroke=\"currentColor\" "
        "stroke-opacity=\".15\"/><text x=\"{:.1f}\" y=\"{:.0f}\" "
        "text-anchor=\"middle\">{:.1f}</text>",
        x,
        x,
        kTop,
        height - 26,
        x,
        height - 8,
        tick / 10.0);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const StripRow& row = rows[i];
    const double y = kTop + kRow * (static_cast<double>(i) + 0.5);
    out += format("<text x=\"{:.0f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
                  kLeft - 12,
                  y + 4,
                  html_escape(row.label));
    for (size_t k = 0; k < row.values.size(); ++k) {
      // A fixed zigzag keeps equal values apart.
      const double shift = static_cast<double>(k % 5) * 2.6 - 5.2;
      out += format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"#0072b2\" fill-opacity=\".45\"/>",
          x_of(row.values[k]),
          y + shift);
    }
    out += format(
        "<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#d55e00\" "
        "stroke-width=\"3\"/><line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" "
        "stroke=\"#d55e00\" stroke-width=\"3\"/>",
        x_of(row.low),
        x_of(row.high),
        y + 11,
        y + 11,
        x_of(row.median),
        x_of(row.median),
        y - 9,
        y + 13);
  }
  return out + "</svg>";
}

}  // namespace voxloom::app
