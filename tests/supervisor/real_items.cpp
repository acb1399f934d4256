// Real items: one function a kind; AX, and what an instruction needs besides, are overwritten.
#include "tests/supervisor/real_items.h"

#include <iterator>

#include "tests/supervisor/item_parts.h"

namespace ringshift::supervisor {

namespace {

u16 any_segment(Random& random) {
  if (random.chance(10)) return static_cast<u16>(random.next32());
  return real_selector(random.pick<u32, 4>({kRealData, kRealData, kRealStack, kRealCode}));
}

u32 data_offset(Random& random) { return random.below(kArenas[differential::kData].size() - 64) / 2 * 2; }

void load_segment(Random& random, Items& items) {
  const u8 segment = random.pick<u8, 5>({0, 3, 4, 5, 2});
  const u16 selector = segment == 2 ? real_selector(kRealStack) : any_segment(random);
  Item item = with16({0xb8}, selector);  // MOV AX, selector
  if (random.chance(70) || segment > 3) {
    append(item, 0x8e | (0xc0 | segment << 3) << 8, 2);
  } else {
    append(item, 0x50 | (0x07 | segment << 3) << 8, 2);  // PUSH AX; POP segment
  }
  items.push_back(item);
}

void load_far_pointer(Random& random, Items& items) {
  const u32 at = data_offset(random);
  Item item = with16({0xc7, 0x06}, at + 2);  // MOV WORD [at + 2], selector
  append(item, any_segment(random), 2);
  append(item, random.chance(50) ? 0x1ec4 : 0x1ec5, 2);  // LES, LDS BX
  append(item, at, 2);
  items.push_back(item);
}

void store_segment(Random& random, Items& items) {
  const u8 segment = static_cast<u8>(random.below(4));
  items.push_back(random.chance(50) ? raw({0x8c, static_cast<u8>(0xc0 | segment << 3 | random.below(4))})
                                    : raw({static_cast<u8>(0x06 | segment << 3)}));
}

u32 real_flags_image(Random& random) {
  u32 flags = kFlagFixed | (random.next32() & (kArithmeticFlags | kFlagIf | kFlagIopl | kFlagDf));
  if (random.chance(4)) flags |= kFlagTf;
  if (random.chance(4)) flags |= kFlagNt;
  return flags;
}

void change_flags(Random& random, Items& items) {
  switch (random.below(6)) {
    case 0:
      return items.push_back(raw({0xfa}));  // CLI
    case 1:
      return items.push_back(raw({0xfb}));  // STI
    case 2:
      return items.push_back(raw({0x9c}));  // PUSHF
    case 3:
      return items.push_back(raw({0x66, 0x9c}));  // PUSHFD
    default: {
      Item item = with16({0x68}, real_flags_image(random));
      append(item, 0x9d, 1);  // POPF
      items.push_back(item);
    }
  }
}

void software_interrupt(Random& random, Items& items) {
  const u8 vector = random.chance(80)
                        ? static_cast<u8>(kFirstReturningVector + random.below(kReturningVectors))
                        : random.byte();
  items.push_back(random.chance(95) ? raw({0xcd, vector}) : raw({0xcc}));
}

void far_transfer(Random& random, Items& items) {
  Item item = branch({static_cast<u8>(random.chance(50) ? 0x9a : 0xea), 0, 0}, Item::Fix::absolute16, 1,
                     near_target(random, items));
  append(item, random.chance(90) ? real_selector(kRealCode) : any_segment(random), 2);
  items.push_back(item);
}

// PUSH frame; RETF or IRET.
void return_from_frame(Random& random, Items& items) {
  const bool iret = random.chance(60);
  Item item;
  if (iret) {
    item = with16({0x68}, real_flags_image(random));
  }
  append(item, 0x68, 1);
  append(item, random.chance(90) ? real_selector(kRealCode) : any_segment(random), 2);
  item.fix = Item::Fix::absolute16;
  item.fix_offset = static_cast<u8>(item.bytes.size() + 1);
  item.target = near_target(random, items);
  append(item, 0x68, 3);
  append(item, iret ? 0xcf : 0xcb, 1);
  items.push_back(item);
}

// MOV BYTE CS:[a NOP ahead], another instruction of one byte: CS may be written to in these modes.
void patch_code(Random& random, Items& items) {
  Item item = branch({0x2e, 0xc6, 0x06, 0, 0}, Item::Fix::absolute16, 3, static_cast<u32>(items.size()) + 1);
  append(item, random.pick<u8, 8>({0x40, 0x43, 0x4a, 0x90, 0xf8, 0xf9, 0x50, 0x9c}), 1);
  items.push_back(item);
  items.push_back(raw({0x90}));
}

void port_access(Random& random, Items& items) {
  static constexpr u8 kDirect[] = {0xe4, 0xe5, 0xe6, 0xe7};
  static constexpr u8 kByDx[] = {0xec, 0xed, 0xee, 0xef, 0x6c, 0x6d, 0x6e, 0x6f};
  if (random.chance(50)) return items.push_back(raw({kDirect[random.below(4)], random.byte()}));
  Item item = with16({0xba}, random.below(0x140));
  append(item, kByDx[random.below(8)], 1);
  items.push_back(item);
}

void odds_and_ends(Random& random, Items& items) {
  switch (random.below(5)) {
    case 0:
      return items.push_back(raw({0x0f, 0xa2}));  // CPUID
    case 1:
      return items.push_back(raw({0x0f, 0x01, static_cast<u8>(0xe0 | random.below(4))}));  // SMSW
    case 2:
      return items.push_back(with16({0x0f, 0x01, 0x06}, data_offset(random)));  // SGDT
    case 3:
      return items.push_back(raw({0x0f, 0x20, static_cast<u8>(random.pick<u8, 3>({0xc1, 0xd2, 0xe3}))}));
    default:
      return items.push_back(raw({0xf4}));  // HLT
  }
}

using Kind = void (*)(Random&, Items&);
constexpr Kind kKinds[] = {load_segment, load_segment,      load_far_pointer,   store_segment,
                           change_flags, change_flags,      software_interrupt, software_interrupt,
                           far_transfer, return_from_frame, patch_code,         port_access,
                           odds_and_ends};

}  // namespace

void append_real_item(Random& random, Items& items) {
  kKinds[random.below(std::size(kKinds))](random, items);
}

}  // namespace ringshift::supervisor
