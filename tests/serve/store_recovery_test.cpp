// The folder datastore: starts after anything, shares its folder with MONAI Label, follows it.
#include "voxloom/core/file_lock.h"
#include "voxloom/serve/datastore/journal.h"

#include "store_fixture.h"

namespace voxloom::serve {
namespace {

using Ids = std::vector<std::string>;

constexpr const char* kMonaiJson = R"({
  "name": "new-dataset", "description": "New Dataset", "images_dir": ".", "labels_dir": "labels",
  "objects": {"spleen_3": {
    "image": {"ext": ".nii.gz", "info": {"ts": 1700000000, "name": "spleen_3.nii.gz",
      "strategy": {"random": {"ts": 1700000100, "client_id": "user-xyz"}}}},
    "labels": {
      "final": {"ext": ".nii.gz", "info": {"label_info": [{"name": "spleen", "idx": 1}],
        "model": "segmentation", "client_id": "user-xyz", "ts": 1700000200,
        "name": "spleen_3.nii.gz"}},
      "original": {"ext": ".nrrd", "info": {"model": "segmentation",
        "params": {"label_names": {"spleen": 1}}, "ts": 1700000150, "name": "spleen_3.nrrd"}},
      "gone": {"ext": ".nrrd", "info": {}}}},
   "vanished": {"image": {"ext": ".nii.gz", "info": {}}, "labels": {}}}})";

TEST_F(StoreTest, TakesOverAFolderThatMonaiLabelMade) {
  image("spleen_3.nii.gz");
  image("new.nii.gz");
  image("labels/final/spleen_3.nii.gz", 1);
  image("labels/original/spleen_3.nrrd", 1);
  image("labels/final/stray.nii.gz", 1);
  write_text(studies_ / "datastore_v2.json", kMonaiJson);
  {
    const auto store = open();
    EXPECT_EQ(store->image_ids(), (Ids{"new", "spleen_3"}));
    const auto record = store->find("spleen_3");
    EXPECT_EQ(record->info["strategy"]["random"]["client_id"], "user-xyz");
    EXPECT_EQ(record->labels.size(), 2U);
    EXPECT_EQ(record->label("final")->info["label_info"][0]["name"], "spleen");
    EXPECT_EQ(record->label("original")->info["params"]["label_names"]["spleen"], 1);
    EXPECT_EQ(store->document().at("objects").size(), 2U);
    save(*store, "new", "final");
  }
  // What we write is what it reads: the same members, in its order.
  const Json written = Json::parse(read_text(studies_ / "datastore_v2.json"));
  Ids keys;
  for (const auto& [key, value] : written.items()) keys.push_back(key);
  EXPECT_EQ(keys, (Ids{"name", "description", "images_dir", "labels_dir", "objects"}));
  const Json& object = written["objects"]["spleen_3"];
  EXPECT_EQ(object["image"], Json::parse(kMonaiJson)["objects"]["spleen_3"]["image"]);
  EXPECT_EQ(object["labels"]["final"],
            Json::parse(kMonaiJson)["objects"]["spleen_3"]["labels"]["final"]);
  EXPECT_EQ(written["objects"]["new"]["labels"]["final"]["ext"], ".nii.gz");
  EXPECT_EQ(read_text(studies_ / "datastore_v2.json").substr(0, 5), "{\n  \"");
}

TEST_F(StoreTest, ReadsLabelDirAndKeepsForeignMembersAndRefusesFoldersOutside) {
  image("a.nii.gz");
  image("mylabels/final/a.nii.gz", 1);
  write_text(studies_ / "datastore_v2.json",
             R"({"name":"n","label_dir":"mylabels","extra":{"k":1},"objects":{}})");
  {
    const auto store = open();
    EXPECT_EQ(store->image_ids(), Ids{"a"});
    EXPECT_EQ(store->stats().completed, 1);
    EXPECT_EQ(store->document().at("labels_dir"), "mylabels");
    EXPECT_EQ(store->document().at("extra").at("k"), 1);
    EXPECT_EQ(store->document().at("name"), "n");
  }
  fs::remove_all(studies_ / ".voxloom");
  write_text(studies_ / "datastore_v2.json", R"({"labels_dir":"../out","images_dir":"/etc"})");
  EXPECT_EQ(open()->document().at("labels_dir"), "labels");
}

