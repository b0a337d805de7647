#include "voxloom/train/event_writer.h"

#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/train/crc32c.h"

#include "temporary_folder.h"

namespace voxloom::train {
namespace {

/// A field of a protocol-buffer message, read by its wire type.
struct Field {
  uint64_t number = 0;
  uint64_t integer = 0;
  double real = 0;
  std::string bytes;
};

/// A decoder of its own, so that a mistake in the writer is not repeated here.
std::vector<Field> decode(const std::string& message) {
  std::vector<Field> fields;
  size_t at = 0;
  const auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(message.at(at++));
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.size()) {
    const uint64_t key = varint();
    Field field;
    field.number = key >> 3;
    switch (key & 7) {
      case 0:
        field.integer = varint();
        break;
      case 1: {
        std::memcpy(&field.real, message.substr(at, 8).data(), 8);
        at += 8;
        break;
      }
      case 2: {
        const uint64_t length = varint();
        field.bytes = message.substr(at, length);
        at += length;
        break;
      }
      default: {
        float value = 0;
        std::memcpy(&value, message.substr(at, 4).data(), 4);
        field.real = static_cast<double>(value);
        at += 4;
      }
    }
    fields.push_back(field);
  }
  return fields;
}

Field find(const std::string& message, uint64_t number) {
  for (const Field& field : decode(message)) {
    if (field.number == number) return field;
  }
  ADD_FAILURE() << "no field " << number;
  return {};
}

template <class Number>
Number number_at(const std::string& bytes, size_t at) {
  Number value{};
  std::memcpy(&value, bytes.substr(at, sizeof value).data(), sizeof value);
  return value;
}

/// All messages of an event file; checks the frames.
std::vector<std::string> read_events(const std::filesystem::path& path) {
  const std::string file = read_text_file(path);
  std::vector<std::string> events;
  size_t at = 0;
  while (at < file.size()) {
    const auto length = number_at<uint64_t>(file, at);
    EXPECT_EQ(number_at<uint32_t>(file, at + 8), masked_crc32c(file.substr(at, 8)));
    events.push_back(file.substr(at + 12, length));
    EXPECT_EQ(events.back().size(), length);
    EXPECT_EQ(number_at<uint32_t>(file, at + 12 + length), masked_crc32c(events.back()));
    at += 16 + length;
  }
  return events;
}

/// Summary.value[0] of an event.
std::string value_of(const std::string& event) {
  return find(find(event, 5).bytes, 1).bytes;
}

TEST(Crc32cTest, GivesTheValuesOfTheStandard) {
  // RFC 3720, B.4.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
}

TEST(EventWriterTest, BeginsWithTheVersionThatTensorBoardLooksFor) {
  const TemporaryFolder folder;
  const EventWriter writer(folder.path(), 0);
  const auto events = read_events(writer.path());
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(find(events[0], 3).bytes, "brain.Event:2");
  EXPECT_GT(find(events[0], 1).real, 1e9);
}

TEST(EventWriterTest, AResumedRunSaysWhereItStarts) {
  const TemporaryFolder folder;
  const EventWriter writer(folder.path(), 41);
  const auto events = read_events(writer.path());
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(find(events[1], 2).integer, 41U);
  EXPECT_EQ(find(find(events[1], 7).bytes, 1).integer, 1U);  // SessionLog.START
}

TEST(EventWriterTest, ScalarsHaveTagStepAndValue) {
  const TemporaryFolder folder;
  EventWriter writer(folder.path(), 0);
  writer.scalar("train/loss", 0.25, 300);
  const std::string event = read_events(writer.path()).at(1);
  EXPECT_EQ(find(event, 2).integer, 300U);
  EXPECT_EQ(find(value_of(event), 1).bytes, "train/loss");
  EXPECT_EQ(find(value_of(event), 2).real, 0.25);
}

TEST(EventWriterTest, PicturesArePng) {
  const TemporaryFolder folder;
  EventWriter writer(folder.path(), 0);
  writer.picture({"case", 3, 2, std::vector<uint8_t>(18, 77)}, 1);
  const std::string image = find(value_of(read_events(writer.path()).at(1)), 4).bytes;
  EXPECT_EQ(find(image, 1).integer, 2U);  // height
  EXPECT_EQ(find(image, 2).integer, 3U);
  EXPECT_EQ(find(image, 3).integer, 3U);
  EXPECT_EQ(find(image, 4).bytes.substr(1, 3), "PNG");
}

TEST(EventWriterTest, HistogramsCountEveryFiniteValue) {
  const TemporaryFolder folder;
  EventWriter writer(folder.path(), 0);
  const std::vector<float> values{-1.0F, 0.0F, 0.0F, 3.0F, NAN};
  writer.histogram("weights/a", values, 2);
  const std::string histogram = find(value_of(read_events(writer.path()).at(1)), 5).bytes;
  EXPECT_EQ(find(histogram, 1).real, -1.0);
  EXPECT_EQ(find(histogram, 2).real, 3.0);
  EXPECT_EQ(find(histogram, 3).real, 4.0);
  EXPECT_EQ(find(histogram, 4).real, 2.0);
  EXPECT_EQ(find(histogram, 5).real, 10.0);
  const std::string limits = find(histogram, 6).bytes, counts = find(histogram, 7).bytes;
  ASSERT_EQ(limits.size(), counts.size());
  double total = 0;
  for (size_t at = 0; at < counts.size(); at += 8) total += number_at<double>(counts, at);
  EXPECT_EQ(total, 4.0);
  EXPECT_EQ(number_at<double>(limits, limits.size() - 8), 3.0);
}

TEST(EventWriterTest, TextIsAStringTensorOfTheTextPlugin) {
  const TemporaryFolder folder;
  EventWriter writer(folder.path(), 0);
  writer.text("options", "| a | b |", 0);
  const std::string value = value_of(read_events(writer.path()).at(1));
  EXPECT_EQ(find(find(value, 8).bytes, 8).bytes, "| a | b |");
  EXPECT_EQ(find(find(find(value, 9).bytes, 1).bytes, 1).bytes, "text");
}

}  // namespace
}  // namespace voxloom::train
