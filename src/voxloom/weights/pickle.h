#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace voxloom::weights {

/// Index of a node in a PickleTree.
using NodeId = uint32_t;
inline constexpr NodeId kNoNode = 0xffffffff;

/// One value of a pickle, as data. Nothing of it was ever imported or called.
struct PickleNode {
  enum class Kind : uint8_t {
    kNone,
    kBool,
    kInteger,
    kBigInteger,  ///< Beyond 64 bits; `text` is its two's complement, little-endian.
    kFloat,
    kText,
    kBytes,
    kTuple,
    kList,
    kDict,  ///< Also OrderedDict and defaultdict.
    kSet,
    kGlobal,      ///< A name of Python code; `text` is "module.name".
    kObject,      ///< What Python would make by calling `callable` with `arguments`.
    kPersistent,  ///< A reference to data outside the pickle; `arguments` is its key.
  };

  Kind kind = Kind::kNone;
  int64_t integer = 0;  ///< kBool (0, 1), kInteger.
  double number = 0;    ///< kFloat.
  std::string text;
  std::vector<NodeId> items;  ///< Elements of a sequence or set; for an object, what is appended.
  std::vector<NodeId> pairs;  ///< Keys and values in turn, of a dict or set on an object.
  NodeId callable = kNoNode, arguments = kNoNode;
  NodeId state = kNoNode;  ///< What the pickle would give to __setstate__.
};

/// What a pickle may cost before it is refused.
struct PickleLimits {
  uint64_t max_bytes = uint64_t{256} << 20;
  uint32_t max_nodes = 2'000'000;
  uint32_t max_memo = 2'000'000;
  uint32_t max_marks = 10'000;  ///< Open groups, hence the nesting of what is being built.
};

/// The values of one pickle as an arena. Nodes may refer to one another freely (shared parts,
/// even cycles): whoever walks the tree limits depth and steps.
class PickleTree {
 public:
  [[nodiscard]] const PickleNode& root() const { return nodes_[root_]; }
  [[nodiscard]] NodeId root_id() const { return root_; }
  [[nodiscard]] const PickleNode& operator[](NodeId id) const { return nodes_[id]; }
  [[nodiscard]] size_t size() const { return nodes_.size(); }
  /// Bytes up to and including the STOP opcode.
  [[nodiscard]] size_t consumed() const { return consumed_; }

  /// The value of a text key of a dict (or of pairs set on an object); nullptr if absent.
  [[nodiscard]] const PickleNode* find(const PickleNode& dict, std::string_view key) const;
  /// The same as an id, kNoNode if absent.
  [[nodiscard]] NodeId find_id(const PickleNode& dict, std::string_view key) const;
  /// "module.name" of an object's callable, empty for anything else.
  [[nodiscard]] std::string_view callable_name(const PickleNode& object) const;

 private:
  friend class PickleMachine;
  std::vector<PickleNode> nodes_;
  NodeId root_ = 0;
  size_t consumed_ = 0;
};

/// Runs a pickle (protocol 2 to 5, binary opcodes) without executing anything: names of code
/// become kGlobal nodes, calls of them kObject nodes. Only OrderedDict, defaultdict, dict, set
/// and frozenset are given their meaning as containers.
///
/// Throws kDataCorrupt for anything Python's unpickler would refuse and for text that is not
/// UTF-8; kUnsupported for protocol 0 and 1 opcodes, the extension registry, out-of-band
/// buffers, and beyond `limits`. `where` stands for the pickle in messages.
[[nodiscard]] PickleTree parse_pickle(std::span<const std::byte> bytes,
                                      std::string_view where,
                                      const PickleLimits& limits = {});

}  // namespace voxloom::weights
