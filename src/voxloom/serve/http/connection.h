#pragma once

// Connections as server.cpp sees them. The classes behind them are templates over the kind of
// stream, in connection_impl.h, compiled once for TCP and once for TLS.

#include <memory>
#include <thread>
#include <unordered_set>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include "voxloom/serve/http/dispatch.h"

namespace voxloom::serve::http {

/// One connection. All members are called on its IO thread.
class Connection {
 public:
  virtual ~Connection() = default;
  /// No further request: an idle connection closes, a running one after its answer.
  virtual void drain() = 0;
  /// Cancels the running request's token.
  virtual void cancel() = 0;
  /// Closes the socket at once.
  virtual void kill() = 0;
};

/// One IO thread with its connections: every connection lives on one thread, without locks.
struct IoThread {
  IoThread() : context(1), guard(context.get_executor()) {}
  boost::asio::io_context context;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard;
  std::unordered_set<Connection*> connections;  ///< Of this thread alone.
  std::thread thread;
};

/// Start to serve an accepted socket of `io`; core.opened() was called for it. On the IO thread.
void serve_plain(boost::asio::ip::tcp::socket socket, ServerCore& core, IoThread& io);
void serve_tls(boost::asio::ip::tcp::socket socket,
               boost::asio::ssl::context& tls,
               ServerCore& core,
               IoThread& io);

}  // namespace voxloom::serve::http
