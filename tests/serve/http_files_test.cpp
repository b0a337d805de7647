// Files, static folders, TLS, WebSockets and metrics over the wire.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "voxloom/core/error.h"
#include "voxloom/serve/http/metrics.h"
#include "voxloom/serve/http/static_files.h"

#include "tests/serve/http_fixture.h"

namespace voxloom::serve::http {
namespace {

TEST_F(HttpTest, FilesAreSentWithTheirTypeNameAndVersion) {
  std::string content(700000, '\0');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 >> 3);
  const auto path = write_file("a b.nii.gz", content);
  Route& image =
      add("GET", "/image", [&](Request&) { return Response::download(path, "a b.nii.gz"); });
  image.head = true;
  start();
  RawClient client(server_->port());
  const RawAnswer whole = client.ask(get("/image"));
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.body, content);
  EXPECT_EQ(whole.header("content-type"), "application/octet-stream");
  EXPECT_EQ(whole.header("content-disposition"), "attachment; filename*=utf-8''a%20b.nii.gz");
  EXPECT_EQ(whole.header("accept-ranges"), "bytes");
  const std::string etag = whole.header("etag");
  EXPECT_EQ(client.ask(get("/image", "If-None-Match: " + etag + "\r\n")).status, 304);
  const RawAnswer part = client.ask(get("/image", "Range: bytes=300000-\r\n"));
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.header("content-range"), "bytes 300000-699999/700000");
  EXPECT_EQ(part.body, content.substr(300000));
  const RawAnswer beyond = client.ask(get("/image", "Range: bytes=700000-\r\n"));
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.header("content-range"), "bytes */700000");
  client.send("HEAD /image HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read(true).header("content-length"), "700000");
  EXPECT_EQ(client.ask(get("/image")).status, 200);
}

TEST_F(HttpTest, TemporaryFilesGoOnceTheyAreSent) {
  const auto path = write_file("mask.nrrd", "NRRD");
  add("GET", "/mask", [&](Request&) {
    Response response = Response::download(path, "mask.nrrd");
    response.file->remove_after = true;
    return response;
  });
  start();
  EXPECT_EQ(ask(get("/mask")).body, "NRRD");
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(path); }));
  const RawAnswer gone = ask(get("/mask"));
  EXPECT_EQ(gone.status, 404);
  EXPECT_EQ(gone.body, "{\"detail\":\"Not Found\"}");
}

TEST_F(HttpTest, AFramedFileIsSentBetweenItsTexts) {
  std::string content(size_t{3} << 20 | 12345, '\0');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * i / 7);
  const auto path = write_file("mask.nrrd", content);
  const auto empty = write_file("empty.nrrd", "");
  const auto framed = [](const std::filesystem::path& file) {
    return [file](Request&) {
      Response response = Response::text("", 200, "multipart/form-data; boundary=b");
      response.file = Response::FileBody{
          .path = file, .remove_after = true, .before = "--b head\r\n", .after = "\r\n--b--\r\n"};
      return response;
    };
  };
  add("GET", "/mask", framed(path));
  add("GET", "/empty", framed(empty)).head = true;
  start();
  RawClient client(server_->port());
  client.send("HEAD /empty HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read(true).header("content-length"), "19");
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(empty); }));
  write_file("empty.nrrd", "");
  EXPECT_EQ(client.ask(get("/empty")).body, "--b head\r\n\r\n--b--\r\n");
  const RawAnswer answer = client.ask(get("/mask", "Range: bytes=3-9\r\n"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("content-length"), std::to_string(content.size() + 19));
  EXPECT_EQ(answer.header("content-type"), "multipart/form-data; boundary=b");
  EXPECT_EQ(answer.header("etag") + answer.header("accept-ranges"), "");
  EXPECT_TRUE(answer.body == "--b head\r\n" + content + "\r\n--b--\r\n");
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(path); }));
  EXPECT_EQ(client.ask(get("/mask")).body, "{\"detail\":\"Not Found\"}");
}

