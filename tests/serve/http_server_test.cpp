// The server on the wire: framing, errors, CORS, limits, time-outs, disconnects, draining.
#include "voxloom/core/error.h"

#include "tests/serve/http_fixture.h"

namespace voxloom::serve::http {
namespace {

Response echo(Request& request) {
  Json files = Json::array();
  for (const UploadedFile& file : request.files) {
    files.push_back({{"field", file.field},
                     {"name", file.filename},
                     {"bytes", file.bytes},
                     {"there", std::filesystem::exists(file.path)}});
  }
  return Response::json({{"path", request.path},
                         {"query", request.query},
                         {"form", request.form},
                         {"body", request.body},
                         {"files", files}});
}

TEST_F(HttpTest, ConnectionsAreKeptAndPipelinedRequestsAnsweredInOrder) {
  add("GET", "/slow/{n}", [](Request& request) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    return Response::text(request.path_values.at("n"));
  });
  add(
      "GET",
      "/fast/{n}",
      [](Request& r) { return Response::text(r.path_values.at("n")); },
      Work::kInline);
  start();
  RawClient client(server_->port());
  client.send(get("/slow/1") + get("/fast/2") + "\r\n" + get("/slow/3") + get("/fast/4"));
  for (const char* expected : {"1", "2", "3", "4"}) {
    const RawAnswer answer = client.read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, expected);
    EXPECT_EQ(answer.header("connection"), "");
  }
  // The connection is still good, also for a request that comes in single bytes.
  for (const char c : get("/fast/5")) client.send(std::string(1, c));
  EXPECT_EQ(client.read().body, "5");
  EXPECT_EQ(client.ask(get("/fast/6", "Connection: close\r\n")).header("connection"), "close");
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpTest, OldClientsAreKeptOnlyWhereTheyAsk) {
  add(
      "GET", "/", [](Request&) { return Response::text("x"); }, Work::kInline);
  start();
  RawClient client(server_->port());
  const RawAnswer kept = client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(kept.header("connection"), "keep-alive");
  EXPECT_EQ(client.ask("GET / HTTP/1.0\r\n\r\n").header("connection"), "close");
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpTest, BothSpellingsOfASlashAreServedWithoutRedirect) {
  add("GET", "/info/", echo);
  start();
  EXPECT_EQ(ask(get("/info/")).status, 200);
  EXPECT_EQ(ask(get("/info")).status, 200);
  const Json seen = Json::parse(ask(get("/info?a=b+c&d=%2B")).body);
  EXPECT_EQ(seen.at("query"), Json::parse(R"([["a","b c"],["d","+"]])"));
}

TEST_F(HttpTest, AnswersHaveALengthAndAreNeverChunkedOrCompressed) {
  add("GET", "/big", [](Request&) { return Response::text(std::string(3 << 20, 'x')); });
  start();
  const RawAnswer answer = ask(get("/big", "Accept-Encoding: gzip\r\n"));
  EXPECT_EQ(answer.body.size(), size_t{3} << 20);
  EXPECT_EQ(answer.header("transfer-encoding"), "");
  EXPECT_EQ(answer.header("content-encoding"), "");
}

