// Logging writes to RAM, and replaying them.
#include "machine/lockstep/ram_history.h"

#include <cstring>

#include "memory/ram_difference.h"

namespace ringshift {

Result<std::unique_ptr<RamHistory>> RamHistory::create(PhysicalMap& map) {
  const u64 size = map.memory().size();
  GuestMemory base = RS_TRY(GuestMemory::create(size));
  GuestMemory shown = RS_TRY(GuestMemory::create(size));
  std::unique_ptr<RamHistory> history(new RamHistory(map, std::move(base), std::move(shown)));
  copy_ram(map.memory(), history->base_);
  map.add_listener(history.get(), kAttrDirtyLog);
  for (Gpa page = 0; page < size; page += kPageSize) map.add_attribute(page, kAttrDirtyLog);
  return history;
}

RamHistory::~RamHistory() { map_.remove_listener(this); }

void RamHistory::on_write(Gpa gpa, u32 length) {
  if (!map_.memory().contains(gpa, length)) return;
  const u8* const from = map_.memory().base() + gpa;
  writes_.push_back({gpa, length, bytes_.size()});
  bytes_.insert(bytes_.end(), from, from + length);
}

const GuestMemory& RamHistory::after(std::size_t step) {
  copy_ram(base_, shown_);
  for (std::size_t i = 0; i < step_ends_[step]; ++i)
    std::memcpy(shown_.base() + writes_[i].gpa, bytes_.data() + writes_[i].bytes_at, writes_[i].length);
  return shown_;
}

}  // namespace ringshift
