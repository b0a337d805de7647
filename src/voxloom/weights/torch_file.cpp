#include "voxloom/weights/torch_file.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "voxloom/core/error.h"
#include "voxloom/weights/torch_tree.h"

namespace voxloom::weights {
namespace {

using Kind = PickleNode::Kind;

std::string_view as_text(const SharedBytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.bytes.data()), bytes.bytes.size()};
}

/// Fills everything but the format and the constants.
Checkpoint collect(const TorchTree& torch,
                   const PickleTree& tree,
                   const std::string& name,
                   const CheckpointOptions& options,
                   CopyBudget& budget) {
  Checkpoint checkpoint;
  const TorchTree::Choice choice = torch.choose(options.select);
  checkpoint.selected = choice.key;
  for (const auto& found : torch.find_tensors(choice.node)) {
    checkpoint.tensors.add(found.name, torch.load(found, budget));
  }
  for (auto& found : torch.find_tensors(tree.root_id())) {
    checkpoint.all_names.push_back(std::move(found.name));
  }
  VOXLOOM_CHECK(checkpoint.tensors.size() > 0,
                ErrorCode::kDataCorrupt,
                "checkpoint '{}': holds no tensors{}",
                name,
                choice.key.empty() ? "" : " under '" + choice.key + "'");
  checkpoint.metadata = torch.plain_values();
  checkpoint.opaque_types = torch.opaque_types();
  return checkpoint;
}

/// Storages of a zip archive: one entry each, named by the key.
class ZipStorages {
 public:
  ZipStorages(const ZipReader& zip, std::string folder, bool verify)
      : zip_(zip), folder_(std::move(folder)), verify_(verify) {}

  SharedBytes operator()(const StorageRef& ref) {
    const size_t size = storage_element_size(ref.type);
    VOXLOOM_CHECK(size > 0,
                  ErrorCode::kUnsupported,
                  "checkpoint '{}': storage type '{}' is not known",
                  zip_.name(),
                  ref.type);
    auto [it, is_new] = read_.try_emplace(ref.key);
    if (is_new) {
      it->second =
          zip_.read(folder_ + ref.key,
                    verify_ ? ZipReader::Checksum::kVerify : ZipReader::Checksum::kSkipStored);
    }
    const uint64_t stored = it->second.bytes.size();
    VOXLOOM_CHECK(static_cast<uint64_t>(ref.count) <= stored / size,
                  ErrorCode::kDataCorrupt,
                  "checkpoint '{}': storage '{}' must hold {} elements of {} bytes, got {} bytes",
                  zip_.name(),
                  ref.key,
                  ref.count,
                  size,
                  stored);
    return it->second.part(0, static_cast<uint64_t>(ref.count) * size);
  }

 private:
  const ZipReader& zip_;
  std::string folder_;
  bool verify_;
  std::map<std::string, SharedBytes> read_;
};

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, std::min(text.find('\n'), size_t{32})));
}

}  // namespace

std::optional<std::string> torch_zip_root(const ZipReader& zip) {
  // The outermost one, should a file of that name be packed beside the object.
  std::optional<std::string> root;
  for (const ZipReader::Entry& entry : zip.entries()) {
    if (entry.name != "data.pkl" && !entry.name.ends_with("/data.pkl")) continue;
    const std::string folder = entry.name.substr(0, entry.name.size() - 8);
    if (!root || folder.size() < root->size()) root = folder;
  }
  return root;
}

Checkpoint read_torch_zip(const SharedBytes& bytes,
                          const std::string& name,
                          const CheckpointOptions& options) {
  // torch.save never packs its entries; a repacked archive may unpack to a few times its size.
  ZipLimits limits;
  limits.max_total_bytes = std::max<uint64_t>(uint64_t{1} << 30, 8 * bytes.bytes.size());
  const ZipReader zip(bytes, name, limits);
  const auto root = torch_zip_root(zip);
  VOXLOOM_CHECK(root.has_value(),
                ErrorCode::kUnsupported,
                "checkpoint '{}': must hold data.pkl, as written by torch.save",
                name);
  if (const auto* entry = zip.find(*root + "byteorder")) {
    const std::string order = first_line(as_text(zip.read(*entry)));
    VOXLOOM_CHECK(order == "little",
                  ErrorCode::kUnsupported,
                  "checkpoint '{}': must be little-endian, got byte order '{}'",
                  name,
                  order);
  }
  CopyBudget budget(options.max_copied_bytes);
  const std::string where = format("checkpoint '{}': data.pkl", name);
  const PickleTree tree = parse_pickle(zip.read(*root + "data.pkl").bytes, where);
  ZipStorages storages(zip, *root + "data/", options.verify_checksums);
  const TorchTree torch(tree, std::ref(storages), name);
  Checkpoint checkpoint = collect(torch, tree, name, options, budget);

  const auto* constants = zip.find(*root + "constants.pkl");
  const bool script = constants != nullptr ||
                      std::any_of(zip.entries().begin(), zip.entries().end(), [&](const auto& e) {
                        return e.name.starts_with(*root + "code/");
                      });
  checkpoint.format = script ? CheckpointFormat::kTorchScript : CheckpointFormat::kTorchZip;
  if (constants != nullptr) {
    const std::string inner = format("checkpoint '{}': constants.pkl", name);
    const PickleTree constant_tree = parse_pickle(zip.read(*constants).bytes, inner);
    ZipStorages constant_storages(zip, *root + "constants/", options.verify_checksums);
    const TorchTree torch_constants(constant_tree, std::ref(constant_storages), name);
    for (auto& found : torch_constants.find_tensors(constant_tree.root_id())) {
      TensorView tensor = torch_constants.load(found, budget);
      checkpoint.constants.add("c" + found.name, std::move(tensor));
    }
  }
  return checkpoint;
}

