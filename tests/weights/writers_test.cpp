#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "voxloom/core/error.h"
#include "voxloom/core/zip_reader.h"
#include "voxloom/weights/checkpoint.h"
#include "voxloom/weights/fingerprint.h"
#include "voxloom/weights/generated.h"
#include "voxloom/weights/safetensors.h"
#include "voxloom/weights/torch_writer.h"

namespace voxloom::weights {
namespace {

using testing::HasSubstr;

std::filesystem::path temp(const std::string& name) {
  return std::filesystem::path(testing::TempDir()) / name;
}

TensorView tensor_of(DType dtype, std::vector<int64_t> shape, uint8_t seed) {
  const auto count = static_cast<size_t>(element_count_of(shape, "test"));
  std::vector<std::byte> bytes(count * bytes_per_element(dtype));
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(seed + 37 * i);
  if (dtype == DType::kBool) {
    for (auto& b : bytes) b &= std::byte{1};
  }
  const SharedBytes owned = own_bytes(std::move(bytes));
  return {dtype, std::move(shape), owned.bytes, owned.owner};
}

/// One tensor of each type, and shapes at the edges; in an order that misaligns when packed.
StateDict all_types() {
  StateDict dict;
  dict.add("z.bool", tensor_of(DType::kBool, {3}, 1));
  for (int type = 0; type <= static_cast<int>(DType::kBool); ++type) {
    const auto dtype = static_cast<DType>(type);
    dict.add("t." + std::string(dtype_name(dtype)),
             tensor_of(dtype, {3, 1, 5}, static_cast<uint8_t>(type)));
  }
  dict.add("scalar", tensor_of(DType::kF32, {}, 9));
  dict.add("empty", tensor_of(DType::kF32, {0, 7}, 9));
  dict.add("\xc3\xbc \"quoted\"\n", tensor_of(DType::kU8, {2}, 3));
  return dict;
}

void expect_equal(const StateDict& a, const StateDict& b, bool same_order) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const auto& entry = a.entries()[i];
    if (same_order) EXPECT_EQ(entry.name, b.entries()[i].name);
    const TensorView* other = b.find(entry.name);
    ASSERT_NE(other, nullptr) << entry.name;
    EXPECT_EQ(entry.tensor.dtype, other->dtype) << entry.name;
    EXPECT_EQ(entry.tensor.shape, other->shape) << entry.name;
    EXPECT_TRUE(std::ranges::equal(entry.tensor.bytes, other->bytes)) << entry.name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(other->bytes.data()) % bytes_per_element(other->dtype),
              0u);
  }
}

TEST(SafetensorsTest, RoundTripsExactlyInBothOrders) {
  const StateDict dict = all_types();
  const std::map<std::string, std::string> metadata = {{"format", "pt"}, {"note", "\xc3\xbc"}};
  for (const auto order : {TensorOrder::kAligned, TensorOrder::kGiven}) {
    const auto path = temp("round.safetensors");
    write_safetensors(path, dict, metadata, Overwrite::kReplace, order);
    const Safetensors file = read_safetensors(path);
    expect_equal(dict, file.tensors, order == TensorOrder::kGiven);
    EXPECT_EQ(file.metadata, metadata);
    EXPECT_EQ(read_checkpoint(path).format, CheckpointFormat::kSafetensors);
  }
}

TEST(SafetensorsTest, SameInputSameBytesAndNothingIsReplacedUnasked) {
  const StateDict dict = all_types();
  const auto first = temp("first.safetensors"), second = temp("second.safetensors");
  write_safetensors(first, dict, {}, Overwrite::kReplace);
  write_safetensors(second, dict, {}, Overwrite::kReplace);
  EXPECT_TRUE(std::ranges::equal(map_file(first).bytes, map_file(second).bytes));
  EXPECT_THROW(write_safetensors(first, dict, {}, Overwrite::kRefuse), Error);
}

