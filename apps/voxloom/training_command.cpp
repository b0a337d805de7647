#include "training_command.h"

#include <ostream>

namespace voxloom::app {

std::string command_line(const char* command, const Context& context) {
  std::string text = command;
  for (const auto& given : context.given) text += " " + given.name + " " + given.value;
  return text;
}

void print_training(const Context& context) {
  if (context.result.contains("rank")) return;  // Rank 0 speaks for all.
  for (const auto& [name, value] : context.result["metrics"].items()) {
    *context.out << format("{:<18} {:.4f}\n", name, value.get<double>());
  }
  *context.out << context.result["model"].get<std::string>() << "\n"
               << context.result["report"].get<std::string>() << "\n";
}

}  // namespace voxloom::app
