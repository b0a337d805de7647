// The socket-free parts of serve/http: URLs, JSON text, routes, parameter checks, file answers.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/core/thread_priority.h"
#include "voxloom/serve/http/file_answer.h"
#include "voxloom/serve/http/param_check.h"
#include "voxloom/serve/http/python_json.h"
#include "voxloom/serve/http/router.h"
#include "voxloom/serve/http/text.h"
#include "voxloom/serve/http/url.h"
#include "voxloom/serve/http/worker_pool.h"

namespace voxloom::serve::http {
namespace {

std::string http_error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const HttpError& e) {
    return std::to_string(e.status()) + " " + e.what();
  }
  return "no error";
}

TEST(UrlTest, PlusIsLiteralInPathsAndASpaceInQueries) {
  const Target target = split_target("/infer/Histogram%2BGraph+Cut?image=a+b%20c&x");
  EXPECT_EQ(target.path, "/infer/Histogram+Graph+Cut");
  const Fields fields = parse_urlencoded(target.query);
  ASSERT_EQ(fields.size(), 2U);
  EXPECT_EQ(fields[0], (std::pair<std::string, std::string>("image", "a b c")));
  EXPECT_EQ(fields[1], (std::pair<std::string, std::string>("x", "")));
}

TEST(UrlTest, AbsoluteFormLosesSchemeAndHost) {
  EXPECT_EQ(split_target("http://host:8000/info/?a=b").path, "/info/");
  EXPECT_EQ(split_target("https://host?a=b").query, "a=b");
  EXPECT_EQ(split_target("https://host").path, "/");
}

TEST(UrlTest, EscapesThatAreNoneStay) {
  EXPECT_EQ(*percent_decode("100%", Plus::kLiteral), "100%");
  EXPECT_EQ(*percent_decode("%zz%4", Plus::kLiteral), "%zz%4");
  EXPECT_EQ(*percent_decode("%41%7a", Plus::kLiteral), "Az");
}

TEST(UrlTest, NulAndForeignFormsAreRefused) {
  EXPECT_FALSE(percent_decode("a%00b", Plus::kLiteral));
  EXPECT_EQ(http_error_of([] { static_cast<void>(split_target("/a%00")); }),
            "400 the path may not hold a NUL character");
  EXPECT_EQ(http_error_of([] { static_cast<void>(split_target("host:443")); }),
            "400 the request target must begin with '/'");
  EXPECT_EQ(http_error_of([] { static_cast<void>(parse_urlencoded("a=%00")); }),
            "400 a field may not hold a NUL character");
}

TEST(UrlTest, FieldsAreLimited) {
  EXPECT_EQ(http_error_of([] {
              static_cast<void>(parse_urlencoded("a&b&c", {2, 10}));
            }),
            "400 Too many fields. Maximum number of fields is 2.");
  const std::string big = "a=" + std::string(2049, 'x');
  EXPECT_EQ(http_error_of([&] {
              static_cast<void>(parse_urlencoded(big, {2, 2048}));
            }),
            "400 Field exceeded maximum size of 2KB.");
}

TEST(TextTest, HeaderParametersAreReadInAnyDress) {
  std::string found;
  ASSERT_TRUE(header_parameter("multipart/form-data; boundary=----x_$", "boundary", found));
  EXPECT_EQ(found, "----x_$");
  ASSERT_TRUE(header_parameter("a; NAME = \"b;c\"; filename=\"C:\\d\\e.nii\"", "name", found));
  EXPECT_EQ(found, "b;c");
  ASSERT_TRUE(header_parameter("a; name=\"b\"; filename=\"C:\\d\\e.nii\"", "filename", found));
  EXPECT_EQ(found, "C:\\d\\e.nii");
  ASSERT_TRUE(header_parameter("a; filename=\"say \\\"hi\\\".nrrd\"", "filename", found));
  EXPECT_EQ(found, "say \"hi\".nrrd");
  ASSERT_TRUE(header_parameter("a; filename=\"C:\\\"", "filename", found));
  EXPECT_EQ(found, "C:\\");
  EXPECT_FALSE(header_parameter("a; b=c", "d", found));
}

TEST(PythonJsonTest, WritesAsPythonDoes) {
  const Json value{
      {"b", 1}, {"a", Json::array({1.5, nullptr, true})}, {"\xc3\xa9", "\xe2\x82\xac\n\x7f"}};
  EXPECT_EQ(python_json(value),
            "{\"b\": 1, \"a\": [1.5, null, true], \"\\u00e9\": \"\\u20ac\\n\\u007f\"}");
  EXPECT_EQ(python_json(Json::object()), "{}");
  EXPECT_EQ(python_json(Json("\xf0\x9f\x98\x80")), "\"\\ud83d\\ude00\"");
}