TEST_F(StoreTest, StartsWithAnEmptyOrDamagedIndexAndKeepsTheInfo) {
  image("case.nii.gz");
  {
    const auto store = open();
    save(*store, "case", "final", 1, "x.nii.gz", {{"model", "m"}});
  }
  for (const char* text : {"", "{\"name\": \"new-da", "[]", "\x01\x02"}) {
    write_text(studies_ / "datastore_v2.json", text);
    const auto store = open();
    EXPECT_EQ(store->find("case")->label("final")->info.at("model"), "m") << text;
  }
  EXPECT_TRUE(fs::exists(studies_ / "datastore_v2.json.damaged-1"));
  EXPECT_TRUE(Json::accept(read_text(studies_ / "datastore_v2.json")));

  write_text(studies_ / ".voxloom/index.json", "{");
  write_text(studies_ / ".voxloom/checksums.json", "[3");
  write_text(studies_ / ".voxloom/dicom.json", "{\"a\":{\"stamp\":[1,2,3]}}");
  EXPECT_EQ(open()->find("case")->label("final")->info.at("model"), "m");
  write_text(studies_ / ".voxloom/index.json", "");
  write_text(studies_ / "datastore_v2.json", "");
  EXPECT_EQ(open()->stats().completed, 1);
}

TEST_F(StoreTest, AKillLosesNothingThatWasAcknowledged) {
  image("a.nii.gz");
  image("b.nii.gz");
  const auto store = open();
  static_cast<void>(store->flush());
  save(*store, "a", "final", 3, "x.nii.gz", {{"n", 1}});
  save(*store, "a", "final", 4, "x.nrrd", {{"n", 2}});
  save(*store, "b", "original", 5);
  store->update_label_info("b", "original", {{"k", "v"}});
  store->update_image_info("b", {{"seen", true}});
  store->add_image(upload("up.nii.gz"), "c", "up.nii.gz", {{"from", "me"}});
  save(*store, "b", "gone", 5);
  store->remove_label("b", "gone");
  snapshot_to(base_ / "killed");
  studies_ = base_ / "killed";
  const auto after = open();
  EXPECT_EQ(after->image_ids(), (Ids{"a", "b", "c"}));
  EXPECT_EQ(label_value(*after, "a", "final"), 4);
  EXPECT_EQ(after->find("a")->label("final")->info.at("n"), 2);
  EXPECT_EQ(after->find("b")->label("original")->info.at("k"), "v");
  EXPECT_EQ(after->find("b")->info.at("seen"), true);
  EXPECT_EQ(after->find("b")->label("gone"), nullptr);
  EXPECT_EQ(after->find("c")->info.at("from"), "me");
}

TEST_F(StoreTest, AKillBeforeTheFirstIndexLosesNoInfo) {
  image("a.nii.gz");
  image("sub/b.nrrd");
  const auto store = open();
  save(*store, "a", "final", 3, "x.nii.gz", {{"n", 1}});
  save(*store, "sub_b", "final", 4, "x.nii.gz", {{"n", 2}});
  snapshot_to(base_ / "killed");
  studies_ = base_ / "killed";
  const auto after = open();
  EXPECT_EQ(after->image_ids(), (Ids{"a", "sub_b"}));
  EXPECT_EQ(after->find("a")->label("final")->info.at("n"), 1);
  EXPECT_EQ(after->find("sub_b")->label("final")->info.at("n"), 2);
  EXPECT_EQ(after->find("sub_b")->info.at("name"), "b.nrrd");
}

