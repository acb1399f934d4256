// Items of patched code: a loop that stores another operand, or opcode, into one of its own instructions each
// time round.
#include "tests/supervisor/item_parts.h"

namespace ringshift::supervisor {

namespace {

// An instruction, and its field that is patched. EDX, of which the mask's bits are taken, is the value.
struct Site {
  std::vector<u8> bytes;
  u8 field, width;
  u32 mask = ~u32{0}, fixed = 0;
  bool of_memory = false;  // off EBX
};

constexpr u32 kSmall = 0xfc;  // a displacement within the data arena
constexpr u32 kOneNop = 1;    // a distance to behind the NOP that follows, or ahead of it

const std::vector<Site>& sites() {
  static const std::vector<Site> kSites = {
      {{0xb8, 0, 0, 0, 0}, 1, 4},                                     // MOV EAX, imm
      {{0xb3, 0}, 1, 1},                                              // MOV BL, imm
      {{0x05, 0, 0, 0, 0}, 1, 4},                                     // ADD EAX, imm
      {{0x81, 0xd7, 0, 0, 0, 0}, 2, 4},                               // ADC EDI, imm
      {{0x83, 0xee, 0}, 2, 1},                                        // SUB ESI, imm8
      {{0x66, 0x81, 0xf3, 0, 0}, 3, 2},                               // XOR BX, imm
      {{0x69, 0xc6, 0, 0, 0, 0}, 2, 4},                               // IMUL EAX, ESI, imm
      {{0xa9, 0, 0, 0, 0}, 1, 4},                                     // TEST EAX, imm
      {{0xc1, 0xe0, 0}, 2, 1},                                        // SHL EAX, imm
      {{0x68, 0, 0, 0, 0, 0x58}, 1, 4},                               // PUSH imm; POP EAX
      {{0x8d, 0xbe, 0, 0, 0, 0}, 2, 4},                               // LEA EDI, [ESI + disp]
      {{0xc7, 0x03, 0, 0, 0, 0}, 2, 4, ~0u, 0, true},                 // MOV [EBX], imm
      {{0x80, 0x4b, 0x04, 0}, 3, 1, ~0u, 0, true},                    // OR BYTE [EBX + 4], imm
      {{0x8b, 0x83, 0, 0, 0, 0}, 2, 4, kSmall, 0, true},              // MOV EAX, [EBX + disp]
      {{0x01, 0x83, 0, 0, 0, 0}, 2, 4, kSmall, 0, true},              // ADD [EBX + disp], EAX
      {{0x8b, 0x43, 0}, 2, 1, kSmall >> 1, 0, true},                  // MOV EAX, [EBX + disp8]
      {{0xff, 0xb3, 0, 0, 0, 0, 0x58}, 2, 4, kSmall, 0, true},        // PUSH [EBX + disp]; POP EAX
      {{0xdd, 0x83, 0, 0, 0, 0, 0xdd, 0xd8}, 2, 4, kSmall, 0, true},  // FLD QWORD [EBX + disp]; FSTP ST(0)
      {{0x40}, 0, 1, 0x0a, 0x40},                                     // INC and DEC of EAX and EDX
      {{0xe9, 0, 0, 0, 0, 0x90}, 1, 4, kOneNop},                      // JMP
      {{0xe8, 0, 0, 0, 0, 0x90, 0x58}, 1, 4, kOneNop},                // CALL; POP EAX
      {{0x0f, 0x84, 0, 0, 0, 0, 0x90}, 2, 4, kOneNop},                // JZ
  };
  return kSites;
}

// MOV [the field], EDX, DX or DL; now and then one byte of it alone.
Item store_to(Random& random, const Site& site, u32 target) {
  const bool part = site.width == 4 && site.mask == ~u32{0} && random.chance(15);
  const u8 width = part ? 1 : site.width;
  Item store = width == 1   ? branch({0x88, 0x15, 0, 0, 0, 0}, Item::Fix::absolute32, 2, target)
               : width == 2 ? branch({0x66, 0x89, 0x15, 0, 0, 0, 0}, Item::Fix::absolute32, 3, target)
                            : branch({0x89, 0x15, 0, 0, 0, 0}, Item::Fix::absolute32, 2, target);
  store.addend = site.field + (part ? random.below(site.width) : 0);
  return store;
}

}  // namespace

void patch_in_loop(Random& random, bool, bool, Items& items) {
  const Site& site = sites()[random.below(static_cast<u32>(sites().size()))];
  if (site.of_memory) items.push_back(with32({0xbb}, data_address(random) & ~u32{0xff}));
  items.push_back(with32({0xb9}, 2 + random.below(20)));  // MOV ECX, rounds
  items.back().bounds_loop = true;
  const u32 head = static_cast<u32>(items.size());
  items.push_back(with32({0x69, 0xd1}, random.next32() | 1));  // IMUL EDX, ECX, imm
  if (site.mask != ~u32{0}) append(items.emplace_back(raw({0x81, 0xe2})), site.mask, 4);
  if (site.fixed != 0) append(items.emplace_back(raw({0x81, 0xca})), site.fixed, 4);
  const bool beside = random.chance(30);  // another instruction before it
  const u32 at = static_cast<u32>(items.size()) + (beside ? 2 : 1);
  items.push_back(store_to(random, site, at));
  if (beside) items.push_back(raw({random.pick<u8, 4>({0x46, 0x4f, 0xf5, 0x90})}));
  items.push_back(Item{.bytes = site.bytes});
  items.push_back(branch({0xe2, 0}, Item::Fix::relative8, 1, head));  // LOOP
}

}  // namespace ringshift::supervisor
