#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/core/cancel.h"
#include "voxloom/core/options.h"
#include "voxloom/core/progress.h"

namespace voxloom::app {

/// The flags that every command has.
struct CommonOptions {
  int64_t threads = 0;
  bool force = false;
  bool quiet = false;
  bool verbose = false;
  bool json = false;
  bool print_config = false;
  std::string config;

  void visit(OptionList& list);
};

/// One flag or positional of the command line, in the order the user gave them.
struct GivenOption {
  std::string name;  ///< "--point"
  std::string value;
};

/// What a command gets beside its own arguments.
struct Context {
  CommonOptions common;
  std::vector<GivenOption> given;
  Progress* progress = nullptr;
  CancelToken stop;
  nlohmann::ordered_json result = nlohmann::ordered_json::object();  ///< Printed by --json.
  bool own_json = false;        ///< The command printed JSON itself; nothing is added.
  std::ostream* out = nullptr;  ///< Standard output, or nowhere with --json.
};

/// One run of a command: its arguments and what to do with them.
class Invocation {
 public:
  virtual ~Invocation() = default;
  virtual void visit(OptionList& list) = 0;
  /// Checks and completes the arguments; what it throws is wrong usage (exit 2).
  virtual void prepare(Context& context) = 0;
  /// Returns the exit status. What it throws is a failure (exit 1).
  virtual int run(Context& context) = 0;
};

/// A command of the program; --help, the reference pages and completion are printed from this.
struct Command {
  std::string name;     ///< "segment", "segment eval"
  std::string summary;  ///< One sentence.
  std::string details;  ///< Paragraphs, separated by empty lines.
  std::vector<std::pair<std::string, std::string>> examples;  ///< Command line, what it does.
  std::vector<std::string> references;
  std::function<std::unique_ptr<Invocation>()> make;
};

template <class Args>
class InvocationOf final : public Invocation {
 public:
  explicit InvocationOf(int (*run)(Args&, Context&)) : run_(run) {}
  void visit(OptionList& list) override { args_.visit(list); }
  void prepare(Context& context) override {
    if constexpr (requires { args_.prepare(context); }) args_.prepare(context);
  }
  int run(Context& context) override { return run_(args_, context); }

 private:
  Args args_;
  int (*run_)(Args&, Context&);
};

/// Completes `command` with the arguments type and the function that runs it.
template <class Args>
Command make_command(Command command, int (*run)(Args&, Context&)) {
  command.make = [run] { return std::make_unique<InvocationOf<Args>>(run); };
  return command;
}

/// Every command of the program, in the order of the overview.
const std::vector<Command>& commands();

}  // namespace voxloom::app