/// A store's folder as a kill leaves it, with one journal that has `lines` label saves on "case".
class JournalTest : public StoreTest {
 protected:
  fs::path make(int lines) {
    image("case.nii.gz");
    const auto store = open();
    static_cast<void>(store->flush());
    for (int i = 1; i <= lines; ++i) {
      save(*store, "case", format("t{}", i), static_cast<uint8_t>(i), "x.nii.gz", {{"n", i}});
    }
    snapshot_to(base_ / "killed");
    studies_ = base_ / "killed";
    fs::path journal;
    for (const auto& entry : fs::directory_iterator(studies_ / ".voxloom")) {
      const bool is_journal = entry.path().filename().string().starts_with("journal-");
      if (is_journal && entry.file_size() > 0) journal = entry.path();
    }
    // The copy shares its files with the open store: give it a journal of its own.
    // Without the room for further lines, so that tests cut and damage lines.
    auto text = read_text(journal);
    text.erase(text.find_last_not_of('\0') + 1);
    fs::remove(journal);
    write_text(journal, text);
    return journal;
  }
};

TEST_F(JournalTest, ACutTailIsLeftOut) {
  const auto journal = make(3);
  const auto text = read_text(journal);
  write_text(journal, text.substr(0, text.size() - 10));
  const auto store = open();
  EXPECT_EQ(store->find("case")->label("t2")->info.at("n"), 2);
  // Its file was in place, so the label is there; only what its line said is not.
  EXPECT_FALSE(store->find("case")->label("t3")->info.contains("n"));
  save(*store, "case", "t4", 4);
  EXPECT_EQ(store->find("case")->labels.size(), 4U);
}

TEST_F(JournalTest, AFlippedByteCostsOneLineAndTheJournalIsKept) {
  const auto journal = make(3);
  auto text = read_text(journal);
  text[text.find('\n') + 40] ^= 1;
  write_text(journal, text);
  {
    const auto store = open();
    EXPECT_EQ(store->find("case")->label("t1")->info.at("n"), 1);
    EXPECT_FALSE(store->find("case")->label("t2")->info.contains("n"));
    EXPECT_EQ(store->find("case")->label("t3")->info.at("n"), 3);
  }
  EXPECT_FALSE(fs::exists(journal));
  EXPECT_EQ(read_text(journal.string() + ".damaged-1"), text);
}

TEST_F(JournalTest, ALineWhoseBeginningNeverCameIsLeftOutQuietly) {
  const auto journal = make(3);
  auto text = read_text(journal);
  const size_t last = text.rfind('\n', text.size() - 2) + 1;
  std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(last), 40, '\0');
  write_text(journal, text + std::string(5000, '\0'));
  const auto store = open();
  EXPECT_EQ(store->find("case")->label("t2")->info.at("n"), 2);
  EXPECT_FALSE(store->find("case")->label("t3")->info.contains("n"));
  EXPECT_FALSE(fs::exists(journal.string() + ".damaged-1"));
}

TEST_F(StoreTest, AJournalHasRoomAheadAndGrowsBeyondIt) {
  const fs::path path = base_ / "journal";
  std::string expected;
  size_t seen = 0;
  const auto ids = [&](const std::string& text) {
    std::string out;
    const auto report = read_journal(text, [&](const Change& change) { out += change.id + ' '; });
    EXPECT_EQ(report.damaged, 0U);
    EXPECT_FALSE(report.cut);
    seen = report.changes;
    return out;
  };
  {
    Journal journal(path);
    EXPECT_EQ(ids(read_text(path)), "");
    for (int i = 0; i < 300; ++i) {
      const std::string id = format("case_{}", i);
      journal.append(journal_line({.kind = Change::Kind::kImage,
                                   .id = id,
                                   .tag = {},
                                   .ext = ".nii",
                                   .location = id + ".nii",
                                   .info = {{"note", std::string(400, 'n')}},
                                   .stamp = {},
                                   .temporary = {}}));
      expected += id + ' ';
      // Where what is kept fills the first room, and in between.
      if (i % 37 == 0 || i == 299) EXPECT_EQ(ids(read_text(path)), expected) << i;
    }
    EXPECT_GT(journal.bytes(), uint64_t{64} << 10);
    EXPECT_GT(fs::file_size(path), journal.bytes());
  }
  EXPECT_EQ(seen, 300U);
  EXPECT_EQ(read_text(path).back(), '\n') << "room that is not used is given back";
}