TEST_F(HttpTest, TemporaryFilesGoWhenTheClientHangsUp) {
  const auto path = write_file("mask.nrrd", std::string(size_t{32} << 20, 'm'));
  add("GET", "/mask", [&](Request&) {
    Response response = Response::text("", 200, "multipart/form-data; boundary=b");
    response.file = Response::FileBody{.path = path, .remove_after = true, .before = "head"};
    return response;
  });
  start();
  {
    RawClient client(server_->port());
    client.send(get("/mask"));
    char some[1000];
    ASSERT_GT(::recv(client.fd(), some, sizeof(some), 0), 0);
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(path); }));
}

TEST_F(HttpTest, StaticFoldersShowWhatIsInThemAndNothingElse) {
  write_file("secret.txt", "secret");
  write_file("web/index.html", "<p>start</p>");
  write_file("web/js/app.js", "go()");
  write_file("web/.hidden", "h");
  write_file("web/other/index.html", "<p>other</p>");
  std::filesystem::create_symlink(folder_ / "secret.txt", folder_ / "web/link.txt");
  std::filesystem::create_symlink("app.js", folder_ / "web/js/same.js");
  add("GET", "/static/{path*}", static_files(folder_ / "web"));
  add("GET", "/app/{path*}", static_files(folder_ / "web", {"index.html"}));
  start();
  EXPECT_EQ(ask(get("/static")).body, "<p>start</p>");
  EXPECT_EQ(ask(get("/static/other/")).body, "<p>other</p>");
  const RawAnswer script = ask(get("/static/js/app.js"));
  EXPECT_EQ(script.body, "go()");
  EXPECT_EQ(script.header("content-type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(script.header("content-disposition"), "");
  EXPECT_EQ(ask(get("/static/js/same.js")).body, "go()");
  for (const char* path : {"/static/../secret.txt",
                           "/static/%2e%2e/secret.txt",
                           "/static/..%2fsecret.txt",
                           "/static/js/..%5c..%5csecret.txt",
                           "/static//etc/passwd",
                           "/static/link.txt",
                           "/static/.hidden",
                           "/static/js",
                           "/static/none",
                           "/app/none.js",
                           "/app/../secret"}) {
    EXPECT_EQ(ask(get(path)).status, 404) << path;
  }
  EXPECT_EQ(ask(get("/app/study/7")).body, "<p>start</p>");
  EXPECT_THROW(static_cast<void>(static_files(folder_ / "absent")), Error);
}

/// One request over TLS that trusts `certificate` alone and wants `host` in it.
std::string tls_get(uint16_t port,
                    const std::filesystem::path& certificate,
                    const std::string& host,
                    const std::string& request) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_load_verify_locations(context, certificate.c_str(), nullptr);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL* ssl = SSL_new(context);
  if (host == "127.0.0.1") {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set1_host(ssl, host.c_str());
  }
  RawClient client(port);
  SSL_set_fd(ssl, client.fd());
  std::string answer;
  if (SSL_connect(ssl) == 1) {
    SSL_write(ssl, request.data(), static_cast<int>(request.size()));
    char buffer[16384];
    int n = 0;
    while ((n = SSL_read(ssl, buffer, sizeof(buffer))) > 0) {
      answer.append(buffer, static_cast<size_t>(n));
    }
    answer += SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN ? " [closed well]" : " [cut]";
  } else {
    answer = "handshake failed";
  }
  SSL_free(ssl);
  SSL_CTX_free(context);
  ERR_clear_error();
  return answer;
}

TEST_F(HttpTest, TlsWorksWithTheOwnCertificate) {
  const Certificate made =
      self_signed_certificate(folder_ / "tls", {"scanner.example", "10.1.2.3"});
  for (const auto& path : {made.certificate, made.private_key}) {
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << path;
  }
  options_.certificate = made.certificate;
  options_.private_key = made.private_key;
  add("GET", "/secure", [](Request& request) {
    return Response::text(request.secure ? std::string(200000, 's') : "plain");
  });
  start();
  const std::string request = get("/secure", "Connection: close\r\n");
  for (const char* host : {"localhost", "127.0.0.1", "scanner.example"}) {
    const std::string answer = tls_get(server_->port(), made.certificate, host, request);
    EXPECT_NE(answer.find("HTTP/1.1 200 OK"), std::string::npos) << host;
    EXPECT_TRUE(answer.ends_with("sss [closed well]")) << host;
  }
  EXPECT_EQ(tls_get(server_->port(), made.certificate, "other.example", request),
            "handshake failed");
  // Plain HTTP on the TLS port gets nothing, and hurts nobody.
  RawClient plain(server_->port());
  plain.send(get("/secure"));
  plain.read_all();
  EXPECT_NE(tls_get(server_->port(), made.certificate, "localhost", request).find(" 200 "),
            std::string::npos);
}

TEST_F(HttpTest, TheOwnCertificateIsKeptAndMadeAnewWhenItIsOfNoUse) {
  const auto read = [](const std::filesystem::path& path) {
    std::ifstream in(path);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const Certificate made = self_signed_certificate(folder_, {});
  const std::string first = read(made.certificate);
  EXPECT_EQ(read(self_signed_certificate(folder_, {}).certificate), first);
  std::ofstream(made.private_key) << "garbage";
  EXPECT_NE(read(self_signed_certificate(folder_, {}).certificate), first);
  EXPECT_THROW(static_cast<void>(self_signed_certificate(folder_ / "x", {"a,IP:1.2.3.4"})), Error);
}

TEST_F(HttpTest, ACertificateThatIsNoneIsNamed) {
  options_.certificate = write_file("c.pem", "no");
  options_.private_key = write_file("k.pem", "no");
  EXPECT_THROW(start(), Error);
}

TEST(MetricsTest, TextIsWhatPrometheusReads) {
  Metrics metrics;
  metrics.counter("saves_total", "Labels saved.", {{"tag", "a\"b\\c\nd"}}).add(3);
  metrics.counter("saves_total", "Labels saved.", {{"tag", "final"}}).add();
  metrics.gauge("loaded", "Models\nin memory.", [] { return 2.5; });
  Histogram& times = metrics.histogram("seconds", "Time.", {0.1, 1.0}, {{"route", "/x"}});
  for (const double value : {0.05, 0.1, 0.5, 7.0}) times.observe(value);
  EXPECT_EQ(metrics.text(),
            "# HELP loaded Models\\nin memory.\n"
            "# TYPE loaded gauge\n"
            "loaded 2.5\n"
            "# HELP saves_total Labels saved.\n"
            "# TYPE saves_total counter\n"
            "saves_total{tag=\"a\\\"b\\\\c\\nd\"} 3\n"
            "saves_total{tag=\"final\"} 1\n"
            "# HELP seconds Time.\n"
            "# TYPE seconds histogram\n"
            "seconds_bucket{route=\"/x\",le=\"0.1\"} 2\n"
            "seconds_bucket{route=\"/x\",le=\"1\"} 3\n"
            "seconds_bucket{route=\"/x\",le=\"+Inf\"} 4\n"
            "seconds_sum{route=\"/x\"} 7.65\n"
            "seconds_count{route=\"/x\"} 4\n");
  EXPECT_THROW(metrics.gauge("saves_total", "", [] { return 0.0; }), Error);
  EXPECT_THROW(metrics.counter("no-name", ""), Error);
}

TEST(MetricsTest, CountsFromManyThreads) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        metrics.counter("c", "").add();
        metrics.histogram("h", "", {1.0}).observe(0.5);
        if (i % 100 == 0) static_cast<void>(metrics.text());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(metrics.counter("c", "").value(), 4000U);
  EXPECT_EQ(metrics.histogram("h", "", {1.0}).snapshot().cumulative.back(), 4000U);
}

TEST(MetricsTest, TheObserverKeepsForeignMethodsOut) {
  Metrics metrics;
  const Observer observer = metrics_observer(metrics);
  Finished finished;
  finished.method = "BREW\"";
  finished.status = 405;
  observer(finished);
  EXPECT_NE(metrics.text().find(
                "voxloom_http_requests_total{method=\"other\",route=\"none\",status=\"405\"} 1"),
            std::string::npos);
}

}  // namespace
}  // namespace voxloom::serve::http