bool looks_like_torch_legacy(std::span<const std::byte> bytes) {
  // PROTO n, LONG1 of 10 bytes 0x1950a86a20f9469cfc6c; other protocols may put FRAME between.
  constexpr unsigned char kMagic[] = {
      0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};
  if (bytes.size() < 32 || bytes[0] != std::byte{0x80}) return false;
  const auto at = [&](size_t offset) {
    return std::memcmp(bytes.data() + offset, kMagic, sizeof(kMagic)) == 0;
  };
  return at(2) || (bytes[2] == std::byte{0x95} && at(11));
}

Checkpoint read_torch_legacy(const SharedBytes& bytes,
                             const std::string& name,
                             const CheckpointOptions& options) {
  size_t position = 0;
  const auto next = [&](const char* what) {
    const std::string where = format("checkpoint '{}': {}", name, what);
    const auto rest = bytes.bytes.subspan(position);
    // A pickle ends itself, so the storages that follow don't count for its limit.
    const size_t most = std::min<size_t>(rest.size(), PickleLimits{}.max_bytes);
    PickleTree tree = parse_pickle(rest.first(most), where);
    position += tree.consumed();
    return tree;
  };
  static_cast<void>(next("its magic number"));
  const PickleTree version = next("its protocol version");
  VOXLOOM_CHECK(version.root().kind == Kind::kInteger && version.root().integer == 1001,
                ErrorCode::kUnsupported,
                "checkpoint '{}': its protocol version must be 1001",
                name);
  const PickleTree machine = next("its machine facts");
  const PickleNode* little = machine.find(machine.root(), "little_endian");
  VOXLOOM_CHECK(little == nullptr || little->integer == 1,
                ErrorCode::kUnsupported,
                "checkpoint '{}': must be little-endian",
                name);
  const PickleTree tree = next("its object");
  const PickleTree keys = next("its storage keys");
  VOXLOOM_CHECK(keys.root().kind == Kind::kList,
                ErrorCode::kDataCorrupt,
                "checkpoint '{}': its storage keys must be a list",
                name);

  // The type of a storage, hence its length in bytes, is known from its references only.
  std::map<std::string, size_t> element_size;
  for (NodeId id = 0; id < tree.size(); ++id) {
    if (tree[id].kind != Kind::kPersistent) continue;
    const StorageRef ref =
        read_storage_ref(tree, tree[tree[id].arguments], format("checkpoint '{}': a tensor", name));
    const size_t size = storage_element_size(ref.type);
    VOXLOOM_CHECK(size > 0,
                  ErrorCode::kUnsupported,
                  "checkpoint '{}': storage type '{}' is not known",
                  name,
                  ref.type);
    const auto it = element_size.try_emplace(ref.key, size).first;
    VOXLOOM_CHECK(it->second == size,
                  ErrorCode::kDataCorrupt,
                  "checkpoint '{}': storage '{}' is used with two element sizes",
                  name,
                  ref.key);
  }
  std::map<std::string, SharedBytes> storages;
  for (const NodeId id : keys.root().items) {
    const std::string& key = keys[id].text;
    const auto size = element_size.find(key);
    VOXLOOM_CHECK(size != element_size.end() && bytes.bytes.size() - position >= 8,
                  ErrorCode::kDataCorrupt,
                  "checkpoint '{}': storage '{}' is not used or cut short",
                  name,
                  key);
    uint64_t count = 0;
    std::memcpy(&count, bytes.bytes.data() + position, 8);
    position += 8;
    const uint64_t room = (bytes.bytes.size() - position) / size->second;
    VOXLOOM_CHECK(count <= room,
                  ErrorCode::kDataCorrupt,
                  "checkpoint '{}': storage '{}' must have {} elements, the file ends after {}",
                  name,
                  key,
                  count,
                  room);
    storages[key] = bytes.part(position, count * size->second);
    position += static_cast<size_t>(count * size->second);
  }

  const auto lookup = [&](const StorageRef& ref) {
    const auto it = storages.find(ref.key);
    VOXLOOM_CHECK(it != storages.end(),
                  ErrorCode::kDataCorrupt,
                  "checkpoint '{}': storage '{}' is missing",
                  name,
                  ref.key);
    return it->second;
  };
  CopyBudget budget(options.max_copied_bytes);
  const TorchTree torch(tree, lookup, name);
  Checkpoint checkpoint = collect(torch, tree, name, options, budget);
  checkpoint.format = CheckpointFormat::kTorchLegacy;
  return checkpoint;
}

}  // namespace voxloom::weights
