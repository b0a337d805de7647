#include "voxloom/serve/http/connection_http.h"
#include "voxloom/serve/http/connection_io.h"
#include "voxloom/serve/http/connection_websocket.h"

namespace voxloom::serve::http {

void serve_tls(asio::ip::tcp::socket socket,
               asio::ssl::context& tls,
               ServerCore& core,
               IoThread& io) {
  start_connection<asio::ssl::stream<asio::ip::tcp::socket>>(
      core, io, asio::ssl::stream<asio::ip::tcp::socket>(std::move(socket), tls));
}

}  // namespace voxloom::serve::http
