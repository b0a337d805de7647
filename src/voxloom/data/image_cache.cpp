#include "voxloom/data/image_cache.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include <stdlib.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"

namespace voxloom::data {
namespace {

std::shared_ptr<const CachedImage> decode(const dataset::Sample& sample) {
  dataset::LabelledImage loaded = dataset::load_sample(sample);
  auto out = std::make_shared<CachedImage>();
  out->width = loaded.width;
  out->height = loaded.height;
  out->image.resize(loaded.image.size());
  double sum = 0.0;
  for (size_t i = 0; i < loaded.image.size(); ++i) {
    const float dark = sample.bright_object ? 1.0F - loaded.image[i] : loaded.image[i];
    const auto v = static_cast<uint8_t>(std::lround(255.0F * dark));
    out->image[i] = v;
    sum += v;
  }
  out->mean = static_cast<float>(
      sum / (255.0 * static_cast<double>(std::max<size_t>(1, loaded.image.size()))));
  out->mask = std::move(loaded.mask);
  return out;
}

bool write_all(int fd, const uint8_t* data, size_t size, int64_t offset) {
  while (size > 0) {
    const ssize_t done = ::pwrite(fd, data, size, offset);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    data += done;
    size -= static_cast<size_t>(done);
    offset += done;
  }
  return true;
}

bool read_all(int fd, uint8_t* data, size_t size, int64_t offset) {
  while (size > 0) {
    const ssize_t done = ::pread(fd, data, size, offset);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    data += done;
    size -= static_cast<size_t>(done);
    offset += done;
  }
  return true;
}

/// A new file without a name, or -1.
int open_nameless(const std::filesystem::path& folder) {
  std::error_code failed;
  const auto base = folder.empty() ? std::filesystem::temp_directory_path(failed) : folder;
  std::string name = (base / "voxloom-cache-XXXXXX").string();
  const int fd = ::mkstemp(name.data());
  if (fd >= 0) ::unlink(name.c_str());
  return fd;
}

}  // namespace

ImageCache::ImageCache(std::vector<dataset::Sample> samples,
                       size_t memory_bytes,
                       std::filesystem::path folder)
    : samples_(std::move(samples)), memory_limit_(memory_bytes), folder_(std::move(folder)) {
  entries_.reserve(samples_.size());
  for (size_t i = 0; i < samples_.size(); ++i) entries_.push_back(std::make_unique<Entry>());
}

ImageCache::~ImageCache() {
  if (fd_ >= 0) ::close(fd_);
}

std::shared_ptr<const CachedImage> ImageCache::get(int64_t index) {
  VOXLOOM_ASSERT(index >= 0 && index < size());
  Entry& entry = *entries_[static_cast<size_t>(index)];
  const std::lock_guard lock(entry.mutex);
  if (entry.image) return entry.image;
  if (entry.offset >= 0) return read_back(entry);
  auto image = decode(samples_[static_cast<size_t>(index)]);
  keep(entry, image);
  return image;
}

void ImageCache::keep(Entry& entry, const std::shared_ptr<const CachedImage>& image) {
  {
    const std::lock_guard lock(mutex_);
    ++usage_.decoded;
    if (usage_.memory_bytes + image->bytes() <= memory_limit_) {
      usage_.memory_bytes += image->bytes();
      entry.image = image;
      return;
    }
  }
  const int64_t offset = reserve_file(image->bytes());
  if (offset < 0) return;
  if (!write_all(fd_, image->image.data(), image->image.size(), offset) ||
      !write_all(fd_,
                 image->mask.data(),
                 image->mask.size(),
                 offset + static_cast<int64_t>(image->image.size()))) {
    const std::lock_guard lock(mutex_);
    if (!file_failed_) {
      VOXLOOM_LOG_WARN("loader: the cache file cannot be written ({}); images are decoded again",
                       std::strerror(errno));
    }
    file_failed_ = true;
    return;
  }
  entry.shape.width = image->width;
  entry.shape.height = image->height;
  entry.shape.mean = image->mean;
  entry.mask_bytes = image->mask.size();
  entry.offset = offset;
}

int64_t ImageCache::reserve_file(size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (file_failed_) return -1;
  if (fd_ < 0) {
    fd_ = open_nameless(folder_);
    if (fd_ < 0) {
      VOXLOOM_LOG_WARN("loader: no cache file can be made ({}); images are decoded again",
                       std::strerror(errno));
      file_failed_ = true;
      return -1;
    }
  }
  const auto offset = static_cast<int64_t>(usage_.file_bytes);
  usage_.file_bytes += bytes;
  return offset;
}

std::shared_ptr<const CachedImage> ImageCache::read_back(const Entry& entry) const {
  auto out = std::make_shared<CachedImage>(entry.shape);
  out->image.resize(static_cast<size_t>(out->width * out->height));
  out->mask.resize(entry.mask_bytes);
  VOXLOOM_CHECK(read_all(fd_, out->image.data(), out->image.size(), entry.offset) &&
                    read_all(fd_,
                             out->mask.data(),
                             out->mask.size(),
                             entry.offset + static_cast<int64_t>(out->image.size())),
                ErrorCode::kUnavailable,
                "loader: the cache file must be readable, got an error: {}",
                std::strerror(errno));
  return out;
}

ImageCache::Usage ImageCache::usage() const {
  const std::lock_guard lock(mutex_);
  return usage_;
}

}  // namespace voxloom::data
