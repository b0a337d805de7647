#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#include "voxloom/data/warp.h"
#include "voxloom/dataset/sample.h"

namespace voxloom::data {

/// A decoded sample, 8 bits a pixel, objects dark.
struct CachedImage {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> image;  ///< [H, W]; 255 is 1.
  std::vector<uint8_t> mask;   ///< [H, W] WireClass values; empty: not annotated.
  float mean = 0.0F;           ///< Of the image, in [0, 1].

  [[nodiscard]] SourceView view() const { return {width, height, image, mask, mean}; }
  [[nodiscard]] size_t bytes() const { return image.size() + mask.size(); }
};

/// Decodes every sample once. Images stay in memory until `memory_bytes` are taken; later ones go
/// to one file, which has no name any more once it is open, and are read back from there. When that
/// file can't be written they are decoded anew each time. Thread-safe; two threads that want the
/// same sample decode it once.
class ImageCache {
 public:
  ImageCache(std::vector<dataset::Sample> samples,
             size_t memory_bytes,
             std::filesystem::path folder);
  ~ImageCache();
  ImageCache(const ImageCache&) = delete;
  ImageCache& operator=(const ImageCache&) = delete;

  [[nodiscard]] int64_t size() const { return static_cast<int64_t>(samples_.size()); }
  [[nodiscard]] const dataset::Sample& sample(int64_t index) const {
    return samples_[static_cast<size_t>(index)];
  }
  /// Throws what load_sample() throws, each time it is asked.
  [[nodiscard]] std::shared_ptr<const CachedImage> get(int64_t index);

  struct Usage {
    int64_t decoded = 0;  ///< Calls of the decoder.
    size_t memory_bytes = 0, file_bytes = 0;
  };
  [[nodiscard]] Usage usage() const;

 private:
  struct Entry {
    std::mutex mutex;
    std::shared_ptr<const CachedImage> image;  ///< In memory.
    CachedImage shape;                         ///< Without pixels, when on disk.
    int64_t offset = -1;                       ///< In the file; -1: not there.
    size_t mask_bytes = 0;
  };
  void keep(Entry& entry, const std::shared_ptr<const CachedImage>& image);
  [[nodiscard]] int64_t reserve_file(size_t bytes);
  [[nodiscard]] std::shared_ptr<const CachedImage> read_back(const Entry& entry) const;

  std::vector<dataset::Sample> samples_;
  size_t memory_limit_;
  std::filesystem::path folder_;
  std::vector<std::unique_ptr<Entry>> entries_;
  mutable std::mutex mutex_;  ///< Of what follows.
  Usage usage_;
  int fd_ = -1;
  bool file_failed_ = false;
};

}  // namespace voxloom::data
