#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "voxloom/serve/log/hub.h"

namespace voxloom::serve {

/// The hub's records as JSON lines in FOLDER/voxloom.log. At `max_bytes` the file becomes
/// voxloom.1.log, that one voxloom.2.log, and so on; `max_files` are kept in all.
///
/// A thread of its own writes each batch with one system call as soon as there is one, so a killed
/// server loses next to nothing. Where the disk is full or fails, lines are dropped and counted;
/// once it works again a record says how many. Nothing of this reaches the server.
class LogFile {
 public:
  struct Options {
    std::filesystem::path folder;  ///< Made with mode 0700 when absent; files have mode 0600.
    uint64_t max_bytes = uint64_t{16} << 20;
    int max_files = 10;
  };
  /// Throws kUnavailable when the folder or the file can't be made. The hub must outlive this.
  LogFile(LogHub& hub, Options options);
  /// Writes what waits, then ends.
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  [[nodiscard]] uint64_t lost_lines() const;
  [[nodiscard]] std::filesystem::path path() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace voxloom::serve
