#include "voxloom/dataset/manifest.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <unordered_set>
#include <utility>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/core/sha256.h"
#include "voxloom/dataset/class_map_json.h"

namespace voxloom::dataset {
namespace {

using nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr int64_t kVersion = 1;
constexpr size_t kMaxDepth = 4;

ordered_json parse_line(std::string_view line) {
  VOXLOOM_CHECK(line.size() <= kMaxManifestLine,
                ErrorCode::kUnsupported,
                "a line must have at most {} bytes, got {}",
                kMaxManifestLine,
                line.size());
  JsonReading read = read_json(line, {.max_bytes = kMaxManifestLine, .max_depth = kMaxDepth});
  VOXLOOM_CHECK(read.error.empty(), ErrorCode::kDataCorrupt, "{}", read.error);
  VOXLOOM_CHECK(read.value.is_object(),
                ErrorCode::kDataCorrupt,
                "must be a JSON object, got {}",
                read.value.type_name());
  return std::move(read.value);
}

/// Fields of one line; unknown ones are an error, so that a misspelt name is not lost in silence.
class Fields {
 public:
  explicit Fields(ordered_json object) : object_(std::move(object)) {}

  std::string text(const char* name, bool required) {
    const ordered_json value = take(name, required);
    if (value.is_null() && !required) return {};
    VOXLOOM_CHECK(value.is_string(),
                  ErrorCode::kDataCorrupt,
                  "'{}': must be text, got {}",
                  name,
                  value.type_name());
    return value.get<std::string>();
  }
  int64_t whole(const char* name) {
    const ordered_json value = take(name, true);
    // Above int64's range the library stores unsigned.
    VOXLOOM_CHECK(
        value.is_number_integer() &&
            (!value.is_number_unsigned() ||
             value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())),
        ErrorCode::kDataCorrupt,
        "'{}': must be a whole number, got {}",
        name,
        value.type_name());
    return value.get<int64_t>();
  }
  double number(const char* name, double otherwise) {
    const ordered_json value = take(name, false);
    if (value.is_null()) return otherwise;
    VOXLOOM_CHECK(value.is_number(),
                  ErrorCode::kDataCorrupt,
                  "'{}': must be a number, got {}",
                  name,
                  value.type_name());
    return value.get<double>();
  }
  bool flag(const char* name) {
    const ordered_json value = take(name, false);
    if (value.is_null()) return false;
    VOXLOOM_CHECK(value.is_boolean(),
                  ErrorCode::kDataCorrupt,
                  "'{}': must be true or false, got {}",
                  name,
                  value.type_name());
    return value.get<bool>();
  }
  ordered_json take(const char* name, bool required) {
    const auto found = object_.find(name);
    if (found == object_.end()) {
      VOXLOOM_CHECK(!required, ErrorCode::kDataCorrupt, "'{}': must be there", name);
      return nullptr;
    }
    ordered_json value = std::move(*found);
    object_.erase(found);
    return value;
  }
  void end() const {
    VOXLOOM_CHECK(object_.empty(),
                  ErrorCode::kDataCorrupt,
                  "must hold known fields only, got '{}'",
                  object_.begin().key());
  }

