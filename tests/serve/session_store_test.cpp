// Sessions: images that clients bring along.
#include "voxloom/serve/datastore/session_store.h"

#include "voxloom/core/zip_writer.h"

#include "store_fixture.h"

namespace voxloom::serve {
namespace {

class SessionTest : public StoreTest {
 protected:
  [[nodiscard]] SessionOptions options() const {
    return {.folder = base_ / "sessions", .clean_every = std::chrono::seconds(0)};
  }
  fs::path text_file(const std::string& name, const std::string& text) {
    write_text(base_ / "uploads" / name, text);
    return base_ / "uploads" / name;
  }
};

TEST_F(SessionTest, KeepsOneFileAndItsInfo) {
  SessionStore sessions(options());
  const Json info = sessions.create({{text_file("up1", "voxels"), "dir/x.nii.gz"}}, false, 60);
  const std::string id = info.at("name");
  EXPECT_EQ(id.size(), 36U);
  const fs::path folder = base_ / "sessions" / id;
  EXPECT_EQ(info.at("path"), folder.string());
  EXPECT_EQ(info.at("image"), (folder / "x.nii.gz").string());
  EXPECT_EQ(info.at("expiry"), 60);
  EXPECT_EQ(info.at("meta"), Json::object());
  EXPECT_EQ(read_text(folder / "x.nii.gz"), "voxels");
  EXPECT_EQ(Json::parse(read_text(folder / "meta.info")), info);
  EXPECT_EQ(sessions.image_path(id), folder / "x.nii.gz");
  EXPECT_EQ(sessions.get(id, false)->at("name"), id);
  EXPECT_EQ(sessions.remove(id)->at("name"), id);
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_FALSE(sessions.get(id, false));
  EXPECT_FALSE(sessions.remove(id));
  error_of(ErrorCode::kNotFound, [&] { static_cast<void>(sessions.image_path(id)); });
  for (const char* bad : {"..", "../uploads", "", "x"}) EXPECT_FALSE(sessions.remove(bad));
}

TEST_F(SessionTest, SeveralFilesAndArchivesBecomeAFolder) {
  SessionStore sessions(options());
  const Json two =
      sessions.create({{text_file("a", "1"), "a.dcm"}, {text_file("b", "2"), "b.dcm"}}, false, 0);
  EXPECT_EQ(two.at("image"), two.at("path"));
  EXPECT_EQ(two.at("expiry"), 3600);

  std::string bytes;
  ZipWriter zip(
      [&](auto part) { bytes.append(reinterpret_cast<const char*>(part.data()), part.size()); });
  zip.add("d/", "");
  zip.add("d/x.dcm", "1");
  zip.add("../../e/x.dcm", "2");
  zip.finish();
  const Json packed = sessions.create({{text_file("z", bytes), "z.zip"}}, true, 0);
  const fs::path folder = packed.at("path").get<std::string>();
  EXPECT_EQ(read_text(folder / "x.dcm"), "1");
  EXPECT_EQ(read_text(folder / "2_x.dcm"), "2");
  EXPECT_FALSE(fs::exists(base_ / "e"));
}

TEST_F(SessionTest, RefusesBadUploadsAndLeavesNothing) {
  SessionStore sessions(options());
  for (const char* name : {"", "meta.info", "..", ".hidden", "a/"}) {
    error_of(ErrorCode::kInvalidArgument, [&] {
      sessions.create({{text_file("a", "1"), name}}, false, 0);
    });
  }
  error_of(ErrorCode::kInvalidArgument, [&] { sessions.create({}, false, 0); });
  error_of(ErrorCode::kInvalidArgument, [&] {
    sessions.create({{text_file("a", "no zip"), "a.zip"}}, true, 0);
  });
  error_of(ErrorCode::kInvalidArgument, [&] {
    sessions.create({{text_file("a", "1"), "a"}, {text_file("b", "1"), "a"}}, false, 0);
  });
  error_of(ErrorCode::kNotFound, [&] { sessions.create({{base_ / "none", "a"}}, false, 0); });
  EXPECT_TRUE(fs::is_empty(base_ / "sessions"));
}

TEST_F(SessionTest, LimitsAndRestart) {
  auto limited = options();
  limited.max_sessions = 2;
  limited.max_bytes = 1000;
  std::string id;
  {
    SessionStore sessions(limited);
    id = sessions.create({{text_file("a", "1"), "a.nrrd"}}, false, 0).at("name");
    error_of(ErrorCode::kUnavailable, [&] {
      sessions.create({{text_file("a", std::string(2000, 'x')), "a.nrrd"}}, false, 0);
    });
    sessions.create({{text_file("a", "1"), "a.nrrd"}}, false, 0);
    error_of(ErrorCode::kUnavailable, [&] {
      sessions.create({{text_file("a", "1"), "a.nrrd"}}, false, 0);
    });
  }
  fs::create_directories(base_ / "sessions/00000000-0000-4000-8000-000000000000");
  fs::create_directories(base_ / "sessions/not a session");
  SessionStore sessions(limited);
  EXPECT_EQ(sessions.size(), 2U);
  EXPECT_EQ(fs::path(sessions.get(id, true)->at("image").get<std::string>()).filename(), "a.nrrd");
  EXPECT_FALSE(fs::exists(base_ / "sessions/00000000-0000-4000-8000-000000000000"));
  EXPECT_TRUE(fs::exists(base_ / "sessions/not a session"));
}

TEST_F(SessionTest, ExpiredSessionsGo) {
  std::string id;
  {
    SessionStore sessions(options());
    id = sessions.create({{text_file("a", "1"), "a.nrrd"}}, false, 100).at("name");
    EXPECT_EQ(sessions.clean(), 0U);
  }
  const fs::path meta = base_ / "sessions" / id / "meta.info";
  Json info = Json::parse(read_text(meta));
  info["last_access_ts"] = info["last_access_ts"].get<int64_t>() - 101;
  write_text(meta, info.dump());
  SessionStore sessions(options());
  EXPECT_FALSE(sessions.get(id, true));
  EXPECT_EQ(sessions.size(), 0U);
  EXPECT_FALSE(fs::exists(meta));
}

}  // namespace
}  // namespace voxloom::serve
