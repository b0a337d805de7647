#include "password_prompt.h"

#include <iostream>

#include <termios.h>
#include <unistd.h>

#include "voxloom/core/error.h"

namespace voxloom::app {
namespace {

/// Turns the terminal's echo off while it lives.
class Silence {
 public:
  Silence() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    // Without this the password would show on the screen: rather don't ask.
    VOXLOOM_CHECK(::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0,
                  ErrorCode::kUnavailable,
                  "password: the terminal's echo cannot be turned off");
    changed_ = true;
  }
  ~Silence() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

std::string read_line(const char* prompt) {
  if (prompt != nullptr) std::cerr << prompt << std::flush;
  std::string line;
  std::getline(std::cin, line);
  if (prompt != nullptr) std::cerr << "\n";
  if (!line.empty() && line.back() == '\r') line.pop_back();
  VOXLOOM_CHECK(!line.empty(),
                ErrorCode::kInvalidArgument,
                "password: none was given; type it, or send it on standard input");
  return line;
}

}  // namespace

std::string ask_new_password() {
  if (::isatty(STDIN_FILENO) == 0) return read_line(nullptr);
  const Silence silence;
  const std::string first = read_line("password: ");
  VOXLOOM_CHECK(first == read_line("again: "),
                ErrorCode::kInvalidArgument,
                "password: the two must be the same");
  return first;
}

}  // namespace voxloom::app
