#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace voxloom {

/// One described setting: the flag, the help text, the default and how to read and write it.
/// CLI flags, YAML config files, HTTP JSON, reference pages and run files all come from this.
struct OptionSpec {
  enum class Kind { kFlag, kInteger, kNumber, kText, kTextList };

  std::string name;  ///< "--max-slices", or "IMAGE" for a positional argument.
  std::string help;  ///< One sentence, with unit.
  Kind kind = Kind::kText;
  bool positional = false;
  bool required = false;
  bool speed_only = false;  ///< Does not change the result.
  std::string value_name;   ///< Shown in help: "LO,HI|PRESET".
  std::vector<std::string> choices;
  std::optional<std::array<double, 2>> range;
  std::string default_text;  ///< The in-class default as text, empty for none.
  std::function<void(const std::vector<std::string>&)> set;  ///< Throws kInvalidArgument.
  std::function<std::string()> get;                          ///< The present value as text.

  OptionSpec& with_range(double lo, double hi);
  OptionSpec& with_choices(std::vector<std::string> list);
  OptionSpec& with_value_name(std::string text);
  OptionSpec& as_required();
  OptionSpec& as_speed_only();

  /// "max_slices": the key in YAML and JSON.
  [[nodiscard]] std::string key() const;
};

/// Collects the settings of a struct: every options struct has `void visit(OptionList&)`.
///
///     void Args::visit(OptionList& list) {
///       list.positional("IMAGE", image, "Volume to read.").as_required();
///       list.option("--max-slices", max_slices, "Slices per direction, 0: all.").with_range(0,
///       1e6);
///     }
///
/// The references that option(), choice() and find() give stay valid while the list lives.
class OptionList {
 public:
  OptionSpec& option(std::string name, bool& field, std::string help);
  OptionSpec& option(std::string name, int64_t& field, std::string help);
  OptionSpec& option(std::string name, double& field, std::string help);
  OptionSpec& option(std::string name, std::string& field, std::string help);
  OptionSpec& option(std::string name, std::vector<std::string>& field, std::string help);
  OptionSpec& positional(std::string name, std::string& field, std::string help);
  OptionSpec& positional(std::string name, std::vector<std::string>& field, std::string help);

  /// An enum shown as one of `names`, in the order of the enum's values from 0.
  template <class Enum>
  OptionSpec& choice(std::string name,  // NOLINT(performance-unnecessary-value-param): is moved
                     Enum& field,
                     std::vector<std::string> names,  // NOLINT(performance-unnecessary-value-param)
                     std::string help) {              // NOLINT(performance-unnecessary-value-param)
    return add_choice(
        std::move(name),
        [&field] { return static_cast<size_t>(field); },
        [&field](size_t index) { field = static_cast<Enum>(index); },
        std::move(names),
        std::move(help));
  }

  /// A setting with its own text form.
  OptionSpec& custom(std::string name,
                     std::function<void(const std::string&)> set,
                     std::function<std::string()> get,
                     std::string help);

  [[nodiscard]] const std::deque<OptionSpec>& specs() const { return specs_; }
  [[nodiscard]] OptionSpec* find(std::string_view name_or_key);

  /// Sets every key of a JSON or YAML-born object. Throws kInvalidArgument listing unknown keys.
  void read_json(const nlohmann::ordered_json& object, std::string_view where);
  /// All present values, typed, in order.
  [[nodiscard]] nlohmann::ordered_json to_json() const;

 private:
  OptionSpec& add(OptionSpec spec);
  OptionSpec& add_choice(std::string name,
                         std::function<size_t()> get,
                         std::function<void(size_t)> set,
                         std::vector<std::string> names,
                         std::string help);
  std::deque<OptionSpec> specs_;  ///< References to its items last.
};

}  // namespace voxloom
