#include "voxloom/serve/http/connection_http.h"
#include "voxloom/serve/http/connection_io.h"
#include "voxloom/serve/http/connection_websocket.h"

namespace voxloom::serve::http {

void serve_plain(asio::ip::tcp::socket socket, ServerCore& core, IoThread& io) {
  start_connection<asio::ip::tcp::socket>(core, io, std::move(socket));
}

}  // namespace voxloom::serve::http
