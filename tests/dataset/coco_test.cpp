#include "voxloom/dataset/coco.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataset_fixtures.h"

namespace voxloom::dataset {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

std::string coco(const std::string& images,
                 const std::string& annotations,
                 const std::string& categories) {
  return R"({"info":{},"images":[)" + images + R"(],"annotations":[)" + annotations +
         R"(],"categories":[)" + categories + "]}";
}

const std::string kImage = R"({"id":7,"file_name":"a.png","width":4,"height":3})";
const std::string kCategories = R"({"id":1,"name":"wire"},{"id":2,"name":"catheter"})";

std::vector<uint8_t> mask_of(const CocoFile& file) {
  return coco_mask(file.images.at(0), coco_mask_ids(file, "f"));
}

TEST(CocoTest, ReadsPolygonsAndBothRunLengths) {
  const auto file = parse_coco(
      coco(kImage,
           // Columns 0 and 1 as a polygon; the last column as runs; pixel (2, 1) as text: the run
           // lengths 7 zeros, 1 one, 4 zeros.
           R"({"id":1,"image_id":7,"category_id":2,"segmentation":[[0,0,2,0,2,3,0,3]]},)"
           R"({"id":2,"image_id":7,"category_id":1,"segmentation":{"size":[3,4],"counts":[9,3]}},)"
           R"({"id":3,"image_id":7.0,"category_id":1,"iscrowd":0,)"
           R"("segmentation":{"size":[3,4],"counts":"714"}})",
           kCategories),
      "f");
  EXPECT_TRUE(file.problems.empty());
  EXPECT_THAT(mask_of(file), ElementsAre(2, 2, 0, 1, 2, 2, 1, 1, 2, 2, 0, 1));
}

TEST(CocoTest, SmallerObjectsShowAndCrowdsCoverNothing) {
  const auto file =
      parse_coco(coco(kImage,
                      R"({"id":1,"image_id":7,"category_id":1,"segmentation":[[0,0,1,0,1,1,0,1]]},)"
                      R"({"id":2,"image_id":7,"category_id":2,"segmentation":[[0,0,2,0,2,2,0,2]]},)"
                      R"({"id":3,"image_id":7,"category_id":2,"iscrowd":1,)"
                      R"("segmentation":{"size":[3,4],"counts":[0,9,3]}})",
                      kCategories),
                 "f");
  EXPECT_THAT(mask_of(file), ElementsAre(1, 2, 255, 0, 2, 2, 255, 0, 255, 255, 255, 0));
}

TEST(CocoTest, ACategoryZeroMovesAllIds) {
  const auto file =
      parse_coco(coco(kImage,
                      R"({"id":1,"image_id":7,"category_id":0,"segmentation":[[0,0,1,0,1,3,0,3]]})",
                      R"({"id":0,"name":"wire"},{"id":3,"name":"x"})"),
                 "f");
  EXPECT_EQ(coco_mask_ids(file, "f"), (std::map<int64_t, uint8_t>{{0, 1}, {3, 4}}));
  EXPECT_EQ(mask_of(file)[0], 1);
  const auto large = parse_coco(coco("", "", R"({"id":254,"name":"x"})"), "f");
  EXPECT_THAT(error_of([&] { static_cast<void>(coco_mask_ids(large, "f")); }),
              HasSubstr("category ids must be within [0, 253], got 254"));
}

TEST(CocoTest, BrokenAnnotationsAreListedByTheirIds) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("image_id":8,"category_id":1,"segmentation":[[0,0,1,0,1,1]])",
       "'image_id': must be one of the images, got 8"},
      {R"("image_id":7,"category_id":9,"segmentation":[[0,0,1,0,1,1]])",
       "'category_id': must be one of the categories, got 9"},
      {R"("image_id":7,"category_id":1,"bbox":[0,0,1,1])", "'segmentation': must be there"},
      {R"("image_id":7,"category_id":1,"segmentation":[])", "must have a polygon, got none"},
      {R"("image_id":7,"category_id":1,"segmentation":[[0,0,1,0]])",
       "at least 3 pairs, got 4 numbers"},
      {R"("image_id":7,"category_id":1,"segmentation":[[0,0,1,0,1,"a"]])",
       "must hold numbers, got string"},
      {R"("image_id":7,"category_id":1,"segmentation":{"size":[4,3],"counts":[12]})",
       "size of their image 4x3, got 3x4"},
      {R"("image_id":7,"category_id":1,"segmentation":{"size":[3,4],"counts":[11]})", "rle"},
      {R"("image_id":7,"category_id":1,"segmentation":{"size":[3,4],"counts":[-1]})",
       "within [0, 268435456], got -1"},
      {R"("image_id":7,"category_id":1,"segmentation":{"size":[3,4],"counts":"~"})", "rle"},
      {R"("image_id":"7","category_id":1,"segmentation":[])", "must be a whole number"}};
  for (const auto& [body, message] : cases) {
    const auto file =
        parse_coco(coco(kImage, R"({"id":31,)" + body + "}", kCategories), "set.json");
    ASSERT_EQ(file.problems.size(), 1U) << body;
    EXPECT_THAT(file.problems[0], HasSubstr("'set.json' annotation 31: "));
    EXPECT_THAT(file.problems[0], HasSubstr(message)) << body;
    EXPECT_TRUE(file.images[0].objects.empty());
  }
}

TEST(CocoTest, OtherTextIsRefused) {
  const std::string good = coco(kImage, "", kCategories);
  EXPECT_EQ(parse_coco(good, "f").images.size(), 1U);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {good.substr(0, good.size() - 20), "'f': must be valid JSON"},
      {"[]", "must be a JSON object, got array"},
      {R"({"images":[]})", "'categories': must be there"},
      {R"({"images":{}})", "'images': must be a list, got object"},
      {coco(kImage + "," + kImage, "", kCategories), "image 1: 'id': must be unique, got 7 again"},
      {coco(R"({"id":1,"file_name":"a","width":0,"height":3})", "", ""), "got 0x3"},
      {coco(R"({"id":1,"file_name":"a","width":65536,"height":65536})", "", ""), "65536x65536"},
      {coco(R"({"id":1,"file_name":3,"width":1,"height":3})", "", ""), "'file_name': must be text"},
      {coco("", "", R"({"id":1,"name":"a"},{"id":1,"name":"b"})"), "ids must be unique, got 1"}};
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(error_of([&, json = text] { static_cast<void>(parse_coco(json, "f")); }),
                HasSubstr(message));
  }
}

}  // namespace
}  // namespace voxloom::dataset
