#include "voxloom/io/dicomweb_http.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <mutex>
#include <thread>

#include <curl/curl.h>
#include <strings.h>

#include "voxloom/core/error.h"

namespace voxloom::io {
namespace {

using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using List = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

constexpr size_t kMaxHeaderBytes = size_t{256} << 10;

void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  VOXLOOM_CHECK(started == CURLE_OK, ErrorCode::kInternal, "libcurl can't be started");
}

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(easy, option, value);
  VOXLOOM_CHECK(code == CURLE_OK,
                ErrorCode::kInternal,
                "libcurl: option {} can't be set: {}",
                static_cast<int>(option),
                curl_easy_strerror(code));
}

// The pieces of a request's body, one after the other.
class BodyReader {
 public:
  explicit BodyReader(const std::vector<WebPiece>& pieces) : pieces_(pieces) {
    for (const WebPiece& p : pieces_) {
      total_ += p.file.empty() ? p.text.size() : std::filesystem::file_size(p.file);
    }
  }
  uint64_t total() const { return total_; }

  void rewind() {
    piece_ = 0;
    offset_ = 0;
    file_.close();
  }

  size_t read(char* out, size_t room) {
    size_t filled = 0;
    while (filled < room && piece_ < pieces_.size()) {
      const WebPiece& p = pieces_[piece_];
      size_t got = 0;
      if (p.file.empty()) {
        got = std::min(room - filled, p.text.size() - offset_);
        std::memcpy(out + filled, p.text.data() + offset_, got);
      } else {
        if (!file_.is_open()) file_.open(p.file, std::ios::binary);
        file_.read(out + filled, static_cast<std::streamsize>(room - filled));
        got = static_cast<size_t>(file_.gcount());
      }
      filled += got;
      offset_ += got;
      if (got == 0) {
        ++piece_;
        offset_ = 0;
        file_ = std::ifstream();
      }
    }
    return filled;
  }

 private:
  const std::vector<WebPiece>& pieces_;
  uint64_t total_ = 0;
  size_t piece_ = 0, offset_ = 0;
  std::ifstream file_;
};

// One try of a request: what libcurl's callbacks see.
struct Exchange {
  const WebRequest& request;
  WebSink& sink;
  const CancelToken& stop;
  BodyReader body;
  WebAnswer answer;
  CURL* easy = nullptr;
  size_t header_bytes = 0;
  uint64_t bytes = 0;
  bool started = false;
  std::exception_ptr failure;

  // Runs `work` and keeps what it throws: exceptions must not pass through libcurl.
  template <class Work>
  bool guard(Work&& work) {
    try {
      work();
      return true;
    } catch (...) {
      failure = std::current_exception();
      return false;
    }
  }

  void start() {
    if (started) return;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
    started = true;
    sink.start(answer);
  }

  void header_line(std::string_view line) {
    header_bytes += line.size();
    VOXLOOM_CHECK(header_bytes <= kMaxHeaderBytes,
                  ErrorCode::kUnsupported,
                  "the answer's header must have at most {} bytes",
                  kMaxHeaderBytes);
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("HTTP/")) answer.headers.clear();  // After "100 Continue" comes another.
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
    answer.headers.emplace_back(line.substr(0, colon), value);
  }

  void received(std::string_view piece) {
    start();
    bytes += piece.size();
    VOXLOOM_CHECK(bytes <= request.max_bytes,
                  ErrorCode::kUnsupported,
                  "the answer must have at most {} bytes",
                  request.max_bytes);
    sink.data(piece);
  }
};

size_t on_header(char* data, size_t size, size_t count, void* exchange) {
  auto& e = *static_cast<Exchange*>(exchange);
  const size_t bytes = size * count;
  return e.guard([&] { e.header_line({data, bytes}); }) ? bytes : 0;
}

size_t on_data(char* data, size_t size, size_t count, void* exchange) {
  auto& e = *static_cast<Exchange*>(exchange);
  const size_t bytes = size * count;
  if (e.stop.cancelled()) return 0;
  return e.guard([&] { e.received({data, bytes}); }) ? bytes : 0;
}

