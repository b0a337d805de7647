#include "voxloom/weights/pickle.h"

#include <gmock/gmock.h>

#include "voxloom/core/error.h"

namespace voxloom::weights {
namespace {

using Kind = PickleNode::Kind;
using namespace std::string_literals;

PickleTree parse(const std::string& text, const PickleLimits& limits = {}) {
  return parse_pickle(std::as_bytes(std::span(text.data(), text.size())), "test", limits);
}

std::string outcome(const std::string& text, const PickleLimits& limits = {}) {
  try {
    (void)parse(text, limits);
  } catch (const Error& e) {
    return std::string(error_code_name(e.code()));
  }
  return "parsed";
}

int64_t integer_of(const std::string& text) {
  const PickleTree tree = parse(text);
  EXPECT_EQ(tree.root().kind, Kind::kInteger);
  return tree.root().integer;
}

TEST(PickleTest, ReadsIntegersWithTheirSign) {
  EXPECT_EQ(integer_of("K\xff."s), 255);
  EXPECT_EQ(integer_of("M\xff\xff."s), 65535);
  EXPECT_EQ(integer_of("J\xff\xff\xff\xff."s), -1);
  EXPECT_EQ(integer_of("\x8a\x00."s), 0);
  EXPECT_EQ(integer_of("\x8a\x01\xff."s), -1);
  EXPECT_EQ(integer_of("\x8a\x02\xff\x00."s), 255);
  EXPECT_EQ(integer_of("\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80."s), INT64_MIN);
  EXPECT_EQ(integer_of("\x8b\x01\x00\x00\x00\x05."s), 5);
  EXPECT_EQ(parse("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00."s).root().kind, Kind::kBigInteger);
  EXPECT_EQ(parse("G\x3f\xe0\x00\x00\x00\x00\x00\x00."s).root().number, 0.5);
}

TEST(PickleTest, ReadsNestedContainersAndTheMemo) {
  // {"a": (1, [2, 3]), "b": the same list}
  const PickleTree tree = parse(
      "\x80\x02}q\x00(X\x01\x00\x00\x00"
      "aK\x01]q\x01(K\x02K\x03"
      "e\x86X\x01\x00\x00\x00"
      "bh\x01u."s);
  const PickleNode* a = tree.find(tree.root(), "a");
  ASSERT_NE(a, nullptr);
  ASSERT_EQ(a->kind, Kind::kTuple);
  EXPECT_EQ(a->items[1], tree.find_id(tree.root(), "b"));
  EXPECT_EQ(tree[a->items[1]].items.size(), 2u);
  EXPECT_EQ(tree.find(tree.root(), "c"), nullptr);
  EXPECT_EQ(tree.consumed(), 34u);
}

TEST(PickleTest, CallsBecomeDataAndAreNeverMade) {
  // os.system("id") by GLOBAL + REDUCE, then by STACK_GLOBAL + NEWOBJ_EX.
  PickleTree tree = parse("cos\nsystem\nX\x02\x00\x00\x00id\x85R."s);
  EXPECT_EQ(tree.root().kind, Kind::kObject);
  EXPECT_EQ(tree.callable_name(tree.root()), "os.system");
  tree = parse("\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85}\x92."s);
  EXPECT_EQ(tree.root().kind, Kind::kObject);
  EXPECT_EQ(tree.callable_name(tree.root()), "os.system");
  // A call of the result of a call.
  tree = parse("cbuiltins\neval\nX\x01\x00\x00\x00x\x85R)R."s);
  EXPECT_EQ(tree.callable_name(tree.root()), "");
}

TEST(PickleTest, ContainersOfTheAllowListHaveTheirMeaning) {
  PickleTree tree = parse("ccollections\nOrderedDict\n)R(K\x01K\x02u}b."s);
  EXPECT_EQ(tree.root().kind, Kind::kDict);
  EXPECT_EQ(tree.root().pairs.size(), 2u);
  EXPECT_NE(tree.root().state, kNoNode);
  tree = parse(
      "ccollections\nOrderedDict\n]]K\x01"
      "aK\x02"
      "aa\x85R."s);
  EXPECT_EQ(tree.root().pairs.size(), 2u);
  tree = parse(
      "c__builtin__\nset\n](K\x01K\x02"
      "e\x85R."s);
  EXPECT_EQ(tree.root().kind, Kind::kSet);
  EXPECT_EQ(tree.root().items.size(), 2u);
  EXPECT_EQ(parse("\x8f(K\x01K\x02\x90."s).root().items.size(), 2u);
}

TEST(PickleTest, RefusesWhatPythonRefuses) {
  const std::string corrupt[] = {
      "",                      // nothing
      ".",                     // no value
      "N",                     // no end
      "K",                     // cut
      "a.",                    // append without a list
      "NNa.",                  // append to None
      "NNNs.",                 // item of None
      "}(K\x01u.",             // key without value
      "]b.",                   // state of nothing
      "N]b.",                  // state of None
      "t.",                    // no mark
      "(N(b.",                 // values beyond the mark
      "h\x05.",                // unknown memo
      "q\x00."s,               // memo of nothing
      "cos\nsystem\nK\x01R.",  // arguments that are no tuple
      "K\x01K\x02\x93.",       // code names that are no text
      "X\x05\x00\x00\x00"
      "abc."s,  // text beyond the end
      "X\xff\xff\xff\xff"
      "abc."s,  // by far
      "\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
      "abc."s,
      "X\x02\x00\x00\x00\xc0\x80."s,             // overlong UTF-8
      "\x95\xff\x00\x00\x00\x00\x00\x00\x00."s,  // frame beyond the end
      "\x8b\xff\xff\xff\xff."s,                  // negative length
      "ccollections\nOrderedDict\n]K\x01"
      "a\x85R.",  // a dict of no pairs
      "c" + std::string(5000, 'a') + "\nb\n.",
  };
  for (const std::string& text : corrupt) {
    EXPECT_EQ(outcome(text), "data_corrupt") << testing::PrintToString(text);
  }
  const std::string unsupported[] = {
      "\x80\x06N.",        // protocol 6
      "I1\n.",             // protocol 0
      "\x82\x01.",         // extension registry
      "\x97.",             // out-of-band buffer
      "(cos\nsystem\no.",  // OBJ of protocol 1
  };
  for (const std::string& text : unsupported) {
    EXPECT_EQ(outcome(text), "unsupported") << testing::PrintToString(text);
  }
}

TEST(PickleTest, LimitsValuesNestingAndCopies) {
  PickleLimits limits;
  limits.max_nodes = 100;
  EXPECT_EQ(outcome("(" + std::string(99, 'N') + "l.", limits), "parsed");
  EXPECT_EQ(outcome("(" + std::string(100, 'N') + "l.", limits), "unsupported");
  EXPECT_EQ(outcome("N" + std::string(200, '2') + ".", limits), "unsupported");
  limits = {};
  limits.max_marks = 50;
  EXPECT_EQ(outcome(std::string(51, '('), limits), "unsupported");
  limits = {};
  limits.max_memo = 2;
  EXPECT_EQ(outcome("Nq\x01q\x02q\x01."s, limits), "parsed");
  EXPECT_EQ(outcome("Nq\x01q\x02q\x03."s, limits), "unsupported");
  limits = {};
  limits.max_bytes = 3;
  EXPECT_EQ(outcome("NNN.", limits), "unsupported");
  // Few bytes that copy a long list over and over.
  limits = {};
  limits.max_nodes = 1000;
  std::string text = "c__builtin__\nset\n"s + "q\x00"s + "(" + std::string(500, 'N') + "lq\x01";
  for (int i = 0; i < 20; ++i) text += "h\x00h\x01\x85R"s;
  EXPECT_EQ(outcome(text + ".", limits), "unsupported");
}

TEST(PickleTest, CyclesAreJustReferences) {
  const PickleTree tree = parse(
      "]q\x01h\x01"
      "a."s);
  EXPECT_EQ(tree.root().items[0], tree.root_id());
}

TEST(PickleTest, DeepNestingNeedsNoCallStack) {
  PickleLimits limits;
  const std::string text = "N" + std::string(500'000, '\x85') + ".";
  EXPECT_EQ(parse(text, limits).size(), 500'001u);
}

}  // namespace
}  // namespace voxloom::weights
