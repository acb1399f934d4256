// BlockRing: the back end's side of a block device's ring (xen/io/ring.h, blkif.h, "x86_32-abi").
#pragma once

#include "paravirt/abi/xen_public.h"
#include "paravirt/domain_memory.h"

namespace ringshift::xen {

class BlockRing {
 public:
  using Page = xen32::blkif_sring;
  static constexpr u32 kEntries = 32;
  static_assert(offsetof(Page, ring) + kEntries * sizeof(xen32::blkif_sring_entry) <= kPageSize);
  static_assert(offsetof(Page, ring) + 2 * kEntries * sizeof(xen32::blkif_sring_entry) > kPageSize);

  // Goes on where the page's responses end. attach() is false if its indices can't be.
  BlockRing(DomainMemory& memory, Mfn page) : page_(memory, page) {}
  bool attach();

  enum class Next { none, request, broken };
  // Copies the next request out of the ring. broken: the indices can't be, or the page is no longer to be
  // had.
  Next next(xen32::blkif_request& request);
  // The answer to a request that next() gave.
  bool respond(const xen32::blkif_request& request, i16 status);
  // Shows the answers so far; notify: the guest wants to hear of them. False: the page is gone.
  bool publish(bool& notify);
  // The guest sends an event for the next request. Ones may have come before it knew: look again.
  bool ask_for_event();

 private:
  SharedPage<Page> page_;
  u32 taken_ = 0;      // requests
  u32 answered_ = 0;   // responses written ...
  u32 published_ = 0;  // ... and shown
};

}  // namespace ringshift::xen
