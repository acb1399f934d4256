// Generator: sequences of drawn instructions and of templates for what random bytes rarely hit.
#include "tests/differential/generator.h"

#include <cstring>
#include <initializer_list>

#include "tests/differential/items.h"
#include "tests/differential/random_values.h"
#include "tests/differential/small_segments.h"

namespace ringshift::differential {

namespace {

u32 data_address(Random& random, u32 alignment) {
  return kArenas[kData].base + random.below(kArenas[kData].size() - 600) / alignment * alignment;
}

// MOV DWORD [address], 0 for each: FIP, FCS, FDP, FDS and FOP differ by design.
void clear_words(Item& item, u32 address, std::initializer_list<u32> offsets) {
  for (const u32 offset : offsets) {
    item.bytes.insert(item.bytes.end(), {0xc7, 0x05});
    append(item, address + offset, 4);
    append(item, 0, 4);
  }
}

Item store_environment(Random& random, u32 data_base) {
  const u32 kind = random.below(3);
  const u32 address = data_address(random, kind == 2 ? 16 : 1) - data_base;
  Item item;
  if (kind == 0) {  // FNSTENV
    item = with32({0xd9, 0x35}, address);
    clear_words(item, address, {12, 16, 20, 24});
  } else if (kind == 1) {  // FNSAVE
    item = with32({0xdd, 0x35}, address);
    clear_words(item, address, {12, 16, 20, 24});
  } else {  // FXSAVE; MXCSR_MASK is the CPU's own
    item = with32({0x0f, 0xae, 0x05}, address);
    item.bytes.insert(item.bytes.end(), {0x66, 0xc7, 0x05});  // MOV WORD [address + 6], 0
    append(item, address + 6, 4);
    item.bytes.insert(item.bytes.end(), {0, 0});
    clear_words(item, address, {8, 12, 16, 20, 28});
  }
  item.stores_environment = true;
  return item;
}

}  // namespace

Generator::Loop Generator::append_loop(Random& random, RegisterKnowledge& knowledge, const Place& place,
                                       std::vector<Item>& items) const {
  const u32 begin = static_cast<u32>(items.size());
  const u32 count = 1 + random.below(random.chance(20) ? 40 : 6);
  items.push_back(place.code16 ? with16({0xb9}, count) : with32({0xb9}, count));  // MOV (E)CX, n
  items.back().bounds_loop = true;
  knowledge.small |= 2;
  const u32 head = static_cast<u32>(items.size());
  for (u32 i = 1 + random.below(4); i > 0; --i)
    items.push_back(source_.draw(random, knowledge, InstructionSource::Limits::loop_body, place));
  // The counter's step and the branch are one item, so that shrinking can't part them.
  switch (random.below(4)) {
    case 0:  // DEC ECX; JNZ
      items.push_back(branch({0x49, 0x75, 0}, Item::Fix::relative8, 2, head));
      break;
    case 1:  // SUB ECX, 1; JNZ
      if (place.code16) {
        items.push_back(branch({0x83, 0xe9, 0x01, 0x0f, 0x85, 0, 0}, Item::Fix::relative16, 5, head));
      } else {
        items.push_back(branch({0x83, 0xe9, 0x01, 0x0f, 0x85, 0, 0, 0, 0}, Item::Fix::relative32, 5, head));
      }
      break;
    case 2:
      items.push_back(branch({0xe2, 0}, Item::Fix::relative8, 1, head));  // LOOP
      break;
    default:
      items.push_back(branch({static_cast<u8>(0xe0 + random.below(2)), 0}, Item::Fix::relative8, 1, head));
  }
  return {begin, static_cast<u32>(items.size())};
}

void Generator::append_template16(Random& random, RegisterKnowledge& knowledge, const Place& place,
                                  std::vector<Item>& items) const {
  const u32 next = static_cast<u32>(items.size());
  const u32 ahead = random.below(3);
  const u8 reg = static_cast<u8>(random.pick<int, 7>({0, 1, 2, 3, 5, 6, 7}));
  switch (random.below(8)) {
    case 0:
    case 1:  // MOV reg, pointer
      items.push_back(with16({static_cast<u8>(0xb8 + reg)}, data_address(random, 16) - place.data_base));
      knowledge.pointers |= static_cast<u8>(1u << reg);
      break;
    case 2:  // MOV CX, n; REP of a string instruction
      items.push_back(with16({0xb9}, random.below(random.chance(10) ? 9000 : 40)));
      items.push_back(raw({random.chance(20) ? u8{0xfd} : u8{0xfc}}));
      items.push_back(
          raw({random.chance(50) ? u8{0xf2} : u8{0xf3},
               random.pick<u8, 10>({0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf})}));
      break;
    case 3:  // PUSH image; POPF without TF
      items.push_back(with16({0x68}, random.next32() & ~0x100u));
      items.push_back(raw({0x9d}));
      break;
    case 4:  // CALL over something, which RETs
      items.push_back(branch({0xe8, 0, 0}, Item::Fix::relative16, 1, next + 2));
      items.push_back(branch({0xeb, 0}, Item::Fix::relative8, 1, next + 4));
      items.push_back(source_.draw(random, knowledge, InstructionSource::Limits::loop_body, place));
      items.push_back(random.chance(70) ? raw({0xc3}) : raw({0xc2, 4, 0}));
      break;
    case 5:  // PUSH target; RET
      items.push_back(branch({0x68, 0, 0, 0xc3}, Item::Fix::absolute16, 1, next + 1 + ahead));
      break;
    case 6:  // MOV reg, target; JMP or CALL reg
      items.push_back(branch(
          {static_cast<u8>(0xb8 + reg), 0, 0, 0xff, static_cast<u8>((random.chance(50) ? 0xe0 : 0xd0) + reg)},
          Item::Fix::absolute16, 1, next + 1 + ahead));
      break;
    default:
      items.push_back(random.chance(50) ? raw({0xdb, 0xe3}) : raw({0x0f, 0x77}));  // FNINIT, EMMS
      break;
  }
}

void Generator::append_template(Random& random, RegisterKnowledge& knowledge, const Place& place,
                                std::vector<Item>& items) const {
  const u32 next = static_cast<u32>(items.size());
  const u32 ahead = random.below(3);
  const u8 reg = static_cast<u8>(random.pick<int, 7>({0, 1, 2, 3, 5, 6, 7}));
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:  // MOV reg, pointer
      items.push_back(with32({static_cast<u8>(0xb8 + reg)},
                             data_address(random, random.chance(70) ? 16 : 1) - place.data_base));
      knowledge.pointers |= static_cast<u8>(1u << reg);
      break;
    case 3:  // MOV ECX, n; REP of a string instruction
      items.push_back(with32({0xb9}, random.below(random.chance(10) ? 9000 : 40)));
      items.push_back(raw({random.chance(20) ? u8{0xfd} : u8{0xfc}}));
      items.push_back(
          raw({random.chance(50) ? u8{0xf2} : u8{0xf3},
               random.pick<u8, 10>({0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf})}));
      knowledge.small |= 2;
      break;
    case 4:  // PUSH image; POPF without TF
      items.push_back(with32({0x68}, random.next32() & ~0x100u & (random.chance(90) ? ~0x40000u : ~0u)));
      items.push_back(raw({0x9d}));
      break;
    case 5:  // CALL over something, which RETs
      items.push_back(branch({0xe8, 0, 0, 0, 0}, Item::Fix::relative32, 1, next + 2));
      items.push_back(branch({0xeb, 0}, Item::Fix::relative8, 1, next + 4));
      items.push_back(source_.draw(random, knowledge, InstructionSource::Limits::loop_body, place));
      items.push_back(random.chance(70) ? raw({0xc3}) : raw({0xc2, 4, 0}));
      break;
    // One item each: a jump to their second half could go round for ever.
    case 6:  // PUSH target; RET
      items.push_back(branch({0x68, 0, 0, 0, 0, 0xc3}, Item::Fix::absolute32, 1, next + 1 + ahead));
      break;
    case 7:  // MOV reg, target; JMP or CALL reg
      items.push_back(branch({static_cast<u8>(0xb8 + reg), 0, 0, 0, 0, 0xff,
                              static_cast<u8>((random.chance(50) ? 0xe0 : 0xd0) + reg)},
                             Item::Fix::absolute32, 1, next + 1 + ahead));
      knowledge.pointers &= static_cast<u8>(~(1u << reg));
      break;
    case 8:
      items.push_back(store_environment(random, place.data_base));
      break;
    case 9: {  // PUSH mxcsr; LDMXCSR [ESP]; POP reg
      items.push_back(with32({0x68}, random_mxcsr(random)));
      items.push_back(raw({0x0f, 0xae, 0x14, 0x24}));
      items.push_back(raw({static_cast<u8>(0x58 + reg)}));
      knowledge.pointers &= static_cast<u8>(~(1u << reg));
      break;
    }
    case 10:  // PUSH control word; FLDCW [ESP]; POP reg
      items.push_back(with32({0x68}, random_fcw(random)));
      items.push_back(raw({0xd9, 0x2c, 0x24}));
      items.push_back(raw({static_cast<u8>(0x58 + reg)}));
      knowledge.pointers &= static_cast<u8>(~(1u << reg));
      break;
    default:
      items.push_back(random.chance(50) ? raw({0xdb, 0xe3}) : raw({0x0f, 0x77}));  // FNINIT, EMMS
      break;
  }
}