 private:
  ordered_json object_;
};

std::string checked_digest(std::string digest, const char* name) {
  const bool hex = std::ranges::all_of(
      digest, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  VOXLOOM_CHECK((digest.empty() || digest.size() == 64) && hex,
                ErrorCode::kDataCorrupt,
                "'{}': must be 64 hexadecimal digits, got '{}'",
                name,
                digest);
  return digest;
}

fs::path resolved(const std::string& text, const fs::path& folder, const char* name) {
  VOXLOOM_CHECK(text.find('\0') == std::string::npos,
                ErrorCode::kDataCorrupt,
                "'{}': a path must not hold a zero byte",
                name);
  return (folder / fs::path(text)).lexically_normal();
}

Sample parse_sample(std::string_view line, const fs::path& folder) {
  Fields fields(parse_line(line));
  Sample out;
  out.id = fields.text("id", true);
  out.dataset = fields.text("dataset", true);
  out.subset = fields.text("subset", false);
  out.sequence = fields.text("sequence", true);
  out.frame = fields.whole("frame");
  const std::string image = fields.text("image", true);
  const std::string mask = fields.text("mask", false);
  VOXLOOM_CHECK(!out.id.empty() && !image.empty(),
                ErrorCode::kDataCorrupt,
                "'id' and 'image' must not be empty");
  out.image = resolved(image, folder, "image");
  if (!mask.empty()) out.mask = resolved(mask, folder, "mask");
  out.sha256_image = checked_digest(fields.text("sha256_image", true), "sha256_image");
  out.sha256_mask = checked_digest(fields.text("sha256_mask", false), "sha256_mask");
  out.sha256_background =
      checked_digest(fields.text("sha256_background", false), "sha256_background");
  out.role = role_from_name(fields.text("role", true));
  out.pixel_mm = fields.number("pixel_mm", 0.0);
  VOXLOOM_CHECK(std::isfinite(out.pixel_mm) && out.pixel_mm >= 0.0,
                ErrorCode::kDataCorrupt,
                "'pixel_mm': must be 0 or positive, got {}",
                out.pixel_mm);
  out.bright_object = fields.flag("bright_object");
  out.dose_ngy = fields.number("dose_ngy", 0.0);
  VOXLOOM_CHECK(std::isfinite(out.dose_ngy) && out.dose_ngy >= 0.0,
                ErrorCode::kDataCorrupt,
                "'dose_ngy': must be 0 or positive, got {}",
                out.dose_ngy);
  const std::string curves = fields.text("curves", false);
  if (!curves.empty()) out.curves = resolved(curves, folder, "curves");
  const ordered_json classes = fields.take("classes", !mask.empty());
  VOXLOOM_CHECK(!mask.empty() || (classes.is_null() && out.sha256_mask.empty()),
                ErrorCode::kDataCorrupt,
                "'classes' and 'sha256_mask' must come with a 'mask'");
  out.classes = classes.is_null() ? empty_class_map() : class_map_from_json(classes);
  fields.end();
  return out;
}

fs::path full_path(const fs::path& path) {
  std::error_code failed;
  fs::path full = fs::absolute(path.empty() ? fs::path(".") : path, failed);
  if (!failed) full = fs::weakly_canonical(full, failed);
  VOXLOOM_CHECK(!failed,
                ErrorCode::kUnavailable,
                "'{}': cannot be found: {}",
                path.string(),
                failed.message());
  return full;
}

/// `path` as seen from `base`, which is canonical.
std::string relative_to(const fs::path& path, const fs::path& base) {
  const fs::path file = full_path(path);
  const fs::path relative = file.lexically_relative(base);
  return (relative.empty() ? file : relative).generic_string();
}

std::string format_sample(const Sample& sample, const fs::path& base) {
  ordered_json json;
  json["id"] = sample.id;
  json["dataset"] = sample.dataset;
  json["subset"] = sample.subset;
  json["sequence"] = sample.sequence;
  json["frame"] = sample.frame;
  json["image"] = relative_to(sample.image, base);
  if (!sample.mask.empty()) json["mask"] = relative_to(sample.mask, base);
  json["sha256_image"] = sample.sha256_image;
  if (!sample.mask.empty()) json["sha256_mask"] = sample.sha256_mask;
  if (!sample.sha256_background.empty()) json["sha256_background"] = sample.sha256_background;
  json["role"] = role_name(sample.role);
  json["pixel_mm"] = sample.pixel_mm;
  json["bright_object"] = sample.bright_object;
  if (sample.dose_ngy > 0.0) json["dose_ngy"] = sample.dose_ngy;
  if (!sample.curves.empty()) json["curves"] = relative_to(sample.curves, base);
  if (!sample.mask.empty()) json["classes"] = class_map_to_json(sample.classes);
  try {
    return json.dump() + "\n";
  } catch (const ordered_json::exception&) {
    throw Error(ErrorCode::kInvalidArgument,
                format("manifest: names must be valid UTF-8, got those of sample '{}'", sample.id));
  }
}

/// Cuts the first line off `text`, without its end.
std::string_view next_line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return line;
}

}  // namespace