TEST(MessageTest, FlagsAreReadInAnyCase) {
  Request request;
  request.query = {{"a", "True"}, {"b", "OFF"}, {"c", "maybe"}, {"d", ""}};
  EXPECT_TRUE(request.query_flag("a", false));
  EXPECT_FALSE(request.query_flag("b", true));
  EXPECT_TRUE(request.query_flag("d", true));
  EXPECT_TRUE(request.query_flag("absent", true));
  EXPECT_THROW(static_cast<void>(request.query_flag("c", true)), Error);
}

TEST(MessageTest, AnswersSurviveNamesThatAreNoUtf8) {
  EXPECT_EQ(Response::error(404, "\xff").body, "{\"detail\":\"\xef\xbf\xbd\"}");
}

TEST(MessageTest, BodiesAreObjectsOrNothing) {
  Request request;
  EXPECT_EQ(request.json_object(), Json::object());
  request.body = " {\"b\":1,\"a\":2}";
  EXPECT_EQ(request.json_object().begin().key(), "b");
  request.body = "[1]";
  EXPECT_THROW(static_cast<void>(request.json_object()), Error);
}

Route route(std::string method, std::string pattern, bool head = false) {
  Route made;
  made.method = std::move(method);
  made.pattern = std::move(pattern);
  made.head = head;
  made.handler = [](Request&) { return Response(); };
  return made;
}

TEST(RouterTest, BothSpellingsOfASlashAreOneRoute) {
  Router router;
  router.add(route("GET", "/info/"));
  router.add(route("GET", "/infer/{model}"));
  router.add(route("GET", "/"));
  EXPECT_NE(router.find("GET", "/info").route, nullptr);
  EXPECT_NE(router.find("GET", "/info/").route, nullptr);
  EXPECT_NE(router.find("GET", "/").route, nullptr);
  EXPECT_EQ(router.find("GET", "/info//").route, nullptr);
  EXPECT_EQ(router.find("GET", "/infer/").route, nullptr);
  EXPECT_EQ(router.find("GET", "/infer/a/").path_values.at("model"), "a");
}

TEST(RouterTest, LiteralsWinOverValuesAndValuesOverRests) {
  Router router;
  router.add(route("GET", "/model/{path*}"));
  router.add(route("GET", "/model/{name}"));
  router.add(route("GET", "/model/info"));
  router.add(route("PUT", "/model/{name}"));
  EXPECT_EQ(router.find("GET", "/model/info").route->pattern, "/model/info");
  EXPECT_EQ(router.find("GET", "/model/x").route->pattern, "/model/{name}");
  EXPECT_EQ(router.find("PUT", "/model/info").route->pattern, "/model/{name}");
  const Router::Match rest = router.find("GET", "/model/a/b//c/");
  EXPECT_EQ(rest.route->pattern, "/model/{path*}");
  EXPECT_EQ(rest.path_values.at("path"), "a/b//c/");
  EXPECT_EQ(router.find("GET", "/model").path_values.at("path"), "");
}

TEST(RouterTest, WrongMethodsAreToldFromUnknownPaths) {
  Router router;
  router.add(route("GET", "/a", true));
  router.add(route("DELETE", "/a"));
  EXPECT_TRUE(router.find("GET", "/b").allowed.empty());
  const Router::Match match = router.find("PUT", "/a");
  EXPECT_EQ(match.route, nullptr);
  EXPECT_EQ(match.allowed, (std::vector<std::string>{"GET", "HEAD", "DELETE"}));
  EXPECT_NE(router.find("HEAD", "/a").route, nullptr);
  router.add(route("GET", "/c"));
  EXPECT_EQ(router.find("HEAD", "/c").route, nullptr);
}

TEST(ParamCheckTest, MissingOnesAreListedAsFastApiDoes) {
  Route checked = route("PUT", "/label");
  checked.params = {{Param::In::kQuery, "image", "", true, {}},
                    {Param::In::kForm, "params", "", true, {}},
                    {Param::In::kFile, "label", "", true, {}},
                    {Param::In::kQuery, "tag", "", false, {}}};
  Request request;
  request.query = {{"image", ""}};
  request.form = {{"params", ""}};
  const auto answer = check_params(request, checked);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 422);
  EXPECT_EQ(answer->body,
            "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\",\"params\"],\"msg\":\"Field "
            "required\",\"input\":null},{\"type\":\"missing\",\"loc\":[\"body\",\"label\"],"
            "\"msg\":\"Field required\",\"input\":null}]}");
  request.form = {{"params", "{}"}};
  request.files.push_back({"label", "a.nrrd", "", "", 1});
  EXPECT_FALSE(check_params(request, checked));
}

