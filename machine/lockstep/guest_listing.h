// Listing of the guest's code at CS:EIP, for reports.
#pragma once

#include <string>

#include "cpu-model/cpu.h"

namespace ringshift {

// Some instructions from CS:EIP on: address, bytes, Intel syntax.
std::string list_guest_code(const Cpu& cpu, unsigned count);

}  // namespace ringshift
