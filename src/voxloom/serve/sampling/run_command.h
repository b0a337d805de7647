#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/core/cancel.h"

namespace voxloom::serve {

struct CommandLimits {
  int64_t timeout_ms = 10000;
  size_t max_output = size_t{1} << 20;  ///< Bytes of standard output.
};

/// Splits a command line into words at blanks; 'single' and "double" quotes keep blanks, nothing
/// else is special. There is no shell. Throws kInvalidArgument for an open quote or no word.
[[nodiscard]] std::vector<std::string> split_command(std::string_view text);

/// Runs a program (found by PATH) with `input` as its standard input and returns its standard
/// output; standard error is dropped. The program gets no other open file and its own process
/// group, which is killed when the time is over, the output too long or `stop` set.
/// Throws kNotFound (can't be started), kUnavailable (exit status, signal, time-out, output),
/// kCancelled.
[[nodiscard]] std::string run_command(const std::vector<std::string>& words,
                                      std::string_view input,
                                      const CommandLimits& limits,
                                      const CancelToken& stop);

}  // namespace voxloom::serve
