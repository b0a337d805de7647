#pragma once

#include <string>

#include "command.h"

namespace voxloom::app {

/// What was given, for the run folder: "voxloom wire train --lr 0.001 ...".
std::string command_line(const char* command, const Context& context);

/// Prints the best metrics and where model and report are, from context.result.
void print_training(const Context& context);

}  // namespace voxloom::app