Sequence Generator::draw_sequence(Random& random, UserState& state) const {
  Sequence sequence;
  RegisterKnowledge knowledge{0xe8 | 0x10, 0};
  if (state.gpr[1] < 64) knowledge.small |= 2;
  const u32 wanted = 1 + random.below(12);
  std::vector<Item>& items = sequence.items;
  const Place place = {low_arena_, small_segments_, is_small_width(state.cs), segment_base(state.ds)};
  if (is_small_width(state.ss)) {
    // IRETQ to a 16-bit stack leaves the upper half of ESP as it was: MOV ESP, imm.
    items.push_back(place.code16 ? with32({0x66, 0xbc}, state.gpr[4]) : with32({0xbc}, state.gpr[4]));
    items.back().essential = true;
  }
  std::vector<Loop> loops;
  while (items.size() < wanted) append_user_code(random, knowledge, place, items, loops);
  bound_targets(items, loops);
  return sequence;
}

void Generator::append_user_code(Random& random, RegisterKnowledge& knowledge, const Place& place,
                                 std::vector<Item>& items, std::vector<Loop>& loops) const {
  const u32 kind = random.below(100);
  if (kind < 12)
    place.code16 ? append_template16(random, knowledge, place, items)
                 : append_template(random, knowledge, place, items);
  else if (kind < 16)
    loops.push_back(append_loop(random, knowledge, place, items));
  else {
    Item item = source_.draw(random, knowledge, InstructionSource::Limits::none, place);
    item.target = static_cast<u32>(items.size()) + 1 + random.below(4);
    items.push_back(std::move(item));
  }
}

