#include "cli.h"

#include <algorithm>
#include <fstream>
#include <iostream>

#include <CLI/CLI.hpp>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/core/parallel.h"
#include "voxloom/core/yaml_text.h"
#include "voxloom/infer/ml_library.h"

#include "command.h"
#include "help.h"
#include "terminal_progress.h"

namespace voxloom::app {
namespace {

using nlohmann::ordered_json;

constexpr int kWrongUsage = 2;

CancelToken& stop_token() {
  static CancelToken token;
  return token;
}

// The first Ctrl-C or SIGTERM asks the work to stop at the next slice; the second ends the process.
void on_interrupt(int) {
  stop_token().cancel();
  ::signal(SIGINT, SIG_DFL);
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t up = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1] ? 1 : 0)});
      diagonal = up;
    }
  }
  return row[b.size()];
}

int unknown_command(const std::string& given) {
  std::cerr << "voxloom: unknown command '" << given << "'";
  const Command* best = nullptr;
  size_t best_distance = 4;
  for (const auto& command : commands()) {
    const size_t distance = edit_distance(given, command.name);
    if (distance < best_distance) {
      best = &command;
      best_distance = distance;
    }
  }
  if (best != nullptr) std::cerr << "; did you mean '" << best->name << "'?";
  std::cerr << "\n'voxloom --help' lists the commands\n";
  return kWrongUsage;
}

/// The verbs of a group such as "model", for `voxloom model`.
std::string group_overview(const std::string& group) {
  std::string text;
  for (const auto& command : commands()) {
    if (command.name.rfind(group + " ", 0) == 0) {
      text += "  voxloom " + command.name +
              std::string(24 - std::min<size_t>(23, command.name.size()), ' ') + command.summary +
              "\n";
    }
  }
  return text;
}

void apply_config(const std::string& path, OptionList& list) {
  const YamlLimits limits;
  const std::string where = format("config '{}'", path);
  list.read_json(
      parse_yaml(read_text_file(path, limits.max_bytes), where, limits, YamlScalars::kText), where);
}

void apply_environment(OptionList& list) {
  for (const auto& spec : list.specs()) {
    if (spec.positional) continue;
    std::string name = "VOXLOOM_" + spec.key();
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
      return static_cast<char>(std::toupper(c));
    });
    const char* value = ::getenv(name.c_str());
    if (value == nullptr) continue;
    try {
      spec.set({value});
    } catch (const Error& e) {
      throw e.with_context("environment variable " + name);
    }
  }
}

/// Gives CLI11 every option of `list`; values are collected as text and set afterwards, because
/// the order is defaults < config < environment < flags.
class Parser {
 public:
  explicit Parser(OptionList& list) : list_(list), cli_("voxloom") {
    cli_.set_help_flag();
    cli_.allow_extras(false);
    values_.resize(list.specs().size());
    for (size_t i = 0; i < list.specs().size(); ++i) add(list.specs()[i], values_[i]);
  }

  /// Throws CLI::ParseError.
  void parse(std::vector<std::string> args) {
    std::reverse(args.begin(), args.end());  // CLI11 takes them from the back
    cli_.parse(args);
    std::vector<size_t> used(options_.size(), 0);
    for (const CLI::Option* option : cli_.parse_order()) {
      const auto found = std::find(options_.begin(), options_.end(), option);
      if (found == options_.end()) continue;
      const auto index = static_cast<size_t>(found - options_.begin());
      const auto& results = option->results();
      if (used[index] < results.size()) {
        given_.push_back({list_.specs()[index].name, results[used[index]++]});
      }
    }
  }

  /// The values of the flags given; call after config and environment.
  void apply() {
    for (size_t i = 0; i < options_.size(); ++i) {
      if (options_[i]->count() == 0) continue;
      const auto& spec = list_.specs()[i];
      if (spec.kind == OptionSpec::Kind::kFlag) {
        spec.set({options_[i]->results().back()});
      } else {
        spec.set(values_[i]);
      }
    }
  }

  [[nodiscard]] const std::vector<GivenOption>& given() const { return given_; }

  /// The value of one text option before anything is applied ("--config").
  [[nodiscard]] std::string text(std::string_view name) const {
    for (size_t i = 0; i < options_.size(); ++i) {
      if (list_.specs()[i].name == name && !values_[i].empty()) return values_[i].back();
    }
    return {};
  }

 private:
  void add(const OptionSpec& spec, std::vector<std::string>& values) {
    CLI::Option* option = nullptr;
    if (spec.kind == OptionSpec::Kind::kFlag) {
      // A setting that is on can be turned off: "--no-fill-holes".
      const bool on = spec.default_text == "true";
      option =
          cli_.add_flag(on ? spec.name + ",!--no-" + spec.name.substr(2) : spec.name, spec.help);
    } else {
      std::string names = spec.name;
      if (spec.name == "--output") names += ",-o";
      option = cli_.add_option(names, values, spec.help);
      const bool list = spec.kind == OptionSpec::Kind::kTextList;
      option->type_size(1);
      option->allow_extra_args(spec.positional && list);
      option->expected(1, list ? CLI::detail::expected_max_vector_size : 1);
      if (!list) option->multi_option_policy(CLI::MultiOptionPolicy::Throw);
    }
    if (spec.required) option->required();
    options_.push_back(option);
  }

  OptionList& list_;
  CLI::App cli_;
  std::vector<std::vector<std::string>> values_;
  std::vector<CLI::Option*> options_;
  std::vector<GivenOption> given_;
};

