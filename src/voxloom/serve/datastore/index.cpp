#include "voxloom/serve/datastore/index.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace voxloom::serve {
namespace {

constexpr size_t kBlockSize = 128;

bool id_below(const ImagePtr& image, std::string_view id) {
  return image->id < id;
}

}  // namespace

ImageRecord StoredImage::record() const {
  ImageRecord out{.id = id, .ext = ext, .info = info, .labels = {}};
  out.labels.reserve(labels.size());
  for (const auto& [tag, label] : labels) out.labels.push_back({tag, label.ext, label.info});
  return out;
}

IndexView IndexView::build(const std::vector<ImagePtr>& sorted, uint64_t revision) {
  IndexView out;
  out.revision_ = revision;
  for (size_t i = 0; i < sorted.size(); i += kBlockSize) {
    const auto first = sorted.begin() + static_cast<ptrdiff_t>(i);
    const auto last =
        sorted.begin() + static_cast<ptrdiff_t>(std::min(i + kBlockSize, sorted.size()));
    out.blocks_.push_back(std::make_shared<const Block>(first, last));
  }
  for (const auto& image : sorted) out.count(*image, 1);
  return out;
}

void IndexView::count(const StoredImage& image, int64_t sign) {
  total_ += sign;
  for (const auto& [tag, label] : image.labels) {
    if (tag == kFinalTag) completed_ += sign;
    const auto it = tags_.emplace(tag, 0).first;
    it->second += sign;
    if (it->second == 0) tags_.erase(it);
  }
}

/// The block that holds `id` or where it belongs; there is at least one.
size_t IndexView::block_of(std::string_view id) const {
  const auto it = std::upper_bound(
      blocks_.begin(), blocks_.end(), id, [](std::string_view wanted, const auto& block) {
        return wanted < block->front()->id;
      });
  return it == blocks_.begin() ? 0 : static_cast<size_t>(it - blocks_.begin()) - 1;
}

ImagePtr IndexView::find(std::string_view id) const {
  if (blocks_.empty()) return nullptr;
  const Block& block = *blocks_[block_of(id)];
  const auto it = std::lower_bound(block.begin(), block.end(), id, id_below);
  return it != block.end() && (*it)->id == id ? *it : nullptr;
}

IndexView IndexView::with(ImagePtr image) const {
  IndexView out = *this;
  ++out.revision_;
  out.count(*image, 1);
  if (blocks_.empty()) {
    out.blocks_.push_back(std::make_shared<const Block>(Block{std::move(image)}));
    return out;
  }
  const size_t b = block_of(image->id);
  Block block = *blocks_[b];
  const auto it = std::lower_bound(block.begin(), block.end(), image->id, id_below);
  if (it != block.end() && (*it)->id == image->id) {
    out.count(**it, -1);
    *it = std::move(image);
  } else {
    block.insert(it, std::move(image));
  }
  if (block.size() > 2 * kBlockSize) {
    const auto middle = block.begin() + static_cast<ptrdiff_t>(kBlockSize);
    auto rest = std::make_shared<const Block>(middle, block.end());
    block.erase(middle, block.end());
    out.blocks_.insert(out.blocks_.begin() + static_cast<ptrdiff_t>(b) + 1, std::move(rest));
  }
  out.blocks_[b] = std::make_shared<const Block>(std::move(block));
  return out;
}

IndexView IndexView::without(std::string_view id) const {
  IndexView out = *this;
  ++out.revision_;
  if (blocks_.empty()) return out;
  const size_t b = block_of(id);
  Block block = *blocks_[b];
  const auto it = std::lower_bound(block.begin(), block.end(), id, id_below);
  if (it == block.end() || (*it)->id != id) return out;
  out.count(**it, -1);
  block.erase(it);
  if (block.empty()) {
    out.blocks_.erase(out.blocks_.begin() + static_cast<ptrdiff_t>(b));
  } else {
    out.blocks_[b] = std::make_shared<const Block>(std::move(block));
  }
  return out;
}

void IndexView::for_each(const std::function<void(const ImagePtr&)>& fn) const {
  for (const auto& block : blocks_) {
    for (const auto& image : *block) fn(image);
  }
}

DatastoreStats IndexView::stats() const {
  return {.total = total_, .completed = completed_, .label_tags = {tags_.begin(), tags_.end()}};
}

}  // namespace voxloom::serve
