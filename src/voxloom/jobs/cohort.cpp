#include "voxloom/jobs/cohort.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "voxloom/core/error.h"
#include "voxloom/io/path_suffix.h"
#include "voxloom/jobs/command_line.h"

namespace voxloom::jobs {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxNameBytes = 180;
constexpr size_t kListedProblems = 20;

/// Empty when `name` can be a file name of its own; else what it must be.
std::string name_problem(const std::string& name) {
  if (name.empty() || name.size() > kMaxNameBytes) {
    return format("must have 1 to {} bytes", kMaxNameBytes);
  }
  if (name[0] == '.' || name[0] == '-') return "must not start with '.' or '-'";
  const bool plain = std::all_of(
      name.begin(), name.end(), [](unsigned char c) { return c >= 32 && c != 127 && c != '/'; });
  return plain ? "" : "must have no '/' and no control characters";
}

int64_t whole_number(std::string_view what, std::string_view text) {
  int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  VOXLOOM_CHECK(result.ec == std::errc{} && result.ptr == text.data() + text.size(),
                ErrorCode::kInvalidArgument,
                "{}: must be a whole number, got '{}'",
                what,
                text);
  return value;
}

Shard slurm_shard(const std::function<const char*(const char*)>& environment) {
  const auto number = [&](const char* name, const char* otherwise) {
    const char* text = environment(name);
    if (text == nullptr) text = otherwise;
    VOXLOOM_CHECK(text != nullptr,
                  ErrorCode::kInvalidArgument,
                  "--shard slurm: needs {} in the environment; submit with sbatch --array",
                  name);
    return whole_number(name, text);
  };
  const int64_t id = number("SLURM_ARRAY_TASK_ID", nullptr);
  const int64_t count = number("SLURM_ARRAY_TASK_COUNT", nullptr);
  const int64_t first = number("SLURM_ARRAY_TASK_MIN", "0");
  const int64_t step = std::max<int64_t>(1, number("SLURM_ARRAY_TASK_STEP", "1"));
  return {.index = (id - first) / step + 1, .count = count};
}

}  // namespace

void CohortCommand::validate() const {
  VOXLOOM_CHECK(!words.empty(), ErrorCode::kInvalidArgument, "command: must not be empty");
  // Putting values in finds placeholders that do not exist.
  static_cast<void>(substitute(words, {{"input", ""}, {"output", ""}, {"name", ""}}));
  for (const char* needed : {"{input}", "{output}"}) {
    const bool found = std::any_of(words.begin(), words.end(), [&](const auto& word) {
      return word.find(needed) != std::string::npos;
    });
    VOXLOOM_CHECK(found, ErrorCode::kInvalidArgument, "command: must hold {}, got none", needed);
  }
  const bool plain = suffix.size() <= 20 && suffix.find('/') == std::string::npos &&
                     (suffix.empty() || suffix[0] == '.');
  VOXLOOM_CHECK(plain,
                ErrorCode::kInvalidArgument,
                "--suffix: must be like '.nii.gz', or empty, got '{}'",
                suffix);
}

fs::path CohortCommand::output(const std::string& name) const {
  return output_dir / (name + suffix);
}

nlohmann::ordered_json CohortCommand::to_json() const {
  return {{"command", words},
          {"output_dir", output_dir.string()},
          {"suffix", suffix},
          {"folder", folder.string()}};
}

CohortCommand CohortCommand::from_json(const nlohmann::ordered_json& json) {
  try {
    return {.words = json.at("command").get<std::vector<std::string>>(),
            .output_dir = json.at("output_dir").get<std::string>(),
            .suffix = json.at("suffix").get<std::string>(),
            .folder = json.at("folder").get<std::string>()};
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::kDataCorrupt,
                "queue: its settings must hold command, output_dir, suffix and folder");
  }
}

