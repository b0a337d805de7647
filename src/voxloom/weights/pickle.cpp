#include "voxloom/weights/pickle.h"

#include <bit>
#include <unordered_map>

#include "voxloom/core/error.h"
#include "voxloom/core/utf8.h"

namespace voxloom::weights {

using Kind = PickleNode::Kind;

/// The stack machine of Python's `pickle` (opcodes as in its pickletools documentation), with
/// construction instead of execution.
class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> bytes,
                std::string_view where,
                const PickleLimits& limits)
      : bytes_(bytes), where_(where), limits_(limits) {
    VOXLOOM_CHECK(bytes.size() <= limits.max_bytes,
                  ErrorCode::kUnsupported,
                  "{}: must hold at most {} bytes, got {}",
                  where,
                  limits.max_bytes,
                  bytes.size());
  }

  PickleTree run() {
    while (step(static_cast<uint8_t>(unsigned_int(1)))) {
    }
    tree_.root_ = pop();
    tree_.consumed_ = at_;
    return std::move(tree_);
  }

 private:
  [[noreturn]] void corrupt(std::string_view what) const {
    throw Error(ErrorCode::kDataCorrupt, format("{}: {} at byte {}", where_, what, at_));
  }

  // Input.
  std::span<const std::byte> take(uint64_t size) {
    if (size > bytes_.size() - at_) corrupt("the pickle is cut short");
    const auto part = bytes_.subspan(at_, static_cast<size_t>(size));
    at_ += static_cast<size_t>(size);
    return part;
  }
  uint64_t unsigned_int(size_t width) {
    uint64_t value = 0;
    const auto part = take(width);
    for (size_t i = width; i-- > 0;) value = value << 8 | std::to_integer<uint64_t>(part[i]);
    return value;
  }
  std::string raw(uint64_t size) {
    const auto part = take(size);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }
  std::string line() {
    std::string text;
    while (text.size() < 4096) {
      const char c = static_cast<char>(unsigned_int(1));
      if (c == '\n') return text;
      text += c;
    }
    corrupt("a name is too long");
  }

  // Nodes.
  NodeId add(PickleNode node) {
    VOXLOOM_CHECK(tree_.nodes_.size() < limits_.max_nodes,
                  ErrorCode::kUnsupported,
                  "{}: must hold at most {} values",
                  where_,
                  limits_.max_nodes);
    tree_.nodes_.push_back(std::move(node));
    return static_cast<NodeId>(tree_.nodes_.size() - 1);
  }
  PickleNode& node(NodeId id) { return tree_.nodes_[id]; }
  NodeId add_kind(Kind kind) {
    PickleNode n;
    n.kind = kind;
    return add(std::move(n));
  }
  NodeId add_integer(Kind kind, int64_t value) {
    PickleNode n;
    n.kind = kind;
    n.integer = value;
    return add(std::move(n));
  }
  NodeId add_text(Kind kind, std::string text) {
    if (kind != Kind::kBytes && kind != Kind::kBigInteger && !is_utf8(text)) {
      corrupt("a text is not UTF-8");
    }
    PickleNode n;
    n.kind = kind;
    n.text = std::move(text);
    return add(std::move(n));
  }
  NodeId add_sequence(Kind kind, std::vector<NodeId> items) {
    PickleNode n;
    n.kind = kind;
    n.items = std::move(items);
    return add(std::move(n));
  }

  // Stack. Values below the last mark are out of reach, as in Python.
  [[nodiscard]] size_t fence() const { return marks_.empty() ? 0 : marks_.back(); }
  void push(NodeId id) {
    VOXLOOM_CHECK(stack_.size() < limits_.max_nodes,
                  ErrorCode::kUnsupported,
                  "{}: its stack must hold at most {} values",
                  where_,
                  limits_.max_nodes);
    stack_.push_back(id);
  }
  NodeId top() const {
    if (stack_.size() <= fence()) corrupt("an opcode needs a value on the stack");
    return stack_.back();
  }
  NodeId pop() {
    const NodeId id = top();
    stack_.pop_back();
    return id;
  }
  std::vector<NodeId> pop_to_mark() {
    if (marks_.empty()) corrupt("an opcode needs a mark");
    std::vector<NodeId> items(stack_.begin() + static_cast<ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  void pop_tuple(size_t size) {
    std::vector<NodeId> items(size);
    for (size_t i = size; i-- > 0;) items[i] = pop();
    push(add_sequence(Kind::kTuple, std::move(items)));
  }

  // Memo.
  void remember(uint64_t key) {
    memo_[key] = top();
    VOXLOOM_CHECK(memo_.size() <= limits_.max_memo,
                  ErrorCode::kUnsupported,
                  "{}: its memo must hold at most {} values",
                  where_,
                  limits_.max_memo);
  }
  void recall(uint64_t key) {
    const auto it = memo_.find(key);
    if (it == memo_.end()) corrupt("a memo entry does not exist");
    push(it->second);
  }

  // Construction.
  void append(const std::vector<NodeId>& values, bool to_set) {
    PickleNode& target = node(top());
    const bool fits =
        target.kind == Kind::kObject || target.kind == (to_set ? Kind::kSet : Kind::kList);
    if (!fits) corrupt("values are appended to something that is no list or set");
    target.items.insert(target.items.end(), values.begin(), values.end());
  }
  void set_items(const std::vector<NodeId>& values) {
    PickleNode& target = node(top());
    if (target.kind != Kind::kDict && target.kind != Kind::kObject) {
      corrupt("items are set on something that is no dict");
    }
    if (values.size() % 2 != 0) corrupt("a key lacks its value");
    target.pairs.insert(target.pairs.end(), values.begin(), values.end());
  }
  void global(const std::string& module, const std::string& name) {
    push(add_text(Kind::kGlobal, module + "." + name));
  }
  /// Containers made of others copy their content; a pickle of a few bytes could do so often.
  void spend(size_t links) {
    copied_ += links;
    VOXLOOM_CHECK(copied_ <= 4ull * limits_.max_nodes,
                  ErrorCode::kUnsupported,
                  "{}: copies more than {} values between containers",
                  where_,
                  4ull * limits_.max_nodes);
  }
  /// `callable(*arguments)`: the containers of the allow-list, else an opaque object.
  NodeId make_object(NodeId callable, NodeId arguments) {
    if (node(arguments).kind != Kind::kTuple) corrupt("a call's arguments are no tuple");
    PickleNode made;
    made.kind = Kind::kObject;
    made.callable = callable;
    made.arguments = arguments;
    if (node(callable).kind == Kind::kGlobal) {
      const std::string& name = node(callable).text;
      const std::vector<NodeId>& given = node(arguments).items;
      if (name == "collections.OrderedDict" || name == "builtins.dict" ||
          name == "__builtin__.dict") {
        made.kind = Kind::kDict;
        if (!given.empty()) made.pairs = pairs_of(node(given[0]));
      } else if (name == "collections.defaultdict") {
        made.kind = Kind::kDict;
        if (given.size() > 1) made.pairs = pairs_of(node(given[1]));
      } else if (name == "builtins.set" || name == "__builtin__.set" ||
                 name == "builtins.frozenset" || name == "__builtin__.frozenset") {
        made.kind = Kind::kSet;
        if (!given.empty()) {
          spend(node(given[0]).items.size());
          made.items = node(given[0]).items;
        }
      }
    }
    return add(std::move(made));
  }
  /// Pairs given to a dict's constructor: another dict, or a sequence of two-element sequences.
  std::vector<NodeId> pairs_of(const PickleNode& source) {
    spend(source.pairs.size() + 2 * source.items.size());
    if (source.kind == Kind::kDict) return source.pairs;
    std::vector<NodeId> pairs;
    for (const NodeId item : source.items) {
      if (node(item).items.size() != 2) corrupt("a dict is made of something that is no pairs");
      pairs.insert(pairs.end(), node(item).items.begin(), node(item).items.end());
    }
    return pairs;
  }
  void build() {
    const NodeId state = pop();
    PickleNode& target = node(top());
    if (target.kind != Kind::kObject && target.kind != Kind::kDict && target.kind != Kind::kSet) {
      corrupt("a state is given to something that is no object");
    }
    target.state = state;
  }
  void push_long(uint64_t size) {
    if (size > 1024) corrupt("an integer is too long");
    std::string digits = raw(size);
    if (size > 8) {
      push(add_text(Kind::kBigInteger, std::move(digits)));
      return;
    }
    uint64_t value = 0;
    const bool negative = size > 0 && (static_cast<uint8_t>(digits.back()) & 0x80) != 0;
    for (size_t i = 0; i < 8; ++i) {
      const uint64_t byte = i < size ? static_cast<uint8_t>(digits[i]) : (negative ? 0xffu : 0u);
      value |= byte << (8 * i);
    }
    push(add_integer(Kind::kInteger, static_cast<int64_t>(value)));
  }

  bool step(uint8_t opcode);
  bool step_scalar(uint8_t opcode);

  std::span<const std::byte> bytes_;
  std::string where_;
  PickleLimits limits_;
  size_t at_ = 0;
  uint64_t copied_ = 0;
  PickleTree tree_;
  std::vector<NodeId> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, NodeId> memo_;
};

/// Opcodes that push one plain value. False when `opcode` is none of them.
bool PickleMachine::step_scalar(uint8_t opcode) {
  switch (opcode) {
    case 'N':
      push(add_kind(Kind::kNone));
      return true;
    case 0x88:  // NEWTRUE
    case 0x89:  // NEWFALSE
      push(add_integer(Kind::kBool, opcode == 0x88 ? 1 : 0));
      return true;
    case 'J':  // BININT
      push(add_integer(Kind::kInteger, static_cast<int32_t>(unsigned_int(4))));
      return true;
    case 'K':  // BININT1
      push(add_integer(Kind::kInteger, static_cast<int64_t>(unsigned_int(1))));
      return true;
    case 'M':  // BININT2
      push(add_integer(Kind::kInteger, static_cast<int64_t>(unsigned_int(2))));
      return true;
    case 0x8a:  // LONG1
      push_long(unsigned_int(1));
      return true;
    case 0x8b:  // LONG4, signed in Python and refused when negative: above 1024 here
      push_long(unsigned_int(4));
      return true;
    case 'G': {  // BINFLOAT, big-endian
      uint64_t bits = 0;
      for (const std::byte b : take(8)) bits = bits << 8 | std::to_integer<uint64_t>(b);
      PickleNode n;
      n.kind = Kind::kFloat;
      n.number = std::bit_cast<double>(bits);
      push(add(std::move(n)));
      return true;
    }
    case 'X':  // BINUNICODE
      push(add_text(Kind::kText, raw(unsigned_int(4))));
      return true;
    case 0x8c:  // SHORT_BINUNICODE
      push(add_text(Kind::kText, raw(unsigned_int(1))));
      return true;
    case 0x8d:  // BINUNICODE8
      push(add_text(Kind::kText, raw(unsigned_int(8))));
      return true;
    case 'T':  // BINSTRING and SHORT_BINSTRING: text of Python 2, kept as text where it is UTF-8
    case 'U': {
      std::string text = raw(unsigned_int(opcode == 'T' ? 4 : 1));
      const Kind kind = is_utf8(text) ? Kind::kText : Kind::kBytes;
      push(add_text(kind, std::move(text)));
      return true;
    }
    case 'C':  // SHORT_BINBYTES
      push(add_text(Kind::kBytes, raw(unsigned_int(1))));
      return true;
    case 'B':  // BINBYTES
      push(add_text(Kind::kBytes, raw(unsigned_int(4))));
      return true;
    case 0x8e:  // BINBYTES8
    case 0x96:  // BYTEARRAY8
      push(add_text(Kind::kBytes, raw(unsigned_int(8))));
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step(uint8_t opcode) {
  switch (opcode) {
    case '.':
      return false;
    case 0x80: {  // PROTO
      const uint64_t protocol = unsigned_int(1);
      VOXLOOM_CHECK(protocol <= 5,
                    ErrorCode::kUnsupported,
                    "{}: pickle protocol must be at most 5, got {}",
                    where_,
                    protocol);
      break;
    }
    case 0x95:  // FRAME: only a hint for reading ahead
      if (unsigned_int(8) > bytes_.size() - at_) corrupt("a frame is cut short");
      break;
    case '(':
      VOXLOOM_CHECK(marks_.size() < limits_.max_marks,
                    ErrorCode::kUnsupported,
                    "{}: values must nest at most {} deep",
                    where_,
                    limits_.max_marks);
      marks_.push_back(stack_.size());
      break;
    case '0':  // POP, of a mark where one is on top
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        static_cast<void>(pop());
      }
      break;
    case '1':  // POP_MARK
      static_cast<void>(pop_to_mark());
      break;
    case '2':  // DUP
      push(top());
      break;
    case ')':
      push(add_kind(Kind::kTuple));
      break;
    case ']':
      push(add_kind(Kind::kList));
      break;
    case '}':
      push(add_kind(Kind::kDict));
      break;
    case 0x8f:  // EMPTY_SET
      push(add_kind(Kind::kSet));
      break;
    case 't':
      push(add_sequence(Kind::kTuple, pop_to_mark()));
      break;
    case 0x85:  // TUPLE1 to TUPLE3
    case 0x86:
    case 0x87:
      pop_tuple(opcode - 0x84u);
      break;
    case 'l':
      push(add_sequence(Kind::kList, pop_to_mark()));
      break;
    case 0x91:  // FROZENSET
      push(add_sequence(Kind::kSet, pop_to_mark()));
      break;
    case 'd': {
      const auto values = pop_to_mark();
      push(add_kind(Kind::kDict));
      set_items(values);
      break;
    }
    case 'a': {
      const NodeId value = pop();
      append({value}, false);
      break;
    }
    case 'e':
      append(pop_to_mark(), false);
      break;
    case 0x90:  // ADDITEMS
      append(pop_to_mark(), true);
      break;
    case 's': {
      const NodeId value = pop(), key = pop();
      set_items({key, value});
      break;
    }
    case 'u':
      set_items(pop_to_mark());
      break;
    case 'q':  // BINPUT
      remember(unsigned_int(1));
      break;
    case 'r':  // LONG_BINPUT
      remember(unsigned_int(4));
      break;
    case 0x94:  // MEMOIZE
      remember(memo_.size());
      break;
    case 'h':  // BINGET
      recall(unsigned_int(1));
      break;
    case 'j':  // LONG_BINGET
      recall(unsigned_int(4));
      break;
    case 'c': {  // GLOBAL
      const std::string module = line();
      global(module, line());
      break;
    }
    case 0x93: {  // STACK_GLOBAL
      const NodeId name = pop(), module = pop();
      if (node(name).kind != Kind::kText || node(module).kind != Kind::kText) {
        corrupt("a name of code is no text");
      }
      const std::string module_text = node(module).text, name_text = node(name).text;
      global(module_text, name_text);
      break;
    }
    case 'R':     // REDUCE
    case 0x81: {  // NEWOBJ
      const NodeId arguments = pop(), callable = pop();
      push(make_object(callable, arguments));
      break;
    }
    case 0x92: {  // NEWOBJ_EX: keyword arguments are kept beside the object
      const NodeId keywords = pop(), arguments = pop(), callable = pop();
      const NodeId made = make_object(callable, arguments);
      node(made).items.push_back(keywords);
      push(made);
      break;
    }
    case 'b':
      build();
      break;
    case 'Q': {  // BINPERSID
      PickleNode n;
      n.kind = Kind::kPersistent;
      n.arguments = pop();
      push(add(std::move(n)));
      break;
    }
    default:
      VOXLOOM_CHECK(step_scalar(opcode),
                    ErrorCode::kUnsupported,
                    "{}: opcode 0x{:02x} at byte {} is not one of pickle protocols 2 to 5 in use "
                    "by checkpoints",
                    where_,
                    static_cast<unsigned>(opcode),
                    at_ - 1);
  }
  return true;
}

PickleTree parse_pickle(std::span<const std::byte> bytes,
                        std::string_view where,
                        const PickleLimits& limits) {
  return PickleMachine(bytes, where, limits).run();
}

NodeId PickleTree::find_id(const PickleNode& dict, std::string_view key) const {
  // The last one counts, as in Python.
  for (size_t i = dict.pairs.size(); i >= 2; i -= 2) {
    const PickleNode& k = nodes_[dict.pairs[i - 2]];
    if (k.kind == Kind::kText && k.text == key) return dict.pairs[i - 1];
  }
  return kNoNode;
}

const PickleNode* PickleTree::find(const PickleNode& dict, std::string_view key) const {
  const NodeId id = find_id(dict, key);
  return id == kNoNode ? nullptr : &nodes_[id];
}

std::string_view PickleTree::callable_name(const PickleNode& object) const {
  if (object.kind != Kind::kObject || nodes_[object.callable].kind != Kind::kGlobal) return {};
  return nodes_[object.callable].text;
}

}  // namespace voxloom::weights
