#include "voxloom/models/sam2/memory_bank.h"

#include <algorithm>

namespace voxloom::models::sam2 {
namespace {

int64_t sign_of(Direction direction) {
  return direction == Direction::kForward ? 1 : -1;
}

/// floor(a / b) for b > 0.
int64_t floor_div(int64_t a, int64_t b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

}  // namespace

MemoryBank::MemoryBank(const Sam2Options& options, int64_t num_slices)
    : num_memories_(options.num_memories),
      stride_(options.memory_stride),
      max_prompted_(options.max_cond_frames),
      // The original shortens the horizon in short volumes. With one slice nothing is tracked;
      // two keep the division defined.
      pointer_horizon_(std::max<int64_t>(2, std::min(num_slices, options.max_pointers))),
      num_slices_(num_slices) {}

MemoryBank::Selection MemoryBank::select_prompted(int64_t t) const {
  Selection selection;
  std::vector<int64_t> all;
  for (const auto& [slice, record] : prompted) all.push_back(slice);
  if (max_prompted_ < 0 || static_cast<int64_t>(all.size()) <= max_prompted_) {
    selection.chosen = std::move(all);
    return selection;
  }
  // The nearest one before, the nearest one at or after, then the others by distance.
  const auto after = std::lower_bound(all.begin(), all.end(), t);
  if (after != all.begin()) selection.chosen.push_back(*(after - 1));
  if (after != all.end()) selection.chosen.push_back(*after);
  std::vector<int64_t> rest;
  for (const int64_t slice : all) {
    const auto& chosen = selection.chosen;
    if (std::find(chosen.begin(), chosen.end(), slice) == chosen.end()) rest.push_back(slice);
  }
  std::stable_sort(rest.begin(), rest.end(), [&](int64_t a, int64_t b) {
    return std::abs(a - t) < std::abs(b - t);
  });
  for (const int64_t slice : rest) {
    const bool room = static_cast<int64_t>(selection.chosen.size()) < max_prompted_;
    (room ? selection.chosen : selection.others).push_back(slice);
  }
  return selection;
}

const SliceRecord* MemoryBank::tracked_or(int64_t slice, const Selection& selection) const {
  if (const auto it = tracked.find(slice); it != tracked.end()) return &it->second;
  const auto& others = selection.others;
  if (std::find(others.begin(), others.end(), slice) != others.end()) return &prompted.at(slice);
  return nullptr;
}

int64_t MemoryBank::remembered_slice(int64_t t, int64_t t_rel, Direction direction) const {
  if (t_rel == 1) return t - sign_of(direction);
  if (direction == Direction::kForward) {
    return floor_div(t - 2, stride_) * stride_ - (t_rel - 2) * stride_;
  }
  return -floor_div(-(t + 2), stride_) * stride_ + (t_rel - 2) * stride_;
}

std::vector<MemoryRead::Map> MemoryBank::maps_for(int64_t t, Direction direction) const {
  const Selection selection = select_prompted(t);
  std::vector<MemoryRead::Map> maps;
  for (const int64_t slice : selection.chosen) {
    const SliceRecord& record = prompted.at(slice);
    if (record.memory) maps.push_back({record.memory, num_memories_ - 1});
  }
  for (int64_t t_rel = num_memories_ - 1; t_rel >= 1; --t_rel) {
    const SliceRecord* record = tracked_or(remembered_slice(t, t_rel, direction), selection);
    if (record != nullptr && record->memory) maps.push_back({record->memory, t_rel - 1});
  }
  return maps;
}

std::vector<MemoryBank::Pointer> MemoryBank::pointers_for(int64_t t, Direction direction) const {
  const int64_t sign = sign_of(direction);
  const Selection selection = select_prompted(t);
  std::vector<Pointer> pointers;
  for (const int64_t slice : selection.chosen) {
    const int64_t distance = (t - slice) * sign;
    if (distance >= 0) pointers.push_back({distance, prompted.at(slice).pointer});
  }
  for (int64_t distance = 1; distance < pointer_horizon_; ++distance) {
    const int64_t slice = t - sign * distance;
    if (slice < 0 || slice >= num_slices_) break;
    const SliceRecord* record = tracked_or(slice, selection);
    if (record != nullptr) pointers.push_back({distance, record->pointer});
  }
  return pointers;
}

void MemoryBank::forget_behind(int64_t t, Direction direction) {
  const int64_t sign = sign_of(direction);
  const int64_t next = t + sign;
  for (auto it = tracked.begin(); it != tracked.end();) {
    const int64_t distance = (next - it->first) * sign;
    if (distance > longest_map_distance()) it->second.memory.reset();
    it = distance >= pointer_horizon_ && !it->second.memory ? tracked.erase(it) : std::next(it);
  }
}

void MemoryBank::release_behind(int64_t t, Direction direction) {
  const int64_t sign = sign_of(direction);
  for (auto& [slice, record] : tracked) {
    const int64_t distance = (t + sign - slice) * sign;
    if (record.memory && (distance > longest_map_distance() || distance < 0)) {
      record.memory->release_prepared();
    }
  }
}

}  // namespace voxloom::models::sam2
