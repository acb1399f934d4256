// IoBus and MmioBus: finding the device that claims an address.
#include "devices/bus.h"

#include <algorithm>

namespace ringshift {

namespace {

constexpr u64 all_ones(unsigned size) { return size >= 8 ? ~u64{0} : (u64{1} << (8 * size)) - 1; }

// The widest power of two at most `limit` and `size`.
constexpr unsigned fit(unsigned size, u64 limit) {
  while (size > limit) size /= 2;
  return size;
}

}  // namespace

Result<void> IoBus::insert(u16 first, unsigned count, PortHandler& handler, std::string_view name,
                           unsigned widest) {
  if (count == 0 || first + count > by_port_.size())
    return fail(ErrorKind::usage, "device {}: {} ports at {:#x} do not fit below port 10000h", name, count,
                first);
  if (widest != 1 && widest != 2 && widest != 4)
    return fail(ErrorKind::usage, "device {}: a port is 1, 2 or 4 bytes wide, not {}", name, widest);
  for (unsigned port = first; port < first + count; ++port) {
    if (by_port_[port] != nullptr)
      return fail(ErrorKind::usage, "device {}: port {:#x} already belongs to {}", name, port,
                  by_port_[port]->name);
  }
  claims_.push_back(std::make_unique<Claim>(Claim{first, count, widest, &handler, std::string(name)}));
  std::fill_n(by_port_.begin() + first, count, claims_.back().get());
  return {};
}

u32 IoBus::read(u16 port, unsigned size) {
  u32 value = 0;
  for (unsigned done = 0; done < size;) {
    const unsigned at = port + done;
    Claim* claim = at < by_port_.size() ? by_port_[at] : nullptr;
    unsigned width = 1;
    u32 part = 0xff;
    if (claim != nullptr) {
      width = fit(fit(size - done, claim->widest), claim->first + claim->count - at);
      ++claim->accesses;
      part = claim->handler->port_read(static_cast<u16>(at), width) & static_cast<u32>(all_ones(width));
    } else {
      ++unclaimed_;
    }
    value |= part << (8 * done);
    done += width;
  }
  return value;
}

void IoBus::write(u16 port, unsigned size, u32 value) {
  for (unsigned done = 0; done < size;) {
    const unsigned at = port + done;
    Claim* claim = at < by_port_.size() ? by_port_[at] : nullptr;
    unsigned width = 1;
    if (claim != nullptr) {
      width = fit(fit(size - done, claim->widest), claim->first + claim->count - at);
      ++claim->accesses;
      claim->handler->port_write(static_cast<u16>(at), width,
                                 (value >> (8 * done)) & static_cast<u32>(all_ones(width)));
    } else {
      ++unclaimed_;
    }
    done += width;
  }
}

Result<void> MmioBus::insert(Gpa first, u64 length, MmioHandler& handler, std::string_view name) {
  if (length == 0 || first + length < first)
    return fail(ErrorKind::usage, "device {}: a range of {:#x} bytes at {:#x} is none", name, length, first);
  const auto after = std::find_if(claims_.begin(), claims_.end(),
                                  [&](const auto& claim) { return claim->first + claim->length > first; });
  if (after != claims_.end() && (*after)->first < first + length)
    return fail(ErrorKind::usage, "device {}: address {:#x} already belongs to {}", name,
                std::max(first, (*after)->first), (*after)->name);
  claims_.insert(after, std::make_unique<Claim>(Claim{first, length, &handler, std::string(name)}));
  return {};
}

MmioBus::Claim* MmioBus::find(Gpa gpa) {
  for (const auto& claim : claims_) {
    if (gpa < claim->first) break;
    if (gpa - claim->first < claim->length) return claim.get();
  }
  return nullptr;
}

u64 MmioBus::read(Gpa gpa, unsigned size) {
  Claim* claim = find(gpa);
  if (claim != nullptr && claim->length - (gpa - claim->first) >= size) [[likely]] {
    ++claim->accesses;
    return claim->handler->mmio_read(gpa - claim->first, size) & all_ones(size);
  }
  if (size == 1) {
    ++unclaimed_;
    return 0xff;
  }
  u64 value = 0;
  for (unsigned i = 0; i < size; ++i) value |= read(gpa + i, 1) << (8 * i);
  return value;
}

void MmioBus::write(Gpa gpa, unsigned size, u64 value) {
  Claim* claim = find(gpa);
  if (claim != nullptr && claim->length - (gpa - claim->first) >= size) [[likely]] {
    ++claim->accesses;
    claim->handler->mmio_write(gpa - claim->first, size, value & all_ones(size));
    return;
  }
  if (size == 1) {
    ++unclaimed_;
    return;
  }
  for (unsigned i = 0; i < size; ++i) write(gpa + i, 1, (value >> (8 * i)) & 0xff);
}

}  // namespace ringshift
