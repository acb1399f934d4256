// Why an exception could not be delivered, or was raised, in words for the person who debugs the guest.
#pragma once

#include <string>

#include "cpu-model/cpu.h"

namespace ringshift {

// `raised` came while an event was being delivered. One clause, without a full stop.
std::string explain_delivery_fault(const Cpu& cpu, const Fault& raised);
// The gate of a vector: where it stands, its bytes, what it says.
std::string describe_gate(const Cpu& cpu, unsigned vector);
// A selector's descriptor: where it stands, its bytes, what it says.
std::string describe_descriptor(const Cpu& cpu, u16 selector);

}  // namespace ringshift
