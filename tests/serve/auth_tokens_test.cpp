#include <array>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/serve/auth/password.h"
#include "voxloom/serve/auth/tokens.h"
#include "voxloom/serve/auth/users.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

class AuthFilesTest : public ::testing::Test {
 protected:
  AuthFilesTest() {
    std::string name = (fs::temp_directory_path() / "voxloom-auth-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~AuthFilesTest() override { fs::remove_all(folder_); }
  [[nodiscard]] fs::path file() const { return folder_ / "users.json"; }
  void add(const std::string& name, std::vector<std::string> roles) {
    update_users(file(), [&](UserList& list) {
      list.put(
          {name, hash_password("password of " + name, HashCost::kLeast), roles, random_hex(8)});
    });
  }
  static int mode(const fs::path& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? static_cast<int>(info.st_mode & 0777) : -1;
  }

  fs::path folder_;
};

TEST(PasswordTest, HashIsArgon2idSaltedAndFitsItsPasswordAlone) {
  const std::string a = hash_password("correct horse", HashCost::kLeast);
  const std::string b = hash_password("correct horse", HashCost::kLeast);
  EXPECT_EQ(a.rfind("$argon2id$v=19$", 0), 0U);
  EXPECT_NE(a, b);
  EXPECT_TRUE(verify_password(a, "correct horse"));
  EXPECT_FALSE(verify_password(a, "correct horsf"));
  EXPECT_FALSE(verify_password(a, ""));
  EXPECT_FALSE(verify_password("not a hash", "correct horse"));
}

TEST(PasswordTest, HashesForPeopleTakeTheInteractiveCost) {
  EXPECT_EQ(hash_password("correct horse").rfind("$argon2id$v=19$m=65536,t=2,p=1$", 0), 0U);
}

TEST(PasswordTest, ShortAndLongPasswordsAreRefused) {
  EXPECT_THROW(check_password("1234567"), Error);
  EXPECT_THROW(check_password(std::string(1025, 'a')), Error);
  EXPECT_NO_THROW(check_password("12345678"));
}

TEST(PasswordTest, SecretsAreEqualByteByByte) {
  EXPECT_TRUE(equal_secrets("abc", "abc"));
  EXPECT_FALSE(equal_secrets("abc", "abd"));
  EXPECT_FALSE(equal_secrets("abc", "ab"));
  EXPECT_TRUE(equal_secrets("", ""));
}

TEST_F(AuthFilesTest, UsersAreWrittenSortedForTheOwnerAloneAndReadBack) {
  add("berta", {"user"});
  add("anna", {"user", "annotator"});
  EXPECT_EQ(mode(file()), 0600);
  const UserList list = load_users(file());
  ASSERT_EQ(list.users.size(), 2U);
  EXPECT_EQ(list.users[0].name, "anna");
  EXPECT_THAT(list.users[0].roles, ElementsAre("user", "annotator"));
  ASSERT_NE(list.find("berta"), nullptr);
  EXPECT_EQ(list.find("carla"), nullptr);
  EXPECT_EQ(parse_users(users_text(list), "again"), list);
}

TEST_F(AuthFilesTest, ChangeThatThrowsLeavesTheFile) {
  add("anna", {"user"});
  const std::string before = read_text_file(file());
  EXPECT_THROW(update_users(file(),
                            [](UserList& list) {
                              list.users.clear();
                              throw Error(ErrorCode::kNotFound, "no");
                            }),
               Error);
  EXPECT_EQ(read_text_file(file()), before);
}

TEST_F(AuthFilesTest, StoreSeesAChangedFileAndKeepsAccountsWhenItBreaks) {
  add("anna", {"user"});
  UserStore store(file());
  EXPECT_EQ(store.current()->users.size(), 1U);
  add("berta", {"admin"});
  EXPECT_EQ(store.refresh()->users.size(), 2U);
  std::ofstream(file()) << "{broken";
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(store.refresh()->users.size(), 2U);
  fs::remove(file());
  EXPECT_EQ(store.refresh()->users.size(), 2U);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("stay as they were"), std::string::npos);
  add("carla", {"user"});
  EXPECT_NE(store.refresh()->find("carla"), nullptr);
}

TEST(UsersTest, BrokenFilesSayWhatIsWrong) {
  const std::string hash = "\"hash\":\"$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA\"";
  const auto file = [](const std::string& users) {
    return R"({"voxloom_users":1,"users":[)" + users + "]}";
  };
  const std::string good =
      R"({"name":"a","stamp":"0123456789abcdef","roles":["user"],)" + hash + "}";
  EXPECT_NO_THROW((void)parse_users(file(good), "f"));
  const std::pair<std::string, std::string> cases[] = {
      {"", "must be valid JSON"},
      {"[]", "must be a JSON object"},
      {R"({"users":[]})", "'voxloom_users' must be 1"},
      {R"({"voxloom_users":2,"users":[]})", "'voxloom_users' must be 1"},
      {R"({"voxloom_users":1})", "'users' must be a list"},
      {file("3"), "user 1: must be an object"},
      {file("{}"), "user 1: 'name' must be a text"},
      {file(good + "," + good), "user 'a' must be there once"},
      {file(R"({"name":"a","hash":"md5:1","stamp":"0123456789abcdef","roles":[]})"), "argon2id"},
      {file(R"({"name":"a","stamp":"xyz","roles":[],)" + hash + "}"), "16 hex digits"},
      {file(R"({"name":"a","stamp":"0123456789abcdef","roles":["root"],)" + hash + "}"), "'roles'"},
      {file(R"({"name":"../a","stamp":"0123456789abcdef","roles":[],)" + hash + "}"), "user name"},
      {std::string(5 << 20, ' '), "at most"},
  };
  for (const auto& [text, says] : cases) {
    try {
      (void)parse_users(text, "f");
      ADD_FAILURE() << "accepted: " << text.substr(0, 200);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kDataCorrupt);
      EXPECT_THAT(e.what(), ::testing::HasSubstr(says)) << text.substr(0, 200);
    }
  }
}

