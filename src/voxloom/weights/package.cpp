#include "voxloom/weights/package.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/core/program_files.h"
#include "voxloom/core/sha256.h"
#include "voxloom/core/yaml_text.h"
#include "voxloom/weights/safetensors.h"

namespace voxloom::weights {
namespace {

namespace fs = std::filesystem;

fs::path without_slash(const fs::path& folder) {
  fs::path clean = folder.lexically_normal();
  return clean.has_filename() ? clean : clean.parent_path();
}

bool is_package_folder(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / kModelYaml, ignored);
}

/// A folder that is removed again unless it is renamed away.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const fs::path& beside) {
    static std::atomic<unsigned> counter{0};
    path_ = beside.parent_path() / (".tmp-" + std::to_string(::getpid()) + "-" +
                                    std::to_string(counter++) + "-" + beside.filename().string());
    std::error_code error;
    VOXLOOM_CHECK(fs::create_directory(path_, error) && !error,
                  ErrorCode::kUnavailable,
                  "package '{}': cannot be created: {}",
                  beside.string(),
                  error ? error.message() : "a temporary folder is in the way");
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }
  void keep() { path_.clear(); }

 private:
  fs::path path_;
};

void write_text(const fs::path& path, std::string_view text, Overwrite overwrite) {
  AtomicFile file(path, overwrite);
  file.write(text);
  file.commit();
}

void rename_folder(const fs::path& from, const fs::path& to, const fs::path& package) {
  std::error_code error;
  fs::rename(from, to, error);
  VOXLOOM_CHECK(!error,
                ErrorCode::kUnavailable,
                "package '{}': cannot be renamed into place: {}",
                package.string(),
                error.message());
}

void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;  // not possible on some file systems; the rename is still atomic
  ::fsync(fd);
  ::close(fd);
}

/// Puts `made` in the place of `folder`; the old content ends up removed.
void replace_folder(const fs::path& made, const fs::path& folder) {
  // One step where the file system can do it: the old package is then at the temporary name.
  if (::renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) == 0) return;
  // Else the old package steps aside, and comes back should the second step fail.
  TemporaryFolder aside(folder);
  const fs::path old = aside.path() / "old";
  rename_folder(folder, old, folder);
  try {
    rename_folder(made, folder, folder);
  } catch (const Error&) {
    std::error_code error;
    fs::rename(old, folder, error);
    if (error) aside.keep();
    throw;
  }
}

/// Refuses early and says whether an existing package will be replaced.
bool check_target(const fs::path& folder, Overwrite overwrite) {
  std::error_code ignored;
  VOXLOOM_CHECK(!folder.filename().empty(),
                ErrorCode::kInvalidArgument,
                "package '{}': must be named by a folder",
                folder.string());
  const fs::path parent = folder.has_parent_path() ? folder.parent_path() : fs::path(".");
  fs::create_directories(parent, ignored);
  VOXLOOM_CHECK(fs::is_directory(parent, ignored),
                ErrorCode::kUnavailable,
                "package '{}': the folder that holds it could not be made",
                folder.string());
  if (!fs::exists(folder, ignored)) return false;
  VOXLOOM_CHECK(overwrite == Overwrite::kReplace,
                ErrorCode::kAlreadyExists,
                "package '{}' exists; use --force to overwrite it",
                folder.string());
  const bool empty = fs::is_directory(folder, ignored) && fs::is_empty(folder, ignored);
  VOXLOOM_CHECK(empty || is_package_folder(folder),
                ErrorCode::kInvalidArgument,
                "package '{}': exists and is no model package; it will not be replaced",
                folder.string());
  return true;
}

std::string name_list(const std::vector<Package>& packages) {
  std::string list;
  for (const Package& p : packages) list += (list.empty() ? "" : ", ") + p.name();
  return list.empty() ? "none" : list;
}

}  // namespace

std::string Package::name() const {
  return without_slash(folder).filename().string();
}

Package read_package(const fs::path& folder) {
  VOXLOOM_CHECK(is_package_folder(folder),
                ErrorCode::kNotFound,
                "package '{}': must be a folder with {}",
                folder.string(),
                kModelYaml);
  const std::string where = format("package '{}': {}", folder.string(), kModelYaml);
  Package package{folder, parse_package_info(read_text_file(folder / kModelYaml), where)};
  std::error_code ignored;
  std::string missing;
  for (const char* file : {kWeightsFile, kCardFile}) {
    if (!fs::is_regular_file(folder / file, ignored)) {
      missing += (missing.empty() ? "" : " and ") + std::string(file);
    }
  }
  VOXLOOM_CHECK(missing.empty(),
                ErrorCode::kDataCorrupt,
                "package '{}': must hold {}",
                folder.string(),
                missing);
  return package;
}

StateDict read_package_weights(const Package& package) {
  StateDict tensors = read_safetensors(package.folder / kWeightsFile).tensors;
  int64_t count = 0;
  for (const auto& entry : tensors.entries()) count += entry.tensor.element_count();
  VOXLOOM_CHECK(count == package.info.parameters,
                ErrorCode::kDataCorrupt,
                "package '{}': its weights must have {} elements, got {}",
                package.folder.string(),
                package.info.parameters,
                count);
  return tensors;
}

