#include <cstdlib>
#include <fstream>
#include <vector>

#include <pwd.h>
#include <unistd.h>

#include "backend.h"
#include "postgres_cluster.h"

namespace voxloom::jobs {
namespace {

namespace fs = std::filesystem;

/// The folder of initdb and pg_ctl; empty: none.
fs::path server_programs() {
  std::vector<fs::path> candidates = {"/usr/bin", "/usr/local/bin", "/usr/local/pgsql/bin"};
  std::error_code ignored;
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    candidates.push_back(version.path() / "bin");
  }
  for (const auto& folder : candidates) {
    if (fs::exists(folder / "initdb", ignored) && fs::exists(folder / "pg_ctl", ignored)) {
      return folder;
    }
  }
  return {};
}

}  // namespace

PostgresCluster::PostgresCluster() : programs_(server_programs()) {
  if (programs_.empty()) {
    problem_ = "PostgreSQL's server programs (initdb, pg_ctl) are not installed";
    return;
  }
  std::string pattern = "/tmp/voxloom-pg-XXXXXX";  // short: a socket's path has at most 107 bytes
  if (::mkdtemp(pattern.data()) == nullptr) {
    problem_ = "no temporary folder";
    return;
  }
  folder_ = pattern;
  if (::getuid() == 0) {
    const passwd* entry = ::getpwnam("postgres");
    if (entry == nullptr) entry = ::getpwnam("nobody");
    if (entry == nullptr || ::chown(folder_.c_str(), entry->pw_uid, entry->pw_gid) != 0) {
      problem_ = "PostgreSQL does not run as root, and there is no other user";
      return;
    }
    user_ = entry->pw_name;
  }
  if (!run("'" + (programs_ / "initdb").string() + "' -D data -U tester -A trust -E UTF8 -N")) {
    problem_ = "initdb failed";
    return;
  }
  std::ofstream(folder_ / "data/postgresql.conf", std::ios::app)
      << "listen_addresses = ''\nunix_socket_directories = '" << folder_.string()
      << "'\nfsync = off\nmax_connections = 50\nshared_buffers = 16MB\n";
  start();
}

PostgresCluster::~PostgresCluster() {
  if (folder_.empty()) return;
  run("'" + (programs_ / "pg_ctl").string() + "' -D data -m immediate -w stop");
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

bool PostgresCluster::run(const std::string& command) {
  std::string line = "cd '" + folder_.string() + "' && ";
  if (!user_.empty()) line += "runuser -u " + user_ + " -- ";
  // Output to a file: a server that inherits a pipe would keep ctest waiting.
  line += command + " >>log.txt 2>&1 </dev/null";
  return std::system(line.c_str()) == 0;  // NOLINT(cert-env33-c,concurrency-mt-unsafe)
}

void PostgresCluster::start() {
  if (!run("'" + (programs_ / "pg_ctl").string() + "' -D data -l server.txt -w -t 60 start")) {
    problem_ = "pg_ctl start failed";
  }
}

void PostgresCluster::restart() {
  run("'" + (programs_ / "pg_ctl").string() + "' -D data -m immediate -w stop");
  start();
}

std::string PostgresCluster::url() const {
  return "postgresql://tester@/postgres?host=" + folder_.string();
}

PostgresCluster& postgres_cluster() {
  static PostgresCluster cluster;
  return cluster;
}

std::string fresh_database_url(std::string& reason) {
  PostgresCluster& cluster = postgres_cluster();
  reason = cluster.problem();
  if (!reason.empty()) return {};
  static int number = 0;
  const std::string schema = "test_" + std::to_string(++number);
  open_database(cluster.url())->run("CREATE SCHEMA " + schema);
  return cluster.url() + "&options=-csearch_path%3D" + schema;
}

}  // namespace voxloom::jobs
