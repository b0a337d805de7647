#pragma once

namespace voxloom::app {

/// Parses the command line and runs one command. Returns the exit status: 0 done, 1 failed,
/// 2 wrong usage.
int run_program(int argc, char** argv);

}  // namespace voxloom::app
