// A server with one trivial route, for http_load: what the HTTP layer alone can do.
// http_trivial PORT [IO_THREADS]; ends at end of input.
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "voxloom/serve/http/server.h"

int main(int argc, char** argv) {
  using namespace voxloom::serve::http;
  ServerOptions options;
  options.port = static_cast<uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  options.io_threads = argc > 2 ? std::atoi(argv[2]) : 2;
  options.spool = std::filesystem::temp_directory_path() / "voxloom_http_trivial";
  Router router;
  const auto add = [&](const char* pattern, Work work) {
    Route route;
    route.method = "GET";
    route.pattern = pattern;
    route.work = work;
    route.handler = [](Request&) { return Response::json(Json{{"name", "trivial"}, {"n", 1}}); };
    router.add(std::move(route));
  };
  add("/info/", Work::kInline);
  add("/pool/", Work::kPool);
  Server server(options, std::move(router), nullptr, nullptr);
  server.start();
  std::cout << server.port() << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  server.drain();
  return 0;
}
