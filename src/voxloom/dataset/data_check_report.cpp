#include "voxloom/dataset/data_check_report.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>

#include "voxloom/core/error.h"
#include "voxloom/core/html.h"
#include "voxloom/dataset/picture_file.h"
#include "voxloom/io/raster.h"

namespace voxloom::dataset {
namespace {

using nlohmann::ordered_json;

/// Lines of one kind in the table; the JSON has all.
constexpr size_t kLines = 20;
/// Longest side of a picture in the report.
constexpr int64_t kPictureSide = 420;

std::string pair_text(const DataCheck& check, const NearDuplicate& near) {
  const Sample& a = check.samples[near.a];
  const Sample& b = check.samples[near.b];
  return format(
      "{} ({}) and {} ({}): {} bits{}",
      sample_name(a),
      role_name(a.role),
      sample_name(b),
      role_name(b.role),
      near.distance,
      near.pairs == 1 ? "" : format(", closest of {} pairs of their sequences", near.pairs));
}

std::string more_line(size_t count) {
  return count > kLines ? format("  and {} more\n", count - kLines) : std::string();
}

std::string verdict(const DataCheck& check) {
  if (check.good()) return "nothing wrong was found";
  return format("{} rule violation{}, {} file problem{}",
                check.rules.violations.size(),
                check.rules.violations.size() == 1 ? "" : "s",
                check.problems.size(),
                check.problems.size() == 1 ? "" : "s");
}

ordered_json findings_json(const std::vector<Finding>& findings) {
  auto out = ordered_json::array();
  for (const auto& finding : findings) {
    out.push_back({{"rule", finding.rule},
                   {"found", finding.found},
                   {"samples", finding.samples},
                   {"remedy", finding.remedy}});
  }
  return out;
}

std::string findings_html(const std::vector<Finding>& findings) {
  std::string out = "<ul>\n";
  for (const auto& finding : findings) {
    out += "<li>" + html_escape(finding_text(finding)) + "</li>\n";
  }
  return out + "</ul>\n";
}

/// The picture at the report's size, by leaving pixels out.
std::string picture_html(const Sample& sample) {
  try {
    const GreyPicture picture = read_picture(sample.image);
    const int64_t step =
        (std::max(picture.width, picture.height) + kPictureSide - 1) / kPictureSide;
    io::Raster raster{.width = picture.width / step, .height = picture.height / step};
    for (int64_t y = 0; y < raster.height; ++y) {
      for (int64_t x = 0; x < raster.width; ++x) {
        const auto at = static_cast<size_t>(y * step * picture.width + x * step);
        raster.pixels.push_back(static_cast<std::byte>(std::lround(255.0F * picture.pixels[at])));
      }
    }
    const std::string png = io::encode_png(raster);
    return html_image(std::as_bytes(std::span(png)), sample_name(sample));
  } catch (const Error& error) {
    return "<p>" + html_escape(error.what()) + "</p>";
  }
}

}  // namespace

std::string check_table(const DataCheck& check) {
  std::string out;
  for (const auto& [role, count] : check.roles) {
    std::set<std::string> sequences;
    for (const auto& sample : check.samples) {
      if (sample.role == role) sequences.insert(sequence_key(sample));
    }
    out += format("{:<10} {:>6} samples, {} sequences\n", role_name(role), count, sequences.size());
  }
  for (size_t i = 0; i < std::min(check.problems.size(), kLines); ++i) {
    const auto& problem = check.problems[i];
    out += format("file       {}: {}\n", sample_name(check.samples[problem.sample]), problem.text);
  }
  out += more_line(check.problems.size());
  for (const auto& finding : check.rules.violations) {
    out += format("violation  {}\n", finding_text(finding));
  }
  for (size_t i = 0; i < std::min(check.near_duplicates.size(), kLines); ++i) {
    out += "  near     " + pair_text(check, check.near_duplicates[i]) + "\n";
  }
  out += more_line(check.near_duplicates.size());
  for (const auto& finding : check.rules.notes) {
    out += format("note       {}\n", finding_text(finding));
  }
  return out + verdict(check) + "\n";
}

ordered_json check_json(const DataCheck& check) {
  ordered_json out{{"good", check.good()}, {"roles", ordered_json::object()}};
  for (const auto& [role, count] : check.roles) out["roles"][std::string(role_name(role))] = count;
  out["violations"] = findings_json(check.rules.violations);
  out["notes"] = findings_json(check.rules.notes);
  auto& problems = out["problems"] = ordered_json::array();
  for (const auto& problem : check.problems) {
    problems.push_back(
        {{"sample", sample_name(check.samples[problem.sample])}, {"text", problem.text}});
  }
  auto& near = out["near_duplicates"] = ordered_json::array();
  for (const auto& pair : check.near_duplicates) {
    near.push_back({{"a", sample_name(check.samples[pair.a])},
                    {"role_a", role_name(check.samples[pair.a].role)},
                    {"b", sample_name(check.samples[pair.b])},
                    {"role_b", role_name(check.samples[pair.b].role)},
                    {"distance", pair.distance},
                    {"pairs", pair.pairs}});
  }
  return out;
}

std::string check_html(const DataCheck& check, int64_t pictures) {
  std::string body = format("<h1>Data check</h1>\n<p>{} samples: {}.</p>\n",
                            check.samples.size(),
                            html_escape(verdict(check)));
  body += "<table><tr><th>role</th><th>samples</th></tr>\n";
  for (const auto& [role, count] : check.roles) {
    body += format("<tr><td>{}</td><td>{}</td></tr>\n", role_name(role), count);
  }
  body += "</table>\n";
  if (!check.rules.violations.empty()) {
    body += "<h2>Violations</h2>\n" + findings_html(check.rules.violations);
  }
  if (!check.rules.notes.empty()) body += "<h2>Notes</h2>\n" + findings_html(check.rules.notes);
  if (!check.problems.empty()) {
    body += "<h2>Files</h2>\n<ul>\n";
    for (const auto& problem : check.problems) {
      body += format("<li>{}: {}</li>\n",
                     html_escape(sample_name(check.samples[problem.sample])),
                     html_escape(problem.text));
    }
    body += "</ul>\n";
  }
  const auto shown =
      std::min(check.near_duplicates.size(), static_cast<size_t>(std::max<int64_t>(0, pictures)));
  if (!check.near_duplicates.empty()) {
    body += format(
        "<h2>Near duplicates</h2>\n<p class=\"note\">{} of {} pairs, the closest first. "
        "The hash knows 8 by 8 brightness differences: look whether it is the same "
        "scene.</p>\n",
        shown,
        check.near_duplicates.size());
  }
  for (size_t i = 0; i < shown; ++i) {
    const auto& near = check.near_duplicates[i];
    body += "<figure><div style=\"display:grid;gap:.6rem;grid-template-columns:1fr 1fr\">" +
            picture_html(check.samples[near.a]) + picture_html(check.samples[near.b]) +
            "</div><figcaption>" + html_escape(pair_text(check, near)) + "</figcaption></figure>\n";
  }
  return html_page("Data check", body);
}

}  // namespace voxloom::dataset
