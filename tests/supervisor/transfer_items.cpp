// Transfers: by gates, to other segments, from frames, and the fast system calls.
#include "tests/supervisor/item_parts.h"

namespace ringshift::supervisor {

void software_interrupt(Random& random, bool, bool, Items& items) {
  const u8 vector = random.chance(75) ? static_cast<u8>(kIntReturn + random.below(4))
                                      : static_cast<u8>(random.below(kVectorEnd + 4));
  items.push_back(random.chance(95) ? raw({0xcd, vector}) : raw({0xcc}));
}

// JMP and CALL to another code segment, or through a gate.
void far_transfer(Random& random, bool user, bool, Items& items) {
  const bool call = random.chance(60);
  const u16 gate = random.pick<u16, 4>({kCallGate, kCallGate, kCallGateTwo, kTaskGate});
  const u16 selector = call && random.chance(50) ? gate : code_selector(random, user);
  Item item = branch({static_cast<u8>(call ? 0x9a : 0xea), 0, 0, 0, 0}, Item::Fix::absolute32, 1,
                     near_target(random, items));
  append(item, random.chance(5) ? kOtherTssSelector : selector, 2);
  items.push_back(item);
}

// PUSH frame; RETF or IRETD: to the same level, or outwards.
void return_from_frame(Random& random, bool user, bool, Items& items) {
  const bool iret = random.chance(60);
  const bool outward = !user && random.chance(40);
  const u8 target_level = outward ? (random.chance(80) ? 3 : 1) : user ? 3 : 0;
  Item item;
  if (outward) {
    append(item = raw({0x68}), target_level == 3 ? kUserData | 3u : kRing1Data | 1u, 4);
    join(item, {0x68});
    append(item, kArenas[differential::kStack].base + 0x800 + random.below(0x100) * 4, 4);
  }
  if (iret) {
    join(item, {0x68});
    append(item, flags_image(random), 4);
  }
  const u16 outer = target_level == 3 ? kUserCode | 3 : kRing1Code | 1;
  join(item, {0x68});
  append(item, outward && random.chance(90) ? outer : code_selector(random, target_level != 0), 4);
  item.fix = Item::Fix::absolute32;
  item.fix_offset = static_cast<u8>(item.bytes.size() + 1);
  item.target = near_target(random, items);
  join(item, {0x68, 0, 0, 0, 0, static_cast<u8>(iret ? 0xcf : 0xcb)});
  items.push_back(item);
}

// To the handler, which is SYSEXIT; or SYSEXIT alone.
void fast_system_call(Random& random, bool user, bool, Items& items) {
  Item item = branch({0xba, 0, 0, 0, 0}, Item::Fix::absolute32, 1, near_target(random, items));
  join(item, {0xb9});
  append(item, kArenas[differential::kStack].base + 0xc00 + random.below(0x80) * 4, 4);
  join(item, {0x0f, static_cast<u8>(user || random.chance(40) ? 0x34 : 0x35)});
  items.push_back(item);
}

}  // namespace ringshift::supervisor
