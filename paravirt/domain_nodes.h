// The nodes that tools write into xenstore for a domain before it starts.
#pragma once

#include <string>

#include "paravirt/xenstore/store.h"

namespace ringshift::xen {

struct DomainNodes {
  u16 domain;
  u64 memory_bytes;
  u32 store_ring;  // frames and ports of the two rings
  u32 store_port;
  u32 console_ring;
  u32 console_port;
};

// The domain's home, which it may read; in it what is its own to write.
void make_domain_nodes(Store& store, const DomainNodes& domain);

}  // namespace ringshift::xen