TEST_F(JournalTest, ASaveCutBetweenJournalAndRenameIsFinished) {
  const auto journal = make(1);
  const auto text = read_text(journal);
  const auto at = text.find("\"was\":\"") + 7;
  const auto hidden = text.substr(at, text.find('"', at) - at);
  fs::rename(studies_ / "labels/t1/case.nii.gz", studies_ / "labels/t1" / hidden);
  const auto store = open();
  EXPECT_EQ(label_value(*store, "case", "t1"), 1);
  EXPECT_EQ(store->find("case")->label("t1")->info.at("n"), 1);
  EXPECT_FALSE(fs::exists(studies_ / "labels/t1" / hidden));
}

TEST_F(JournalTest, ASaveWhoseFileNeverCameDoesNotCount) {
  make(1);
  fs::remove(studies_ / "labels/t1/case.nii.gz");
  EXPECT_TRUE(open()->find("case")->labels.empty());
}

TEST_F(JournalTest, LeftoversOfAKilledUploadAreRemoved) {
  make(1);
  write_text(studies_ / "labels/t1/.voxloom-tmp-1-1.nii.gz", "half");
  write_text(studies_ / ".voxloom-tmp-1-2.nii.gz", "half");
  const auto store = open();
  EXPECT_FALSE(fs::exists(studies_ / "labels/t1/.voxloom-tmp-1-1.nii.gz"));
  EXPECT_FALSE(fs::exists(studies_ / ".voxloom-tmp-1-2.nii.gz"));
}

TEST_F(StoreTest, ReconcilesWhatChangedWhileItWasDown) {
  for (const char* name : {"a", "b", "c"}) image(std::string(name) + ".nii.gz");
  {
    const auto store = open();
    save(*store, "a", "final", 1, "x.nii.gz", {{"k", "a"}});
    save(*store, "b", "final", 1, "x.nii.gz", {{"k", "b"}});
    store->update_image_info("c", {{"k", "c"}});
  }
  fs::rename(studies_ / "a.nii.gz", base_ / "a.nii.gz");  // Gone for a while.
  fs::remove(studies_ / "labels/final/b.nii.gz");         // Label gone.
  fs::create_directories(studies_ / "sub");
  fs::rename(studies_ / "c.nii.gz", studies_ / "sub/moved.nii.gz");  // Renamed.
  image("d.nii.gz");
  image("labels/mine/d.nii.gz", 1);
  {
    const auto store = open();
    EXPECT_EQ(store->image_ids(), (Ids{"b", "d", "sub_moved"}));
    EXPECT_TRUE(store->find("b")->labels.empty());
    EXPECT_EQ(store->find("sub_moved")->info.at("k"), "c");
    EXPECT_EQ(store->find("sub_moved")->info.at("path"), "sub");
    EXPECT_TRUE(store->find("d")->label("mine"));
  }
  fs::rename(base_ / "a.nii.gz", studies_ / "a.nii.gz");
  const auto store = open();
  ASSERT_TRUE(store->find("a")->label("final"));
  EXPECT_EQ(store->find("a")->label("final")->info.at("k"), "a") << "its info came back with it";
}

TEST_F(StoreTest, ARenamedImageKeepsItsInfoAndItsLabels) {
  image("old.nii.gz");
  const auto store = open();
  save(*store, "old", "final", 6, "x.nii.gz", {{"k", 1}});
  fs::rename(studies_ / "old.nii.gz", studies_ / "new.nii.gz");
  store->refresh();
  EXPECT_EQ(store->image_ids(), Ids{"new"});
  EXPECT_EQ(store->find("new")->label("final")->info.at("k"), 1);
  EXPECT_EQ(label_value(*store, "new", "final"), 6);
  EXPECT_EQ(store->label_path("new", "final"), studies_ / "labels/final/new.nii.gz");
}

