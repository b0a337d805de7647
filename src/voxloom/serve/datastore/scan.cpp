#include "voxloom/serve/datastore/scan.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "voxloom/core/utf8.h"
#include "voxloom/serve/datastore/file_name.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 32;

bool usable_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && is_utf8(name) &&
         name.find('\\') == std::string::npos;
}

/// One stamp for many files, whatever their order.
void add_to(FileStamp& all, const std::string& name, const FileStamp& file) {
  const auto mix = [](uint64_t seed, uint64_t value) {
    seed ^= value + 0x9e3779b97f4a7c15ULL + (seed << 6) + (seed >> 2);
    return seed * 0xff51afd7ed558ccdULL;
  };
  uint64_t hash = std::hash<std::string>{}(name);
  hash = mix(hash, static_cast<uint64_t>(file.size));
  hash = mix(hash, static_cast<uint64_t>(file.mtime_ns));
  hash = mix(hash, file.inode);
  all.size += file.size;
  all.mtime_ns = std::max(all.mtime_ns, file.mtime_ns);
  all.inode += hash;
}

class Walker {
 public:
  Walker(const StudyFolders& studies, DicomFolders& dicom, DicomHeaders headers, Scan& out)
      : studies_(studies), dicom_(dicom), headers_(headers), out_(out) {}

  void images(const fs::path& folder, const std::string& relative, int depth) {
    out_.folders.push_back(folder);
    std::vector<std::pair<fs::path, std::string>> below;
    std::vector<fs::path> candidates;
    FileStamp together;
    each(folder, [&](const fs::directory_entry& entry, const std::string& name) {
      std::error_code failure;
      const std::string location = relative.empty() ? name : relative + '/' + name;
      if (entry.is_symlink(failure) && !lies_within(entry.path(), studies_.root)) return;
      if (entry.is_directory(failure)) {
        if (entry.is_symlink(failure) || entry.path() == studies_.labels) return;
        if (depth < kMaxDepth) below.emplace_back(entry.path(), location);
        return;
      }
      if (!entry.is_regular_file(failure)) return;
      const FileStamp stamp = stamp_of(entry.path());
      if (!stamp.known()) return;
      if (auto split = split_image_name(name)) {
        out_.images.push_back({location, std::move(split->stem), std::move(split->ext), stamp, {}});
      } else if (may_be_dicom(name)) {
        candidates.push_back(entry.path());
        add_to(together, name, stamp);
      }
    });
    if (!candidates.empty()) series(relative.empty() ? "." : relative, together, candidates);
    for (const auto& [path, location] : below) images(path, location, depth + 1);
  }

  void labels() {
    std::error_code failure;
    if (!fs::is_directory(studies_.labels, failure)) return;
    if (!lies_within(studies_.labels, studies_.root)) return;
    out_.folders.push_back(studies_.labels);
    each(studies_.labels, [&](const fs::directory_entry& tag, const std::string& tag_name) {
      std::error_code ignored;
      if (tag.is_symlink(ignored) || !tag.is_directory(ignored)) return;
      out_.folders.push_back(tag.path());
      each(tag.path(), [&](const fs::directory_entry& file, const std::string& name) {
        if (!split_label_name(name)) return;
        if (file.is_symlink(ignored) && !lies_within(file.path(), studies_.root)) return;
        if (!file.is_regular_file(ignored)) return;
        const FileStamp stamp = stamp_of(file.path());
        if (stamp.known()) out_.labels.push_back({tag_name, name, stamp});
      });
    });
  }

  /// A series whose files lie in several folders belongs to the folder above them.
  void join_series() {
    std::map<std::string, FoundImage> by_uid;
    for (auto& found : series_) {
      const auto [it, is_new] = by_uid.emplace(found.series.uid, found);
      if (is_new) continue;
      FoundImage& joined = it->second;
      joined.location = common_folder(joined.location, found.location);
      joined.stamp.size += found.stamp.size;
      joined.stamp.mtime_ns = std::max(joined.stamp.mtime_ns, found.stamp.mtime_ns);
      joined.stamp.inode += found.stamp.inode;
    }
    for (auto& [uid, image] : by_uid) out_.images.push_back(std::move(image));
  }

 private:
  template <class Fn>
  void each(const fs::path& folder, Fn&& fn) {
    std::error_code failure;
    std::vector<fs::directory_entry> entries;
    for (fs::directory_iterator it(folder, failure), end; !failure && it != end;
         it.increment(failure)) {
      entries.push_back(*it);
    }
    for (const auto& entry : entries) {
      const std::string name = entry.path().filename().string();
      if (usable_name(name)) fn(entry, name);
    }
  }

  void series(const std::string& folder,
              const FileStamp& stamp,
              const std::vector<fs::path>& files) {
    const auto* known = dicom_.find(folder, stamp);
    if (known == nullptr) {
      if (headers_ == DicomHeaders::kKnownOnly) {
        out_.pending.push_back(folder);
        return;
      }
      known = &dicom_.read(folder, stamp, files);
    }
    for (const auto& s : *known) series_.push_back({folder, s.uid, "", stamp, s});
  }

  static std::string common_folder(const std::string& a, const std::string& b) {
    const fs::path pa(a), pb(b);
    fs::path out;
    for (auto ia = pa.begin(), ib = pb.begin(); ia != pa.end() && ib != pb.end() && *ia == *ib;
         ++ia, ++ib) {
      out /= *ia;
    }
    return out.empty() ? "." : out.string();
  }

  const StudyFolders& studies_;
  DicomFolders& dicom_;
  DicomHeaders headers_;
  Scan& out_;
  std::vector<FoundImage> series_;
};

}  // namespace

Scan scan_studies(const StudyFolders& studies, DicomFolders& dicom, DicomHeaders headers) {
  Scan out;
  Walker walker(studies, dicom, headers, out);
  if (lies_within(studies.images, studies.root)) walker.images(studies.images, "", 0);
  walker.join_series();
  walker.labels();
  std::sort(out.images.begin(), out.images.end(), [](const auto& a, const auto& b) {
    return a.place() < b.place();
  });
  std::sort(out.labels.begin(), out.labels.end(), [](const auto& a, const auto& b) {
    return std::tie(a.tag, a.file_name) < std::tie(b.tag, b.file_name);
  });
  return out;
}

}  // namespace voxloom::serve