TEST(ParamCheckTest, ChoicesAreNamed) {
  Route checked = route("GET", "/x");
  checked.params = {{Param::In::kQuery, "output", "", false, {"all", "train", "image"}}};
  Request request;
  EXPECT_FALSE(check_params(request, checked));
  request.query = {{"output", "other"}};
  const auto answer = check_params(request, checked);
  ASSERT_TRUE(answer);
  EXPECT_NE(answer->body.find("Input should be 'all', 'train' or 'image'"), std::string::npos);
}

TEST(ParamCheckTest, JsonRoutesWantAnObject) {
  Route checked = route("POST", "/train");
  checked.params = {{Param::In::kJson, "", "", false, {}}};
  Request request;
  EXPECT_FALSE(check_params(request, checked));
  request.body = "{,";
  ASSERT_TRUE(check_params(request, checked));
  EXPECT_NE(check_params(request, checked)->body.find("\"json_invalid\",\"loc\":[\"body\",1]"),
            std::string::npos);
  request.body = "[]";
  EXPECT_NE(check_params(request, checked)->body.find("\"dict_type\""), std::string::npos);
}

TEST(OpenApiTest, ListsWhatTheTableListsAndNothingElse) {
  Router router;
  Route infer = route("POST", "/infer/{model}");
  infer.summary = "Runs a model.";
  infer.role = "user";
  infer.params = {{Param::In::kQuery, "image", "Image id.", true, {}},
                  {Param::In::kForm, "params", "Options.", false, {}},
                  {Param::In::kFile, "file", "Image.", false, {}}};
  router.add(infer);
  Route hidden = route("GET", "/proxy/{path*}");
  hidden.listed = false;
  router.add(hidden);
  router.add(route("GET", "/static/{path*}"));
  const Json api = openapi(router, "MONAILabel", "1.2");
  EXPECT_EQ(api.at("openapi"), "3.1.0");
  EXPECT_EQ(api.at("info").at("title"), "MONAILabel");
  EXPECT_EQ(api.at("paths").size(), 2U);
  const Json& post = api.at("paths").at("/infer/{model}").at("post");
  EXPECT_EQ(post.at("parameters").at(0).at("in"), "path");
  EXPECT_EQ(post.at("parameters").at(1).at("name"), "image");
  EXPECT_TRUE(post.at("parameters").at(1).at("required").get<bool>());
  const Json& schema = post.at("requestBody").at("content").at("multipart/form-data").at("schema");
  EXPECT_EQ(schema.at("properties").at("file").at("format"), "binary");
  EXPECT_TRUE(api.at("paths").contains("/static/{path}"));
}

TEST(WorkerPoolTest, TakesWhatRunsAndWaitsAndNoMore) {
  for (int round = 0; round < 50; ++round) {
    std::promise<void> go;
    std::shared_future<void> gone = go.get_future().share();
    std::atomic<int> ran{0};
    int taken = 0;
    {
      WorkerPool pool(2, 3);
      for (int i = 0; i < 8; ++i) {
        taken += pool.try_post([&ran, gone] {
          gone.wait();
          ++ran;
        });
      }
      EXPECT_EQ(taken, 5);
      go.set_value();
    }
    EXPECT_EQ(ran, taken) << "what was taken is done before the pool goes";
  }
}

TEST(ThreadPriorityTest, OneThreadStepsBackAndTheOthersStay) {
  const auto nice = [] {
    return ::getpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)));
  };
  const int before = nice();
  int inside = 0;
  std::thread([&] {
    lower_thread_priority();
    inside = nice();
  }).join();
  EXPECT_EQ(inside, std::max(before, 10));
  EXPECT_EQ(nice(), before);
}

class FileAnswerTest : public testing::Test {
 protected:
  FileAnswerTest() {
    path_ = std::filesystem::temp_directory_path() /
            ("voxloom_file_answer_" + std::to_string(::getpid()) + ".json");
    std::ofstream(path_) << "0123456789";
  }
  ~FileAnswerTest() override { std::filesystem::remove(path_); }

  FileAnswer ask(Response& response) {
    response = Response::download(path_, "a.json");
    const FileAnswer answer = open_file_answer(request_, response);
    if (answer.fd >= 0) ::close(answer.fd);
    return answer;
  }

