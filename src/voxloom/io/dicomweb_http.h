#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "voxloom/core/cancel.h"

namespace voxloom::io {

/// How a DICOMweb server is reached.
struct WebOptions {
  std::string base_url;  ///< "https://host[:port]/path"; a user and password in it are taken out.
  std::string user, password;     ///< Basic authentication where `user` is given.
  std::string bearer_token;       ///< Sent instead, where given.
  bool insecure = false;          ///< Accept any TLS certificate: for tests only.
  std::filesystem::path ca_file;  ///< PEM of further authorities; empty: the system's.
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::seconds idle_timeout{60};  ///< Without a single byte.
  int retries = 2;                        ///< Of GET, after a failed connection or 502, 503, 504.
  std::chrono::milliseconds first_pause{200};  ///< Before the first retry; doubles.
};

/// Names and values in order.
using WebFields = std::vector<std::pair<std::string, std::string>>;

/// One piece of a body: text, or a file's bytes where `file` is set.
struct WebPiece {
  std::string text;
  std::filesystem::path file;
};

struct WebRequest {
  std::string method = "GET";
  std::string path;  ///< Below the base, percent-encoded, without a slash in front.
  WebFields query;   ///< Not encoded.
  WebFields headers;
  std::vector<WebPiece> body;
  uint64_t max_bytes = uint64_t{1} << 30;  ///< Of the answer's body.
  int retries = -1;                        ///< -1: as the options say.
};

struct WebAnswer {
  int status = 0;
  WebFields headers;
  /// The value of a header (any case); empty where it is absent.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

/// Where an answer goes. start() comes before the first byte and, after a retry, again: what came
/// before is void then.
class WebSink {
 public:
  virtual ~WebSink() = default;
  virtual void start(const WebAnswer& answer) = 0;
  virtual void data(std::string_view bytes) = 0;
};

/// HTTP to one server. Thread-safe; connections are kept and used again. Redirects are not
/// followed (they would carry the credentials elsewhere).
///
/// Messages name host and path, never credentials or the query. A path holds UIDs: show messages
/// to who asked, keep them out of logs.
class WebClient {
 public:
  /// Throws kInvalidArgument when `base_url` is no http or https URL.
  explicit WebClient(WebOptions options);
  ~WebClient();
  WebClient(const WebClient&) = delete;
  WebClient& operator=(const WebClient&) = delete;

  /// Any status is an answer. Throws kUnavailable (saying why) when none came, kCancelled once
  /// `stop` is cancelled, kUnsupported beyond max_bytes, and what the sink throws.
  WebAnswer send(const WebRequest& request, WebSink& sink, const CancelToken& stop) const;

  /// "http://host:port/path/": the base without credentials.
  [[nodiscard]] const std::string& base() const;
  /// The base and `path`, for messages.
  [[nodiscard]] std::string where(std::string_view path) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// `text` with all but letters, digits and "-._~" percent-encoded, and what `keep` lists.
[[nodiscard]] std::string percent_encode(std::string_view text, std::string_view keep = "");

}  // namespace voxloom::io
