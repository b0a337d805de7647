#include "voxloom/weights/torch_tree.h"

#include <algorithm>
#include <set>

#include "voxloom/core/error.h"

namespace voxloom::weights {
namespace {

using Kind = PickleNode::Kind;

constexpr size_t kMaxDepth = 64, kMaxName = 1024, kMaxTensors = 200'000, kMaxSteps = 4'000'000;

struct StorageType {
  std::string_view storage, torch_name;
  size_t size;
  std::optional<DType> dtype;
};

// torch.<Name>Storage and the dtype that torch calls the same. The types without a DType are
// known only by size, so that a file that has them beside others can still be walked.
constexpr StorageType kTypes[] = {
    {"FloatStorage", "torch.float32", 4, DType::kF32},
    {"DoubleStorage", "torch.float64", 8, DType::kF64},
    {"HalfStorage", "torch.float16", 2, DType::kF16},
    {"BFloat16Storage", "torch.bfloat16", 2, DType::kBF16},
    {"LongStorage", "torch.int64", 8, DType::kI64},
    {"IntStorage", "torch.int32", 4, DType::kI32},
    {"ShortStorage", "torch.int16", 2, DType::kI16},
    {"CharStorage", "torch.int8", 1, DType::kI8},
    {"ByteStorage", "torch.uint8", 1, DType::kU8},
    {"BoolStorage", "torch.bool", 1, DType::kBool},
    {"UntypedStorage", "", 1, std::nullopt},
    {"ComplexFloatStorage", "torch.complex64", 8, std::nullopt},
    {"ComplexDoubleStorage", "torch.complex128", 16, std::nullopt},
    {"QInt8Storage", "torch.qint8", 1, std::nullopt},
    {"QUInt8Storage", "torch.quint8", 1, std::nullopt},
    {"QInt32Storage", "torch.qint32", 4, std::nullopt},
};

constexpr std::string_view kUtils = "torch._utils._rebuild_";
constexpr std::string_view kFromType = "torch._tensor._rebuild_from_type_v2";

bool is_container(const PickleNode& node) {
  return node.kind == Kind::kDict || node.kind == Kind::kObject || node.kind == Kind::kList ||
         node.kind == Kind::kTuple;
}

std::string join(const std::string& prefix, std::string_view key) {
  return prefix.empty() ? std::string(key) : prefix + "." + std::string(key);
}

}  // namespace

std::optional<DType> dtype_of_storage(std::string_view type) {
  for (const StorageType& t : kTypes) {
    if (t.storage == type) return t.dtype;
  }
  return std::nullopt;
}

std::optional<DType> dtype_of_torch_name(std::string_view name) {
  for (const StorageType& t : kTypes) {
    if (t.torch_name == name) return t.dtype;
  }
  return std::nullopt;
}

size_t storage_element_size(std::string_view type) {
  for (const StorageType& t : kTypes) {
    if (t.storage == type) return t.size;
  }
  return 0;
}

StorageRef read_storage_ref(const PickleTree& tree, const PickleNode& id, std::string_view where) {
  const auto malformed = [&]() -> Error {
    return Error(ErrorCode::kDataCorrupt, format("{}: its storage key is malformed", where));
  };
  if (id.kind != Kind::kTuple || id.items.size() < 5) throw malformed();
  const auto part = [&](size_t i) -> const PickleNode& { return tree[id.items[i]]; };
  if (part(0).kind != Kind::kText || part(0).text != "storage" || part(1).kind != Kind::kGlobal ||
      part(2).kind != Kind::kText || part(4).kind != Kind::kInteger || part(4).integer < 0) {
    throw malformed();
  }
  if (id.items.size() > 5 && part(5).kind != Kind::kNone) {
    throw Error(
        ErrorCode::kUnsupported,
        format("{}: views of storages as PyTorch 0.3 and older wrote them are not read", where));
  }
  const std::string& type = part(1).text;
  return {type.substr(type.rfind('.') + 1), part(2).text, part(4).integer};
}

TorchTree::TorchTree(const PickleTree& tree, StorageBytes storage, std::string name)
    : tree_(tree), storage_(std::move(storage)), name_(std::move(name)) {}

struct TorchTree::Walk {
  std::vector<Found> found;
  std::vector<NodeId> path;  ///< From the start to the present node: cycles end here.
};

std::vector<TorchTree::Found> TorchTree::find_tensors(NodeId start) const {
  Walk walk;
  visit(start, "", walk);
  return std::move(walk.found);
}

bool TorchTree::is_tensor(NodeId id) const {
  const std::string_view name = tree_.callable_name(tree_[id]);
  return name.starts_with(kUtils) || name == kFromType;
}

void TorchTree::visit(NodeId id, const std::string& prefix, Walk& walk) const {
  VOXLOOM_CHECK(
      ++steps_ <= kMaxSteps && prefix.size() <= kMaxName && walk.found.size() < kMaxTensors,
      ErrorCode::kUnsupported,
      "checkpoint '{}': must hold at most {} tensors with names of at most {} bytes",
      name_,
      kMaxTensors,
      kMaxName);
  if (is_tensor(id)) {
    walk.found.push_back({prefix, id});
    return;
  }
  const PickleNode& node = tree_[id];
  if (!is_container(node)) return;
  if (std::find(walk.path.begin(), walk.path.end(), id) != walk.path.end()) return;
  VOXLOOM_CHECK(walk.path.size() < kMaxDepth,
                ErrorCode::kUnsupported,
                "checkpoint '{}': its values must nest at most {} deep",
                name_,
                kMaxDepth);
  walk.path.push_back(id);
  if (node.kind == Kind::kObject) {
    visit_object(node, prefix, walk);
  } else {
    visit_pairs(node, prefix, walk);
  }
  for (size_t i = 0; i < node.items.size(); ++i) {
    visit(node.items[i], join(prefix, std::to_string(i)), walk);
  }
  walk.path.pop_back();
}

void TorchTree::visit_pairs(const PickleNode& dict, const std::string& prefix, Walk& walk) const {
  for (size_t i = 0; i + 1 < dict.pairs.size(); i += 2) {
    const PickleNode& key = tree_[dict.pairs[i]];
    if (key.kind == Kind::kText) {
      visit(dict.pairs[i + 1], join(prefix, key.text), walk);
    } else if (key.kind == Kind::kInteger) {
      visit(dict.pairs[i + 1], join(prefix, std::to_string(key.integer)), walk);
    }
  }
}

void TorchTree::visit_object(const PickleNode& object,
                             const std::string& prefix,
                             Walk& walk) const {
  visit_pairs(object, prefix, walk);
  if (object.state == kNoNode) return;
  const PickleNode& state = tree_[object.state];
  const PickleNode* parameters = tree_.find(state, "_parameters");
  const PickleNode* modules = tree_.find(state, "_modules");
  if (parameters == nullptr || modules == nullptr) {
    visit_pairs(state, prefix, walk);
    return;
  }
  // torch.nn.Module: as its state_dict() does.
  visit_pairs(*parameters, prefix, walk);
  if (const PickleNode* buffers = tree_.find(state, "_buffers")) {
    std::set<std::string_view> skipped;
    if (const PickleNode* names = tree_.find(state, "_non_persistent_buffers_set")) {
      for (const NodeId id : names->items) skipped.insert(tree_[id].text);
    }
    for (size_t i = 0; i + 1 < buffers->pairs.size(); i += 2) {
      const std::string& key = tree_[buffers->pairs[i]].text;
      if (!skipped.contains(key)) visit(buffers->pairs[i + 1], join(prefix, key), walk);
    }
  }
  visit_pairs(*modules, prefix, walk);
}

const PickleNode& TorchTree::argument(const PickleNode& arguments,
                                      size_t index,
                                      std::string_view where) const {
  VOXLOOM_CHECK(arguments.kind == Kind::kTuple && index < arguments.items.size(),
                ErrorCode::kDataCorrupt,
                "{}: is described by too few values",
                where);
  return tree_[arguments.items[index]];
}

std::vector<int64_t> TorchTree::integers(NodeId id, std::string_view where) const {
  const PickleNode* node = &tree_[id];
  if (tree_.callable_name(*node) == "torch.Size") {
    node = &argument(tree_[node->arguments], 0, where);
  }
  VOXLOOM_CHECK(
      (node->kind == Kind::kTuple || node->kind == Kind::kList) && node->items.size() <= 64,
      ErrorCode::kDataCorrupt,
      "{}: its shape and strides must be at most 64 integers each",
      where);
  std::vector<int64_t> values;
  for (const NodeId item : node->items) {
    VOXLOOM_CHECK(tree_[item].kind == Kind::kInteger,
                  ErrorCode::kDataCorrupt,
                  "{}: its shape and strides must be integers",
                  where);
    values.push_back(tree_[item].integer);
  }
  return values;
}

TensorView TorchTree::load(const Found& found, CopyBudget& budget) const {
  const std::string where = format("checkpoint '{}': tensor '{}'", name_, found.name);
  // Parameters and tensor subclasses wrap the call that makes the tensor.
  const PickleNode* object = &tree_[found.node];
  std::string_view builder = tree_.callable_name(*object);
  const PickleNode* arguments = &tree_[object->arguments];
  for (int depth = 0; depth < 8; ++depth) {
    if (builder == "torch._utils._rebuild_parameter" ||
        builder == "torch._utils._rebuild_parameter_with_state") {
      object = &argument(*arguments, 0, where);
      builder = tree_.callable_name(*object);
      VOXLOOM_CHECK(!builder.empty(), ErrorCode::kDataCorrupt, "{}: holds no data", where);
      arguments = &tree_[object->arguments];
    } else if (builder == kFromType) {
      const PickleNode& function = argument(*arguments, 0, where);
      VOXLOOM_CHECK(
          function.kind == Kind::kGlobal, ErrorCode::kDataCorrupt, "{}: holds no data", where);
      builder = function.text;
      arguments = &argument(*arguments, 2, where);
    } else {
      break;
    }
  }
  const bool v3 = builder == "torch._utils._rebuild_tensor_v3";
  VOXLOOM_CHECK(v3 || builder == "torch._utils._rebuild_tensor_v2" ||
                    builder == "torch._utils._rebuild_tensor",
                ErrorCode::kUnsupported,
                "{}: must be a plain dense tensor, got one made by '{}'",
                where,
                builder);
  const PickleNode& storage = argument(*arguments, 0, where);
  const PickleNode& offset = argument(*arguments, 1, where);
  static_cast<void>(argument(*arguments, v3 ? 6 : 3, where));
  VOXLOOM_CHECK(storage.kind == Kind::kPersistent && offset.kind == Kind::kInteger,
                ErrorCode::kDataCorrupt,
                "{}: its storage or offset is malformed",
                where);
  const StorageRef ref = read_storage_ref(tree_, tree_[storage.arguments], where);
  const std::string type = v3 ? argument(*arguments, 6, where).text : ref.type;
  const std::optional<DType> dtype = v3 ? dtype_of_torch_name(type) : dtype_of_storage(type);
  VOXLOOM_CHECK(dtype.has_value(),
                ErrorCode::kUnsupported,
                "{}: element type must be f16, bf16, f32, f64, bool or an integer of the common "
                "kinds, got '{}'",
                where,
                type);
  StridedTensor tensor;
  tensor.dtype = *dtype;
  tensor.offset = offset.integer;
  tensor.shape = integers(arguments->items[2], where);
  tensor.stride = integers(arguments->items[3], where);
  tensor.storage = storage_(ref);
  try {
    return to_contiguous(tensor, where, budget);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kUnavailable, where + ": no memory for a copy");
  }
}

