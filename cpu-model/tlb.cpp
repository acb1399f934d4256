// Filling and flushing of the Tlb.
#include "cpu-model/tlb.h"

#include <bit>
#include <cstring>

namespace ringshift {

namespace {

constexpr TlbEntry kEmpty{Tlb::kInvalid, Tlb::kInvalid, 0, Tlb::kInvalid, 0, ~Gpa{0}};
constexpr unsigned kRegionShift = 22;

bool in_region(const TlbEntry& entry, Gva gva) {
  return (entry.mapping & kTlbMapped) != 0 && entry.mapping >> kRegionShift == gva >> kRegionShift;
}

// Whether any of 16 numbers is the wanted one. In vectors by hand: gcc leaves the loop scalar at -O2, at
// two to four times the cost.
bool any_of_16(const u32* numbers, u32 wanted) {
  using Lanes = u32 __attribute__((vector_size(16)));
  Lanes lanes[4];
  std::memcpy(lanes, numbers, sizeof lanes);
  const auto hit = (lanes[0] == wanted) | (lanes[1] == wanted) | (lanes[2] == wanted) | (lanes[3] == wanted);
  u64 words[2];
  std::memcpy(words, &hit, sizeof words);
  return (words[0] | words[1]) != 0;
}

}  // namespace

Tlb::Tlb() {
  for (Table& table : tables_) table.fill(kEmpty);
  for (auto& frames : frames_) frames.fill(kNoFrame);
}

void Tlb::drop(unsigned user, unsigned index) {
  tables_[user][index] = kEmpty;
  frames_[user][index] = kNoFrame;
}

const TlbEntry& Tlb::fill(Gva gva, bool user, const TlbEntry& entry, bool large) {
  const unsigned table = user ? 1 : 0;
  const unsigned at = index(gva);
  const u32 group = 1u << (at / kGroup);
  used_[table] |= group;
  if ((entry.mapping & kTlbGlobal) == 0) local_[table] |= group;
  if (large) large_.set(gva >> kRegionShift);
  frames_[table][at] = static_cast<u32>(entry.page >> kPageShift);
  return tables_[table][at] = entry;
}

void Tlb::flush_all() {
  ++counters.full_flushes;
  for (unsigned user = 0; user < 2; ++user) {
    for (u32 groups = used_[user]; groups != 0; groups &= groups - 1) {
      const unsigned first = static_cast<unsigned>(std::countr_zero(groups)) * kGroup;
      for (unsigned i = first; i < first + kGroup; ++i) drop(user, i);
    }
    used_[user] = local_[user] = 0;
  }
  large_.reset();
}

void Tlb::flush_non_global() {
  ++counters.address_space_flushes;
  for (unsigned user = 0; user < 2; ++user) {
    for (u32 groups = local_[user]; groups != 0; groups &= groups - 1) {
      const unsigned first = static_cast<unsigned>(std::countr_zero(groups)) * kGroup;
      for (unsigned i = first; i < first + kGroup; ++i)
        if ((tables_[user][i].mapping & kTlbGlobal) == 0) drop(user, i);
    }
    local_[user] = 0;
  }
}

bool Tlb::flush_page(Gva gva) {
  ++counters.page_flushes;
  if (!large_.test(gva >> kRegionShift)) {
    for (unsigned user = 0; user < 2; ++user) drop(user, index(gva));
    return false;
  }
  for (unsigned user = 0; user < 2; ++user)
    for (unsigned i = 0; i < kEntries; ++i)
      if (in_region(tables_[user][i], gva)) drop(user, i);
  large_.reset(gva >> kRegionShift);
  return true;
}

void Tlb::flush_physical(Gpa page) {
  const u32 frame = static_cast<u32>(page >> kPageShift);
  for (unsigned user = 0; user < 2; ++user) {
    for (unsigned first = 0; first < kEntries; first += 16) {
      if (!any_of_16(&frames_[user][first], frame)) continue;
      for (unsigned i = first; i < first + 16; ++i)
        if (frames_[user][i] == frame) drop(user, i);
    }
  }
}

}  // namespace ringshift
