#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace voxloom {

/// Cuts a stream of bytes from another program into lines. A line ends at "\n" or "\r" (progress
/// bars); empty lines are dropped. What is handed on is valid UTF-8 without control characters
/// other than the tab, at most `max_bytes` long: the rest of a longer line is dropped and "..."
/// put there. So it can be put into JSON, a log or a database as it is.
class LineSplitter {
 public:
  using Sink = std::function<void(std::string_view line)>;
  LineSplitter(size_t max_bytes, Sink sink);

  void feed(std::string_view bytes);
  /// The stream is over: hands on a last line without an end.
  void finish();

 private:
  void flush();

  size_t max_bytes_;
  Sink sink_;
  std::string line_;
  bool cut_ = false;
};

/// `text` with every byte that is not part of valid UTF-8, and every control character but the tab,
/// replaced by "?".
[[nodiscard]] std::string clean_text(std::string_view text);

}  // namespace voxloom
