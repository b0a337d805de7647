#include <filesystem>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"

#include "commands.h"
#include "help.h"

namespace voxloom::app {
namespace {

struct HelpArgs {
  std::vector<std::string> words;
  std::string markdown;
  std::string completion;

  void visit(OptionList& list) {
    list.positional("COMMAND", words, "The command to explain; without one: the overview.");
    list.option("--markdown", markdown, "Write one reference page a command into this folder.")
        .with_value_name("DIR");
    list.option("--completion", completion, "Print a completion script for this shell.")
        .with_value_name("bash");
  }
};

int run_help(HelpArgs& args, Context& context) {
  if (!args.completion.empty()) {
    VOXLOOM_CHECK(args.completion == "bash",
                  ErrorCode::kUnsupported,
                  "--completion: must be bash, got '{}'",
                  args.completion);
    *context.out << bash_completion();
    return 0;
  }
  if (!args.markdown.empty()) {
    const std::filesystem::path folder = args.markdown;
    const auto overwrite = context.common.force ? Overwrite::kReplace : Overwrite::kRefuse;
    std::string index = "# Commands\n\n| command | what it does |\n|---|---|\n";
    for (const auto& command : commands()) {
      AtomicFile page(folder / reference_file_name(command), overwrite);
      page.write(reference_page(command));
      page.commit();
      index += "| [" + command.name + "](" + reference_file_name(command) + ") | " +
               command.summary + " |\n";
    }
    AtomicFile page(folder / "README.md", overwrite);
    page.write(index + "\n(Printed by `voxloom help --markdown`.)\n");
    page.commit();
    *context.out << "wrote " << commands().size() + 1 << " pages to " << folder.string() << "\n";
    return 0;
  }
  std::string name;
  for (const auto& word : args.words) name += (name.empty() ? "" : " ") + word;
  if (name.empty()) {
    *context.out << overview_text();
    return 0;
  }
  for (const auto& command : commands()) {
    if (command.name == name) {
      *context.out << help_text(command);
      return 0;
    }
  }
  throw Error(ErrorCode::kNotFound,
              format("no command '{}'; 'voxloom help' lists the commands", name));
}

}  // namespace

Command help_command() {
  return make_command<HelpArgs>(
      {.name = "help",
       .summary = "Explain a command, or write the reference pages.",
       .details = "The text comes from the same description that reads the command line, so it "
                  "can't be out of date.",
       .examples = {{"voxloom help segment", "the options of `segment`"},
                    {"voxloom help --completion bash > ~/.voxloom.bash",
                     "a completion script to source from ~/.bashrc"}}},
      run_help);
}

}  // namespace voxloom::app