size_t on_read(char* data, size_t size, size_t count, void* exchange) {
  auto& e = *static_cast<Exchange*>(exchange);
  size_t got = 0;
  return e.guard([&] { got = e.body.read(data, size * count); }) ? got : CURL_READFUNC_ABORT;
}

int on_seek(void* exchange, curl_off_t offset, int origin) {
  if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  static_cast<Exchange*>(exchange)->body.rewind();
  return CURL_SEEKFUNC_OK;
}

int on_progress(void* exchange, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(exchange)->stop.cancelled() ? 1 : 0;
}

bool is_connection_failure(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
      return true;
    default:
      return false;
  }
}

std::string hint(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return "check the host name of the DICOMweb server";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
      return "give the authority's certificate, or check that the server speaks TLS";
    default:
      return "check that the DICOMweb server runs and can be reached";
  }
}

void pause_for(std::chrono::milliseconds time, const CancelToken& stop) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    stop.check();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace

std::string percent_encode(std::string_view text, std::string_view keep) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-._~").find(c) != std::string_view::npos ||
                       keep.find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      const auto u = static_cast<unsigned char>(c);
      out += '%';
      out += kDigits[u >> 4];
      out += kDigits[u & 15];
    }
  }
  return out;
}

std::string_view WebAnswer::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0) {
      return value;
    }
  }
  return {};
}

struct WebClient::Impl {
  WebOptions options;
  std::string base;
  std::mutex mutex;
  std::vector<Easy> idle;  // Each keeps its connection.

  Easy take() {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return {curl_easy_init(), &curl_easy_cleanup};
    Easy easy = std::move(idle.back());
    idle.pop_back();
    return easy;
  }
  void give_back(Easy easy) {
    constexpr size_t kMostIdle = 8;
    curl_easy_reset(easy.get());
    const std::lock_guard lock(mutex);
    if (idle.size() < kMostIdle) idle.push_back(std::move(easy));
  }

  void read_base_url() {
    const auto fail = [](const char* what) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("dicomweb: the address must be 'http[s]://host[:port][/path]', {}", what));
    };
    const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
    if (curl_url_set(url.get(), CURLUPART_URL, options.base_url.c_str(), 0) != CURLUE_OK) {
      fail("got something that can't be read as one");
    }
    const auto part = [&](CURLUPart which, unsigned flags = 0) {
      char* text = nullptr;
      std::string out;
      if (curl_url_get(url.get(), which, &text, flags) == CURLUE_OK && text != nullptr) out = text;
      curl_free(text);
      return out;
    };
    const std::string scheme = part(CURLUPART_SCHEME);
    if (scheme != "http" && scheme != "https") fail("got another scheme");
    if (part(CURLUPART_HOST).empty()) fail("got no host");
    if (!part(CURLUPART_QUERY).empty() || !part(CURLUPART_FRAGMENT).empty()) {
      fail("got one with a query or a fragment");
    }
    if (options.user.empty()) {
      options.user = part(CURLUPART_USER, CURLU_URLDECODE);
      if (options.password.empty()) options.password = part(CURLUPART_PASSWORD, CURLU_URLDECODE);
    }
    const std::string port = part(CURLUPART_PORT);
    base = scheme + "://" + part(CURLUPART_HOST) + (port.empty() ? "" : ":" + port) +
           part(CURLUPART_PATH);
    if (!base.ends_with('/')) base += '/';
    options.base_url.clear();
  }

  void set_up(CURL* easy, Exchange& e, const std::string& url, List& headers) {
    set(easy, CURLOPT_URL, url.c_str());
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
    set(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.idle_timeout.count()));
    set(easy, CURLOPT_SSL_VERIFYPEER, options.insecure ? 0L : 1L);
    set(easy, CURLOPT_SSL_VERIFYHOST, options.insecure ? 0L : 2L);
    if (!options.ca_file.empty()) set(easy, CURLOPT_CAINFO, options.ca_file.c_str());
    if (!options.bearer_token.empty()) {
      set(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
      set(easy, CURLOPT_XOAUTH2_BEARER, options.bearer_token.c_str());
    } else if (!options.user.empty()) {
      set(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
      set(easy, CURLOPT_USERNAME, options.user.c_str());
      set(easy, CURLOPT_PASSWORD, options.password.c_str());
    }
    set(easy, CURLOPT_HEADERFUNCTION, &on_header);
    set(easy, CURLOPT_HEADERDATA, static_cast<void*>(&e));
    set(easy, CURLOPT_WRITEFUNCTION, &on_data);
    set(easy, CURLOPT_WRITEDATA, static_cast<void*>(&e));
    set(easy, CURLOPT_NOPROGRESS, 0L);
    set(easy, CURLOPT_XFERINFOFUNCTION, &on_progress);
    set(easy, CURLOPT_XFERINFODATA, static_cast<void*>(&e));

    const auto add = [&](const std::string& line) {
      curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
      VOXLOOM_CHECK(longer != nullptr, ErrorCode::kInternal, "libcurl: out of memory");
      static_cast<void>(headers.release());
      headers.reset(longer);
    };
    for (const auto& [name, value] : e.request.headers) {
      const bool clean =
          (name + value).find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos;
      VOXLOOM_CHECK(clean,
                    ErrorCode::kInvalidArgument,
                    "dicomweb: a header must be one line, '{}' is not",
                    percent_encode(name));
      add(name + (value.empty() ? ";" : ": " + value));
    }
    add("Expect:");  // Waiting for "100 Continue" costs a second where the server gives none.
    if (e.request.method == "POST") {
      set(easy, CURLOPT_POST, 1L);
      set(easy, CURLOPT_READFUNCTION, &on_read);
      set(easy, CURLOPT_READDATA, static_cast<void*>(&e));
      set(easy, CURLOPT_SEEKFUNCTION, &on_seek);
      set(easy, CURLOPT_SEEKDATA, static_cast<void*>(&e));
      set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(e.body.total()));
    } else {
      VOXLOOM_CHECK(e.request.method == "GET",
                    ErrorCode::kInvalidArgument,
                    "dicomweb: the method must be GET or POST, got '{}'",
                    e.request.method);
    }
    set(easy, CURLOPT_HTTPHEADER, headers.get());
  }
};

