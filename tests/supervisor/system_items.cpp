// System items: one function a kind; EAX, and what an instruction needs besides, are overwritten.
#include "tests/supervisor/system_items.h"

#include <iterator>

#include "tests/supervisor/item_parts.h"

namespace ringshift::supervisor {

namespace {

// MOV EAX, selector; MOV segment, AX; or by way of the stack.
void load_segment(Random& random, bool user, bool, Items& items) {
  const u16 selector = data_selector(random, user);
  const u8 segment = random.pick<u8, 6>({0, 3, 3, 4, 5, 2});
  if (segment == 2 && random.chance(70)) {
    const u16 stack = user ? kUserData | 3 : kKernelData;
    items.push_back(load_eax(random.chance(15) ? kSmallStack | 3u : stack));
    join(items.back(), {0x8e, 0xd0});
  } else if (random.chance(60)) {
    items.push_back(load_eax(selector));
    join(items.back(), {0x8e, static_cast<u8>(0xc0 | segment << 3)});
  } else {
    static constexpr u8 kPops[] = {0x07, 0x00, 0x17, 0x1f};
    items.push_back(push32(selector));
    if (segment < 4)
      join(items.back(), {kPops[segment]});
    else
      join(items.back(), {0x0f, static_cast<u8>(segment == 4 ? 0xa1 : 0xa9)});
  }
}

// LES, LDS, LSS, LFS, LGS of a pointer in the data arena.
void load_far_pointer(Random& random, bool user, bool, Items& items) {
  const u32 at = data_address(random);
  Item item = with32({0x66, 0xc7, 0x05}, at + 4);
  append(item, data_selector(random, user), 2);
  items.push_back(item);
  switch (random.below(4)) {
    case 0:
      items.push_back(with32({0xc4, 0x05}, at));
      break;
    case 1:
      items.push_back(with32({0xc5, 0x05}, at));
      break;
    default:
      items.push_back(with32({0x0f, static_cast<u8>(0xb4 + random.below(2)), 0x05}, at));
  }
}

void store_segment(Random& random, bool, bool, Items& items) {
  const u8 segment = static_cast<u8>(random.below(6));
  if (random.chance(50)) {
    items.push_back(raw({0x8c, static_cast<u8>(0xc0 | segment << 3 | random.below(4))}));
  } else {
    static constexpr u8 kPushes[] = {0x06, 0x0e, 0x16, 0x1e};
    items.push_back(segment < 4 ? raw({kPushes[segment]})
                                : raw({0x0f, static_cast<u8>(segment == 4 ? 0xa0 : 0xa8)}));
  }
}

void change_flags(Random& random, bool, bool, Items& items) {
  switch (random.below(6)) {
    case 0:
      items.push_back(raw({0xfa}));  // CLI
      break;
    case 1:
      items.push_back(raw({0xfb}));  // STI
      break;
    case 2:
      items.push_back(raw({0x9c}));  // PUSHFD
      break;
    case 3:
      items.push_back(with16({0x66, 0x68}, flags_image(random)));
      join(items.back(), {0x66, 0x9d});  // POPF
      break;
    default:
      items.push_back(push32(flags_image(random)));
      join(items.back(), {0x9d});  // POPFD
  }
}

// MOV EAX, CRn; XOR EAX, bit; MOV CRn, EAX.
void change_control_register(Random& random, bool, bool, Items& items) {
  const bool cr0 = random.chance(60);
  const u32 bit =
      cr0 ? random.pick<u32, 6>({kCr0Ts, kCr0Em, kCr0Mp, kCr0Wp, kCr0Am, kCr0Ne})
          : random.pick<u32, 7>({kCr4Pge, kCr4Pse, kCr4Tsd, kCr4De, kCr4Vme, kCr4OsFxsr, kCr4Pvi});
  const u8 modrm = cr0 ? 0xc0 : 0xe0;
  Item item = raw({0x0f, 0x20, modrm, 0x35});
  append(item, bit, 4);
  join(item, {0x0f, 0x22, modrm});
  items.push_back(item);
}

void reload_cr3(Random&, bool, bool, Items& items) {
  items.push_back(raw({0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8}));
}

void task_switched(Random& random, bool, bool, Items& items) {
  switch (random.below(3)) {
    case 0:
      items.push_back(raw({0x0f, 0x06}));  // CLTS
      break;
    case 1:
      items.push_back(raw({0x0f, 0x01, static_cast<u8>(0xe0 | random.below(4))}));  // SMSW
      break;
    default:
      items.push_back(load_eax(1 | random.below(16)));
      join(items.back(), {0x0f, 0x01, 0xf0});  // LMSW AX
  }
}

// SGDT, SIDT; LGDT, LIDT of what there is, or of less.
void table_registers(Random& random, bool, bool, Items& items) {
  const u32 at = data_address(random);
  const bool gdt = random.chance(50);
  if (random.chance(40)) {
    items.push_back(with32({0x0f, 0x01, static_cast<u8>(gdt ? 0x05 : 0x0d)}, at));
    return;
  }
  const u32 full = gdt ? kSelectorEnd - 1 : kVectorEnd * 8 - 1;
  Item item = with32({0x66, 0xc7, 0x05}, at);
  append(item, random.chance(80) ? full : random.below(full), 2);
  join(item, {0xc7, 0x05});
  append(item, at + 2, 4);
  append(item, gdt ? kGdt : kIdt, 4);
  join(item, {0x0f, 0x01, static_cast<u8>(gdt ? 0x15 : 0x1d)});
  append(item, at, 4);
  items.push_back(item);
}

// SLDT, STR; LLDT, LTR.
void system_selectors(Random& random, bool, bool, Items& items) {
  switch (random.below(4)) {
    case 0:
      items.push_back(
          raw({0x0f, 0x00, static_cast<u8>((random.chance(50) ? 0xc0 : 0xc8) | random.below(4))}));
      break;
    case 1:
      items.push_back(
          load_eax(random.chance(70) ? (random.chance(80) ? kLdtSelector : kNull) : any_selector(random)));
      join(items.back(), {0x0f, 0x00, 0xd0});
      break;
    default:
      items.push_back(load_eax(random.chance(60) ? kOtherTssSelector : any_selector(random)));
      join(items.back(), {0x0f, 0x00, 0xd8});
  }
}

// LAR, LSL, VERR, VERW, ARPL.
void look_at_selector(Random& random, bool, bool, Items& items) {
  items.push_back(load_eax(any_selector(random)));
  static constexpr u8 kForms[][3] = {
      {0x0f, 0x02, 0xc8}, {0x0f, 0x03, 0xd0}, {0x0f, 0x00, 0xe0}, {0x0f, 0x00, 0xe8}, {0x63, 0xc8, 0x90}};
  const auto& form = kForms[random.below(std::size(kForms))];
  join(items.back(), {form[0], form[1], form[2]});
}

// DR0 to DR3 to an instruction ahead or to data; DR7; reads.
void debug_registers(Random& random, bool, bool, Items& items) {
  const u8 number = static_cast<u8>(random.below(4));
  const u8 modrm = static_cast<u8>(0xc0 | number << 3);
  switch (random.below(4)) {
    case 0:
      items.push_back(branch({0xb8, 0, 0, 0, 0, 0x0f, 0x23, modrm}, Item::Fix::absolute32, 1,
                             near_target(random, items)));
      break;
    case 1:
      items.push_back(load_eax(data_address(random)));
      join(items.back(), {0x0f, 0x23, modrm});
      break;
    case 2:
      items.push_back(raw({0x0f, 0x21, static_cast<u8>(0xc0 | random.pick<u8, 4>({0, 3, 6, 7}) << 3)}));
      break;
    default: {
      u32 dr7 = 0x400 | (1u << (2 * number + random.below(2)));
      if (random.chance(50)) dr7 |= random.below(16) << (16 + 4 * number);
      if (random.chance(5)) dr7 |= 0x2000;  // GD
      items.push_back(load_eax(dr7));
      join(items.back(), {0x0f, 0x23, 0xf8});
    }
  }
}

void model_specific_registers(Random& random, bool, bool, Items& items) {
  constexpr u32 kEfer = 0xc0000080;
  const u32 number = random.pick<u32, 6>({0x174, 0x175, 0x176, kEfer, 0x277, 0x12345});
  Item item = with32({0xb9}, number);
  if (random.chance(50)) {
    join(item, {0x0f, 0x32});
  } else {
    const u32 value = number == kEfer   ? random.pick<u32, 2>({0, kEferNxe})
                      : number == 0x174 ? random.pick<u32, 3>({kKernelCode, kKernelCode, kNull})
                      : number == 0x175 ? kRing0Top
                      : number == 0x176 ? handler_at(Handler::sysexit)
                                        : random.next32();
    join(item, {0xb8});
    append(item, value, 4);
    join(item, {0x31, 0xd2, 0x0f, 0x30});
  }
  items.push_back(item);
}

// INVLPG; MOV [entry], value; INVLPG: another page, or other rights. Some lead to the code.
void change_page_table(Random& random, bool, bool pae, Items& items) {
  const u32 page = random.below(4);
  const u32 linear = kData + page * kPageSize;
  const u32 entry =
      pae ? kPaeDataTable + ((linear >> 12) & 511) * 8 : kDataTable + ((linear >> 12) & 1023) * 4;
  const unsigned arena = random.chance(20) ? differential::kCode : differential::kData;
  const u32 physical =
      kArenaPages + differential::arena_offset(arena) + random.below(kArenas[arena].pages) * kPageSize;
  u32 flags = random.chance(90) ? 1 : 0;
  for (const u32 bit : {2u, 4u}) flags |= random.chance(80) ? bit : 0;
  for (const u32 bit : {0x20u, 0x40u, 0x100u}) flags |= random.chance(50) ? bit : 0;
  // The first INVLPG is for where it faults: then the entry must stay, or what TLBs hold of it would matter.
  Item item = with32({0x0f, 0x01, 0x3d}, linear);
  join(item, {0xc7, 0x05});
  append(item, entry, 4);
  append(item, physical | flags, 4);
  join(item, {0x0f, 0x01, 0x3d});
  append(item, linear + random.below(kPageSize), 4);
  items.push_back(item);
}

// MOV BYTE [a NOP ahead], another instruction of one byte.
void patch_code(Random& random, bool, bool, Items& items) {
  Item item = branch({0xc6, 0x05, 0, 0, 0, 0}, Item::Fix::absolute32, 2, static_cast<u32>(items.size()) + 1);
  join(item, {random.pick<u8, 8>({0x40, 0x43, 0x4a, 0x90, 0xf8, 0xf9, 0x50, 0x9c})});
  items.push_back(item);
  items.push_back(raw({0x90}));
}

void port_access(Random& random, bool, bool, Items& items) {
  const u8 port = random.byte();
  static constexpr u8 kDirect[] = {0xe4, 0xe5, 0xe6, 0xe7};
  static constexpr u8 kByDx[] = {0xec, 0xed, 0xee, 0xef, 0x6c, 0x6d, 0x6e, 0x6f};
  if (random.chance(50)) {
    items.push_back(raw({kDirect[random.below(4)], port}));
    return;
  }
  items.push_back(with32({0xba}, random.below(0x140)));
  if (random.chance(30)) join(items.back(), {0x66});
  join(items.back(), {kByDx[random.below(8)]});
}

void odds_and_ends(Random& random, bool, bool, Items& items) {
  switch (random.below(6)) {
    case 0:
      items.push_back(raw({0x0f, 0xa2}));  // CPUID
      break;
    case 1:
      items.push_back(with32({0x0f, 0x01, 0x3d}, random.chance(70) ? data_address(random) : random.next32()));
      break;
    case 2:
      items.push_back(raw({0x0f, 0x09}));  // WBINVD
      break;
    case 3:
      items.push_back(with16({0xc8}, random.below(64)));  // ENTER
      join(items.back(), {static_cast<u8>(random.chance(70) ? 0 : random.below(8))});
      break;
    case 4:
      items.push_back(raw({0x0f, 0x20, static_cast<u8>(random.pick<u8, 4>({0xc1, 0xd2, 0xd9, 0xe3}))}));
      break;
    default:
      items.push_back(raw({0xf4}));  // HLT
  }
}

using Kind = void (*)(Random&, bool user, bool pae, Items&);
struct Weighted {
  Kind kind;
  u8 for_supervisor, for_user;
};
constexpr Weighted kKinds[] = {
    {load_segment, 14, 20},          {load_far_pointer, 5, 8},
    {store_segment, 4, 5},           {change_flags, 10, 14},
    {change_control_register, 8, 1}, {reload_cr3, 3, 1},
    {task_switched, 4, 2},           {table_registers, 3, 2},
    {system_selectors, 3, 2},        {look_at_selector, 5, 8},
    {debug_registers, 5, 1},         {software_interrupt, 9, 14},
    {far_transfer, 8, 12},           {return_from_frame, 9, 9},
    {fast_system_call, 4, 6},        {model_specific_registers, 3, 1},
    {change_page_table, 8, 1},       {patch_code, 7, 10},
    {patch_in_loop, 8, 12},          {port_access, 4, 6},
    {odds_and_ends, 4, 3},
};

}  // namespace

void append_system_item(Random& random, bool user, bool pae, Items& items) {
  u32 total = 0;
  for (const Weighted& each : kKinds) total += user ? each.for_user : each.for_supervisor;
  u32 chosen = random.below(total);
  for (const Weighted& each : kKinds) {
    const u32 weight = user ? each.for_user : each.for_supervisor;
    if (chosen < weight) return each.kind(random, user, pae, items);
    chosen -= weight;
  }
}

}  // namespace ringshift::supervisor