TEST_F(StoreTest, FollowsTheFolderWhileItRuns) {
  image("a.nii.gz");
  const auto store = open(true);
  write_volume(base_ / "out.nii.gz");
  fs::rename(base_ / "out.nii.gz", studies_ / "in.nii.gz");
  EXPECT_TRUE(eventually([&] { return store->find("in").has_value(); }));
  fs::rename(studies_ / "in.nii.gz", studies_ / "renamed.nii.gz");
  EXPECT_TRUE(eventually([&] { return store->find("renamed") && !store->find("in"); }));
  image("x/y/deep.nii.gz");
  EXPECT_TRUE(eventually([&] { return store->find("x_y_deep").has_value(); }));
  image("x/y/later.nii.gz");
  EXPECT_TRUE(eventually([&] { return store->find("x_y_later").has_value(); }));
  image("labels/brand_new/a.nii.gz", 1);
  EXPECT_TRUE(eventually([&] { return store->find("a")->label("brand_new") != nullptr; }));
  fs::rename(studies_ / "labels/brand_new/a.nii.gz", base_ / "a.nii.gz");
  EXPECT_TRUE(eventually([&] { return store->find("a")->labels.empty(); }));
  fs::create_hard_link(studies_ / "a.nii.gz", studies_ / "link.nii.gz");
  EXPECT_TRUE(eventually([&] { return store->find("link").has_value(); }));
  fs::remove_all(studies_ / "x");
  EXPECT_TRUE(eventually([&] { return !store->find("x_y_deep"); }));
}

TEST_F(StoreTest, LoadsAnIndexThatAnotherProgramEdited) {
  image("a.nii.gz");
  const auto store = open(true);
  save(*store, "a", "final", 1, "x.nii.gz", {{"k", 1}});
  ASSERT_TRUE(store->flush());
  Json edited = Json::parse(read_text(studies_ / "datastore_v2.json"));
  edited["description"] = "by hand";
  edited["objects"]["a"]["labels"]["final"]["info"]["k"] = 2;
  edited["objects"]["a"]["image"]["info"]["note"] = "n";
  write_text(studies_ / "datastore_v2.json", edited.dump(2));
  EXPECT_TRUE(eventually([&] { return store->find("a")->info.contains("note"); }));
  EXPECT_EQ(store->find("a")->label("final")->info.at("k"), 2);
  EXPECT_EQ(store->document().at("description"), "by hand");
}

TEST_F(StoreTest, HonoursTheLockOfOthers) {
  image("a.nii.gz");
  const auto store = open();
  static_cast<void>(store->flush());
  const auto before = read_text(studies_ / "datastore_v2.json");
  {
    const FileLock other(studies_ / ".lock", std::chrono::milliseconds(0));
    ASSERT_TRUE(other.held());
    store->update_image_info("a", {{"k", 1}});
    EXPECT_FALSE(store->flush());
    EXPECT_EQ(read_text(studies_ / "datastore_v2.json"), before);
  }
  EXPECT_TRUE(store->flush());
  EXPECT_NE(read_text(studies_ / "datastore_v2.json"), before);
}

TEST(JournalLine, ReadsBackWhatWasWrittenAndNothingElse) {
  const Change change{.kind = Change::Kind::kLabel,
                      .id = "caf\xc3\xa9",
                      .tag = "final",
                      .ext = ".nii.gz",
                      .location = {},
                      .info = {{"a", {1, 2}}},
                      .stamp = {5, 6, 7},
                      .temporary = ".x"};
  const auto line = journal_line(change);
  int seen = 0;
  const auto report = read_journal(line + line, [&](const Change& got) {
    ++seen;
    EXPECT_EQ(got.id, change.id);
    EXPECT_EQ(got.stamp, change.stamp);
    EXPECT_EQ(got.info, change.info);
    EXPECT_EQ(got.temporary, change.temporary);
  });
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(report.damaged, 0U);
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    auto bad = line;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    const auto got = read_journal(bad, [](const Change&) { ADD_FAILURE() << "applied"; });
    EXPECT_EQ(got.changes, 0U);
  }
}

}  // namespace
}  // namespace voxloom::serve
