// Following the physical map, and the dirty log.
#include "hw-accel-kvm/kvm_memory.h"

#include <algorithm>
#include <bit>

#include "hw-accel-kvm/memory_layout.h"

namespace ringshift {

KvmMemory::KvmMemory(KvmVm& vm, PhysicalMap& map) : vm_(vm), map_(map) {
  map_.add_listener(this, 0);
  // Engines that ran before may watch pages already.
  for (Gpa page = 0; page < map_.memory().size() && !watched_; page += kPageSize)
    watched_ = (map_.flags(page) & kWriteAttributes) != 0;
}

KvmMemory::~KvmMemory() { map_.remove_listener(this); }

void KvmMemory::on_page_changed(Gpa page) {
  const bool watched = (map_.flags(page) & kWriteAttributes) != 0;
  // An attribute that comes or goes changes no slot, but the first one turns the log on.
  if (watched && !watched_) watched_ = changed_ = true;
  const u8* host = map_.host(page);
  const bool rom = map_.kind(page) == PageKind::rom;
  for (const Numbered& n : slots_)
    if (page >= n.slot.gpa && page < n.slot.gpa + n.slot.length) {
      const bool same = n.slot.host + (page - n.slot.gpa) == host && n.slot.read_only == rom;
      changed_ = changed_ || !same;
      return;
    }
  changed_ = changed_ || host != nullptr;
}

Result<void> KvmMemory::follow(bool a20_masked) {
  if (!changed_ && a20_masked == a20_masked_) return {};
  const std::vector<MemorySlot> wanted = memory_layout(map_, a20_masked, watched_);
  if (wanted.size() > vm_.slot_limit())
    return fail(ErrorKind::engine_unavailable,
                "engine kvm: guest memory comes to {} pieces, and this host's KVM takes {}; use -engine bt",
                wanted.size(), vm_.slot_limit());
  // A page that was written before its slot goes may be watched: its bit would go with the slot.
  RS_TRY(tell_of_writes());
  RS_TRY(apply(wanted));
  changed_ = false;
  a20_masked_ = a20_masked;
  return {};
}

unsigned KvmMemory::free_number() const {
  for (unsigned number = 0;; ++number)
    if (std::none_of(slots_.begin(), slots_.end(), [&](const Numbered& n) { return n.number == number; }))
      return number;
}

Result<void> KvmMemory::apply(const std::vector<MemorySlot>& wanted) {
  ++changes_;
  for (std::size_t i = 0; i < slots_.size();) {
    if (std::find(wanted.begin(), wanted.end(), slots_[i].slot) != wanted.end()) {
      ++i;
      continue;
    }
    RS_TRY(vm_.remove_slot(slots_[i].number));
    slots_.erase(slots_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  for (const MemorySlot& slot : wanted) {
    const auto is_it = [&](const Numbered& n) { return n.slot == slot; };
    if (std::any_of(slots_.begin(), slots_.end(), is_it)) continue;
    const unsigned number = free_number();
    RS_TRY(vm_.set_slot(number, slot));
    slots_.push_back({number, slot});
  }
  return {};
}

void KvmMemory::tell_of_slot(const MemorySlot& slot, const std::vector<u64>& bits, bool a20_masked) {
  constexpr Gpa kBit20 = Gpa{1} << 20;
  for (std::size_t word = 0; word < bits.size(); ++word)
    for (u64 rest = bits[word]; rest != 0; rest &= rest - 1) {
      const Gpa at = slot.gpa + ((word * 64 + static_cast<unsigned>(std::countr_zero(rest))) << kPageShift);
      const Gpa page = a20_masked ? at & ~kBit20 : at;
      ++dirty_pages_;
      if ((map_.flags(page) & kWriteAttributes) == 0) continue;
      map_.note_write(page, kPageSize);
    }
}

Result<void> KvmMemory::tell_of_writes() {
  if (!watched_) return {};
  // note_write may change attributes, but slots_ only changes in apply().
  for (const Numbered& n : slots_) {
    if (!n.slot.dirty_log) continue;
    const std::vector<u64> bits = RS_TRY(vm_.take_dirty_log(n.number, n.slot.length >> kPageShift));
    tell_of_slot(n.slot, bits, a20_masked_);
  }
  return {};
}

}  // namespace ringshift
