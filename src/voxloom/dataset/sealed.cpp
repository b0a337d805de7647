#include "voxloom/dataset/sealed.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/core/sha256.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;

/// The file's one true name; of a file that is not there, of what is there of its path.
fs::path true_name(const fs::path& path) {
  std::error_code failed;
  fs::path out = fs::weakly_canonical(fs::absolute(path, failed), failed);
  return failed ? path.lexically_normal() : out;
}

bool lies_in(const fs::path& file, const fs::path& folder) {
  const auto [end, at] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  return end == folder.end();
}

/// What the record's texts stand for.
fs::path place(const SealedRecord& record, const std::string& entry) {
  fs::path out = (record.root / entry).lexically_normal();
  return out.has_filename() ? out : out.parent_path();
}

/// `file` is canonical.
bool seals(const SealedRecord& record, const fs::path& file) {
  return std::ranges::any_of(
             record.folders,
             [&](const auto& entry) { return lies_in(file, place(record, entry)); }) ||
         std::ranges::binary_search(record.files,
                                    file.lexically_proximate(record.root).generic_string());
}

/// A marker is read again only when it changed: it is asked for with every image.
std::shared_ptr<const SealedRecord> read_marker(const fs::path& marker) {
  struct Known {
    fs::file_time_type time;
    uintmax_t bytes = 0;
    std::shared_ptr<const SealedRecord> record;
  };
  static std::mutex mutex;
  static std::map<fs::path, Known> known;
  const auto time = fs::last_write_time(marker);
  const auto bytes = fs::file_size(marker);
  const std::lock_guard lock(mutex);
  Known& entry = known[marker];
  if (!entry.record || entry.time != time || entry.bytes != bytes) {
    entry = {time,
             bytes,
             std::make_shared<const SealedRecord>(parse_sealed_record(
                 read_text_file(marker, kMaxSealedBytes), marker.parent_path(), marker.string()))};
  }
  return entry.record;
}

void merge(std::vector<std::string>& into, const std::vector<std::string>& more) {
  into.insert(into.end(), more.begin(), more.end());
  std::ranges::sort(into);
  into.erase(std::unique(into.begin(), into.end()), into.end());
}

void add_to(SealedRecord& record, const SealedRecord& more) {
  merge(record.folders, more.folders);
  merge(record.files, more.files);
  merge(record.sha256, more.sha256);
}

void write_record(const SealedRecord& record, const fs::path& path, RootEntry root) {
  AtomicFile file(path, Overwrite::kReplace);
  file.write(format_sealed_record(record, root));
  file.commit();
}

std::string how_to_lift(const fs::path& record) {
  return format("only 'wire eval --unseal' opens it; sealed by '{}'", record.string());
}

}  // namespace

std::optional<fs::path> sealed_by(const fs::path& file) {
  const fs::path name = true_name(file);
  for (fs::path folder = name.parent_path(); !folder.empty(); folder = folder.parent_path()) {
    const fs::path marker = folder / kSealedMarker;
    std::error_code ignored;
    if (fs::is_regular_file(marker, ignored) && seals(*read_marker(marker), name)) return marker;
    if (folder == folder.root_path()) break;
  }
  return std::nullopt;
}

void refuse_sealed_files(const Sample& sample) {
  VOXLOOM_CHECK(sample.role != Role::kSealed,
                ErrorCode::kInvalidArgument,
                "sample '{}': is sealed; only 'wire eval --unseal' opens it",
                sample.id);
  for (const auto* file : {&sample.image, &sample.mask}) {
    if (file->empty()) continue;
    const auto marker = sealed_by(*file);
    VOXLOOM_CHECK(!marker,
                  ErrorCode::kInvalidArgument,
                  "'{}': is sealed; {}",
                  file->string(),
                  how_to_lift(*marker));
  }
}

SealedRecord sealed_record(const fs::path& root, const std::vector<Sample>& samples) {
  SealedRecord out{.root = true_name(root), .folders = {}, .files = {}, .sha256 = {}};
  std::set<fs::path> sealed, open, open_folders;
  for (const auto& sample : samples) {
    for (const auto* file : {&sample.image, &sample.mask}) {
      if (file->empty()) continue;
      fs::path name = true_name(*file);
      if (sample.role == Role::kSealed) {
        sealed.insert(std::move(name));
        continue;
      }
      for (fs::path folder = name.parent_path(); open_folders.insert(folder).second;) {
        folder = folder.parent_path();
      }
      open.insert(std::move(name));
    }
    if (sample.role == Role::kSealed && !sample.sha256_image.empty()) {
      out.sha256.push_back(sample.sha256_image);
    }
  }
  std::set<std::string> folders;
  for (const auto& file : sealed) {
    const fs::path folder = file.parent_path();
    if (!open_folders.contains(folder)) {
      folders.insert(folder.lexically_proximate(out.root).generic_string());
    } else if (!open.contains(file)) {
      out.files.push_back(file.lexically_proximate(out.root).generic_string());
    }
  }
  out.folders.assign(folders.begin(), folders.end());
  merge(out.files, {});
  merge(out.sha256, {});
  return out;
}