Package write_package(const fs::path& target,
                      PackageInfo info,
                      const StateDict& tensors,
                      std::string_view card,
                      Overwrite overwrite) {
  const fs::path folder = without_slash(target);
  const bool replaces = check_target(folder, overwrite);
  const TemporaryFolder temporary(folder);
  const fs::path weights = temporary.path() / kWeightsFile;
  write_safetensors(weights, tensors, {{"format", "pt"}}, Overwrite::kRefuse);
  const Fingerprint print = fingerprint(tensors);
  info.weights_sha256 = sha256_file(weights);
  info.weights_fingerprint = print.weights_sha256;
  info.parameters = print.parameter_count;
  const std::string yaml = to_yaml(package_info_to_json(info));
  // What is written must be readable: a wrong field is an error now, not for the next user.
  static_cast<void>(
      parse_package_info(yaml, format("package '{}': {}", folder.string(), kModelYaml)));
  write_text(temporary.path() / kModelYaml, yaml, Overwrite::kRefuse);
  write_text(temporary.path() / kCardFile, card, Overwrite::kRefuse);

  if (replaces) {
    replace_folder(temporary.path(), folder);
  } else {
    rename_folder(temporary.path(), folder, folder);
  }
  sync_folder(folder.has_parent_path() ? folder.parent_path() : fs::path("."));
  return {folder, std::move(info)};
}

void update_package_info(const Package& package) {
  const std::string where = format("package '{}': {}", package.folder.string(), kModelYaml);
  const std::string yaml = to_yaml(package_info_to_json(package.info));
  static_cast<void>(parse_package_info(yaml, where));
  VOXLOOM_CHECK(is_package_folder(package.folder),
                ErrorCode::kNotFound,
                "package '{}': must be a folder with {}",
                package.folder.string(),
                kModelYaml);
  write_text(package.folder / kModelYaml, yaml, Overwrite::kReplace);
}

PackageVerification verify_package(const Package& package) {
  PackageVerification result;
  const fs::path weights = package.folder / kWeightsFile;
  const SharedBytes bytes = map_file(weights);
  result.weights_sha256 = sha256_hex(bytes.bytes);
  if (result.weights_sha256 != package.info.weights_sha256) {
    result.problems.push_back(format("{}: its sha256 must be {}, got {}",
                                     kWeightsFile,
                                     package.info.weights_sha256,
                                     result.weights_sha256));
  }
  try {
    result.fingerprint = fingerprint(parse_safetensors(bytes, weights.string()).tensors);
    if (result.fingerprint.weights_sha256 != package.info.weights_fingerprint) {
      result.problems.push_back(format("{}: its fingerprint must be {}, got {}",
                                       kWeightsFile,
                                       package.info.weights_fingerprint,
                                       result.fingerprint.weights_sha256));
    }
    if (result.fingerprint.parameter_count != package.info.parameters) {
      result.problems.push_back(format("{}: must have {} elements, got {}",
                                       kWeightsFile,
                                       package.info.parameters,
                                       result.fingerprint.parameter_count));
    }
  } catch (const Error& e) {
    result.problems.push_back(e.what());
  }
  result.intact = result.problems.empty();
  return result;
}

std::vector<fs::path> package_folders() {
  std::vector<fs::path> folders;
  const auto add = [&folders](const fs::path& folder) {
    std::error_code ignored;
    if (folder.empty() || !fs::is_directory(folder, ignored)) return;
    const auto same = [&](const fs::path& other) { return fs::equivalent(folder, other, ignored); };
    if (std::none_of(folders.begin(), folders.end(), same)) folders.push_back(folder);
  };
  if (const char* list = std::getenv("VOXLOOM_MODELS")) {
    for (std::string_view rest = list; !rest.empty();) {
      const size_t end = std::min(rest.find(':'), rest.size());
      add(fs::path(rest.substr(0, end)));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  add("models");
  Dl_info library{};
  if (::dladdr(reinterpret_cast<const void*>(&package_folders), &library) != 0 &&
      library.dli_fname != nullptr) {
    const fs::path file(library.dli_fname);
    add(file.parent_path().parent_path() / "share" / "voxloom" / "models");
  }
  if (const fs::path user = user_data_folder(); !user.empty()) add(user / "models");
  return folders;
}

std::vector<Package> list_packages(const std::vector<fs::path>& folders,
                                   std::vector<BrokenPackage>* broken) {
  std::vector<Package> packages;
  for (const fs::path& folder : folders) {
    std::vector<fs::path> inside;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      const std::string name = it->path().filename().string();
      // What a server put aside is no package any more.
      if (name.starts_with('.') || name.ends_with(".deleted")) continue;
      if (is_package_folder(it->path())) inside.push_back(it->path());
    }
    std::sort(inside.begin(), inside.end());
    for (const fs::path& path : inside) {
      try {
        packages.push_back(read_package(path));
      } catch (const Error& e) {
        if (broken != nullptr) broken->push_back({path, e.what()});
      }
    }
  }
  return packages;
}

Package find_package(const std::string& name_or_path, const std::vector<fs::path>& folders) {
  if (is_package_folder(name_or_path)) return read_package(name_or_path);
  if (name_or_path.find('/') == std::string::npos && !name_or_path.empty()) {
    for (const fs::path& folder : folders) {
      if (is_package_folder(folder / name_or_path)) return read_package(folder / name_or_path);
    }
  }
  std::string searched;
  for (const fs::path& folder : folders) {
    searched += (searched.empty() ? "'" : ", '") + folder.string() + "'";
  }
  throw Error(ErrorCode::kNotFound,
              format("model '{}': is no package folder, and no package of that name is in {}; "
                     "there are: {}",
                     name_or_path,
                     searched.empty() ? "any model folder (none exists)" : searched,
                     name_list(list_packages(folders))));
}

}  // namespace voxloom::weights
