#include "voxloom/serve/datastore/dicom_proxy.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include <strings.h>
#include <unistd.h>

#include "voxloom/core/error.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;
using Service = io::DicomwebClient::Service;

template <size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& list) {
  return std::any_of(list.begin(), list.end(), [&](std::string_view other) {
    return name.size() == other.size() && strncasecmp(name.data(), other.data(), name.size()) == 0;
  });
}

// What of a request says which answer is wanted. Authorization and cookies are for this server,
// ranges for the file answer that it makes.
bool goes_up(std::string_view name) {
  constexpr std::array<std::string_view, 6> kNames = {"Accept",
                                                      "Accept-Charset",
                                                      "Accept-Encoding",
                                                      "Accept-Language",
                                                      "Content-Type",
                                                      "If-None-Match"};
  return is_one_of(name, kNames);
}

bool comes_down(std::string_view name) {
  constexpr std::array<std::string_view, 13> kNames = {"Connection",
                                                       "Keep-Alive",
                                                       "Proxy-Authenticate",
                                                       "Proxy-Authorization",
                                                       "Proxy-Connection",
                                                       "TE",
                                                       "Trailer",
                                                       "Transfer-Encoding",
                                                       "Upgrade",
                                                       "Content-Length",
                                                       "WWW-Authenticate",
                                                       "Set-Cookie",
                                                       "Server"};
  constexpr std::string_view kCors = "Access-Control-";
  return !is_one_of(name, kNames) &&
         !(name.size() > kCors.size() && strncasecmp(name.data(), kCors.data(), kCors.size()) == 0);
}

// The path below the base, percent-encoded. Throws kInvalidArgument for one that could leave it.
std::string upstream_path(const io::DicomwebClient& client, std::string_view wanted) {
  std::vector<std::string_view> parts;
  for (std::string_view rest = wanted; !rest.empty();) {
    const size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (part.empty()) continue;
    const bool control = std::any_of(part.begin(), part.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    VOXLOOM_CHECK(
        part != "." && part != ".." && !control && part.find('\\') == std::string_view::npos,
        ErrorCode::kInvalidArgument,
        "proxy: the path must have plain names between its slashes");
    parts.push_back(part);
  }
  VOXLOOM_CHECK(!parts.empty(),
                ErrorCode::kNotFound,
                "proxy: the path must name something on the DICOMweb server");
  std::optional<Service> service;
  if (parts[0] == "wado") service = Service::kWado;
  if (parts[0] == "qido") service = parts.back() == "metadata" ? Service::kWado : Service::kQido;
  if (parts[0] == "stow") service = Service::kStow;
  if (service) parts.erase(parts.begin());
  std::string below;
  for (const std::string_view part : parts) {
    // What may stand in a path as it is ("frames/1,2", "a@b:c"), RFC 3986.
    below += (below.empty() ? "" : "/") + io::percent_encode(part, "!$&'()*+,;=:@");
  }
  return service ? client.path(*service, below) : below;
}

// Keeps a small answer in memory and puts a large one into a temporary file.
class SpoolSink : public io::WebSink {
 public:
  explicit SpoolSink(const DicomProxyOptions& options) : options_(options) {}
  ~SpoolSink() override { drop(); }

  void start(const io::WebAnswer&) override {
    drop();
    body_.clear();
  }

  void data(std::string_view bytes) override {
    if (file_.empty() && body_.size() + bytes.size() <= options_.spool_above_bytes) {
      body_ += bytes;
      return;
    }
    if (file_.empty()) {
      static std::atomic<uint64_t> counter{0};
      file_ = options_.spool /
              ("proxy-" + std::to_string(::getpid()) + "-" + std::to_string(++counter));
      out_.open(file_, std::ios::binary | std::ios::trunc);
      write(body_);
      body_.clear();
    }
    write(bytes);
  }

  void give(http::Response& response) {
    if (file_.empty()) {
      response.body = std::move(body_);
      return;
    }
    out_.close();
    check();
    response.file = http::Response::FileBody{.path = file_, .remove_after = true};
    file_.clear();
  }

 private:
  void write(std::string_view bytes) {
    out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    check();
  }
  void check() const {
    VOXLOOM_CHECK(out_.good(),
                  ErrorCode::kUnavailable,
                  "proxy: the answer can't be kept; is the spool folder's disk full?");
  }
  void drop() {
    if (file_.empty()) return;
    out_ = std::ofstream();
    std::error_code ignored;
    fs::remove(file_, ignored);
    file_.clear();
  }

  const DicomProxyOptions& options_;
  std::string body_;
  fs::path file_;
  std::ofstream out_;
};

http::Response forward(const io::DicomwebClient& client,
                       const DicomProxyOptions& options,
                       http::Request& request) {
  const auto path = request.path_values.find("path");
  io::WebRequest up{
      .method = request.method,
      .path = upstream_path(client, path == request.path_values.end() ? "" : path->second),
      .query = request.query,
      .max_bytes = options.max_bytes};
  for (const auto& [name, value] : request.headers.fields()) {
    if (goes_up(name)) up.headers.emplace_back(name, value);
  }
  if (request.method == "POST") up.body.push_back({request.body, {}});
  SpoolSink sink(options);
  const io::WebAnswer answer = client.web().send(up, sink, request.disconnected);
  http::Response response;
  response.status = answer.status;
  for (const auto& [name, value] : answer.headers) {
    if (comes_down(name)) response.headers.add(name, value);
  }
  sink.give(response);
  return response;
}

}  // namespace

std::vector<http::Route> dicom_proxy_routes(std::shared_ptr<const io::DicomwebClient> client,
                                            DicomProxyOptions options) {
  std::vector<http::Route> routes;
  for (const char* method : {"GET", "POST"}) {
    http::Route route;
    route.method = method;
    route.pattern = "/proxy/dicom/{path*}";
    // What is posted there is stored.
    route.role = route.method == "GET" ? "user" : "annotator";
    route.summary = "Passes a DICOMweb request on to the server that keeps the images.";
    route.work = http::Work::kLong;
    route.handler = [client, options](http::Request& request) {
      return forward(*client, options, request);
    };
    routes.push_back(std::move(route));
  }
  return routes;
}

}  // namespace voxloom::serve
