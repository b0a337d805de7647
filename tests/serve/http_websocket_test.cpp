// WebSocket routes, with Beast's client.
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

#include "voxloom/serve/http/websocket.h"

#include "tests/serve/http_fixture.h"

namespace voxloom::serve::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;

class Client {
 public:
  explicit Client(uint16_t port) : stream_(context_) {
    stream_.next_layer().connect({asio::ip::address_v4::loopback(), port});
  }

  /// The status of the answer to the upgrade.
  unsigned connect(const std::string& path, const std::string& origin = "") {
    stream_.set_option(
        beast::websocket::stream_base::decorator([origin](beast::websocket::request_type& request) {
          if (!origin.empty()) request.set("Origin", origin);
        }));
    beast::error_code ec;
    stream_.handshake(answer_, "localhost", path, ec);
    return answer_.result_int();
  }
  bool send(const std::string& text) {
    beast::error_code ec;
    stream_.text(true);
    stream_.write(asio::buffer(text), ec);
    return !ec;
  }
  /// The next message, or "closed N".
  std::string read() {
    beast::flat_buffer buffer;
    beast::error_code ec;
    stream_.read(buffer, ec);
    if (ec) return "closed " + std::to_string(stream_.reason().code);
    return beast::buffers_to_string(buffer.data());
  }
  void close() {
    beast::error_code ec;
    stream_.close(beast::websocket::close_code::normal, ec);
  }
  std::string header(const std::string& name) { return std::string(answer_[name]); }

 private:
  asio::io_context context_;
  beast::websocket::stream<asio::ip::tcp::socket> stream_;
  beast::websocket::response_type answer_;
};

class WebSocketTest : public HttpTest {
 protected:
  void add_socket(WebSocketHandler handler) {
    Route route;
    route.method = "GET";
    route.pattern = "/ws";
    route.websocket = std::move(handler);
    routes_.push_back(std::move(route));
  }
};

TEST_F(WebSocketTest, MessagesGoBothWays) {
  Event ended;
  add_socket([&](const Request& request, std::shared_ptr<WebSocket> socket) {
    socket->send("hello " + request.query_value("name"));
    socket->on_message = [socket = std::weak_ptr(socket)](std::string text) {
      if (const auto open = socket.lock()) open->send("echo " + text);
    };
    socket->on_close = [&] { ended.set(); };
  });
  start();
  Client client(server_->port());
  ASSERT_EQ(client.connect("/ws?name=eva", "http://viewer"), 101U);
  EXPECT_EQ(client.header("Access-Control-Allow-Origin"), "http://viewer");
  EXPECT_EQ(client.read(), "hello eva");
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(client.send(std::to_string(i)));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.read(), "echo " + std::to_string(i));
  client.close();
  EXPECT_TRUE(ended.wait());
}

TEST_F(WebSocketTest, ASlowPeerLosesTheOldestMessages) {
  Event opened;
  std::shared_ptr<WebSocket> socket;
  add_socket([&](const Request&, std::shared_ptr<WebSocket> made) {
    socket = std::move(made);
    opened.set();
  });
  start();
  Client client(server_->port());
  ASSERT_EQ(client.connect("/ws"), 101U);
  ASSERT_TRUE(opened.wait());
  // Far more than the sockets' buffers hold, while the client does not read.
  constexpr int kMessages = 4000;
  const std::string filling(16 << 10, '.');
  for (int i = 0; i < kMessages; ++i) socket->send(std::to_string(i) + filling);
  socket->send("last");
  const uint64_t dropped = socket->dropped();
  EXPECT_GT(dropped, 0U);
  int got = 0, previous = -1;
  std::string text;
  while ((text = client.read()) != "last") {
    ASSERT_FALSE(text.starts_with("closed")) << text;
    const int number = std::stoi(text);
    EXPECT_GT(number, previous);
    previous = number;
    ++got;
  }
  EXPECT_EQ(static_cast<uint64_t>(got) + socket->dropped(), static_cast<uint64_t>(kMessages));
  EXPECT_EQ(previous, kMessages - 1);
}

