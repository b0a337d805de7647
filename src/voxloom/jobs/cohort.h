#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace voxloom::jobs {

/// One input of a cohort and the name its result gets.
struct CohortInput {
  std::string name;  ///< A plain file name: no separator, no leading dot.
  std::filesystem::path path;
};

/// What is done with every input: a command with {input}, {output} and {name} in its words.
struct CohortCommand {
  std::vector<std::string> words;
  std::filesystem::path output_dir;  ///< Results: output_dir / (name + suffix).
  std::string suffix = ".nii.gz";
  std::filesystem::path folder;  ///< Where the command works.

  /// Throws kInvalidArgument: no words, no {input} or {output}, another placeholder, bad suffix.
  void validate() const;
  [[nodiscard]] std::filesystem::path output(const std::string& name) const;
  [[nodiscard]] nlohmann::ordered_json to_json() const;
  static CohortCommand from_json(const nlohmann::ordered_json& json);
};

/// "scans/ct_01.nii.gz" -> "ct_01"; a folder keeps its whole name.
[[nodiscard]] std::string case_name(const std::filesystem::path& input);

/// Lines "INPUT" or "INPUT <tab> NAME"; empty lines and lines that start with "#" are passed over.
/// Relative inputs start at `folder`. Throws kInvalidArgument naming `where` and the line.
[[nodiscard]] std::vector<CohortInput> parse_input_list(std::string_view text,
                                                        const std::string& where,
                                                        const std::filesystem::path& folder);

/// Checks all at once: every input exists, every name is plain and its own; the same input twice
/// becomes one. Throws kInvalidArgument listing what is wrong.
[[nodiscard]] std::vector<CohortInput> check_inputs(std::vector<CohortInput> inputs);

/// One of `count` equal parts, index from 1.
struct Shard {
  int64_t index = 1, count = 1;
};

/// "2/8", or "slurm": from SLURM_ARRAY_TASK_ID, _MIN, _STEP and _COUNT as `environment` gives them
/// (nullptr: not set). Throws kInvalidArgument.
[[nodiscard]] Shard parse_shard(const std::string& text,
                                const std::function<const char*(const char*)>& environment);

/// The inputs of one shard: dealt in turn in the order of their names, so that shards differ by at
/// most one case and the order of the list does not matter.
[[nodiscard]] std::vector<CohortInput> inputs_of_shard(std::vector<CohortInput> inputs,
                                                       const Shard& shard);

/// A folder within the output folder where a command writes; what is in it moves to the output
/// folder when the command has succeeded, so a result is there whole or not at all.
class CaseOutput {
 public:
  /// Makes the folder, and removes what ended attempts at the same case have left.
  CaseOutput(const CohortCommand& command, std::string name);
  /// Removes the folder with what is in it.
  ~CaseOutput();
  CaseOutput(const CaseOutput&) = delete;
  CaseOutput& operator=(const CaseOutput&) = delete;

  /// The path for {output}: right name and suffix, temporary folder.
  [[nodiscard]] std::filesystem::path temporary() const;

  /// Syncs and moves: side files first, the output last. An output that is there already stays
  /// unless `replace`. A second call does nothing. Throws kNotFound when the command wrote no
  /// output, kUnavailable.
  void publish(bool replace);

 private:
  std::filesystem::path output_, folder_;
  bool published_ = false;
};

}  // namespace voxloom::jobs