void Generator::bound_targets(std::vector<Item>& items, const std::vector<Loop>& loops) {
  for (u32 i = 0; i < items.size(); ++i) {
    u32& target = items[i].target;
    if (target > items.size()) target = static_cast<u32>(items.size());
    // Into a loop only through the MOV that bounds it.
    for (const Loop& loop : loops)
      if (target > loop.begin && target < loop.end && i < loop.begin) target = loop.begin;
  }
}

TestCase Generator::generate(u64 seed, u64 number) const {
  Random random(seed * 0x9e3779b97f4a7c15 + number);
  for (;;) {
    TestCase test;
    test.memory_seed = seed + number / 64;
    random_registers(random, test.state, low_arena_);
    random_fx(random, test.state.fx);
    if (small_segments_) draw_segments(random, test.state);
    test.sequence = draw_sequence(random, test.state);
    const Arena& code = kArenas[kCode];
    const auto probe = test.sequence.assemble();
    if (!probe || probe->size() > 400) continue;
    const u32 length = static_cast<u32>(probe->size());
    // Anywhere; often across the page boundary, sometimes up to the very end of the arena.
    u32 offset = random.below(code.size() - length);
    if (random.chance(25)) offset = kPageSize - 1 - random.below(length);
    if (random.chance(3)) offset = code.size() - length;
    test.sequence.start = code.base + offset;
    test.sequence.base = segment_base(test.state.cs);
    test.sequence.code16 = is_small_width(test.state.cs);
    test.state.eip = test.sequence.start - test.sequence.base;
    // IRETQ to an EIP beyond the limit faults before the host is there; MOV ESP must not fault either.
    constexpr u32 kLongestStart = 6;
    if (const SmallSegment* const cs = small_segment(test.state.cs);
        cs != nullptr && !cs->in_pages && test.state.eip + kLongestStart > cs->limit)
      continue;
    const auto bytes = test.sequence.assemble();
    if (!bytes || holds_system_call(*bytes)) continue;
    return test;
  }
}

}  // namespace ringshift::differential
