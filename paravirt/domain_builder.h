// The domain builder: a domain's memory and the state it is entered in, as Xen's toolstack makes them.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "paravirt/domain.h"
#include "paravirt/elf_image.h"

namespace ringshift::xen {

struct DomainImage {
  std::span<const u8> kernel;
  std::string kernel_name;
  std::span<const u8> module;  // an initial RAM disk; empty: none
  std::string command_line;
  i64 utc = 0;  // what the wall clock shows at the start
};

// What else must be told to the guest before it runs, and to whom the pages belong.
struct BuiltDomain {
  Mfn start_info;
  Mfn store_ring;
  Mfn console_ring;
};

// All of memory but what the hypervisor keeps becomes the domain's. The CPU's state is what the domain is
// entered with (xen/xen.h, "Start-of-day memory layout").
Result<BuiltDomain> build_domain(Domain& domain, const DomainImage& image);

// The event channels of the two rings.
void set_start_channels(Domain& domain, const BuiltDomain& built, u32 store_port, u32 console_port);

}  // namespace ringshift::xen
