// The folder datastore: its operations and what it refuses.
#include <algorithm>
#include <atomic>
#include <thread>

#include "voxloom/core/zip_reader.h"
#include "voxloom/serve/datastore/dataset_zip.h"
#include "voxloom/serve/datastore/open_image.h"

#include "store_fixture.h"

namespace voxloom::serve {
namespace {

using Ids = std::vector<std::string>;

TEST_F(StoreTest, FindsImagesByTheirNameWithoutTheKnownExtension) {
  image("spleen_3.nii.gz");
  image("1.2.840.nii.gz");
  image("b c.nrrd");
  image("m.mha");
  write_text(studies_ / "notes.txt", "none");
  image(".hidden.nii.gz");
  const auto store = open();
  EXPECT_EQ(store->image_ids(), (Ids{"1.2.840", "b c", "m", "spleen_3"}));
  const auto record = store->find("spleen_3");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->ext, ".nii.gz");
  EXPECT_EQ(record->info.at("name"), "spleen_3.nii.gz");
  EXPECT_GT(record->info.at("ts").get<int64_t>(), 1'600'000'000);
  EXPECT_EQ(store->image_path("spleen_3", {}), studies_ / "spleen_3.nii.gz");
  EXPECT_EQ(store->stats().total, 4);
  EXPECT_EQ(store->stats().completed, 0);
  error_of(ErrorCode::kNotFound, [&] { static_cast<void>(store->image_path("nobody", {})); });
}

TEST_F(StoreTest, FindsImagesInSubfoldersUnderUniqueLastingIds) {
  image("a/b/case.nii.gz");
  image("a_b_case.nii.gz");
  image("top.nii.gz");
  image("top.nrrd");
  image("labels/final/top.nii.gz", 1);
  Ids ids;
  {
    const auto store = open();
    ids = store->image_ids();
    EXPECT_EQ(ids, (Ids{"a_b_case", "a_b_case_2", "top", "top_2"}));
    // Whichever got the bare id, each leads to its own file.
    std::vector<std::string> files;
    for (const auto& id : ids) {
      files.push_back(store->image_path(id, {}).lexically_relative(studies_).string());
    }
    std::sort(files.begin(), files.end());
    EXPECT_EQ(files, (Ids{"a/b/case.nii.gz", "a_b_case.nii.gz", "top.nii.gz", "top.nrrd"}));
    EXPECT_EQ(store->find("top")->labels.size(), 1U);
  }
  const auto before = read_text(studies_ / "datastore_v2.json");
  EXPECT_NE(before.find("\"path\": \"a/b\""), std::string::npos) << before;
  image("a/a.nii.gz");
  EXPECT_EQ(open()->image_ids(), (Ids{"a_a", "a_b_case", "a_b_case_2", "top", "top_2"}));
  fs::remove_all(studies_ / ".voxloom");  // The ids are in datastore_v2.json too.
  const auto store = open();
  for (const auto& id : ids) EXPECT_TRUE(store->find(id)) << id;
}

TEST_F(StoreTest, SavesReplacesAndRemovesLabels) {
  image("case.nii.gz");
  const auto store = open();
  const uint64_t revision = store->revision();
  save(*store, "case", "final", 3, "x.nii.gz", {{"model", "m"}, {"user", "ann"}});
  EXPECT_GT(store->revision(), revision);
  EXPECT_EQ(store->stats().completed, 1);
  EXPECT_EQ(label_value(*store, "case", "final"), 3);
  const auto info = store->find("case")->label("final")->info;
  EXPECT_EQ(info.at("name"), "case.nii.gz");
  EXPECT_EQ(info.at("user"), "ann");
  EXPECT_EQ(info.at("model"), "m");
  EXPECT_TRUE(info.at("ts").is_number_integer());

  save(*store, "case", "final", 4, "y.seg.nrrd");
  EXPECT_EQ(store->label_path("case", "final"), studies_ / "labels/final/case.nrrd");
  EXPECT_FALSE(fs::exists(studies_ / "labels/final/case.nii.gz"));
  EXPECT_EQ(label_value(*store, "case", "final"), 4);
  EXPECT_FALSE(store->find("case")->label("final")->info.contains("model"));

  save(*store, "case", "version_1", 5);
  store->update_label_info("case", "version_1", {{"segmentationMeta", {{"status", "approved"}}}});
  EXPECT_EQ(store->find("case")->label("version_1")->info["segmentationMeta"]["status"],
            "approved");
  EXPECT_EQ(store->stats().label_tags,
            (std::vector<std::pair<std::string, int64_t>>{{"final", 1}, {"version_1", 1}}));

  store->remove_label("case", "final");
  store->remove_label("case", "final");
  EXPECT_FALSE(fs::exists(studies_ / "labels/final/case.nrrd"));
  EXPECT_EQ(store->stats().completed, 0);
  error_of(ErrorCode::kNotFound, [&] { static_cast<void>(store->label_path("case", "final")); });
  error_of(ErrorCode::kNotFound, [&] { store->update_label_info("case", "final", {}); });
  error_of(ErrorCode::kNotFound, [&] { save(*store, "nobody", "final"); });
}

TEST_F(StoreTest, AddsReplacesAndRemovesImages) {
  const auto store = open();
  EXPECT_EQ(store->add_image(upload("up.nii.gz", 7), "", "C:\\data\\case a.b.nii.gz", {{"k", 1}}),
            "case a.b");
  EXPECT_EQ(store->find("case a.b")->info.at("k"), 1);
  EXPECT_EQ(store->find("case a.b")->info.at("name"), "case a.b.nii.gz");
  EXPECT_EQ(store->stats().total, 1);
  save(*store, "case a.b", "final");
  store->update_image_info("case a.b", {{"k", 2}, {"path", "/etc"}});
  EXPECT_EQ(store->find("case a.b")->info.at("k"), 2);
  EXPECT_FALSE(store->find("case a.b")->info.contains("path"));

  EXPECT_EQ(store->add_image(upload("up.nrrd", 8), "case a.b", "up.nrrd", {}), "case a.b");
  EXPECT_FALSE(fs::exists(studies_ / "case a.b.nii.gz"));
  EXPECT_EQ(store->image_path("case a.b", {}), studies_ / "case a.b.nrrd");
  EXPECT_EQ(store->stats().completed, 1);

  store->remove_image("case a.b");
  EXPECT_EQ(store->stats().total, 0);
  EXPECT_FALSE(fs::exists(studies_ / "case a.b.nrrd"));
  EXPECT_TRUE(fs::exists(studies_ / "labels/final/case a.b.nii.gz"));
  error_of(ErrorCode::kNotFound, [&] { store->remove_image("case a.b"); });

  store->add_image(upload("up.nii.gz", 9), "case a.b", "up.nii.gz", {});
  EXPECT_EQ(store->stats().completed, 1) << "its label belongs to it again";
}

TEST_F(StoreTest, RefusesNamesThatAreNotPlain) {
  image("case.nii.gz");
  const auto store = open();
  const std::string nul("a\0b", 3);
  const std::string names[] = {"../x",
                               "../../x",
                               "/abs",
                               "a/b",
                               "a\\b",
                               ".",
                               "..",
                               ".hidden",
                               nul,
                               std::string(256, 'a'),
                               "new\nline",
                               "\xff\xfe"};
  for (const auto& name : names) {
    error_of(ErrorCode::kInvalidArgument, [&] { save(*store, "case", name); });
    error_of(ErrorCode::kInvalidArgument,
             [&] { store->add_image(upload("up.nii.gz"), name, "up.nii.gz", {}); });
  }
  error_of(ErrorCode::kInvalidArgument, [&] { save(*store, "case", ""); });
  error_of(ErrorCode::kInvalidArgument,
           [&] { store->add_image(upload("up.nii.gz"), std::string(250, 'a'), "up.nii.gz", {}); });
  error_of(ErrorCode::kInvalidArgument,
           [&] { store->add_image(upload("up.nii.gz"), "", "up.exe", {}); });
  error_of(ErrorCode::kInvalidArgument, [&] { store->add_image(upload("up.nii.gz"), "", "", {}); });
  EXPECT_EQ(store->image_ids(), Ids{"case"});
  size_t outside = 0;
  for (const auto& entry : fs::directory_iterator(base_)) outside += entry.path() != studies_;
  EXPECT_EQ(outside, 1U) << "only the uploads folder";
}

TEST_F(StoreTest, RefusesInfoThatCannotBeKept) {
  image("case.nii.gz");
  const auto store = open();
  Json deep = Json::object();
  for (int i = 0; i < 100; ++i) deep = {{"a", deep}};
  for (const Json& info : {deep,
                           Json("text"),
                           Json::array({1}),
                           Json{{"k", "\xff"}},
                           Json{{"k", std::string(5 << 20, 'x')}}}) {
    error_of(ErrorCode::kInvalidArgument, [&] { store->update_image_info("case", info); });
    error_of(ErrorCode::kInvalidArgument,
             [&] { save(*store, "case", "final", 1, "x.nii.gz", info); });
  }
  EXPECT_EQ(store->stats().completed, 0);
}

TEST_F(StoreTest, LinksThatLeadOutAreNotFollowed) {
  write_volume(base_ / "secret/s.nii.gz");
  fs::create_symlink(base_ / "secret/s.nii.gz", studies_ / "s.nii.gz");
  fs::create_directory_symlink(base_ / "secret", studies_ / "folder");
  image("case.nii.gz");
  fs::create_directories(studies_ / "labels");
  fs::create_directory_symlink(base_ / "secret", studies_ / "labels/out");
  fs::create_symlink(studies_ / "case.nii.gz", studies_ / "inside.nii.gz");
  const auto store = open();
  EXPECT_EQ(store->image_ids(), (Ids{"case", "inside"}));
  error_of(ErrorCode::kInvalidArgument, [&] { save(*store, "case", "out"); });
  EXPECT_FALSE(fs::exists(base_ / "secret/case.nii.gz"));
  // Put in place after the folder was read.
  fs::remove(studies_ / "case.nii.gz");
  fs::create_symlink(base_ / "secret/s.nii.gz", studies_ / "case.nii.gz");
  error_of(ErrorCode::kNotFound, [&] { static_cast<void>(store->image_path("case", {})); });
}

TEST_F(StoreTest, ChecksWhatALabelHolds) {
  image("case.nii.gz");
  const auto store = open();
  const auto refused = [&](const std::string& name, const image::Geometry& grid) {
    return error_of(ErrorCode::kInvalidArgument,
                    [&] { store->save_label("case", "final", upload(name, 1, grid), name, {}); });
  };
  auto grid = small_grid();
  grid.size[2] = 4;
  EXPECT_NE(refused("x.nii.gz", grid).find("size [5, 4, 3], got [5, 4, 4]"), std::string::npos);
  grid = small_grid();
  grid.spacing_mm[0] = 1.0;
  EXPECT_NE(refused("x.nrrd", grid).find("spacing"), std::string::npos);
  grid = small_grid();
  grid.origin_mm[1] += 3;
  EXPECT_NE(refused("x.nii.gz", grid).find("origin"), std::string::npos);
  grid = small_grid();
  grid.direction = {-1, 0, 0, 0, -1, 0, 0, 0, 1};
  EXPECT_NE(refused("x.nii.gz", grid).find("direction"), std::string::npos);

  const auto refused_text = [&](const std::string& name, const std::string& text) {
    const auto file = base_ / "uploads" / name;
    write_text(file, text);
    return error_of(ErrorCode::kInvalidArgument,
                    [&] { store->save_label("case", "final", file, name, {}); });
  };
  refused_text("x.nii.gz", "abc");
  refused_text("x.nrrd", "");
  refused_text("x.json", "{\"a\":");
  refused_text("x.json", "[1]");
  refused_text("x.exe", "abc");
  refused_text("x.bin", "abc");
  const auto packed = read_text(upload("whole.nii.gz"));
  refused_text("cut.nii.gz", packed.substr(0, packed.size() - 6));
  refused_text("wrong.nii", packed);
  EXPECT_NE(refused_text("wrong.nrrd", packed).find("must be NRRD as its name says, got NIfTI"),
            std::string::npos);

  image::Volume half(small_grid(), image::PixelType::kFloat32);
  half.as<float>()[7] = 0.5F;
  io::write_volume(half, base_ / "uploads/half.nii.gz", Overwrite::kReplace);
  EXPECT_NE(error_of(ErrorCode::kInvalidArgument,
                     [&] {
                       store->save_label(
                           "case", "final", base_ / "uploads/half.nii.gz", "half.nii.gz", {});
                     })
                .find("whole numbers"),
            std::string::npos);

  EXPECT_EQ(store->stats().completed, 0);
  for (const auto& entry : fs::directory_iterator(studies_ / "labels/final")) {
    ADD_FAILURE() << "left behind: " << entry.path();
  }
}

TEST_F(StoreTest, AcceptsFloatsRawVoxelsAndMarkups) {
  image("case.nii.gz");
  const auto store = open();
  image::Volume whole(small_grid(), image::PixelType::kFloat32);
  whole.as<float>()[0] = 2.0F;
  io::write_volume(whole, base_ / "uploads/f.nii", Overwrite::kReplace);
  store->save_label("case", "a", base_ / "uploads/f.nii", "f.nii", {});
  EXPECT_EQ(label_value(*store, "case", "a"), 2);

  std::string raw(60, '\0');
  raw[0] = 9;
  raw[59] = 8;
  write_text(base_ / "uploads/r.bin", raw);
  store->save_label("case", "b", base_ / "uploads/r.bin", "r.bin", {});
  const auto labels = io::read_labels(store->label_path("case", "b"));
  EXPECT_EQ(labels.voxels()[0], 9);
  EXPECT_EQ(labels.voxels()[59], 8);
  EXPECT_TRUE(image::same_grid(labels.geometry(), small_grid()));
  EXPECT_EQ(store->find("case")->label("b")->ext, ".nii.gz");

  write_text(base_ / "uploads/m.json", R"({"markups":[]})");
  store->save_label("case", "c", base_ / "uploads/m.json", "m.json", {});
  EXPECT_EQ(store->label_path("case", "c").filename(), "case.json");
}

TEST_F(StoreTest, RefusesAnImageThatCannotBeRead) {
  const auto store = open();
  write_text(base_ / "uploads/x.nii.gz", "abc");
  const auto why = error_of(ErrorCode::kInvalidArgument, [&] {
    store->add_image(base_ / "uploads/x.nii.gz", "", "x.nii.gz", {});
  });
  EXPECT_EQ(why.find("tmp"), std::string::npos) << why;
  EXPECT_EQ(store->stats().total, 0);
}

TEST_F(StoreTest, AReadOnlyFolderIsReadAndNothingIsWritten) {
  image("case.nii.gz");
  image("labels/final/case.nii.gz", 1);
  const auto store = open(false, true);
  EXPECT_EQ(store->stats().completed, 1);
  error_of(ErrorCode::kUnavailable, [&] { save(*store, "case", "final"); });
  error_of(ErrorCode::kUnavailable, [&] { store->update_image_info("case", {{"k", 1}}); });
  error_of(ErrorCode::kUnavailable, [&] { store->remove_image("case"); });
  error_of(ErrorCode::kUnavailable,
           [&] { store->add_image(upload("up.nii.gz"), "", "up.nii.gz", {}); });
  EXPECT_TRUE(store->flush());
  EXPECT_FALSE(fs::exists(studies_ / ".voxloom"));
  EXPECT_FALSE(fs::exists(studies_ / "datastore_v2.json"));
  EXPECT_FALSE(fs::exists(studies_ / ".lock"));
}

TEST_F(StoreTest, OneServerAtATime) {
  const auto store = open();
  error_of(ErrorCode::kUnavailable, [&] { static_cast<void>(open()); });
  EXPECT_TRUE(open(false, true)->read_only());
}

TEST_F(StoreTest, ChecksumFollowsTheFile) {
  image("case.nii.gz", 1);
  const auto store = open();
  EXPECT_FALSE(store->known_checksum("case"));
  const auto first = store->image_checksum("case");
  EXPECT_EQ(first.substr(0, 7), "SHA256:");
  EXPECT_EQ(first.size(), 71U);
  EXPECT_EQ(store->known_checksum("case"), first);
  store->add_image(upload("up.nii.gz", 2), "case", "up.nii.gz", {});
  EXPECT_NE(store->image_checksum("case"), first);
  error_of(ErrorCode::kNotFound, [&] { static_cast<void>(store->image_checksum("x")); });
}

TEST_F(StoreTest, DatasetZipHoldsTheFinishedPairs) {
  image("a.nii.gz");
  image("sub/b.nii.gz");
  image("c.nii.gz");
  const auto store = open();
  const auto file = base_ / "dataset.zip";
  error_of(ErrorCode::kNotFound, [&] { write_dataset_zip(*store, 0, file, {}); });
  EXPECT_FALSE(fs::exists(file));
  save(*store, "a", "final");
  save(*store, "sub_b", "final", 1, "x.nrrd");
  save(*store, "c", "original");
  EXPECT_EQ(write_dataset_zip(*store, 0, file, {}), 2);
  const auto zip = ZipReader::open(file);
  std::vector<std::string> names;
  for (const auto& entry : zip.entries()) names.push_back(entry.name);
  EXPECT_EQ(names,
            (Ids{"image/a.nii.gz",
                 "label/a.nii.gz",
                 "image/sub_b.nii.gz",
                 "label/sub_b.nrrd",
                 "metadata.json"}));
  EXPECT_EQ(write_dataset_zip(*store, 1, file, {}), 1);
}

TEST_F(StoreTest, OpensAnImageOfAnyKind) {
  image("a.nii.gz", 42);
  const auto store = open();
  const auto source = open_image(*store, "a");
  EXPECT_EQ(source->read_slab(0, 1).as<uint8_t>()[0], 42);
  error_of(ErrorCode::kNotFound, [&] { static_cast<void>(open_image(*store, "b")); });
}

TEST_F(StoreTest, SavingCostsTheSameWithTenThousandImages) {
  const auto bytes_for = [&](int count) {
    fs::remove_all(studies_);
    fs::create_directories(studies_);
    image("case_00000.nii.gz");
    for (int i = 1; i < count; ++i) {
      const auto name = format("case_{:05}.nii.gz", i);
      fs::create_hard_link(studies_ / "case_00000.nii.gz", studies_ / name);
    }
    const auto store = open();
    EXPECT_EQ(store->stats().total, count);
    static_cast<void>(store->flush());
    const auto before = store->journal_bytes();
    save(*store, "case_00000", "final", 1);
    return store->journal_bytes() - before;
  };
  const auto few = bytes_for(10), many = bytes_for(10'000);
  EXPECT_GT(few, 0U);
  // The numbers in the line (inode, times) may have more digits.
  EXPECT_LT(std::max(few, many) - std::min(few, many), 16U);
}

TEST_F(StoreTest, ReadersAndWritersTogetherSeeWholeStates) {
  for (int i = 0; i < 20; ++i) image(format("case_{:02}.nii.gz", i));
  const auto store = open(true);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int r = 0; r < 2; ++r) {
    threads.emplace_back([&] {
      while (!stop) {
        const auto stats = store->stats();
        EXPECT_GE(stats.total, 20);
        EXPECT_GE(store->document().at("objects").size(), 20U);
        for (const auto& id : store->image_ids()) static_cast<void>(store->find(id));
      }
    });
  }
  std::vector<std::thread> writers;
  for (int w = 0; w < 2; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < 10; ++i) {
        const std::string id = format("case_{:02}", 10 * w + i);
        const auto file = base_ / "uploads" / format("{}-{}.nii.gz", w, i);
        write_volume(file, static_cast<uint8_t>(i + 1));
        store->save_label(id, "final", file, "x.nii.gz", {{"writer", w}});
        store->update_image_info(id, {{"seen", i}});
        if (i % 4 == 0) store->refresh();
      }
    });
  }
  for (auto& writer : writers) writer.join();
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store->stats().completed, 20);
  for (int i = 0; i < 20; ++i) {
    const auto record = store->find(format("case_{:02}", i));
    EXPECT_EQ(record->info.at("seen"), i % 10);
    EXPECT_EQ(record->label("final")->info.at("writer"), i / 10);
  }
}

TEST_F(StoreTest, ReplacedLabelsAreLetGo) {
  image("case.nii.gz");
  const auto store = open(/*watch=*/true);
  const auto held = [] {  // Open files without a name any more.
    int count = 0;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const std::string path = fs::read_symlink(entry.path(), gone).string();
      count += path.ends_with("final/case.nii.gz (deleted)");
    }
    return count;
  };
  for (int i = 1; i <= 100; ++i) {
    save(*store, "case", "final", static_cast<uint8_t>(i));
    EXPECT_LE(held(), 32);  // Some that wait and some that are being let go.
  }
  EXPECT_EQ(label_value(*store, "case", "final"), 100);
  while (held() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

}  // namespace
}  // namespace voxloom::serve
