#include "cpu-model/tlb.h"

namespace ringshift {

namespace {
constexpr TlbEntry kEmpty{Tlb::kInvalid, Tlb::kInvalid, 0, Tlb::kInvalid, 0, ~Gpa{0}};
}

void Tlb::flush_all() {
  ++counters.full_flushes;
  for (Table& table : tables_) table.fill(kEmpty);
}

void Tlb::flush_non_global() {
  ++counters.address_space_flushes;
  for (Table& table : tables_)
    for (TlbEntry& entry : table)
      if (entry.global == 0) entry = kEmpty;
}

void Tlb::flush_page(Gva gva) {
  ++counters.page_flushes;
  for (Table& table : tables_) table[index(gva)] = kEmpty;
}

void Tlb::flush_physical(Gpa page) {
  for (Table& table : tables_)
    for (TlbEntry& entry : table)
      if (entry.page == page) entry = kEmpty;
}

}  // namespace ringshift