TEST_F(WebSocketTest, TheHandlersSocketOutlivesTheConnection) {
  Event opened, ended;
  std::shared_ptr<WebSocket> socket;
  add_socket([&](const Request&, std::shared_ptr<WebSocket> made) {
    made->on_close = [&] { ended.set(); };
    socket = std::move(made);
    opened.set();
  });
  start();
  {
    Client client(server_->port());
    ASSERT_EQ(client.connect("/ws"), 101U);
    ASSERT_TRUE(opened.wait());
  }
  EXPECT_TRUE(ended.wait());
  socket->send("into the void");
  EXPECT_EQ(socket->dropped(), 1U);
  server_.reset();
  socket->send("still");
  socket->close();
  EXPECT_EQ(socket->dropped(), 2U);
}

TEST_F(WebSocketTest, TheServerCanClose) {
  add_socket([](const Request&, std::shared_ptr<WebSocket> socket) {
    socket->send("bye");
    socket->close();
  });
  start();
  Client client(server_->port());
  ASSERT_EQ(client.connect("/ws"), 101U);
  EXPECT_EQ(client.read(), "bye");
  EXPECT_EQ(client.read(), "closed 1000");
}

TEST_F(WebSocketTest, DrainingSaysGoingAway) {
  Event opened;
  add_socket([&](const Request&, std::shared_ptr<WebSocket>) { opened.set(); });
  start();
  Client client(server_->port());
  ASSERT_EQ(client.connect("/ws"), 101U);
  ASSERT_TRUE(opened.wait());
  std::thread drainer([&] { server_->drain(); });
  EXPECT_EQ(client.read(), "closed 1001");
  drainer.join();
}

TEST_F(WebSocketTest, MessagesThatAreTooBigEndTheConnection) {
  add_socket([](const Request&, std::shared_ptr<WebSocket>) {});
  start();
  Client client(server_->port());
  ASSERT_EQ(client.connect("/ws"), 101U);
  client.send(std::string(70000, 'x'));
  EXPECT_TRUE(client.read().starts_with("closed"));
}

TEST_F(WebSocketTest, ASilentPeerIsLetGo) {
  options_.body_idle_timeout = std::chrono::seconds(1);
  Event ended;
  add_socket([&](const Request&, std::shared_ptr<WebSocket> socket) {
    socket->on_close = [&] { ended.set(); };
  });
  start();
  Client client(server_->port());
  ASSERT_EQ(client.connect("/ws"), 101U);
  // The client does not read, so it does not answer the ping.
  EXPECT_TRUE(ended.wait());
}

TEST_F(WebSocketTest, TheAuthoriserAndTheOriginAreLookedAt) {
  options_.cors_origins = {"http://good"};
  authoriser_ = [](Request& request, const Route&) {
    if (request.query_value("token") != "t") throw HttpError(401, "Not authenticated");
  };
  add_socket([](const Request&, std::shared_ptr<WebSocket>) {});
  routes_.back().params = {{Param::In::kQuery, "kind", "", false, {"good"}}};
  start();
  EXPECT_EQ(Client(server_->port()).connect("/ws"), 401U);
  EXPECT_EQ(Client(server_->port()).connect("/ws?token=t", "http://evil"), 403U);
  EXPECT_EQ(Client(server_->port()).connect("/ws?token=t", "http://good"), 101U);
  EXPECT_EQ(Client(server_->port()).connect("/ws?token=t&kind=odd"), 422U);
  EXPECT_EQ(Client(server_->port()).connect("/other"), 404U);
  EXPECT_EQ(ask(get("/ws?token=t")).status, 426);
}

TEST_F(WebSocketTest, AHandlerThatThrowsClosesTheSocket) {
  add_socket([](const Request&, std::shared_ptr<WebSocket>) { throw HttpError(400, "no"); });
  start();
  Client client(server_->port());
  ASSERT_EQ(client.connect("/ws"), 101U);
  EXPECT_TRUE(client.read().starts_with("closed"));
}

TEST(WebSocketChannelTest, TheQueueIsBoundedInMessagesAndBytes) {
  int woken = 0;
  WebSocketChannel channel([&] { ++woken; });
  for (size_t i = 0; i < WebSocketChannel::kMaxQueued + 5; ++i) channel.send(std::to_string(i));
  EXPECT_EQ(channel.dropped(), 5U);
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(*channel.take(), "5");
  while (channel.take()) {
  }
  for (int i = 0; i < 3; ++i) channel.send(std::string(WebSocketChannel::kMaxQueuedBytes / 2, 'x'));
  EXPECT_EQ(channel.dropped(), 6U);
  channel.detach();
  EXPECT_FALSE(channel.take());
  EXPECT_EQ(channel.dropped(), 8U);
}

}  // namespace
}  // namespace voxloom::serve::http