TEST(UsersTest, RolesAreKnownOrderedAndDoNotInheritButForAdmin) {
  EXPECT_THAT(parse_roles("annotator,user,user"), ElementsAre("user", "annotator"));
  EXPECT_THROW((void)parse_roles(""), Error);
  EXPECT_THROW((void)parse_roles("user,"), Error);
  EXPECT_THROW((void)parse_roles("User"), Error);
  User user{"a", "", {"annotator"}, ""};
  EXPECT_THAT(user.effective_roles(), ElementsAre("annotator"));
  user.roles = {"admin"};
  EXPECT_THAT(user.effective_roles(), ElementsAre("user", "reviewer", "annotator", "admin"));
}

TEST(UsersTest, NamesArePlain) {
  for (const char* good : {"a", "anna.b@clinic-1", "A_9"}) EXPECT_NO_THROW(check_user_name(good));
  for (const char* bad : {"", "-a", ".a", "a b", "a/b", "a\n", "\xc3\xa4"}) {
    EXPECT_THROW(check_user_name(bad), Error) << bad;
  }
  EXPECT_THROW(check_user_name(std::string(65, 'a')), Error);
}

TokenSigner test_signer(unsigned char fill = 7) {
  std::array<unsigned char, 32> key{};
  key.fill(fill);
  return TokenSigner(key);
}

TEST(TokenTest, RightTokenGivesItsClaimsUntilItExpires) {
  const TokenClaims claims{"anna", "0123456789abcdef", 1000};
  const auto signer = test_signer();
  const std::string token = signer.sign(claims);
  ASSERT_TRUE(signer.verify(token, 999));
  EXPECT_EQ(*signer.verify(token, 999), claims);
  EXPECT_FALSE(signer.verify(token, 1000));
  EXPECT_FALSE(test_signer(8).verify(token, 999));
}

TEST(TokenTest, EveryChangedByteIsNoticed) {
  const auto signer = test_signer();
  const std::string token = signer.sign({"anna", "0123456789abcdef", 1000});
  for (size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(signer.verify(changed, 0)) << "byte " << i;
    EXPECT_FALSE(signer.verify(token.substr(0, i), 0)) << "cut at " << i;
  }
  EXPECT_FALSE(signer.verify(token + "A", 0));
  EXPECT_FALSE(signer.verify(token + "=", 0));
  EXPECT_FALSE(signer.verify(std::string(100000, '.'), 0));
}

TEST_F(AuthFilesTest, KeyIsMadeOnceForTheOwnerAloneAndKept) {
  const fs::path key = token_key_file(file());
  const auto first = TokenSigner::from_key_file(key);
  EXPECT_EQ(mode(key), 0600);
  const auto second = TokenSigner::from_key_file(key);
  EXPECT_TRUE(second.verify(first.sign({"a", "s", 10}), 1));
}

TEST_F(AuthFilesTest, KeyThatOthersMayReadOrThatIsNoKeyIsRefused) {
  const fs::path key = token_key_file(file());
  (void)TokenSigner::from_key_file(key);
  ::chmod(key.c_str(), 0644);
  EXPECT_THROW((void)TokenSigner::from_key_file(key), Error);
  ::chmod(key.c_str(), 0600);
  std::ofstream(key) << "abcd\n";
  EXPECT_THROW((void)TokenSigner::from_key_file(key), Error);
}

}  // namespace
}  // namespace voxloom::serve