const Command* find_command(const std::vector<std::string>& args, size_t& words) {
  const Command* found = nullptr;
  for (const auto& command : commands()) {
    const size_t count =
        1 + static_cast<size_t>(std::count(command.name.begin(), command.name.end(), ' '));
    if (args.size() < count) continue;
    std::string start = args[0];
    for (size_t i = 1; i < count; ++i) start += " " + args[i];
    if (start == command.name && (found == nullptr || count > words)) {
      found = &command;
      words = count;
    }
  }
  return found;
}

int run_command(const Command& command, const std::vector<std::string>& args) {
  const std::string prefix = "voxloom " + command.name + ": ";
  // Behind "--" is the command line of another program.
  const auto own_end = std::find(args.begin(), args.end(), "--");
  if (std::find(args.begin(), own_end, "--help") != own_end ||
      std::find(args.begin(), own_end, "-h") != own_end) {
    std::cout << help_text(command);
    return 0;
  }
  Context context;
  OptionList list;
  const auto invocation = command.make();
  invocation->visit(list);
  context.common.visit(list);
  try {
    Parser parser(list);
    parser.parse(args);
    const std::string config = parser.text("--config");
    if (!config.empty()) apply_config(config, list);
    apply_environment(list);
    parser.apply();
    context.given = parser.given();
    VOXLOOM_CHECK(!(context.common.quiet && context.common.verbose),
                  ErrorCode::kInvalidArgument,
                  "--quiet and --verbose: give one of them");
    set_thread_budget(static_cast<int>(context.common.threads));
    if (context.common.print_config) {
      std::cout << to_yaml(list.to_json());
      return 0;
    }
    invocation->prepare(context);
  } catch (const CLI::ParseError& e) {
    std::cerr << prefix << e.what() << "\n'voxloom " << command.name << " --help' shows its use\n";
    return kWrongUsage;
  } catch (const Error& e) {
    std::cerr << prefix << e.what() << "\n";
    return kWrongUsage;
  }

  set_log_level(context.common.quiet     ? LogLevel::kError
                : context.common.verbose ? LogLevel::kDebug
                                         : LogLevel::kWarn);
  ::signal(SIGINT, on_interrupt);
  ::signal(SIGTERM, on_interrupt);
  context.stop = stop_token();
  std::ofstream nowhere;
  context.out = context.common.json ? static_cast<std::ostream*>(&nowhere) : &std::cout;
  try {
    int status = 0;
    {
      Progress silent;
      TerminalProgress shown;
      context.progress = context.common.quiet ? &silent : &shown;
      status = invocation->run(context);
    }
    if (context.common.json && !context.own_json) std::cout << context.result.dump(2) << "\n";
    std::cout.flush();
    return status;
  } catch (const Error& e) {
    std::cerr << prefix << e.what() << "\n";
    if (context.common.json) {
      const ordered_json object = {
          {"error", {{"code", error_code_name(e.code())}, {"message", e.what()}}}};
      std::cout << object.dump(2) << "\n";
    }
    return exit_status(e.code());
  } catch (const std::bad_alloc&) {
    std::cerr << prefix << "not enough memory\n";
    return 1;
  } catch (const std::exception& e) {
    std::cerr << prefix << "internal error: " << e.what() << "\n";
    return 1;
  }
}

int print_version(bool verbose) {
  std::cout << "voxloom " << infer::build_id() << "\n";
  if (verbose) {
    try {
      std::cout << infer::ml_api().describe().dump(2) << "\n";
    } catch (const Error& e) {
      std::cerr << "voxloom: " << e.what() << "\n";
      return 1;
    }
  }
  return 0;
}

}  // namespace

void CommonOptions::visit(OptionList& list) {
  list.option("--threads", threads, "Threads to compute with; 0: every core it may use.")
      .with_range(0, 1024)
      .as_speed_only();
  list.option("--config", config, "Read settings from this YAML file; flags win over it.")
      .with_value_name("FILE")
      .as_speed_only();
  list.option("--print-config", print_config, "Print what the command would run with, and end.")
      .as_speed_only();
  list.option("--force", force, "Overwrite outputs that exist.").as_speed_only();
  list.option("--json", json, "Print one JSON object on standard output.").as_speed_only();
  list.option("--quiet", quiet, "No progress, errors only.").as_speed_only();
  list.option("--verbose", verbose, "Log what happens to standard error.").as_speed_only();
}

int run_program(int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  if (args.empty() || args[0] == "--help" || args[0] == "-h") {
    std::cout << overview_text();
    return args.empty() ? kWrongUsage : 0;
  }
  if (args[0] == "--version") {
    return print_version(std::find(args.begin(), args.end(), "--verbose") != args.end());
  }
  size_t words = 0;
  const Command* command = find_command(args, words);
  if (command == nullptr) {
    const std::string verbs = group_overview(args[0]);
    if (verbs.empty()) return unknown_command(args[0]);
    const bool asked = args.size() > 1 && (args[1] == "--help" || args[1] == "-h");
    if (args.size() > 1 && !asked) {
      std::cerr << "voxloom " << args[0] << ": unknown verb '" << args[1] << "'\n";
    }
    (asked ? std::cout : std::cerr) << verbs;
    return asked ? 0 : kWrongUsage;
  }
  args.erase(args.begin(), args.begin() + static_cast<std::ptrdiff_t>(words));
  return run_command(*command, args);
}

}  // namespace voxloom::app
