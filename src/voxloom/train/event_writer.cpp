#include "voxloom/train/event_writer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/io/raster.h"
#include "voxloom/train/crc32c.h"

namespace voxloom::train {
namespace {

double wall_time_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

template <class Number>
void put_little_endian(std::string& out, Number value) {
  for (size_t byte = 0; byte < sizeof value; ++byte) {
    out.push_back(static_cast<char>(value >> (8 * byte)));
  }
}

/// A packed field of doubles.
std::string packed(std::span<const double> values) {
  std::string out;
  for (const double value : values) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    put_little_endian(out, bits);
  }
  return out;
}

}  // namespace

EventWriter::EventWriter(const std::filesystem::path& folder, int64_t first_step) {
  const double now = wall_time_s();
  path_ = folder / format("events.out.tfevents.{:.0f}.{}", now * 1e6, ::getpid());
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  VOXLOOM_CHECK(fd_ >= 0,
                ErrorCode::kUnavailable,
                "events '{}': cannot be created: {}",
                path_.string(),
                std::strerror(errno));
  ProtobufWire version;
  version.text(3, "brain.Event:2");
  event(version);
  if (first_step > 0) {
    constexpr int64_t kStart = 1;  // SessionLog.SessionStatus
    ProtobufWire start;
    start.integer(2, first_step).message(7, ProtobufWire().integer(1, kStart));
    event(start);
  }
}

EventWriter::~EventWriter() {
  ::close(fd_);
}

void EventWriter::scalar(std::string_view tag, double value, int64_t step) {
  summary(ProtobufWire().text(1, tag).real(2, static_cast<float>(value)), step);
}

void EventWriter::picture(const Picture& picture, int64_t step) {
  const auto raster = io::rgb_raster(picture.width, picture.height, picture.rgb);
  constexpr int64_t kRgb = 3;
  const ProtobufWire image = ProtobufWire()
                                 .integer(1, picture.height)
                                 .integer(2, picture.width)
                                 .integer(3, kRgb)
                                 .text(4, io::encode_png(raster));
  summary(ProtobufWire().text(1, picture.name).message(4, image), step);
}

void EventWriter::histogram(std::string_view tag, std::span<const float> values, int64_t step) {
  double low = INFINITY, high = -INFINITY, sum = 0, squares = 0, count = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    const double x = value;
    low = std::min(low, x);
    high = std::max(high, x);
    sum += x;
    squares += x * x;
    count += 1;
  }
  if (count == 0) return;
  constexpr size_t kBuckets = 100;
  std::array<double, kBuckets> limits{}, counts{};
  const double width = (high - low) / kBuckets;
  for (size_t i = 0; i < kBuckets; ++i) limits[i] = low + width * static_cast<double>(i + 1);
  limits.back() = high;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    const double place = width > 0 ? (static_cast<double>(value) - low) / width : 0.0;
    counts[std::min(kBuckets - 1, static_cast<size_t>(place))] += 1;
  }
  const ProtobufWire histogram = ProtobufWire()
                                     .real64(1, low)
                                     .real64(2, high)
                                     .real64(3, count)
                                     .real64(4, sum)
                                     .real64(5, squares)
                                     .text(6, packed(limits))
                                     .text(7, packed(counts));
  summary(ProtobufWire().text(1, tag).message(5, histogram), step);
}

void EventWriter::text(std::string_view tag, std::string_view markdown, int64_t step) {
  constexpr int64_t kString = 7;  // DataType.DT_STRING
  const ProtobufWire tensor = ProtobufWire()
                                  .integer(1, kString)
                                  .message(2, ProtobufWire())  // scalar shape
                                  .text(8, markdown);
  const ProtobufWire metadata =
      ProtobufWire().message(1, ProtobufWire().text(1, "text"));  // plugin's name
  summary(ProtobufWire().text(1, tag).message(8, tensor).message(9, metadata), step);
}

void EventWriter::summary(const ProtobufWire& value, int64_t step) {
  ProtobufWire fields;
  fields.integer(2, step).message(5, ProtobufWire().message(1, value));
  event(fields);
}

void EventWriter::event(ProtobufWire& event) {
  event.real64(1, wall_time_s());
  record(event.bytes());
}

void EventWriter::record(std::string_view data) {
  std::string length;
  put_little_endian(length, static_cast<uint64_t>(data.size()));
  std::string out = length;
  put_little_endian(out, masked_crc32c(length));
  out += data;
  put_little_endian(out, masked_crc32c(data));
  std::string_view rest = out;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    VOXLOOM_CHECK(written > 0,
                  ErrorCode::kUnavailable,
                  "events '{}': cannot be written: {}",
                  path_.string(),
                  std::strerror(errno));
    rest.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace voxloom::train
