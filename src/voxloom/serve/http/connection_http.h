#pragma once

// ConnectionImpl: HTTP. See connection_impl.h.

#include "voxloom/serve/http/connection_impl.h"

namespace voxloom::serve::http {

template <class Stream>
asio::awaitable<void> ConnectionImpl<Stream>::run() {
  try {
    bool open = !core_.draining.load();
    if constexpr (kTls) {
      set_deadline(core_.options.header_timeout);
      idle_ = true;
      if (open) {
        co_await stream_.async_handshake(asio::ssl::stream_base::server,
                                         asio::redirect_error(asio::use_awaitable, error_));
      }
      idle_ = false;
      open = open && !error_;
    }
    while (open) open = co_await serve_one();
    if (!error_ || timed_out_) co_await linger();
  } catch (const std::exception& e) {
    // No memory, or a fault of ours: this connection ends, the server goes on.
    log_connection_error(e);
  }
  close();
}

/// Waits for the first byte of a request. False: the connection is over.
template <class Stream>
asio::awaitable<bool> ConnectionImpl<Stream>::wait_for_request() {
  // What follows a big upload is small again.
  if (buffer_.size() == 0 && buffer_.capacity() > 4 * kReadSize) buffer_.shrink_to_fit();
  while (true) {
    // Empty lines between requests are allowed for.
    while (buffer_.size() > 0) {
      const char first = *static_cast<const char*>(buffer_.data().data());
      if (first != '\r' && first != '\n') co_return true;
      buffer_.consume(1);
    }
    if (drain_ || core_.draining.load()) co_return false;
    idle_ = true;
    set_deadline(core_.options.keep_alive);
    const size_t count = co_await fill(kReadSize);
    idle_ = false;
    no_deadline();
    if (count == 0) co_return false;
  }
}

/// Reads the header into parser_. False: it was answered, or the peer is gone.
template <class Stream>
asio::awaitable<bool> ConnectionImpl<Stream>::read_header() {
  parser_.emplace();
  parser_->header_limit(kMaxHeader);
  parser_->body_limit(boost::none);  // BodyReceiver has the limits.
  bool waiting = false;
  while (true) {
    beast::error_code ec;
    const size_t taken = parser_->put(buffer_.data(), ec);
    buffer_.consume(taken);
    finished_.bytes_in += taken;
    if (parser_->is_header_done()) break;
    if (ec && ec != beast::http::error::need_more) {
      co_return co_await refuse(400, "Invalid HTTP request received.", true);
    }
    if (!waiting) set_deadline(core_.options.header_timeout);
    waiting = true;
    idle_ = true;
    const size_t count = co_await fill(kReadSize);
    idle_ = false;
    if (count > 0) continue;
    if (timed_out_) co_return co_await refuse(408, "the header must come in time", false);
    co_return false;
  }
  no_deadline();
  co_return true;
}

/// Answers what is no request that a route could be found for, and ends the connection.
template <class Stream>
asio::awaitable<bool> ConnectionImpl<Stream>::refuse(int status, std::string text, bool plain) {
  Request nobody;
  nobody.id = core_.next_id++;
  nobody.method = "GET";
  finished_.request_id = nobody.id;
  unread_ = true;
  Response response =
      plain ? Response::text(std::move(text), status) : Response::error(status, text);
  co_await answer(nobody, std::move(response), false);
  co_return false;
}

/// The method for logs: whatever text a client sends as one is not ours to write down.
inline std::string known_method(const Request& request) {
  const bool known = beast::http::string_to_verb(request.method) != beast::http::verb::unknown;
  return known ? request.method : "other";
}

/// Fills `request` from parser_. False: not HTTP as it should be.
template <class Stream>
bool ConnectionImpl<Stream>::make_request(Request& request) {
  const auto& message = parser_->get();
  request.id = core_.next_id++;
  request.method = std::string(message.method_string());
  request.remote_address = remote_;
  request.secure = kTls;
  size_t hosts = 0, encodings = 0;
  for (const auto& field : message) {
    if (field.name() == beast::http::field::host) ++hosts;
    if (field.name() == beast::http::field::transfer_encoding) ++encodings;
    request.headers.add(std::string_view(field.name_string().data(), field.name_string().size()),
                        std::string(field.value()));
  }
  if (hosts > 1 || (hosts == 0 && message.version() == 11)) return false;
  // Two parties that disagree about where a body ends are how requests get smuggled.
  const auto encoding = request.headers.find("transfer-encoding");
  return encodings == 0 ||
         (encodings == 1 && message.version() == 11 && equals_nocase(trim(*encoding), "chunked"));
}

template <class Stream>
asio::awaitable<bool> ConnectionImpl<Stream>::serve_one() {
  timed_out_ = false;
  if (!co_await wait_for_request()) co_return false;
  finished_ = Finished();
  started_ = Clock::now();
  if (!co_await read_header()) co_return false;
  started_ = Clock::now();

  Request request;
  if (!make_request(request)) {
    co_return co_await refuse(400, "Invalid HTTP request received.", true);
  }
  token_ = CancelToken();
  request.disconnected = token_;
  finished_.request_id = request.id;
  bool keep_alive = parser_->keep_alive() && !core_.draining.load();

  std::optional<Response> response;
  Plan plan;
  try {
    const auto target = parser_->get().target();
    Target split = split_target({target.data(), target.size()});
    request.path = std::move(split.path);
    request.query = parse_urlencoded(split.query);
    plan = plan_request(core_, request, beast::websocket::is_upgrade(parser_->get()));
    response = std::move(plan.answer);
  } catch (...) {
    response = error_answer(std::current_exception(), request.id);
  }
  if (plan.route != nullptr) {
    finished_.pattern = plan.route->pattern;
    if (plan.route->websocket && !response) response = check_params(request, *plan.route);
    if (plan.route->websocket && !response) {
      co_await serve_websocket(*plan.route, request);
      co_return false;
    }
  }

  // A body counts only where the method gives it a meaning: clients that reuse header fields
  // announce bodies with GET that never come. Whatever does come is not read, and the connection
  // closed, since nobody can tell it from the next request.
  const bool announced = !parser_->is_done();
  const bool takes_body =
      request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (announced && (response || !takes_body)) {
    unread_ = true;
    keep_alive = false;
  } else if (announced) {
    try {
      co_await read_body(request);
    } catch (...) {
      response = error_answer(std::current_exception(), request.id);
    }
    if (!parser_->is_done()) {
      unread_ = true;
      keep_alive = false;
    }
    if (timed_out_) {
      response = Response::error(408, "the body must come in time");
    } else if (!response && !parser_->is_done()) {
      response = Response::error(400, "the body must be whole");
    }
  }
  if (!response && plan.route != nullptr) response = check_params(request, *plan.route);
  if (!response) response = co_await handle(*plan.route, request);
  const bool open = co_await answer(request, std::move(*response), keep_alive);
  if (!request.files.empty()) {
    auto files = std::make_shared<std::vector<UploadedFile>>(std::move(request.files));
    if (!core_.disk.try_post([files] { remove_uploads(*files); })) remove_uploads(*files);
  }
  co_return open;
}

/// Feeds the body to the request. Throws what BodyReceiver throws; parser_->is_done() tells
/// whether all of it came.
template <class Stream>
asio::awaitable<void> ConnectionImpl<Stream>::read_body(Request& request) {
  const auto length = parser_->content_length();
  BodyReceiver receiver(request,
                        core_.body_limits(),
                        core_.options.spool,
                        length ? std::optional<uint64_t>(*length) : std::nullopt);
  const auto expect = request.headers.find("expect");
  if (expect && equals_nocase(*expect, "100-continue") && buffer_.size() == 0 &&
      !co_await write("HTTP/1.1 100 Continue\r\n\r\n", {})) {
    co_return;
  }
  std::optional<BodyFeeder> feeder;
  if (receiver.writes_files()) {
    // A worker must never be the last one that holds the connection: it belongs to its IO thread.
    feeder.emplace(core_.disk, receiver, [weak = this->weak_from_this()](bool failed) {
      auto self = weak.lock();
      if (!self) return;
      auto& context = self->io_.context;
      asio::post(context, [self = std::move(self), failed] {
        self->wake_.cancel();
        beast::error_code ignored;
        if (failed && self->reads_body_) self->socket().cancel(ignored);
      });
    });
  }
  std::exception_ptr thrown;
  try {
    co_await take_body(receiver, feeder);
  } catch (...) {
    thrown = std::current_exception();
  }
  // The receiver must stay until nobody feeds it.
  if (feeder) co_await until_fed(*feeder);
  if (thrown) std::rethrow_exception(thrown);
  if (feeder) feeder->check();
}

template <class Stream>
asio::awaitable<void> ConnectionImpl<Stream>::until_fed(const BodyFeeder& feeder) {
  beast::error_code ignored;
  while (feeder.busy()) {
    co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

/// Reads the body to its end, or to the end of what the peer sends. `feeder`: where feeding may
/// block.
template <class Stream>
asio::awaitable<void> ConnectionImpl<Stream>::take_body(BodyReceiver& receiver,
                                                        std::optional<BodyFeeder>& feeder) {
  const auto size = std::min<uint64_t>(kBodyChunk, parser_->content_length().value_or(kBodyChunk));
  auto& body = parser_->get().body();
  std::string piece;
  size_t used = 0;
  while (!parser_->is_done()) {
    if (piece.empty()) {
      if (feeder) piece = feeder->spare();
      piece.resize(size);
      used = 0;
    }
    body.data = piece.data() + used;
    body.size = piece.size() - used;
    body.more = true;
    bool starving = buffer_.size() == 0;
    while (!starving && !parser_->is_done() && body.size > 0) {
      beast::error_code ec;
      const size_t taken = parser_->put(buffer_.data(), ec);
      buffer_.consume(taken);
      finished_.bytes_in += taken;
      if (ec == beast::http::error::need_buffer) break;
      starving = buffer_.size() == 0 || ec == beast::http::error::need_more;
      if (ec && ec != beast::http::error::need_more) {
        throw HttpError(400, "the chunks of the body must be well formed");
      }
    }
    used = piece.size() - body.size;
    if (!feeder) {
      receiver.feed(std::string_view(piece).substr(0, used));
      used = 0;
    } else if (used == piece.size() || parser_->is_done()) {
      piece.resize(used);
      feeder->push(std::move(piece));
      piece.clear();
      if (feeder->full()) co_await until_fed(*feeder);
    }
    if (!starving || parser_->is_done()) continue;
    if (feeder) feeder->check();  // What fails from here on ends the read.
    set_deadline(core_.options.body_idle_timeout);
    reads_body_ = true;
    const size_t count = co_await fill(kBodyChunk);
    reads_body_ = false;
    if (count == 0 && feeder && feeder->failed()) {
      // Not the peer's doing: it gets its answer.
      error_ = {};
      peer_gone_ = false;
      no_deadline();
      feeder->check();
    }
    if (count == 0) co_return;
    no_deadline();
  }
  if (feeder) {
    feeder->finish();
  } else {
    receiver.finish();
  }
}

template <class Stream>
asio::awaitable<Response> ConnectionImpl<Stream>::handle(const Route& route, Request& request) {
  if (route.work == Work::kInline) co_return call_handler(route, request);
  WorkerPool& pool = route.work == Work::kPool ? core_.pool : core_.long_pool;
  std::optional<Response> response;
  start_watch();
  const bool ran = co_await in_pool(pool, [&] { response = call_handler(route, request); });
  watch_wanted_ = false;
  if (!ran) co_return Response::error(503, "the server is busy, try again");
  co_return std::move(*response);
}

/// Sends the answer. Returns whether the connection takes a further request.
template <class Stream>
asio::awaitable<bool> ConnectionImpl<Stream>::answer(Request& request,
                                                     Response response,
                                                     bool keep_alive) {
  keep_alive = keep_alive && !drain_ && !core_.draining.load();
  bool sent = false;
  if (response.file) {
    const Response::FileBody file = *response.file;
    sent = co_await send_file(request, response, file, keep_alive);
    if (file.remove_after) {
      if (!core_.disk.try_post([path = file.path] { ::unlink(path.c_str()); })) {
        ::unlink(file.path.c_str());
      }
    }
  } else {
    complete_answer(core_, request, response);
    const bool http_1_0 = parser_ && parser_->get().version() == 10;
    std::string_view body = response.bytes();
    std::string head = head_of(response, body.size(), keep_alive, http_1_0);
    if (request.method == "HEAD" || response.status == 204 || response.status == 304) body = {};
    if (body.size() <= kJoinedBody) {
      head += body;
      body = {};
    }
    sent = co_await write(head, body);
  }
  finished_.method = known_method(request);
  finished_.status = response.status;
  finished_.seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  finished_.principal = request.principal.name;
  observe(core_, finished_);
  co_return sent&& keep_alive;
}

template <class Stream>
asio::awaitable<bool> ConnectionImpl<Stream>::send_file(Request& request,
                                                        Response& response,
                                                        const Response::FileBody& file,
                                                        bool keep_alive) {
  struct Closer {
    FileAnswer answer;
    ~Closer() {
      if (answer.fd >= 0) ::close(answer.fd);
    }
  } opened;
  try {
    co_await in_pool(core_.disk, [&] { opened.answer = open_file_answer(request, response); });
  } catch (...) {
    response = error_answer(std::current_exception(), request.id);
    opened.answer = FileAnswer();
  }
  // Errors have a body of their own.
  const bool from_file = opened.answer.fd >= 0;
  uint64_t left = from_file ? opened.answer.length : response.body.size();
  const uint64_t around = from_file ? file.before.size() + file.after.size() : 0;
  complete_answer(core_, request, response);
  const bool http_1_0 = parser_ && parser_->get().version() == 10;
  std::string head = head_of(response, left + around, keep_alive, http_1_0);
  if (request.method == "HEAD" || response.status == 304) co_return co_await write(head, {});
  if (!from_file) co_return co_await write(head, response.body);
  head += file.before;
  if (left == 0) co_return co_await write(head, file.after);
  std::string piece;
  std::string_view rest_of_head = head;
  uint64_t offset = opened.answer.offset;
  while (left > 0) {
    ssize_t count = 0;
    co_await in_pool(core_.disk, [&] {
      piece.resize(std::min<uint64_t>(left, kFileChunk));
      count = ::pread(opened.answer.fd, piece.data(), piece.size(), static_cast<off_t>(offset));
    });
    // The file shrank or the disk failed: the length is promised, so only closing can tell.
    if (count <= 0) co_return false;
    const auto size = static_cast<size_t>(count);
    piece.resize(size);
    if (size == left) piece += file.after;
    if (!co_await write(rest_of_head, piece)) co_return false;
    rest_of_head = {};
    offset += size;
    left -= size;
  }
  co_return true;
}

/// Says goodbye; where the peer still sends, what it sends is thrown away for a while.
template <class Stream>
asio::awaitable<void> ConnectionImpl<Stream>::linger() {
  if (closed_ || !socket().is_open()) co_return;
  timed_out_ = false;
  set_deadline(kLinger);
  beast::error_code ignored;
  if constexpr (kTls) {
    if (!unread_) {
      // Without TLS's own goodbye a client can't tell a whole answer from a cut one.
      set_deadline(kTlsGoodbye);
      if (watch_pending_) socket().cancel(ignored);
      while (watch_pending_) {
        co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      }
      co_await stream_.async_shutdown(asio::redirect_error(asio::use_awaitable, error_));
      co_return;
    }
  }
  if (!unread_ && buffer_.size() == 0 && early_.empty()) co_return;
  socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  while (!timed_out_ && !drain_) {
    buffer_.clear();
    if (co_await fill(4 * kReadSize) == 0) co_return;
  }
}

}  // namespace voxloom::serve::http