TEST_F(HttpTest, UnknownPathsMethodsAndParametersAreNamed) {
  Route& label = add("PUT", "/label", echo);
  label.params = {{Param::In::kQuery, "image", "", true, {}}};
  Route& image = add("GET", "/label", echo);
  image.head = true;
  start();
  RawAnswer answer = ask(get("/nothing"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body, "{\"detail\":\"Not Found\"}");
  answer = ask("DELETE /label HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.body, "{\"detail\":\"Method Not Allowed\"}");
  EXPECT_EQ(answer.header("allow"), "PUT, GET, HEAD");
  answer = ask("PUT /label HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.body,
            "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"query\",\"image\"],\"msg\":\"Field "
            "required\",\"input\":null}]}");
}

TEST_F(HttpTest, HeadIsAnsweredWhereTheRouteSaysSo) {
  add("GET", "/with", echo).head = true;
  add("GET", "/without", echo);
  start();
  RawClient client(server_->port());
  client.send("HEAD /with HTTP/1.1\r\nHost: x\r\n\r\n");
  const RawAnswer head = client.read(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_GT(std::stoi(head.header("content-length")), 10);
  EXPECT_EQ(client.ask(get("/with")).status, 200) << "no body may follow a HEAD answer";
  client.send("HEAD /without HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read(true).status, 405);
}

TEST_F(HttpTest, CorsHeadersAreOnEveryAnswer) {
  add("GET", "/ok", echo);
  add("GET", "/bad", [](Request&) -> Response { throw std::runtime_error("'secret'"); });
  start();
  for (const char* path : {"/ok", "/bad", "/nothing"}) {
    const RawAnswer answer = ask(get(path, "Origin: http://viewer:3000\r\n"));
    EXPECT_EQ(answer.header("access-control-allow-origin"), "http://viewer:3000") << path;
    EXPECT_EQ(answer.header("access-control-allow-credentials"), "true") << path;
    EXPECT_EQ(answer.header("vary"), "Origin") << path;
  }
  EXPECT_EQ(ask(get("/ok")).header("vary"), "Origin");
  EXPECT_EQ(ask("nonsense\r\n\r\n").header("vary"), "Origin");
  const RawAnswer preflight =
      ask("OPTIONS /infer/x HTTP/1.1\r\nHost: x\r\nOrigin: http://v\r\n"
          "Access-Control-Request-Method: POST\r\n"
          "Access-Control-Request-Headers: authorization, x-a\r\n\r\n");
  EXPECT_EQ(preflight.status, 200);
  EXPECT_EQ(preflight.body, "OK");
  EXPECT_EQ(preflight.header("access-control-allow-origin"), "http://v");
  EXPECT_EQ(preflight.header("access-control-allow-methods"),
            "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
  EXPECT_EQ(preflight.header("access-control-allow-headers"), "authorization, x-a");
  EXPECT_EQ(preflight.header("access-control-max-age"), "600");
}

TEST_F(HttpTest, OtherOriginsGetNoCorsHeaders) {
  options_.cors_origins = {"http://good"};
  add("GET", "/ok", echo);
  start();
  EXPECT_EQ(ask(get("/ok", "Origin: http://good\r\n")).header("access-control-allow-origin"),
            "http://good");
  EXPECT_EQ(ask(get("/ok", "Origin: http://evil\r\n")).header("access-control-allow-origin"), "");
  const RawAnswer preflight =
      ask("OPTIONS /ok HTTP/1.1\r\nHost: x\r\nOrigin: http://evil\r\n"
          "Access-Control-Request-Method: GET\r\n\r\n");
  EXPECT_EQ(preflight.status, 400);
  EXPECT_EQ(preflight.body, "Disallowed CORS origin");
}

TEST_F(HttpTest, PagesOfOtherOriginsMayNotCall) {
  options_.cors_local = true;
  options_.loopback_names = true;
  int called = 0;
  add("POST", "/do", [&](Request&) {
    ++called;
    return Response::text("done");
  });
  start();
  const auto status = [&](const std::string& host, const std::string& origin) {
    return ask("POST /do HTTP/1.1\r\nHost: " + host + "\r\n" +
               (origin.empty() ? "" : "Origin: " + origin + "\r\n") + "\r\n")
        .status;
  };
  for (const char* host : {"127.0.0.1:8000", "LOCALHOST", "[::1]:8000", "10.1.2.3"}) {
    EXPECT_EQ(status(host, ""), 200) << host;
    EXPECT_EQ(status(host, "http://localhost:3000"), 200) << host;
    EXPECT_EQ(status(host, "http://evil"), 403) << host;
    EXPECT_EQ(status(host, "null"), 403) << host;
  }
  EXPECT_EQ(called, 8);
  // A name of somebody else's that leads here.
  EXPECT_EQ(status("evil", ""), 403);
  EXPECT_EQ(status("evil", "http://evil"), 403);
  for (const char* origin :
       {"http://[::1]evil", "http://127.0.0.1:1.evil", "http://[::1", "http://"}) {
    EXPECT_EQ(status("127.0.0.1", origin), 403) << origin;
    EXPECT_EQ(status(origin + 7, ""), origin[7] == '\0' ? 200 : 403) << origin;
  }
  EXPECT_EQ(status("localhost.evil:8000", "http://localhost.evil:8000"), 403);
  EXPECT_EQ(called, 9) << "an empty host names nobody, and is allowed for";
}

TEST_F(HttpTest, MethodsOfAClientsOwnMakingAreNotTold) {
  start();
  EXPECT_EQ(ask("DOE-JOHN /x HTTP/1.1\r\nHost: x\r\n\r\n").status, 404);
  EXPECT_TRUE(eventually([&] { return !finished().empty(); }));
  EXPECT_EQ(finished()[0].method, "other");
}

TEST_F(HttpTest, ErrorsOfHandlersBecomeAnswers) {
  add("GET", "/http", [](Request&) -> Response { throw HttpError(429, "slowly"); });
  add("GET", "/error", [](Request&) -> Response {
    throw Error(ErrorCode::kNotFound, "image: must exist, got 'x'");
  });
  add("GET", "/other", [](Request&) -> Response { throw 7; });
  add("GET", "/split", [](Request&) {
    Response response = Response::text("x");
    response.headers.set("x-name", "a\r\nSet-Cookie: b=c");
    return response;
  });
  start();
  RawAnswer answer = ask(get("/http"));
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.body, "{\"detail\":\"slowly\"}");
  EXPECT_EQ(answer.header("retry-after"), "1");
  answer = ask(get("/error"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body, "{\"detail\":\"image: must exist, got 'x'\"}");
  answer = ask(get("/other"));
  EXPECT_EQ(answer.status, 500);
  EXPECT_TRUE(answer.body.starts_with("{\"detail\":\"internal error, request "));
  EXPECT_EQ(ask(get("/split")).header("set-cookie"), "");
}

TEST_F(HttpTest, TheAuthoriserIsAskedBeforeTheBodyIsRead) {
  authoriser_ = [](Request& request, const Route& route) {
    if (route.role.empty()) return;
    if (!request.headers.find("authorization")) throw HttpError(401, "Not authenticated");
    request.principal = {"eva", {"user"}};
  };
  Route& route = add(
      "POST", "/infer", [](Request& request) { return Response::text(request.principal.name); });
  route.role = "user";
  add("POST", "/open", echo);
  start();
  // The body never comes, the answer does.
  RawClient client(server_->port());
  const RawAnswer refused = client.ask(
      "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.header("www-authenticate"), "Bearer");
  EXPECT_EQ(refused.header("connection"), "close");
  EXPECT_EQ(ask(post("/infer", "text/plain", "x", "Authorization: Bearer y\r\n")).body, "eva");
  EXPECT_EQ(ask(post("/open", "text/plain", "x")).status, 200);
}

TEST_F(HttpTest, BodiesComeInAllForms) {
  add("POST", "/echo", echo);
  start();
  RawClient client(server_->port());
  Json seen = Json::parse(client.ask(post("/echo", "application/json", "{\"a\":1}")).body);
  EXPECT_EQ(seen.at("body"), "{\"a\":1}");
  seen = Json::parse(
      client.ask(post("/echo", "application/x-www-form-urlencoded", "params=%7B%7D")).body);
  EXPECT_EQ(seen.at("form"), Json::parse(R"([["params","{}"]])"));
  seen = Json::parse(client.ask("POST /echo HTTP/1.1\r\nHost: x\r\n\r\n").body);
  EXPECT_EQ(seen.at("body"), "");
  const std::string multipart =
      "--b\r\nContent-Disposition: form-data; name=\"file\"; "
      "filename=\"a.nrrd\"\r\n\r\nxyz\r\n--b--";
  std::string chunks;
  for (size_t at = 0; at < multipart.size(); at += 23) {
    const std::string piece = multipart.substr(at, 23);
    chunks += voxloom::format("{:x};ext=1\r\n", piece.size()) + piece + "\r\n";
  }
  seen = Json::parse(client
                         .ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: "
                              "multipart/form-data; boundary=b\r\nTransfer-Encoding: "
                              "chunked\r\n\r\n" +
                              chunks + "0\r\nTrailer: x\r\n\r\n")
                         .body);
  EXPECT_EQ(seen.at("files"),
            Json::parse(R"([{"field":"file","name":"a.nrrd","bytes":3,"there":true}])"));
  EXPECT_EQ(client.ask(post("/echo", "text/plain", "again")).status, 200);
  EXPECT_TRUE(eventually([&] { return spooled() == 0; }));
}

TEST_F(HttpTest, ExpectedContinueIsGiven) {
  add("POST", "/echo", echo);
  start();
  RawClient client(server_->port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read().status, 100);
  EXPECT_EQ(client.ask("abc").status, 200);
}

TEST_F(HttpTest, AGetWithAnAnnouncedBodyIsAnsweredWithoutIt) {
  add("GET", "/info/", echo);
  add("DELETE", "/info/", echo);
  start();
  for (const char* method : {"GET", "DELETE"}) {
    RawClient client(server_->port());
    const RawAnswer answer = client.ask(std::string(method) +
                                        " /info/ HTTP/1.1\r\nHost: x\r\nContent-Type: "
                                        "multipart/form-data\r\nContent-Length: 500\r\n\r\n");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("connection"), "close") << "what follows might be the body";
  }
}

TEST_F(HttpTest, WhatIsNotHttpIsRefused) {
  add("POST", "/echo", echo);
  start();
  for (const std::string& bytes : {
           std::string("\x16\x03\x01\x02junk junk junk\r\n\r\n"),
           std::string("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"),
           std::string("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                       "Content-Length: 6\r\n\r\nhello"),
           std::string("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
           std::string("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n"),
           std::string("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
           std::string("GET /echo HTTP/1.1\r\n\r\n"),
           std::string("GET /echo HTTP/3.7\r\nHost: x\r\n\r\n"),
           get("/" + std::string(200000, 'a')),
       }) {
    RawClient client(server_->port());
    const RawAnswer answer = client.ask(bytes);
    EXPECT_EQ(answer.status, 400) << bytes.substr(0, 90);
    EXPECT_EQ(answer.body, "Invalid HTTP request received.") << bytes.substr(0, 90);
    EXPECT_EQ(answer.header("content-type"), "text/plain; charset=utf-8");
    EXPECT_TRUE(client.closed());
  }
  EXPECT_EQ(ask("CONNECT host:443 HTTP/1.1\r\nHost: x\r\n\r\n").status, 400);
  EXPECT_EQ(ask(get("/a%00b")).status, 400);
  EXPECT_EQ(
      ask("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").status,
      400);
}

TEST_F(HttpTest, MultipartErrorsAndLimitsAreNamed) {
  options_.max_json_bytes = 1000;
  options_.max_upload_bytes = 4 << 20;
  add("POST", "/echo", echo);
  start();
  const std::string type = "multipart/form-data; boundary=b";
  const std::string field = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
  struct Case {
    std::string type, body;
    int status;
    std::string detail;
  };
  for (const Case& c : {
           Case{"multipart/form-data", "x", 400, "Missing boundary in multipart."},
           Case{type, "junk", 400, "Invalid multipart data."},
           Case{type,
                field + std::string((1 << 20) + 1, 'x') + "\r\n--b--",
                400,
                "Part exceeded maximum size of 1024KB."},
           Case{"application/json",
                std::string(1001, ' '),
                413,
                "the body must be at most 1000 bytes"},
       }) {
    const RawAnswer answer = ask(post("/echo", c.type, c.body));
    EXPECT_EQ(answer.status, c.status);
    EXPECT_EQ(answer.body, "{\"detail\":\"" + c.detail + "\"}");
  }
  // Announced, but not sent: refused at once.
  RawClient client(server_->port());
  EXPECT_EQ(client
                .ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: " + type +
                     "\r\nContent-Length: 5000000000\r\n\r\n")
                .status,
            413);
}

size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  size_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

TEST_F(HttpTest, BigUploadsGoToDiskAndNotIntoMemory) {
  add("PUT", "/image", [](Request& request) {
    const UploadedFile* file = request.file("file");
    return Response::json({{"bytes", file->bytes},
                           {"on_disk", std::filesystem::file_size(file->path)},
                           {"params", request.form_value("params")}});
  });
  start();
  constexpr size_t kPieces = 64;
  const std::string piece(1 << 20, 'v');
  const std::string head =
      "--b\r\nContent-Disposition: form-data; name=\"params\"\r\n\r\n{}\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.nii.gz\"\r\n\r\n";
  const std::string tail = "\r\n--b--\r\n";
  const size_t length = head.size() + kPieces * piece.size() + tail.size();
  RawClient client(server_->port());
  client.send(
      "PUT /image HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
      "Content-Length: " +
      std::to_string(length) + "\r\n\r\n" + head);
  const size_t before = resident_bytes();
  size_t most = before;
  for (size_t i = 0; i < kPieces; ++i) {
    ASSERT_TRUE(client.send(piece));
    most = std::max(most, resident_bytes());
  }
  const RawAnswer answer = client.ask(tail);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(Json::parse(answer.body),
            Json({{"bytes", kPieces << 20}, {"on_disk", kPieces << 20}, {"params", "{}"}}));
  // Far less than the 64 MiB that went through; sanitizers keep freed memory for a while.
  EXPECT_LT(most - before, size_t{40} << 20);
  EXPECT_TRUE(eventually([&] { return spooled() == 0; }));
}

TEST_F(HttpTest, TheSpoolIsEmptyAfterErrorsAndCutUploads) {
  add("POST", "/fail", [](Request& request) -> Response {
    EXPECT_EQ(request.files.size(), 1U);
    throw std::runtime_error("no");
  });
  Route& checked = add("POST", "/checked", echo);
  checked.params = {{Param::In::kForm, "absent", "", true, {}}};
  start();
  const std::string type = "multipart/form-data; boundary=b";
  const std::string file =
      "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.nrrd\"\r\n\r\nxyz\r\n";
  EXPECT_EQ(ask(post("/fail", type, file + "--b--\r\n")).status, 500);
  EXPECT_EQ(ask(post("/checked", type, file + "--b--\r\n")).status, 422);
  EXPECT_EQ(ask(post("/checked", type, file + "--b\r\nbad\r\n\r\n")).status, 400);
  {
    RawClient client(server_->port());
    // Small bodies are fed to the spool when they are whole; this one is not.
    const std::string large = file.substr(0, file.size() - 5) + std::string(3 << 20, 'x');
    client.send("POST /fail HTTP/1.1\r\nHost: x\r\nContent-Type: " + type +
                "\r\nContent-Length: 4000000\r\n\r\n" + large);
    ASSERT_TRUE(eventually([&] { return spooled() > 0; }));
  }
  EXPECT_TRUE(eventually([&] { return spooled() == 0; }));
}

TEST_F(HttpTest, UploadsThatTheHandlerMovedStay) {
  const auto kept = folder_ / "kept.nrrd";
  add("POST", "/keep", [&](Request& request) {
    std::filesystem::rename(request.files.at(0).path, kept);
    return Response::text("ok");
  });
  start();
  EXPECT_EQ(ask(post("/keep",
                     "multipart/form-data; boundary=b",
                     "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nxyz"
                     "\r\n--b--\r\n"))
                .status,
            200);
  EXPECT_EQ(std::filesystem::file_size(kept), 3U);
}

TEST_F(HttpTest, SlowHeadersAndBodiesAreAnswered408) {
  options_.header_timeout = std::chrono::seconds(1);
  options_.body_idle_timeout = std::chrono::seconds(1);
  options_.keep_alive = std::chrono::seconds(3);
  add("POST", "/echo", echo);
  start();
  RawClient slow_header(server_->port()), slow_body(server_->port()), silent(server_->port());
  ASSERT_TRUE(slow_header.send("GET /echo HTTP/1.1\r\nHos"));
  ASSERT_TRUE(slow_body.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"));
  EXPECT_EQ(slow_header.read().status, 408);
  EXPECT_TRUE(slow_header.closed());
  EXPECT_EQ(slow_body.read().status, 408);
  EXPECT_TRUE(slow_body.closed());
  EXPECT_EQ(silent.read_all(), "") << "an idle connection is closed without a word";
}

TEST_F(HttpTest, ADisconnectCancelsTheRunningHandler) {
  Event entered, cancelled;
  add(
      "GET",
      "/long",
      [&](Request& request) {
        entered.set();
        const bool gone = eventually([&] { return request.disconnected.cancelled(); });
        if (gone) cancelled.set();
        request.disconnected.check();
        return Response::text("late");
      },
      Work::kLong);
  start();
  {
    RawClient client(server_->port());
    client.send(get("/long"));
    ASSERT_TRUE(entered.wait());
  }
  EXPECT_TRUE(cancelled.wait());
  EXPECT_TRUE(eventually([&] { return !finished().empty(); }));
}

TEST_F(HttpTest, AClientThatOnlyStopsSendingStillGetsItsAnswer) {
  Event entered;
  add("GET", "/x", [&](Request& request) {
    entered.set();
    eventually([&] { return request.disconnected.cancelled(); });
    return Response::text("answer");
  });
  start();
  RawClient client(server_->port());
  client.send(get("/x"));
  ASSERT_TRUE(entered.wait());
  client.end_sending();
  EXPECT_EQ(client.read().body, "answer");
}

TEST_F(HttpTest, AFullPoolAnswers503) {
  options_.long_threads = 1;  // And one may wait.
  Event go;
  add(
      "GET",
      "/wait",
      [&](Request&) {
        go.wait();
        return Response::text("done");
      },
      Work::kLong);
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<RawClient>(server_->port()));
    clients.back()->send(get("/wait"));
  }
  EXPECT_TRUE(eventually([&] { return finished().size() == 2; }));
  go.set();
  int busy = 0, done = 0;
  for (const auto& client : clients) {
    const RawAnswer answer = client->read();
    if (answer.status == 503) {
      EXPECT_EQ(answer.header("retry-after"), "1");
      ++busy;
    }
    done += answer.status == 200;
  }
  EXPECT_EQ(busy, 2);
  EXPECT_EQ(done, 2);
}

TEST_F(HttpTest, MoreConnectionsThanAllowedAreToldSo) {
  options_.max_connections = 2;
  add(
      "GET", "/", [](Request&) { return Response::text("x"); }, Work::kInline);
  start();
  RawClient first(server_->port()), second(server_->port());
  EXPECT_EQ(first.ask(get("/")).status, 200);
  EXPECT_EQ(second.ask(get("/")).status, 200);
  RawClient third(server_->port());
  EXPECT_EQ(third.read().status, 503);
  first.close();
  EXPECT_TRUE(eventually([&] { return ask(get("/")).status == 200; }));
}

TEST_F(HttpTest, DrainingLetsRunningRequestsEndAndClosesIdleConnections) {
  Event entered, go;
  add("GET", "/slow", [&](Request&) {
    entered.set();
    go.wait();
    return Response::text("done");
  });
  start();
  const uint16_t port = server_->port();
  RawClient idle(port), running(port), half(port);
  half.send("GET /slow HTTP/1.1\r\nHo");
  running.send(get("/slow"));
  ASSERT_TRUE(entered.wait());
  std::thread drainer([&] { server_->drain(); });
  EXPECT_TRUE(idle.closed());
  EXPECT_TRUE(half.closed());
  EXPECT_THROW(RawClient late(port), std::runtime_error);
  go.set();
  const RawAnswer answer = running.read();
  EXPECT_EQ(answer.body, "done");
  EXPECT_EQ(answer.header("connection"), "close");
  drainer.join();
}

TEST_F(HttpTest, DrainingCancelsWhatTakesTooLong) {
  options_.drain_timeout = std::chrono::seconds(0);
  Event entered;
  std::atomic<bool> cancelled{false};
  add("GET", "/slow", [&](Request& request) {
    entered.set();
    cancelled = eventually([&] { return request.disconnected.cancelled(); });
    request.disconnected.check();
    return Response::text("done");
  });
  start();
  RawClient client(server_->port());
  client.send(get("/slow"));
  ASSERT_TRUE(entered.wait());
  server_->drain();
  EXPECT_TRUE(cancelled);
  EXPECT_EQ(client.read().status, 499);
}

TEST_F(HttpTest, AServerCanBeLeftWithoutEverStarting) {
  Server never(options_, Router(), nullptr, nullptr);
  EXPECT_EQ(never.port(), 0);
}

TEST_F(HttpTest, ATakenPortIsNamed) {
  add("GET", "/", echo);
  start();
  ServerOptions same = options_;
  same.port = server_->port();
  same.spool = folder_ / "other";
  Server second(same, Router(), nullptr, nullptr);
  try {
    second.start();
    FAIL() << "two servers on one port";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
    EXPECT_NE(std::string(e.what()).find("127.0.0.1:" + std::to_string(same.port)),
              std::string::npos);
  }
}

TEST_F(HttpTest, TheObserverHearsOfEveryAnswerByItsPattern) {
  add("GET", "/image/{id}", echo);
  start();
  ask(get("/image/patient"));
  ask(get("/nothing"));
  ASSERT_TRUE(eventually([&] { return finished().size() == 2; }));
  const std::vector<Finished> seen = finished();
  EXPECT_EQ(seen[0].pattern, "/image/{id}");
  EXPECT_EQ(seen[0].status, 200);
  EXPECT_GT(seen[0].bytes_in, 20U);
  EXPECT_GT(seen[0].bytes_out, 50U);
  EXPECT_EQ(seen[1].pattern, "");
  EXPECT_EQ(seen[1].status, 404);
}

TEST_F(HttpTest, ARefusedBodyIsAnsweredThoughTheClientWaitsInItsMiddle) {
  Route& route = add("POST", "/form", [](Request&) { return Response::text("taken"); });
  route.params = {{Param::In::kForm, "a", "", false, {}}};
  start();
  // More than a field may have, less than is announced, then silence.
  const std::string part = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
  for (const size_t sent : {size_t{2} << 20, size_t{3} << 20 | 77}) {
    RawClient client(server_->port());
    client.send(
        "POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        "Content-Length: 50000000\r\n\r\n" +
        part);
    client.send(std::string(sent, 'x'));
    const RawAnswer answer = client.read();
    EXPECT_EQ(answer.status, 400) << sent;
    EXPECT_NE(answer.body.find("Part exceeded maximum size"), std::string::npos) << answer.body;
  }
}

}  // namespace
}  // namespace voxloom::serve::http