std::string case_name(const fs::path& input) {
  const fs::path clean = input.has_filename() ? input : input.parent_path();
  std::string name = clean.filename().string();
  std::error_code ignored;
  if (fs::is_directory(clean, ignored)) return name;
  if (io::has_suffix(clean, ".gz")) name = name.substr(0, name.size() - 3);
  const size_t dot = name.rfind('.');
  return dot == std::string::npos || dot == 0 ? name : name.substr(0, dot);
}

std::vector<CohortInput> parse_input_list(std::string_view text,
                                          const std::string& where,
                                          const fs::path& folder) {
  std::vector<CohortInput> inputs;
  for (int64_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || line[0] == '#') continue;
    const size_t tab = line.find('\t');
    const std::string path(line.substr(0, tab));
    const std::string name(tab == std::string_view::npos ? "" : line.substr(tab + 1));
    VOXLOOM_CHECK(!path.empty() && path.find('\0') == std::string::npos &&
                      name.find('\t') == std::string::npos,
                  ErrorCode::kInvalidArgument,
                  "{}: line {} must be INPUT or INPUT<tab>NAME",
                  where,
                  number);
    const fs::path full = (folder / path).lexically_normal();
    inputs.push_back({tab == std::string_view::npos ? case_name(full) : name, full});
  }
  return inputs;
}

std::vector<CohortInput> check_inputs(std::vector<CohortInput> inputs) {
  std::map<std::string, fs::path> paths;
  std::vector<CohortInput> checked;
  std::vector<std::string> problems;
  for (auto& input : inputs) {
    std::error_code ignored;
    const std::string problem = name_problem(input.name);
    if (!problem.empty()) {
      problems.push_back(format("name '{}' of '{}' {}", input.name, input.path.string(), problem));
      continue;
    }
    if (!fs::exists(input.path, ignored)) {
      problems.push_back(format("'{}' does not exist", input.path.string()));
      continue;
    }
    const auto [entry, fresh] = paths.emplace(input.name, input.path);
    if (fresh) {
      checked.push_back(std::move(input));
    } else if (entry->second != input.path) {
      problems.push_back(format("'{}' and '{}' would both be named '{}'; name them in a list",
                                entry->second.string(),
                                input.path.string(),
                                input.name));
    }
  }
  std::string text;
  for (size_t i = 0; i < std::min(problems.size(), kListedProblems); ++i) {
    text += "\n  " + problems[i];
  }
  VOXLOOM_CHECK(problems.empty(),
                ErrorCode::kInvalidArgument,
                "inputs: {} of them cannot be taken:{}{}",
                problems.size(),
                text,
                problems.size() > kListedProblems ? "\n  ..." : "");
  return checked;
}

Shard parse_shard(const std::string& text,
                  const std::function<const char*(const char*)>& environment) {
  Shard shard;
  if (text == "slurm") {
    shard = slurm_shard(environment);
  } else {
    const size_t slash = text.find('/');
    VOXLOOM_CHECK(slash != std::string::npos,
                  ErrorCode::kInvalidArgument,
                  "--shard: must be I/N or slurm, got '{}'",
                  text);
    shard.index = whole_number("--shard", std::string_view(text).substr(0, slash));
    shard.count = whole_number("--shard", std::string_view(text).substr(slash + 1));
  }
  VOXLOOM_CHECK(shard.count >= 1 && shard.index >= 1 && shard.index <= shard.count,
                ErrorCode::kInvalidArgument,
                "--shard: counts from 1 to N, got {}/{}",
                shard.index,
                shard.count);
  return shard;
}

std::vector<CohortInput> inputs_of_shard(std::vector<CohortInput> inputs, const Shard& shard) {
  std::sort(
      inputs.begin(), inputs.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  std::vector<CohortInput> mine;
  const auto count = static_cast<size_t>(shard.count);
  for (size_t i = static_cast<size_t>(shard.index) - 1; i < inputs.size(); i += count) {
    mine.push_back(std::move(inputs[i]));
  }
  return mine;
}

}  // namespace voxloom::jobs