TorchTree::Choice TorchTree::choose(const std::optional<std::string>& select) const {
  const PickleNode& root = tree_.root();
  if (select.has_value()) {
    if (select->empty()) return {"", tree_.root_id()};
    const NodeId id = tree_.find_id(root, *select);
    VOXLOOM_CHECK(id != kNoNode,
                  ErrorCode::kInvalidArgument,
                  "checkpoint '{}': must hold the key '{}' to select",
                  name_,
                  *select);
    return {*select, id};
  }
  if (root.kind != Kind::kDict) return {"", tree_.root_id()};
  for (const char* key : {"model", "state_dict", "model_state_dict"}) {
    const NodeId id = tree_.find_id(root, key);
    if (id != kNoNode && is_container(tree_[id]) && !is_tensor(id) && !find_tensors(id).empty()) {
      return {key, id};
    }
  }
  std::vector<Choice> inner;
  for (size_t i = 0; i + 1 < root.pairs.size(); i += 2) {
    const NodeId value = root.pairs[i + 1];
    if (is_tensor(value)) return {"", tree_.root_id()};
    const PickleNode& key = tree_[root.pairs[i]];
    if (key.kind == Kind::kText && is_container(tree_[value]) && !find_tensors(value).empty()) {
      inner.push_back({key.text, value});
    }
  }
  if (inner.size() == 1) return inner[0];
  std::string names;
  for (const Choice& c : inner) names += (names.empty() ? "'" : ", '") + c.key + "'";
  VOXLOOM_CHECK(inner.empty(),
                ErrorCode::kInvalidArgument,
                "checkpoint '{}': holds tensors under several keys ({}); say which is the model",
                name_,
                names);
  return {"", tree_.root_id()};
}

