#include "voxloom/core/sha256.h"

#include <vector>

#include <gtest/gtest.h>

namespace voxloom {
namespace {

// FIPS 180-2, appendix B, and the empty message.
TEST(Sha256Test, PublishedExamples) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256Test, PiecesGiveTheDigestOfTheWhole) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>(i * 7 + i / 11);
  for (const size_t piece : {1u, 3u, 55u, 56u, 63u, 64u, 65u, 127u, 500u}) {
    Sha256 hash;
    for (size_t at = 0; at < text.size(); at += piece) hash.update(text.substr(at, piece));
    EXPECT_EQ(to_hex(hash.finish()), sha256_hex(text)) << "piece " << piece;
  }
}

TEST(Sha256Test, ThePortableCodeGivesTheSame) {
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    Sha256 hash(Sha256::Engine::kPortable);
    hash.update(text);
    ASSERT_EQ(to_hex(hash.finish()), sha256_hex(text)) << i;
    text += static_cast<char>(i * 13);
    if (text.size() > 400) text.resize(static_cast<size_t>(i) % 60);
  }
}

// Lengths around the padding's edges, against values of another implementation (Python hashlib):
// bytes 0, 1, 2, ... n-1.
TEST(Sha256Test, LengthsAroundABlock) {
  const std::pair<size_t, const char*> cases[] = {
      {55, "463eb28e72f82e0a96c0a4cc53690c571281131f672aa229e0d45ae59b598b59"},
      {56, "da2ae4d6b36748f2a318f23e7ab1dfdf45acdc9d049bd80e59de82a60895f562"},
      {63, "29af2686fd53374a36b0846694cc342177e428d1647515f078784d69cdb9e488"},
      {64, "fdeab9acf3710362bd2658cdc9a29e8f9c757fcf9811603a8c447cd1d9151108"},
      {119, "da18797ed7c3a777f0847f429724a2d8cd5138e6ed2895c3fa1a6d39d18f7ec6"},
      {120, "f52b23db1fbb6ded89ef42a23ce0c8922c45f25c50b568a93bf1c075420bbb7c"},
  };
  for (const auto& [size, expected] : cases) {
    std::string text;
    for (size_t i = 0; i < size; ++i) text += static_cast<char>(i);
    EXPECT_EQ(sha256_hex(text), expected) << size;
  }
}

}  // namespace
}  // namespace voxloom
