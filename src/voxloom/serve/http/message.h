#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/core/cancel.h"
#include "voxloom/core/error.h"

namespace voxloom::serve::http {

/// JSON on the wire keeps the order in which keys were added: Slicer fills its boxes in it.
using Json = nlohmann::ordered_json;

/// Names and values in order, as decoded from a query string or a form.
using Fields = std::vector<std::pair<std::string, std::string>>;

/// Header fields in order; names compare without case.
class Headers {
 public:
  /// Replaces every field of that name.
  void set(std::string_view name, std::string value);
  void add(std::string_view name, std::string value);
  void remove(std::string_view name);
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  [[nodiscard]] const Fields& fields() const { return fields_; }

 private:
  Fields fields_;
};

/// A file part of a multipart body. It lies in the server's spool folder and goes away with the
/// request, whatever the handler does, unless the handler moved it.
struct UploadedFile {
  std::string field;         ///< "file", "label", "files".
  std::string filename;      ///< Without any folder (both slashes are separators); may be empty.
  std::string content_type;  ///< May be empty.
  std::filesystem::path path;
  uint64_t bytes = 0;
};

/// Who asks. With accounts off: "admin" with every role.
struct Principal {
  std::string name = "admin";
  std::vector<std::string> roles;
  [[nodiscard]] bool has(std::string_view role) const;
};

/// One request, whole: bodies are in memory (JSON, form fields) or spooled (files).
struct Request {
  uint64_t id = 0;     ///< Counts up; in every log line about the request.
  std::string method;  ///< "GET"
  std::string path;    ///< Percent-decoded, '+' kept, without query: "/infer/geodesic".
  Fields query;        ///< Decoded ('+' is a space).
  Headers headers;
  std::map<std::string, std::string, std::less<>> path_values;  ///< {model} -> "geodesic".
  std::string body;                 ///< Of JSON and other small bodies; empty for forms.
  Fields form;                      ///< Text fields of multipart and urlencoded bodies.
  std::vector<UploadedFile> files;  ///< File fields of multipart bodies.
  std::string remote_address;       ///< "127.0.0.1"; never logged with a patient's data.
  bool secure = false;              ///< Arrived over TLS.
  Principal principal;
  CancelToken disconnected;  ///< Cancelled when the peer goes away or the server drains.

  /// First value of that name; absent or empty: `fallback`.
  [[nodiscard]] std::string query_value(std::string_view name,
                                        std::string_view fallback = "") const;
  [[nodiscard]] std::string form_value(std::string_view name, std::string_view fallback = "") const;
  /// true/1/yes/on and their negatives in any case. Throws kInvalidArgument naming the parameter.
  [[nodiscard]] bool query_flag(std::string_view name, bool fallback) const;
  [[nodiscard]] const UploadedFile* file(std::string_view field) const;
  /// The body as a JSON object; an absent body is {}. Throws kInvalidArgument.
  [[nodiscard]] Json json_object() const;
};

/// An answer. The body is `body`, or the file where `file` is set.
struct Response {
  struct FileBody {
    std::filesystem::path path;
    std::string download_name;  ///< Content-Disposition; empty: none.
    bool remove_after = false;  ///< A temporary file: removed once it is sent, or not.
    /// Sent around the file's bytes. With either the body is no longer that file: no ETag, no
    /// ranges, no type from its name.
    std::string before{}, after{};
    [[nodiscard]] bool framed() const { return !before.empty() || !after.empty(); }
  };

  int status = 200;
  Headers headers;
  std::string body;
  std::shared_ptr<const std::string> shared_body;  ///< Instead of `body`: sent without a copy.
  std::optional<FileBody> file;

  /// What is sent where there is no file.
  [[nodiscard]] std::string_view bytes() const { return shared_body ? *shared_body : body; }

  /// Compact separators, keys in order, UTF-8 unescaped.
  static Response json(const Json& value, int status = 200);
  static Response text(std::string body,
                       int status = 200,
                       std::string_view type = "text/plain; charset=utf-8");
  /// {"detail": text}
  static Response error(int status, std::string_view detail);
  /// A file: type from the name, ETag, Last-Modified, ranges and HEAD are the server's work.
  static Response download(std::filesystem::path path, std::string download_name);
};

/// The HTTP status of an error: the table beside error_code_name (kNotFound 404, kInvalidArgument
/// and kDataCorrupt 400, kAlreadyExists 409, kUnsupported 415, kUnavailable 503, kCancelled 499,
/// kInternal 500).
[[nodiscard]] int status_of(ErrorCode code);

/// An error with its own HTTP status: 401, 403, 413, 422, 429.
class HttpError : public std::runtime_error {
 public:
  HttpError(int status, const std::string& detail, Fields headers = {})
      : std::runtime_error(detail), status_(status), headers_(std::move(headers)) {}
  [[nodiscard]] int status() const { return status_; }
  /// Header fields for the answer: WWW-Authenticate, Retry-After.
  [[nodiscard]] const Fields& headers() const { return headers_; }

 private:
  int status_;
  Fields headers_;
};

}  // namespace voxloom::serve::http