TEST(SafetensorsTest, RefusesToWriteWhatCanNotBeRead) {
  StateDict reserved;
  reserved.add("__metadata__", tensor_of(DType::kF32, {1}, 1));
  EXPECT_THROW(write_safetensors(temp("x"), reserved, {}, Overwrite::kReplace), Error);
  StateDict bad_text;
  bad_text.add("\xff", tensor_of(DType::kF32, {1}, 1));
  EXPECT_THROW(write_safetensors(temp("x"), bad_text, {}, Overwrite::kReplace), Error);
  StateDict bad_size;
  bad_size.add("a", tensor_of(DType::kF32, {1}, 1));
  StateDict wrong;
  TensorView view = bad_size.entries()[0].tensor;
  view.shape = {2};
  wrong.add("a", view);
  EXPECT_THROW(write_safetensors(temp("x"), wrong, {}, Overwrite::kReplace), Error);
  EXPECT_FALSE(std::filesystem::exists(temp("x")));
}

std::string problem_of(const std::string& header, size_t data_size, size_t lie = 0) {
  std::string file(8, '\0');
  const uint64_t length = header.size() + lie;
  std::memcpy(file.data(), &length, 8);
  file += header + std::string(data_size, 'd');
  std::vector<std::byte> bytes(file.size());
  std::memcpy(bytes.data(), file.data(), file.size());
  try {
    (void)parse_safetensors(own_bytes(std::move(bytes)), "x.safetensors");
  } catch (const Error& e) {
    return std::string(error_code_name(e.code())) + ": " + e.what();
  }
  return "read";
}