SealedRegister::SealedRegister(const fs::path& folder) : folder_(folder) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    if (it->path().extension() == ".json" && !it->path().filename().string().starts_with('.')) {
      files.push_back(it->path());
    }
  }
  std::ranges::sort(files);
  for (const auto& file : files) {
    entries_.push_back(
        {parse_sealed_record(read_text_file(file, kMaxSealedBytes), {}, file.string()), file});
  }
}

std::optional<fs::path> SealedRegister::holds(const fs::path& file) const {
  if (auto marker = sealed_by(file)) return marker;
  const fs::path name = true_name(file);
  for (const auto& [record, path] : entries_) {
    if (seals(record, name)) return path;
  }
  return std::nullopt;
}

std::optional<fs::path> SealedRegister::holds_hash(std::string_view sha256) const {
  if (sha256.empty()) return std::nullopt;
  for (const auto& [record, path] : entries_) {
    if (std::binary_search(record.sha256.begin(), record.sha256.end(), sha256)) return path;
  }
  return std::nullopt;
}

std::vector<Finding> SealedRegister::check(const std::vector<Sample>& samples) const {
  std::map<std::pair<std::string, fs::path>, std::vector<std::string>> found;
  for (const auto& sample : samples) {
    if (sample.role != Role::kSealed) {
      std::optional<fs::path> by;
      if (!sample.image.empty()) by = holds(sample.image);
      if (!by && !sample.mask.empty()) by = holds(sample.mask);
      if (by) {
        found[{"file", *by}].push_back(sample_name(sample));
      } else if ((by = holds_hash(sample.sha256_image))) {
        found[{"copy", *by}].push_back(sample_name(sample));
      }
    }
    if (const auto by = holds_hash(sample.sha256_background)) {
      found[{"background", *by}].push_back(sample_name(sample));
    }
  }
  std::vector<Finding> out;
  for (auto& [key, names] : found) {
    const auto& [kind, record] = key;
    const size_t count = names.size();
    Finding finding{.rule = kind == "background" ? "R10" : "R9",
                    .found = {},
                    .samples = std::move(names),
                    .remedy = how_to_lift(record)};
    if (kind == "file") {
      finding.found = format("files must not be sealed ones, got {} samples with such", count);
    } else if (kind == "copy") {
      finding.found = format("images must not be copies of sealed ones, got {}", count);
    } else {
      finding.found = format("backgrounds must not come from sealed images, got {} that do", count);
    }
    out.push_back(std::move(finding));
  }
  return out;
}

void SealedRegister::refuse_files(const std::vector<fs::path>& files) const {
  const bool has_hashes = std::ranges::any_of(
      entries_, [](const Entry& entry) { return !entry.record.sha256.empty(); });
  for (const auto& file : files) {
    auto by = holds(file);
    std::error_code ignored;
    if (!by && has_hashes && fs::is_regular_file(file, ignored)) by = holds_hash(sha256_file(file));
    VOXLOOM_CHECK(
        !by, ErrorCode::kInvalidArgument, "'{}': is sealed; {}", file.string(), how_to_lift(*by));
  }
}

std::vector<fs::path> SealedRegister::seal(const fs::path& root,
                                           const std::vector<Sample>& samples) {
  SealedRecord record = sealed_record(root, samples);
  if (record.folders.empty() && record.files.empty() && record.sha256.empty()) return {};
  std::vector<fs::path> written;
  const auto keep = [&](SealedRecord& kept, const fs::path& path, RootEntry root_entry) {
    try {
      std::error_code ignored;
      if (fs::is_regular_file(path, ignored)) {
        const auto before = read_text_file(path, kMaxSealedBytes);
        add_to(kept, parse_sealed_record(before, kept.root, path.string()));
      }
      write_record(kept, path, root_entry);
      written.push_back(path);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kDataCorrupt) throw;
      VOXLOOM_LOG_WARN("sealed samples: a record cannot be written: {}", error.what());
    }
  };
  // Links and exports can lead out of the data's folder: a marker there would not be above them.
  SealedRecord inside = record;
  const auto leads_out = [&](const std::string& entry) {
    return !lies_in(place(record, entry), record.root);
  };
  std::erase_if(inside.folders, leads_out);
  std::erase_if(inside.files, leads_out);
  if (!inside.folders.empty() || !inside.files.empty()) {
    keep(inside, record.root / kSealedMarker, RootEntry::kWithout);
  }
  for (const auto& entry : record.folders) {
    if (!leads_out(entry)) continue;
    SealedRecord outside{
        .root = place(record, entry), .folders = {"."}, .files = {}, .sha256 = record.sha256};
    keep(outside, outside.root / kSealedMarker, RootEntry::kWithout);
  }
  std::error_code failed;
  fs::create_directories(folder_, failed);
  const fs::path own = folder_ / (sha256_hex(record.root.generic_string()).substr(0, 16) + ".json");
  keep(record, own, RootEntry::kWith);
  VOXLOOM_CHECK(!written.empty(),
                ErrorCode::kUnavailable,
                "sealed samples: neither '{}' nor '{}' can be written, so nothing would keep them "
                "from being trained on",
                (record.root / kSealedMarker).string(),
                own.string());
  std::erase_if(entries_, [&](const Entry& entry) { return entry.file == own; });
  entries_.push_back({std::move(record), own});
  return written;
}

}  // namespace voxloom::dataset
