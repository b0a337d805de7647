#include "voxloom/weights/torch_writer.h"

#include <map>
#include <string>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/core/sha256.h"
#include "voxloom/core/utf8.h"
#include "voxloom/core/zip_writer.h"

namespace voxloom::weights {
namespace {

constexpr uint64_t kAlignment = 64;

std::string_view storage_type(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "FloatStorage";
    case DType::kF64:
      return "DoubleStorage";
    case DType::kF16:
      return "HalfStorage";
    case DType::kBF16:
      return "BFloat16Storage";
    case DType::kI64:
      return "LongStorage";
    case DType::kI32:
      return "IntStorage";
    case DType::kI16:
      return "ShortStorage";
    case DType::kI8:
      return "CharStorage";
    case DType::kU8:
      return "ByteStorage";
    case DType::kBool:
      return "BoolStorage";
  }
  throw Error(ErrorCode::kInternal, "unknown element type");
}

/// Emits pickle protocol 2. Names of code are remembered at their first use.
class Pickler {
 public:
  Pickler() { out_ = "\x80\x02"; }

  void op(char opcode) { out_ += opcode; }
  void text(std::string_view value) {
    op('X');
    little_endian(value.size(), 4);
    out_ += value;
  }
  void integer(int64_t value) {
    if (value >= 0 && value < 256) {
      op('K');
      little_endian(static_cast<uint64_t>(value), 1);
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
      op('J');
      little_endian(static_cast<uint64_t>(value), 4);
    } else {
      out_ += "\x8a\x08";
      little_endian(static_cast<uint64_t>(value), 8);
    }
  }
  void global(const std::string& module_and_name) {
    const auto [it, is_new] = memo_.emplace(module_and_name, memo_.size());
    op(is_new ? 'c' : 'j');
    if (is_new) {
      out_ += module_and_name + "\n";
      op('r');
    }
    little_endian(it->second, 4);
  }
  void integers(const std::vector<int64_t>& values) {
    op('(');
    for (const int64_t v : values) integer(v);
    op('t');
  }
  /// OrderedDict()
  void ordered_dict() {
    global("collections\nOrderedDict");
    out_ += ")R";
  }
  [[nodiscard]] const std::string& finish() {
    op('.');
    return out_;
  }

 private:
  void little_endian(uint64_t value, int width) {
    for (int i = 0; i < width; ++i) out_ += static_cast<char>(value >> (8 * i));
  }
  std::string out_;
  std::map<std::string, size_t> memo_;
};

struct Storage {
  std::span<const std::byte> bytes;
  DType dtype;
};

void pickle_tensor(Pickler& pickler, const TensorView& tensor, size_t storage_index) {
  const int64_t count = tensor.element_count();
  std::vector<int64_t> stride(tensor.shape.size());
  int64_t step = 1;
  for (size_t d = stride.size(); d-- > 0;) {
    stride[d] = step;
    step *= std::max<int64_t>(tensor.shape[d], 1);
  }
  pickler.global("torch._utils\n_rebuild_tensor_v2");
  pickler.op('(');
  pickler.op('(');
  pickler.text("storage");
  pickler.global("torch\n" + std::string(storage_type(tensor.dtype)));
  pickler.text(std::to_string(storage_index));
  pickler.text("cpu");
  pickler.integer(count);
  pickler.op('t');
  pickler.op('Q');
  pickler.integer(0);
  pickler.integers(tensor.shape);
  pickler.integers(stride);
  pickler.op('\x89');  // requires_grad: False
  pickler.ordered_dict();
  pickler.op('t');
  pickler.op('R');
}

}  // namespace

void write_torch_zip(const std::filesystem::path& path,
                     const StateDict& tensors,
                     std::string_view key,
                     Overwrite overwrite) {
  std::vector<Storage> storages;
  std::map<std::pair<const std::byte*, std::pair<size_t, DType>>, size_t> known;
  Pickler pickler;
  if (!key.empty()) {
    pickler.op('}');
    pickler.text(key);
  }
  pickler.ordered_dict();
  pickler.op('(');
  for (const auto& [name, tensor] : tensors.entries()) {
    VOXLOOM_CHECK(is_utf8(name) && static_cast<uint64_t>(tensor.element_count()) *
                                           bytes_per_element(tensor.dtype) ==
                                       tensor.bytes.size(),
                  ErrorCode::kInvalidArgument,
                  "checkpoint '{}': tensor '{}' of shape {} and {} bytes can't be written",
                  path.string(),
                  name,
                  tensor.shape,
                  tensor.bytes.size());
    const auto [it, is_new] = known.try_emplace(
        {tensor.bytes.data(), {tensor.bytes.size(), tensor.dtype}}, storages.size());
    if (is_new) storages.push_back({tensor.bytes, tensor.dtype});
    pickler.text(name);
    pickle_tensor(pickler, tensor, it->second);
  }
  pickler.op('u');
  if (!key.empty()) pickler.op('s');

  AtomicFile file(path, overwrite);
  ZipWriter zip([&file](std::span<const std::byte> bytes) { file.write(bytes); });
  const std::string root = path.stem().string() + "/";
  const auto add_text = [&](const std::string& name, std::string_view content) {
    const auto bytes = std::as_bytes(std::span(content.data(), content.size()));
    zip.add(root + name, bytes, ZipWriter::Method::kStored, kAlignment);
  };
  const std::string& object = pickler.finish();
  add_text("data.pkl", object);
  add_text(".format_version", "1");
  add_text(".storage_alignment", "64");
  add_text("byteorder", "little");
  for (size_t i = 0; i < storages.size(); ++i) {
    zip.add(root + "data/" + std::to_string(i),
            storages[i].bytes,
            ZipWriter::Method::kStored,
            kAlignment);
  }
  add_text("version", "3\n");
  // PyTorch puts a number here that tells one saved object from another.
  std::string id;
  for (const char c : sha256_hex(object)) {
    if (c >= '0' && c <= '9') id += c;
  }
  id.resize(40, '0');
  add_text(".data/serialization_id", id);
  zip.finish();
  file.commit();
}

}  // namespace voxloom::weights
