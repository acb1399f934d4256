// XenstoreRing: the bytes in a domain's xenstore page (xen/io/xs_wire.h), both ways.
#pragma once

#include <optional>
#include <span>

#include "paravirt/abi/xen_public.h"
#include "paravirt/domain_memory.h"

namespace ringshift::xen {

class XenstoreRing {
 public:
  using Page = xen32::xenstore_domain_interface;

  XenstoreRing(DomainMemory& memory, Mfn page) : page_(memory, page) {}

  // What of `bytes` came in, or went out; none if the guest's indices can't be.
  std::optional<std::size_t> read(std::span<u8> bytes);
  std::optional<std::size_t> write(std::span<const u8> bytes);
  // Tells the guest why the connection is dead (XENSTORE_ERROR_*).
  void set_error(u32 error);

 private:
  SharedPage<Page> page_;
};

}  // namespace ringshift::xen