Manifest parse_manifest(std::string_view text, const fs::path& folder, const std::string& where) {
  Manifest out;
  size_t number = 1;
  try {
    Fields header(parse_line(next_line(text)));
    const int64_t version = header.whole("voxloom_manifest");
    VOXLOOM_CHECK(version == kVersion,
                  ErrorCode::kUnsupported,
                  "the version must be {}, got {}",
                  kVersion,
                  version);
    const int64_t count = header.whole("samples");
    out.fingerprint = checked_digest(header.text("fingerprint", true), "fingerprint");
    header.end();
    VOXLOOM_CHECK(count >= 0 && static_cast<uint64_t>(count) <= kMaxManifestSamples,
                  ErrorCode::kUnsupported,
                  "'samples': must be within [0, {}], got {}",
                  kMaxManifestSamples,
                  count);
    VOXLOOM_CHECK(sha256_hex(text) == out.fingerprint,
                  ErrorCode::kDataCorrupt,
                  "the fingerprint must be that of the lines below it; the file was cut off or "
                  "changed after it was written");
    std::unordered_set<std::string> ids;
    while (!text.empty()) {
      ++number;
      out.samples.push_back(parse_sample(next_line(text), folder));
      VOXLOOM_CHECK(ids.insert(out.samples.back().id).second,
                    ErrorCode::kDataCorrupt,
                    "'id': must be unique, got '{}' again",
                    out.samples.back().id);
      VOXLOOM_CHECK(out.samples.size() <= static_cast<size_t>(count),
                    ErrorCode::kDataCorrupt,
                    "must hold {} samples, got more",
                    count);
    }
    VOXLOOM_CHECK(out.samples.size() == static_cast<size_t>(count),
                  ErrorCode::kDataCorrupt,
                  "must hold {} samples, got {}",
                  count,
                  out.samples.size());
  } catch (const Error& error) {
    throw error.with_context(format("manifest '{}' line {}", where, number));
  }
  return out;
}

Manifest read_manifest(const fs::path& path) {
  const std::string text = read_text_file(path, kMaxManifestBytes);
  return parse_manifest(text, path.parent_path(), path.string());
}

std::string format_manifest(const std::vector<Sample>& samples, const fs::path& folder) {
  std::unordered_set<std::string_view> ids;
  const fs::path base = full_path(folder);
  std::string lines;
  for (const auto& sample : samples) {
    VOXLOOM_CHECK(!sample.id.empty() && ids.insert(sample.id).second,
                  ErrorCode::kInvalidArgument,
                  "manifest: ids must be unique and not empty, got '{}'",
                  sample.id);
    lines += format_sample(sample, base);
  }
  ordered_json header;
  header["voxloom_manifest"] = kVersion;
  header["samples"] = samples.size();
  header["fingerprint"] = sha256_hex(lines);
  return header.dump() + "\n" + lines;
}

void write_manifest(const std::vector<Sample>& samples, const fs::path& path, Overwrite overwrite) {
  const std::string text = format_manifest(samples, path.parent_path());
  AtomicFile file(path, overwrite);
  file.write(text);
  file.commit();
}

std::vector<Sample> with_role(const std::vector<Sample>& samples, Role role) {
  std::vector<Sample> out;
  std::ranges::copy_if(
      samples, std::back_inserter(out), [role](const Sample& s) { return s.role == role; });
  return out;
}

}  // namespace voxloom::dataset
