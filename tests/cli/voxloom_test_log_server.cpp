// A log for the cases of tests/cli/logs: publishes a record "LEVEL NUMBER" for each line of
// standard input, and ends with it.
//   voxloom_test_log_server listen PORTFILE TOKEN   takes monitors at a free port, written to
//   PORTFILE voxloom_test_log_server push HOST:PORT TOKEN    sends them to a front end
#include <chrono>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>

#include "voxloom/core/error.h"
#include "voxloom/serve/log/network.h"

int main(int argc, char** argv) {
  using namespace voxloom::serve;
  if (argc != 4) return 2;
  try {
    LogHub hub;
    LogNetworkOptions options;
    options.token = argv[3];
    options.hello_timeout = std::chrono::milliseconds(300);
    options.first_retry = options.longest_retry = std::chrono::milliseconds(20);
    LogNetwork network(hub, options);
    if (std::string(argv[1]) == "push") {
      network.push(parse_log_endpoint(argv[2]));
    } else {
      const uint16_t port = network.listen({"127.0.0.1", 0});
      std::ofstream(std::string(argv[2]) + ".part") << port << "\n";
      if (std::rename((std::string(argv[2]) + ".part").c_str(), argv[2]) != 0) return 1;
    }
    std::string level;
    for (uint64_t number = 0; std::cin >> level >> number;) {
      LogRecord record(parse_level(level), "test", "a record of the test");
      record.request(number);
      hub.publish(record);
    }
  } catch (const voxloom::Error& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
  return 0;
}
