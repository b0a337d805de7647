// A real DICOMweb server for tests: Orthanc with its DICOMweb plugin, as Debian packages them
// (orthanc, orthanc-dicomweb), on a free loopback port, with its files in a temporary folder.
#pragma once

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace voxloom::test {

class OrthancProcess {
 public:
  static constexpr const char* kProgram = "/usr/sbin/Orthanc";
  static constexpr const char* kPlugin = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";
  static constexpr const char* kUser = "reader";
  static constexpr const char* kPassword = "se cret";

  static bool installed() {
    return std::filesystem::exists(kProgram) && std::filesystem::exists(kPlugin);
  }

  explicit OrthancProcess(const std::filesystem::path& folder) : folder_(folder) {
    std::filesystem::create_directories(folder_);
    port_ = free_port();
    start();
  }
  ~OrthancProcess() { stop(); }
  OrthancProcess(const OrthancProcess&) = delete;
  OrthancProcess& operator=(const OrthancProcess&) = delete;

  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_) + "/dicom-web"; }
  int port() const { return port_; }

  /// On the same port, with what it held before.
  void start() {
    const auto config = folder_ / "orthanc.json";
    std::ofstream(config) << R"({"Name": "test", "StorageDirectory": ")"
                          << (folder_ / "db").string() << R"(", "IndexDirectory": ")"
                          << (folder_ / "db").string() << R"(", "HttpPort": )" << port_
                          << R"(, "DicomServerEnabled": false,
      "RemoteAccessAllowed": false, "AuthenticationEnabled": true, "ConcurrentJobs": 1,
      "RegisteredUsers": {")"
                          << kUser << R"(": ")" << kPassword << R"("}, "Plugins": [")" << kPlugin
                          << R"("], "DicomWeb": {"Enable": true, "Root": "/dicom-web/"}})";
    std::filesystem::create_directories(folder_ / "db");
    const std::string log = (folder_ / "orthanc.log").string();
    const std::string file = config.string();
    child_ = ::fork();
    if (child_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (std::freopen(log.c_str(), "a", stdout) == nullptr) ::_exit(126);
      ::dup2(1, 2);
      ::execl(kProgram, kProgram, file.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!answers()) {
      int status = 0;
      if (::waitpid(child_, &status, WNOHANG) == child_) {
        child_ = -1;
        throw std::runtime_error("Orthanc ended at once; see " + log);
      }
      if (std::chrono::steady_clock::now() > end) {
        stop();
        throw std::runtime_error("Orthanc does not answer; see " + log);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  void stop() {
    if (child_ <= 0) return;
    ::kill(child_, SIGTERM);
    for (int i = 0; i < 500 && ::waitpid(child_, nullptr, WNOHANG) == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (i == 499) {
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
      }
    }
    child_ = -1;
  }

 private:
  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  static int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(fd);
    return ntohs(address.sin_port);
  }
  bool answers() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address = loopback(port_);
    const bool good =
        ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return good;
  }

  std::filesystem::path folder_;
  int port_ = 0;
  pid_t child_ = -1;
};

}  // namespace voxloom::test
