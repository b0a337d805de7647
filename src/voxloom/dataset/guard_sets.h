#pragma once

#include <vector>

#include "voxloom/dataset/guard.h"

namespace voxloom::dataset {

/// R1 to R6: what the published data sets may be used for and how much of them must be there.
void check_published_sets(const std::vector<Sample>& samples,
                          Completeness completeness,
                          GuardReport& report);

}  // namespace voxloom::dataset