WebClient::WebClient(WebOptions options) : impl_(std::make_unique<Impl>()) {
  start_curl();
  impl_->options = std::move(options);
  impl_->read_base_url();
}

WebClient::~WebClient() = default;

const std::string& WebClient::base() const {
  return impl_->base;
}

std::string WebClient::where(std::string_view path) const {
  return impl_->base + std::string(path);
}

WebAnswer WebClient::send(const WebRequest& request, WebSink& sink, const CancelToken& stop) const {
  std::string url = where(request.path);
  const std::string place = url;
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    url += separator + percent_encode(name) + '=' + percent_encode(value, ",");
    separator = '&';
  }
  int retries = request.retries >= 0 ? request.retries : impl_->options.retries;
  if (request.method != "GET") retries = 0;
  auto pause = impl_->options.first_pause;
  for (;; --retries, pause *= 2) {
    stop.check();
    Exchange e{request, sink, stop, BodyReader(request.body), {}, nullptr, 0, 0, false, nullptr};
    Easy easy = impl_->take();
    VOXLOOM_CHECK(easy != nullptr, ErrorCode::kInternal, "libcurl: out of memory");
    e.easy = easy.get();
    List headers(nullptr, &curl_slist_free_all);
    impl_->set_up(easy.get(), e, url, headers);
    const CURLcode code = curl_easy_perform(easy.get());
    if (code == CURLE_OK && e.failure == nullptr) {
      long status = 0;
      curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
      impl_->give_back(std::move(easy));
      const bool again = retries > 0 && (status == 502 || status == 503 || status == 504);
      if (!again) {
        e.answer.status = static_cast<int>(status);
        if (!e.started) sink.start(e.answer);
        return std::move(e.answer);
      }
    } else {
      stop.check();
      if (e.failure != nullptr) {
        try {
          std::rethrow_exception(e.failure);
        } catch (const Error& error) {
          throw error.with_context("'" + place + "'");
        }
      }
      VOXLOOM_CHECK(retries > 0 && is_connection_failure(code),
                    ErrorCode::kUnavailable,
                    "'{}' must answer, got: {}; {}",
                    place,
                    curl_easy_strerror(code),
                    hint(code));
    }
    pause_for(pause, stop);
  }
}

}  // namespace voxloom::io
