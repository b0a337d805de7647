#pragma once

#include <string>

#include "command.h"

namespace voxloom::app {

/// The overview: what the program is and its commands.
std::string overview_text();

/// What `voxloom COMMAND --help` prints.
std::string help_text(const Command& command);

/// The command's page of docs/reference, in Markdown.
std::string reference_page(const Command& command);

/// A completion script for bash.
std::string bash_completion();

/// File name of the reference page: "segment-eval.md".
std::string reference_file_name(const Command& command);

}  // namespace voxloom::app
