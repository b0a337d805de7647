#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/weights/pickle.h"
#include "voxloom/weights/strided.h"

namespace voxloom::weights {

/// A storage as a pickle of PyTorch names it: ("storage", type, key, location, count).
struct StorageRef {
  std::string type;  ///< "FloatStorage", "UntypedStorage", ...
  std::string key;
  int64_t count = 0;  ///< Elements of that type.
};

/// Element type of a typed storage or of "torch.float32"; absent for types that are not read.
[[nodiscard]] std::optional<DType> dtype_of_storage(std::string_view type);
[[nodiscard]] std::optional<DType> dtype_of_torch_name(std::string_view name);
/// Bytes per element of any storage type of PyTorch (also those that are not read), 0 if unknown.
[[nodiscard]] size_t storage_element_size(std::string_view type);

/// Reads the persistent key `id`; throws kDataCorrupt naming `where` when it has another form.
[[nodiscard]] StorageRef read_storage_ref(const PickleTree& tree,
                                          const PickleNode& id,
                                          std::string_view where);

/// The tensors in a pickle of PyTorch, by dotted name.
class TorchTree {
 public:
  using StorageBytes = std::function<SharedBytes(const StorageRef&)>;

  /// `name` stands for the file in messages. Tree and storage must outlive this object.
  TorchTree(const PickleTree& tree, StorageBytes storage, std::string name);

  struct Found {
    std::string name;
    NodeId node = kNoNode;
  };
  /// Every tensor below `start`: values of dicts by key, of sequences by index, of objects by
  /// attribute. Modules are entered as Module.state_dict() would name their parameters and
  /// persistent buffers.
  [[nodiscard]] std::vector<Found> find_tensors(NodeId start) const;

  [[nodiscard]] bool is_tensor(NodeId id) const;
  /// Throws kUnsupported for sparse, quantised, complex, 8-bit float and other such tensors.
  [[nodiscard]] TensorView load(const Found& found, CopyBudget& budget) const;

  /// Which part of the root is the state dict: a top-level key, or "" for all of it.
  struct Choice {
    std::string key;
    NodeId node = kNoNode;
  };
  [[nodiscard]] Choice choose(const std::optional<std::string>& select) const;

  /// Numbers, flags and text that a top-level dict holds.
  [[nodiscard]] nlohmann::ordered_json plain_values() const;
  /// Callables of objects that are no tensors, sorted.
  [[nodiscard]] std::vector<std::string> opaque_types() const;

 private:
  struct Walk;
  void visit(NodeId id, const std::string& prefix, Walk& walk) const;
  void visit_object(const PickleNode& object, const std::string& prefix, Walk& walk) const;
  void visit_pairs(const PickleNode& dict, const std::string& prefix, Walk& walk) const;
  [[nodiscard]] std::vector<int64_t> integers(NodeId id, std::string_view where) const;
  [[nodiscard]] const PickleNode& argument(const PickleNode& arguments,
                                           size_t index,
                                           std::string_view where) const;

  const PickleTree& tree_;
  StorageBytes storage_;
  std::string name_;
  mutable uint64_t steps_ = 0;  ///< Of all walks together: a small file could ask for many.
};

}  // namespace voxloom::weights
