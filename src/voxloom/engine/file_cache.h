#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace voxloom::engine {

/// A folder of files that can be made again: compiled networks and their ONNX files.
///
/// Safe for processes that run at the same time: files appear whole (temporary name, rename) and
/// are never changed; one that is in use stays readable for its reader when another process
/// removes it. The files used last are kept within a budget.
class FileCache {
 public:
  /// $XDG_CACHE_HOME/voxloom/networks, else $HOME/.cache/voxloom/networks; empty without either.
  static std::filesystem::path default_folder();

  /// An empty folder: nothing is found and nothing kept.
  explicit FileCache(std::filesystem::path folder = default_folder(),
                     uint64_t budget_bytes = uint64_t{4} << 30);

  /// Where the file `name` lies, if it does; counts as a use of it.
  [[nodiscard]] std::optional<std::filesystem::path> find(const std::string& name) const;

  /// Lets `write` make the file, whole or not at all (AtomicFile), then removes the files unused
  /// for longest until the rest fits. A folder that can't be written is no error: the result is
  /// empty, and a debug line says why.
  std::optional<std::filesystem::path> store(
      const std::string& name,
      const std::function<void(const std::filesystem::path& path)>& write) const;

  void remove(const std::string& name) const;

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  void trim(const std::string& keep) const;

  std::filesystem::path folder_;
  uint64_t budget_bytes_;
};

}  // namespace voxloom::engine
