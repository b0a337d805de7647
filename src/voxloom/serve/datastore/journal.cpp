#include "voxloom/serve/datastore/journal.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/serve/datastore/file_name.h"
#include "voxloom/serve/datastore/index_json.h"
#include "voxloom/serve/datastore/info_json.h"

namespace voxloom::serve {
namespace {

constexpr std::array<std::string_view, 4> kKinds{"image", "drop_image", "label", "drop_label"};
constexpr size_t kDigits = 8;

std::string checksum(std::string_view text) {
  const uLong crc =
      ::crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()));
  std::array<char, kDigits + 1> digits{};
  std::snprintf(digits.data(), digits.size(), "%08lx", crc);
  return {digits.data(), kDigits};
}

/// Writes all of it. Returns an errno, or 0.
int write_at(int fd, std::string_view bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : ENOSPC;
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return 0;
}

Change change_from_json(const Json& value) {
  const auto refuse = [] { throw Error(ErrorCode::kDataCorrupt, "journal: unknown record"); };
  if (!value.is_object()) refuse();
  Change out;
  const std::string kind = text_member(value, "op");
  size_t k = 0;
  while (k < kKinds.size() && kKinds[k] != kind) ++k;
  if (k == kKinds.size()) refuse();
  out.kind = static_cast<Change::Kind>(k);
  out.id = text_member(value, "id");
  check_name(out.id, "journal");
  out.tag = text_member(value, "tag");
  const bool of_label = out.kind == Change::Kind::kLabel || out.kind == Change::Kind::kDropLabel;
  if (of_label) check_name(out.tag, "journal");
  out.ext = text_member(value, "ext");
  if (!out.ext.empty()) check_name("x" + out.ext, "journal");
  if (const std::string location = text_member(value, "file"); !location.empty()) {
    const auto plain = plain_relative(location);
    if (!plain) refuse();
    out.location = *plain;
  }
  out.temporary = text_member(value, "was");
  if (!out.temporary.empty()) check_name("x" + out.temporary, "journal");
  if (const auto it = value.find("info"); it != value.end() && it->is_object()) out.info = *it;
  if (const auto it = value.find("stamp"); it != value.end()) out.stamp = stamp_from_json(*it);
  return out;
}

}  // namespace

std::string journal_line(const Change& change) {
  Json value = {{"op", kKinds[static_cast<size_t>(change.kind)]}, {"id", change.id}};
  if (!change.tag.empty()) value["tag"] = change.tag;
  if (!change.ext.empty()) value["ext"] = change.ext;
  if (!change.location.empty()) value["file"] = change.location;
  if (!change.info.empty()) value["info"] = change.info;
  if (change.stamp.known()) value["stamp"] = to_json(change.stamp);
  if (!change.temporary.empty()) value["was"] = change.temporary;
  return with_checksum(to_line(value));
}

std::string with_checksum(std::string_view text) {
  return checksum(text) + ' ' + std::string(text) + '\n';
}

JournalReport read_journal(std::string_view text, const std::function<void(Change)>& apply) {
  JournalReport report;
  text = text.substr(0, text.find_last_not_of('\0') + 1);
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      report.cut = true;
      break;
    }
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.empty()) continue;
    const bool intact = line.size() > kDigits + 1 && line[kDigits] == ' ' &&
                        checksum(line.substr(kDigits + 1)) == line.substr(0, kDigits);
    if (!intact && text.empty() && line.find('\0') != std::string_view::npos) {
      report.cut = true;  // Its end came to the disk and its beginning did not.
      break;
    }
    if (!intact) {
      ++report.damaged;
      continue;
    }
    Change change;
    try {
      change = change_from_json(parse_json(line.substr(kDigits + 1), "journal"));
    } catch (const Error&) {
      ++report.damaged;
      continue;
    }
    ++report.changes;
    apply(std::move(change));
  }
  return report;
}

void apply_change(std::map<std::string, StoredImage, std::less<>>& images, const Change& change) {
  switch (change.kind) {
    case Change::Kind::kImage: {
      StoredImage& image = images[change.id];
      image.id = change.id;
      image.ext = change.ext;
      image.location = change.location;
      image.info = change.info;
      image.stamp = change.stamp;
      break;
    }
    case Change::Kind::kDropImage: {
      const auto it = images.find(change.id);
      if (it == images.end()) break;
      it->second.info = Json::object();
      it->second.stamp = {};
      break;
    }
    case Change::Kind::kLabel: {
      auto it = images.find(change.id);
      if (it == images.end()) {
        // The image was found in the folder and not in an index yet when it got its label.
        if (change.location.empty()) break;
        const auto split =
            split_image_name(std::filesystem::path(change.location).filename().string());
        StoredImage image;
        image.id = change.id;
        image.ext = split ? split->ext : "";
        image.location = change.location;
        it = images.emplace(change.id, std::move(image)).first;
      }
      it->second.labels.insert_or_assign(change.tag,
                                         StoredLabel{change.ext, change.info, change.stamp});
      break;
    }
    case Change::Kind::kDropLabel: {
      const auto it = images.find(change.id);
      if (it != images.end()) it->second.labels.erase(change.tag);
      break;
    }
  }
}

Journal::Journal(const std::filesystem::path& path) {
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  VOXLOOM_CHECK(fd_ >= 0,
                ErrorCode::kUnavailable,
                "studies folder: its journal cannot be made: {}",
                std::strerror(errno));
  reserve();
  ::fsync(fd_);
  sync_folder(path.parent_path());
}

Journal::~Journal() {
  if (fd_ < 0) return;
  static_cast<void>(!::ftruncate(fd_, static_cast<off_t>(bytes_)));
  ::close(fd_);
}

Journal::Journal(Journal&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      bytes_(std::exchange(other.bytes_, 0)),
      reserved_(std::exchange(other.reserved_, 0)) {}

Journal& Journal::operator=(Journal&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(bytes_, other.bytes_);
  std::swap(reserved_, other.reserved_);
  return *this;
}

/// On a full disk there is no room ahead, and each line asks for its own.
void Journal::reserve() {
  constexpr size_t kAhead = size_t{64} << 10;
  const std::string zeros(kAhead, '\0');
  if (write_at(fd_, zeros, reserved_) == 0) reserved_ += kAhead;
}

void Journal::append(std::string_view line) {
  if (bytes_ + line.size() > reserved_) {
    reserved_ = std::max(reserved_, bytes_);
    reserve();
  }
  int error = write_at(fd_, line, bytes_);
  if (error == 0 && ::fdatasync(fd_) != 0) error = errno;
  if (error == 0) {
    bytes_ += line.size();
    return;
  }
  // Half a line, or a whole one that was refused: gone, or else written over by the next one.
  if (::ftruncate(fd_, static_cast<off_t>(bytes_)) == 0) reserved_ = bytes_;
  throw Error(ErrorCode::kUnavailable,
              format("studies folder: its journal cannot be written: {}", std::strerror(error)));
}

}  // namespace voxloom::serve
