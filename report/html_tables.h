// The page's tables: what stands in it without script.
#pragma once

#include <string>

#include "report/comparison.h"

namespace ringshift {

std::string modes_table(const Comparison& comparison);
std::string figures_table(const Comparison& comparison);
std::string paper_table(const Comparison& comparison);
std::string profile_tables(const Comparison& comparison);
std::string kvm_verdict(const Comparison& comparison);
std::string machine_and_commands(const Comparison& comparison);

}  // namespace ringshift