nlohmann::ordered_json TorchTree::plain_values() const {
  nlohmann::ordered_json values = nlohmann::ordered_json::object();
  const PickleNode& root = tree_.root();
  if (root.kind != Kind::kDict) return values;
  for (size_t i = 0; i + 1 < root.pairs.size(); i += 2) {
    const PickleNode& key = tree_[root.pairs[i]];
    const PickleNode& value = tree_[root.pairs[i + 1]];
    if (key.kind != Kind::kText || values.size() >= 1000) continue;
    if (value.kind == Kind::kBool) values[key.text] = value.integer != 0;
    if (value.kind == Kind::kInteger) values[key.text] = value.integer;
    if (value.kind == Kind::kFloat) values[key.text] = value.number;
    if (value.kind == Kind::kText && value.text.size() <= 65536) values[key.text] = value.text;
    if (value.kind == Kind::kNone) values[key.text] = nullptr;
  }
  return values;
}

std::vector<std::string> TorchTree::opaque_types() const {
  std::set<std::string> names;
  for (NodeId id = 0; id < tree_.size() && names.size() < 1000; ++id) {
    const PickleNode& node = tree_[id];
    if (node.kind != Kind::kObject || is_tensor(id)) continue;
    const std::string_view name = tree_.callable_name(node);
    if (name != "torch.Size" && name != "torch.device") {
      names.insert(name.empty() ? "(computed)" : std::string(name));
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace voxloom::weights
