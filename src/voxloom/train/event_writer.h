#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "voxloom/core/protobuf_wire.h"
#include "voxloom/train/task.h"

namespace voxloom::train {

/// Writes a TensorBoard event file.
///
/// The file is a row of TFRecords: length (8 bytes), masked CRC-32C of the length (4), data, masked
/// CRC-32C of the data (4), little-endian. Data is an Event message (tensorflow/core/util/
/// event.proto): 1 wall time, 2 step, 3 file version, 5 Summary, 7 SessionLog.
class EventWriter {
 public:
  /// Makes "events.out.tfevents.<time>.<process>" in `folder`. With `first_step` above 0, readers
  /// drop what older files of the folder hold from that step on. Throws kUnavailable.
  EventWriter(const std::filesystem::path& folder, int64_t first_step);
  ~EventWriter();
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  void scalar(std::string_view tag, double value, int64_t step);
  void picture(const Picture& picture, int64_t step);
  /// Counts the values in 100 equal buckets between the smallest and the largest; values that
  /// are not finite are left out.
  void histogram(std::string_view tag, std::span<const float> values, int64_t step);
  /// Markdown.
  void text(std::string_view tag, std::string_view markdown, int64_t step);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  void summary(const ProtobufWire& value, int64_t step);
  void event(ProtobufWire& event);
  void record(std::string_view data);

  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace voxloom::train
