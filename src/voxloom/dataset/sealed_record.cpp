// Sealed records as text: what is read may come with data from anywhere, so it is limited.
#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "voxloom/core/json_text.h"
#include "voxloom/dataset/sealed.h"

namespace voxloom::dataset {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kVersion = 1;

std::vector<std::string> texts(const ordered_json& json, const char* name, bool digests) {
  std::vector<std::string> out;
  const auto found = json.find(name);
  if (found == json.end()) return out;
  VOXLOOM_CHECK(found->is_array() && found->size() <= kMaxSealedEntries,
                ErrorCode::kDataCorrupt,
                "'{}': must be a list of at most {} texts, got {}",
                name,
                kMaxSealedEntries,
                found->type_name());
  for (const auto& item : *found) {
    VOXLOOM_CHECK(item.is_string(),
                  ErrorCode::kDataCorrupt,
                  "'{}': must hold texts, got {}",
                  name,
                  item.type_name());
    auto text = item.get<std::string>();
    const bool hex = text.size() == 64 && std::ranges::all_of(text, [](char c) {
                       return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                     });
    VOXLOOM_CHECK(digests ? hex : !text.empty() && text.find('\0') == std::string::npos,
                  ErrorCode::kDataCorrupt,
                  "'{}': must hold {}, got '{}'",
                  name,
                  digests ? "64 hexadecimal digits" : "paths",
                  text);
    out.push_back(std::move(text));
  }
  std::ranges::sort(out);
  return out;
}

SealedRecord parse(std::string_view text, const std::filesystem::path& root) {
  SealedRecord out{.root = root, .folders = {}, .files = {}, .sha256 = {}};
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos && !root.empty()) {
    out.folders.emplace_back(".");
    return out;
  }
  const JsonReading read = read_json(text, {.max_bytes = kMaxSealedBytes, .max_depth = 3});
  VOXLOOM_CHECK(read.error.empty(), ErrorCode::kDataCorrupt, "{}", read.error);
  const auto& json = read.value;
  VOXLOOM_CHECK(json.is_object() && json.contains("voxloom_sealed"),
                ErrorCode::kDataCorrupt,
                "must be a JSON object with 'voxloom_sealed', or empty to seal the whole folder");
  const auto& version = json["voxloom_sealed"];
  VOXLOOM_CHECK(version.is_number_integer() && version == kVersion,
                ErrorCode::kUnsupported,
                "the version must be {}, got {}",
                kVersion,
                version.is_number_integer() ? version.dump() : version.type_name());
  if (root.empty()) {
    const auto found = json.find("root");
    VOXLOOM_CHECK(found != json.end() && found->is_string() &&
                      found->get<std::string>().find('\0') == std::string::npos &&
                      std::filesystem::path(found->get<std::string>()).is_absolute(),
                  ErrorCode::kDataCorrupt,
                  "'root': must be an absolute path");
    out.root = found->get<std::string>();
  }
  out.folders = texts(json, "folders", false);
  out.files = texts(json, "files", false);
  out.sha256 = texts(json, "sha256", true);
  return out;
}

}  // namespace

SealedRecord parse_sealed_record(std::string_view text,
                                 const std::filesystem::path& root,
                                 const std::string& where) {
  try {
    return parse(text, root);
  } catch (const Error& error) {
    throw error.with_context(format("sealed record '{}'", where));
  }
}

std::string format_sealed_record(const SealedRecord& record, RootEntry root) {
  ordered_json json{{"voxloom_sealed", kVersion}};
  if (root == RootEntry::kWith) json["root"] = record.root.generic_string();
  json["folders"] = record.folders;
  json["files"] = record.files;
  json["sha256"] = record.sha256;
  try {
    return json.dump(1) + "\n";
  } catch (const ordered_json::exception&) {
    throw Error(ErrorCode::kInvalidArgument, "sealed record: paths must be valid UTF-8");
  }
}

}  // namespace voxloom::dataset
