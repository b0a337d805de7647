#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/serve/sampling/run_command.h"
#include "voxloom/serve/sampling/strategy.h"

namespace voxloom::serve {

/// A strategy that asks a program: `--strategy NAME=COMMAND`.
struct ExternalCommand {
  std::string name;
  std::vector<std::string> words;  ///< The program and its arguments; no shell.
  CommandLimits limits;
};

/// Reads "NAME=COMMAND". A name has letters, digits, '_', '-' and '.', at most 64. Throws
/// kInvalidArgument.
[[nodiscard]] ExternalCommand parse_external_command(std::string_view text);

/// The answer of a command: `{"id": "..."}`, further texts, numbers and booleans go into the
/// client's answer. `{}` or `{"id": null}`: nothing left. Throws kDataCorrupt.
[[nodiscard]] std::optional<Choice> parse_external_answer(std::string_view text);

/// The program gets on its standard input one JSON object
///
///     {"strategy": NAME, "request": {as the client sent it, with client_id},
///      "images": [{"id": ..., "info": {...}, "labels": {TAG: {label info}, ...}}, ...]}
///
/// with all images, completed or not, in datastore order, and has to print one JSON object as
/// parse_external_answer says. next() throws what run_command throws, kDataCorrupt for an answer
/// that can't be read, kUnavailable for an id that is not in the datastore.
[[nodiscard]] std::unique_ptr<Strategy> make_external_strategy(ExternalCommand command);

}  // namespace voxloom::serve