  std::filesystem::path path_;
  Request request_;
};

TEST_F(FileAnswerTest, RangesAreCutAsTheyAreAsked) {
  struct Case {
    std::string_view range;
    int status;
    uint64_t offset, length;
    std::string_view content_range;
  };
  for (const Case& c : {Case{"bytes=2-4", 206, 2, 3, "bytes 2-4/10"},
                        Case{"bytes=7-", 206, 7, 3, "bytes 7-9/10"},
                        Case{"bytes=-3", 206, 7, 3, "bytes 7-9/10"},
                        Case{"bytes=-30", 206, 0, 10, "bytes 0-9/10"},
                        Case{"bytes=5-99", 206, 5, 5, "bytes 5-9/10"},
                        Case{"bytes=10-", 416, 0, 0, "bytes */10"},
                        Case{"bytes=-0", 416, 0, 0, "bytes */10"},
                        Case{"bytes=4-2", 200, 0, 10, ""},
                        Case{"bytes=0-1,3-4", 200, 0, 10, ""},
                        Case{"bytes=99999999999999999999-", 200, 0, 10, ""},
                        Case{"lines=1-2", 200, 0, 10, ""}}) {
    request_ = Request();
    request_.method = "GET";
    request_.headers.set("range", std::string(c.range));
    Response response;
    const FileAnswer answer = ask(response);
    EXPECT_EQ(response.status, c.status) << c.range;
    EXPECT_EQ(answer.offset, c.offset) << c.range;
    EXPECT_EQ(answer.length, c.length) << c.range;
    EXPECT_EQ(response.headers.find("content-range").value_or(""), c.content_range) << c.range;
  }
}

TEST_F(FileAnswerTest, KnownVersionsAreNotSentAgain) {
  request_.method = "GET";
  Response response;
  static_cast<void>(ask(response));
  const std::string etag(*response.headers.find("etag"));
  const std::string modified(*response.headers.find("last-modified"));
  EXPECT_EQ(*response.headers.find("content-type"), "application/json");
  for (const std::string& tags : {etag, "\"x\", W/" + etag, std::string("*")}) {
    request_.headers.set("if-none-match", tags);
    static_cast<void>(ask(response));
    EXPECT_EQ(response.status, 304) << tags;
  }
  request_.headers.set("if-none-match", "\"other\"");
  request_.headers.set("if-modified-since", modified);
  static_cast<void>(ask(response));
  EXPECT_EQ(response.status, 200) << "the tag decides where there is one";
  request_.headers.remove("if-none-match");
  static_cast<void>(ask(response));
  EXPECT_EQ(response.status, 304);
  request_.headers.remove("if-modified-since");
  request_.headers.set("range", "bytes=0-1");
  request_.headers.set("if-range", "\"other\"");
  static_cast<void>(ask(response));
  EXPECT_EQ(response.status, 200);
  request_.headers.set("if-range", etag);
  static_cast<void>(ask(response));
  EXPECT_EQ(response.status, 206);
}

TEST_F(FileAnswerTest, FoldersAndAbsentFilesAreNotFound) {
  std::filesystem::remove(path_);
  Response response;
  EXPECT_THROW(ask(response), Error);
  response = Response::download(std::filesystem::temp_directory_path(), "");
  EXPECT_THROW(static_cast<void>(open_file_answer(request_, response)), Error);
}

TEST(FileNamesTest, DispositionsAndTypesAreAsPythonMakesThem) {
  EXPECT_EQ(attachment("spleen_3.nii.gz"), "attachment; filename=\"spleen_3.nii.gz\"");
  EXPECT_EQ(attachment("a b\".nrrd"), "attachment; filename*=utf-8''a%20b%22.nrrd");
  EXPECT_EQ(attachment("\xc3\xa9.nrrd"), "attachment; filename*=utf-8''%C3%A9.nrrd");
  EXPECT_EQ(content_type_of("a.seg.nrrd"), "application/octet-stream");
  EXPECT_EQ(content_type_of("a.nii.gz"), "application/octet-stream");
  EXPECT_EQ(content_type_of("a.ZIP"), "application/zip");
  EXPECT_EQ(content_type_of("a.dcm"), "application/dicom");
  EXPECT_EQ(http_date(784887151), "Tue, 15 Nov 1994 08:12:31 GMT");
  EXPECT_EQ(parse_http_date("Tue, 15 Nov 1994 08:12:31 GMT"), 784887151);
  EXPECT_EQ(parse_http_date("yesterday"), -1);
}

}  // namespace
}  // namespace voxloom::serve::http
