// Parts of system items: selectors, addresses and images that mostly make sense.
#pragma once

#include <vector>

#include "cpu-model/vcpu_state.h"
#include "tests/differential/items.h"
#include "tests/differential/random.h"
#include "tests/supervisor/layout.h"

namespace ringshift::supervisor {

using differential::append;
using differential::branch;
using differential::Item;
using differential::Random;
using differential::raw;
using differential::with16;
using differential::with32;
using Items = std::vector<Item>;

inline constexpr u32 kData = kArenas[differential::kData].base;

inline u32 data_address(Random& random) {
  return kData + random.below(kArenas[differential::kData].size() - 64) / 4 * 4;
}

inline u32 near_target(Random& random, const Items& items) {
  return static_cast<u32>(items.size()) + 1 + random.below(3);
}

inline u16 any_selector(Random& random) {
  const u32 ldt = random.chance(15) ? 4 : 0;
  const u32 index = random.below(kSelectorEnd / 8 + 2);
  return static_cast<u16>((ldt != 0 ? index % 5 : index) << 3 | ldt | random.below(4));
}

// Mostly one that a data segment register takes.
inline u16 data_selector(Random& random, bool user) {
  if (random.chance(15)) return any_selector(random);
  if (user) return random.pick<u16, 5>({kUserData | 3, kDataArena | 3, kExpandDown | 3, kNull, 0xf});
  return random.pick<u16, 7>(
      {kKernelData, kUserData, kDataArena, kReadOnlyData, kKernelData, kUserData | 3, kNull});
}

inline u16 code_selector(Random& random, bool user) {
  if (random.chance(20)) return any_selector(random);
  if (user) return random.pick<u16, 4>({kUserCode | 3, kUserCode | 3, kConforming | 3, 7});
  return random.pick<u16, 4>({kKernelCode, kKernelCode, kConforming, kExecuteOnly});
}

inline Item load_eax(u32 value) { return with32({0xb8}, value); }

inline void join(Item& item, std::initializer_list<u8> bytes) { item.bytes.insert(item.bytes.end(), bytes); }

inline Item push32(u32 value) { return with32({0x68}, value); }

inline u32 flags_image(Random& random) {
  u32 flags = kFlagFixed | (random.next32() & (kArithmeticFlags | kFlagIf | kFlagIopl));
  if (random.chance(10)) flags |= kFlagDf;
  if (random.chance(5)) flags |= kFlagNt;
  if (random.chance(5)) flags |= kFlagAc;
  if (random.chance(4)) flags |= kFlagTf;
  if (random.chance(6)) flags |= kFlagRf;
  if (random.chance(5)) flags |= kFlagId;
  return flags;
}

// INT n; far JMP and CALL; RETF and IRETD; SYSENTER and SYSEXIT (transfer_items.cpp). As append_system_item.
void software_interrupt(Random& random, bool user, bool pae, Items& items);
void far_transfer(Random& random, bool user, bool pae, Items& items);
void return_from_frame(Random& random, bool user, bool pae, Items& items);
void fast_system_call(Random& random, bool user, bool pae, Items& items);
// A loop that patches itself (patched_items.cpp).
void patch_in_loop(Random& random, bool user, bool pae, Items& items);

}  // namespace ringshift::supervisor
