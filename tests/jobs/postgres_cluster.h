#pragma once

#include <filesystem>
#include <string>

namespace voxloom::jobs {

/// A PostgreSQL server in a temporary folder, reached by a socket in that folder alone. It can't
/// run as root: it then runs as the user `postgres`, or `nobody`.
class PostgresCluster {
 public:
  PostgresCluster();
  ~PostgresCluster();
  PostgresCluster(const PostgresCluster&) = delete;
  PostgresCluster& operator=(const PostgresCluster&) = delete;

  /// Empty: it runs.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] std::string url() const;
  void restart();

 private:
  bool run(const std::string& command);
  void start();

  std::filesystem::path folder_, programs_;
  std::string user_, problem_;
};

/// The one of this process, started at first use.
PostgresCluster& postgres_cluster();

}  // namespace voxloom::jobs
