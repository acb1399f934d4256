// Indices count bytes without end; what lies between them must fit the ring.
#include "paravirt/xenstore/xenstore_ring.h"

#include <algorithm>
#include <cstddef>

namespace ringshift::xen {

namespace {
constexpr u32 kSize = XENSTORE_RING_SIZE;
}

std::optional<std::size_t> XenstoreRing::read(std::span<u8> bytes) {
  u32 taken = 0;
  u32 produced = 0;
  if (!page_.read(offsetof(Page, req_cons), taken) || !page_.read(offsetof(Page, req_prod), produced))
    return {};
  if (produced - taken > kSize) return {};
  const u32 length = static_cast<u32>(std::min<std::size_t>(bytes.size(), produced - taken));
  const u32 at = taken % kSize;
  const u32 first = std::min(length, kSize - at);
  if (!page_.read_bytes(offsetof(Page, req) + at, bytes.data(), first) ||
      !page_.read_bytes(offsetof(Page, req), bytes.data() + first, length - first) ||
      !page_.write(offsetof(Page, req_cons), taken + length))
    return {};
  return length;
}

std::optional<std::size_t> XenstoreRing::write(std::span<const u8> bytes) {
  u32 taken = 0;
  u32 produced = 0;
  if (!page_.read(offsetof(Page, rsp_cons), taken) || !page_.read(offsetof(Page, rsp_prod), produced))
    return {};
  if (produced - taken > kSize) return {};
  const u32 length = static_cast<u32>(std::min<std::size_t>(bytes.size(), kSize - (produced - taken)));
  const u32 at = produced % kSize;
  const u32 first = std::min(length, kSize - at);
  if (!page_.write_bytes(offsetof(Page, rsp) + at, bytes.data(), first) ||
      !page_.write_bytes(offsetof(Page, rsp), bytes.data() + first, length - first) ||
      !page_.write(offsetof(Page, rsp_prod), produced + length))
    return {};
  return length;
}

void XenstoreRing::set_error(u32 error) { page_.write(offsetof(Page, error), error); }

}  // namespace ringshift::xen