std::string item(const std::string& name,
                 const std::string& dtype,
                 const std::string& shape,
                 const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

TEST(SafetensorsTest, RefusesEveryLieOfTheHeader) {
  const std::string a = item("a", "F32", "[2]", "[0,8]");
  EXPECT_EQ(problem_of("{" + a + "}", 8), "read");
  EXPECT_EQ(problem_of("{" + a + "}   ", 8), "read");
  EXPECT_EQ(problem_of("{}", 0), "read");
  EXPECT_EQ(problem_of("{\"__metadata__\":{\"k\":\"v\"}}", 0), "read");
  const struct {
    std::string header;
    size_t data;
    const char* expected;
  } cases[] = {
      {"{" + a + "}", 7, "data_corrupt"},
      {"{" + a + "}", 9, "need 8 data bytes, got 9"},
      {"{" + a + "," + item("b", "F32", "[1]", "[4,8]") + "}", 8, "without gap or overlap"},
      {"{" + a + "," + item("b", "F32", "[1]", "[12,16]") + "}", 16, "without gap or overlap"},
      {"{" + item("a", "F32", "[2]", "[8,0]") + "}", 8, "data_corrupt"},
      {"{" + item("a", "F32", "[2]", "[0,18446744073709551615]") + "}", 8, "data_corrupt"},
      {"{" + item("a", "F32", "[3]", "[0,8]") + "}", 8, "does not fit 8 bytes"},
      {"{" + item("a", "F32", "[4294967296,4294967296,4294967296]", "[0,8]") + "}",
       8,
       "not possible"},
      {"{" + item("a", "F8_E4M3", "[8]", "[0,8]") + "}",
       8,
       "unsupported: safetensors file "
       "'x.safetensors': tensor 'a'"},
      {"{" + item("a", "f32", "[2]", "[0,8]") + "}", 8, "'f32' is not read"},
      {"{" + a + "," + a + "}", 8, "data_corrupt"},
      {"{" + item("a", "F32", "[-2]", "[0,8]") + "}", 8, "can't be negative"},
      {"{" + item("a", "F32", "[2.0]", "[0,8]") + "}", 8, "must be integers"},
      {"{" + item("a", "F32", "[2]", "[0,8,9]") + "}", 8, "two numbers"},
      {"{" + item("a", "F32", "[2]", "[8]") + "}", 8, "must have dtype"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "must have dtype, shape and data_offsets"},
      {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 8, "'dtype' twice"},
      {"{\"a\":{\"type\":\"F32\"}}", 8, "unknown key 'type'"},
      {"{\"a\":[1]}", 8, "array is not expected"},
      {"{\"a\":{\"shape\":[[1]]}}", 8, "array is not expected"},
      {"{\"a\":{\"dtype\":{}}}", 8, "object is not expected"},
      {"{\"__metadata__\":{\"k\":1}}", 0, "number is not expected"},
      {"{\"__metadata__\":{\"k\":{}}}", 0, "object is not expected"},
      {"[]", 0, "data_corrupt"},
      {"{} {}", 0, "no JSON"},
      {"{\"a\"", 0, "no JSON"},
      {"", 0, "it is empty"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(problem_of(c.header, c.data), HasSubstr(c.expected)) << c.header;
    EXPECT_THAT(problem_of(c.header, c.data), HasSubstr("x.safetensors")) << c.header;
  }
  EXPECT_THAT(problem_of("{}", 0, 5), HasSubstr("must fit into the file"));
  EXPECT_THAT(problem_of("{}", 0, size_t{1} << 40), HasSubstr("must fit into the file"));
}

TEST(TorchWriterTest, RoundTripsThroughOurReader) {
  const StateDict dict = all_types();
  const auto path = temp("written.pt");
  write_torch_zip(path, dict, "model", Overwrite::kReplace);
  const Checkpoint checkpoint = read_checkpoint(path);
  EXPECT_EQ(checkpoint.format, CheckpointFormat::kTorchZip);
  EXPECT_EQ(checkpoint.selected, "model");
  expect_equal(dict, checkpoint.tensors, true);
  const ZipReader zip = ZipReader::open(path);
  ASSERT_NE(zip.find("written/data.pkl"), nullptr);
  for (const auto& entry : zip.entries()) EXPECT_EQ(entry.data_offset % 64, 0u) << entry.name;
  write_torch_zip(path, dict, "", Overwrite::kReplace);
  EXPECT_EQ(read_checkpoint(path).selected, "");
  EXPECT_THROW(write_torch_zip(path, dict, "", Overwrite::kRefuse), Error);
}

TEST(TorchWriterTest, SharedBytesAreWrittenOnce) {
  StateDict dict;
  const TensorView tensor = tensor_of(DType::kF32, {100}, 1);
  dict.add("a", tensor);
  dict.add("b", tensor);
  write_torch_zip(temp("shared.pt"), dict, "model", Overwrite::kReplace);
  const Checkpoint checkpoint = read_checkpoint(temp("shared.pt"));
  EXPECT_EQ(checkpoint.tensors.find("a")->bytes.data(), checkpoint.tensors.find("b")->bytes.data());
}

TEST(FingerprintTest, IsTheSameWhateverTheFileAndOrder) {
  const StateDict dict = all_types();
  StateDict reversed;
  for (size_t i = dict.size(); i-- > 0;) {
    reversed.add(dict.entries()[i].name, dict.entries()[i].tensor);
  }
  const std::string expected = fingerprint(dict).weights_sha256;
  EXPECT_EQ(expected.size(), 64u);
  EXPECT_EQ(fingerprint(reversed).weights_sha256, expected);
  write_torch_zip(temp("print.pt"), dict, "model", Overwrite::kReplace);
  EXPECT_EQ(fingerprint(read_checkpoint(temp("print.pt")).tensors).weights_sha256, expected);
  write_safetensors(temp("print.safetensors"), dict, {}, Overwrite::kReplace);
  EXPECT_EQ(fingerprint(read_safetensors(temp("print.safetensors")).tensors).weights_sha256,
            expected);
}

TEST(FingerprintTest, SeesNamesTypesShapesAndBytes) {
  const auto print =
      [](const std::string& name, DType dtype, std::vector<int64_t> shape, uint8_t seed) {
        StateDict dict;
        dict.add(name, tensor_of(dtype, std::move(shape), seed));
        return fingerprint(dict);
      };
  const std::string base = print("a", DType::kI32, {2, 3}, 1).weights_sha256;
  EXPECT_NE(print("b", DType::kI32, {2, 3}, 1).weights_sha256, base);
  EXPECT_NE(print("a", DType::kF32, {2, 3}, 1).weights_sha256, base);
  EXPECT_NE(print("a", DType::kI32, {3, 2}, 1).weights_sha256, base);
  EXPECT_NE(print("a", DType::kI32, {2, 3}, 2).weights_sha256, base);
  EXPECT_EQ(print("a", DType::kI32, {2, 3}, 1).parameter_count, 6);
}

}  // namespace
}  // namespace voxloom::weights
