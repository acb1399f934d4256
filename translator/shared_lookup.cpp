// Which accesses share a lookup: values of registers are followed as an origin plus a constant.
#include "translator/shared_lookup.h"

#include <Zydis/Mnemonic.h>

#include <algorithm>
#include <optional>

namespace ringshift::bt {

namespace {

constexpr i64 kMostBytes = 1024;  // the wider, the more often it lies in two pages
constexpr unsigned kFewestAccesses = 2;

// What a register holds: what something held once, plus a constant.
struct Value {
  unsigned origin;
  i64 delta;
};

struct Place {
  u8 base;
  i64 base_delta;
  unsigned origin;
  i64 begin;
  u32 bytes;
  bool write;
};

bool in_memory(const Instruction& insn) { return insn.operands[0].kind == OperandKind::memory; }

// Whether code that keeps a shared lookup's address in r11 may stand among it. CALL and RET end their block.
bool may_stand_between(const Step& step) {
  if (step.live.fields != 0) return false;
  switch (step.treatment) {
    case Treatment::identity:
    case Treatment::nothing:
    case Treatment::short_incdec:
    case Treatment::moffs:
    case Treatment::lea:
    case Treatment::leave:
    case Treatment::call:
    case Treatment::ret:
      return true;
    case Treatment::push:
    case Treatment::pop:
      return !in_memory(step.guest->insn);
    default:
      return false;
  }
}

bool compares(u16 mnemonic) { return mnemonic == ZYDIS_MNEMONIC_CMP || mnemonic == ZYDIS_MNEMONIC_TEST; }

// Of what copies write, the first operand is all, or these and the accumulator's relatives are.
bool writes_first_alone(const Instruction& insn) {
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
    case ZYDIS_MNEMONIC_MOVZX:
    case ZYDIS_MNEMONIC_MOVSX:
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_ADC:
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_SBB:
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_NOT:
    case ZYDIS_MNEMONIC_NEG:
    case ZYDIS_MNEMONIC_INC:
    case ZYDIS_MNEMONIC_DEC:
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_BSWAP:
      return true;
    default:
      return false;
  }
}

// The values of the general registers before a step.
class Values {
 public:
  explicit Values(ModeKey mode) : mode_(mode) {
    for (unsigned reg = 0; reg < 8; ++reg) values_[reg] = {next_++, 0};
  }

  // What the step accesses, if it is one place off a register.
  std::optional<Place> place_of(const Step& step) const {
    const Instruction& insn = step.guest->insn;
    const u32 size = insn.operand_size;
    const bool stack = mode_.shape(Seg::ss) == SegmentShape::flat && !mode_.stack16();
    switch (step.treatment) {
      case Treatment::push:
      case Treatment::call:
        if (!stack || in_memory(insn)) return std::nullopt;
        return at(kEsp, -static_cast<i64>(size), size, true);
      case Treatment::pop:
      case Treatment::ret:
        if (!stack || in_memory(insn)) return std::nullopt;
        return at(kEsp, 0, size, false);
      case Treatment::leave:
        return stack ? std::optional(at(kEbp, 0, size, false)) : std::nullopt;
      case Treatment::identity: {
        const bool simple = insn.memory_form() && insn.base != kNoRegister && insn.index == kNoRegister &&
                            insn.address_size == 4 && mode_.shape(insn.segment) == SegmentShape::flat;
        const u32 bytes = bytes_of_memory(insn);
        if (!simple || bytes == 0) return std::nullopt;
        return at(insn.base, insn.displacement, bytes, insn.memory_written);
      }
      default:
        return std::nullopt;
    }
  }

  void follow(const Step& step) {
    const Instruction& insn = step.guest->insn;
    const i64 size = insn.operand_size;
    if (step.live.fields != 0) return forget_all();  // its constants aren't
    switch (step.treatment) {
      case Treatment::nothing:
        break;
      case Treatment::push:
        values_[kEsp].delta -= size;
        break;
      case Treatment::pop:
        values_[kEsp].delta += size;
        forget(insn.operands[0]);
        break;
      case Treatment::leave:
        values_[kEsp] = {values_[kEbp].origin, values_[kEbp].delta + size};
        forget(kEbp);
        break;
      case Treatment::lea:
        follow_lea(insn);
        break;
      case Treatment::identity:
        follow_copy(insn);
        break;
      case Treatment::short_incdec:
        if (insn.operand_size == 4)
          values_[insn.opcode & 7].delta += insn.opcode < 0x48 ? 1 : -1;
        else
          forget(insn.opcode & 7);
        break;
      default:
        forget_all();
        break;
    }
  }

 private:
  Place at(u8 base, i64 displacement, u32 bytes, bool write) const {
    const Value& value = values_[base];
    return {base, value.delta, value.origin, value.delta + displacement, bytes, write};
  }
  void forget(u8 reg) { values_[reg] = {next_++, 0}; }
  void forget_all() {
    for (unsigned reg = 0; reg < 8; ++reg) forget(static_cast<u8>(reg));
  }
  void forget(const Operand& operand) {
    if (operand.kind == OperandKind::gpr32 || operand.kind == OperandKind::gpr16) forget(operand.reg);
    if (operand.kind == OperandKind::gpr8) forget(operand.reg & 3);
  }
  void follow_lea(const Instruction& insn) {
    const bool moved = insn.operand_size == 4 && insn.address_size == 4 && insn.base != kNoRegister &&
                       insn.index == kNoRegister;
    if (!moved) return forget(insn.modrm_reg());
    values_[insn.modrm_reg()] = {values_[insn.base].origin, values_[insn.base].delta + insn.displacement};
  }
  void follow_copy(const Instruction& insn) {
    const auto& [to, from, third, fourth] = insn.operands;
    const bool whole = to.kind == OperandKind::gpr32;
    if (compares(insn.mnemonic)) return;
    if (whole && from.kind == OperandKind::gpr32 && insn.mnemonic == ZYDIS_MNEMONIC_MOV) {
      values_[to.reg] = values_[from.reg];
    } else if (whole && from.kind == OperandKind::immediate && insn.mnemonic == ZYDIS_MNEMONIC_ADD) {
      values_[to.reg].delta += static_cast<i32>(insn.immediate);
    } else if (whole && from.kind == OperandKind::immediate && insn.mnemonic == ZYDIS_MNEMONIC_SUB) {
      values_[to.reg].delta -= static_cast<i32>(insn.immediate);
    } else {
      forget(to);
      if (writes_first_alone(insn)) return;
      if (uses_fpu_state(insn)) return forget(kEcx);  // PCMPESTRI
      for (const Operand& other : {from, third, fourth}) forget(other);
      for (const u8 implied : {kEax, kEcx, kEdx}) forget(implied);
    }
  }

  ModeKey mode_;
  Value values_[8];
  unsigned next_ = 0;
};

class Planner {
 public:
  Planner(std::span<const Step> steps, ModeKey mode) : places_(steps.size()) {
    Values values(mode);
    for (unsigned i = 0; i < steps.size(); ++i) {
      if (may_stand_between(steps[i]) && !steps[i].soft) places_[i] = values.place_of(steps[i]);
      values.follow(steps[i]);
    }
  }

  // Of steps begin to end: the lookup that serves most, and those before and behind it.
  void plan(unsigned begin, unsigned end) {
    const std::optional<SharedLookup> best = best_of(begin, end);
    if (!best) return;
    plan(begin, best->first);
    made.push_back(*best);
    plan(best->last + 1, end);
  }

  std::vector<SharedLookup> made;

 private:
  std::optional<SharedLookup> best_of(unsigned begin, unsigned end) const {
    std::optional<SharedLookup> best;
    unsigned most = kFewestAccesses - 1;
    for (unsigned i = begin; i < end; ++i) {
      if (!places_[i] || follows_one_of_its_origin(begin, i)) continue;
      unsigned accesses = 0;
      SharedLookup shared = from(i, end, accesses);
      if (accesses <= most) continue;
      most = accesses;
      best = std::move(shared);
    }
    return best;
  }

  // Its lookup would serve no more than that one's.
  bool follows_one_of_its_origin(unsigned begin, unsigned i) const {
    for (unsigned before = begin; before < i; ++before)
      if (places_[before] && places_[before]->origin == places_[i]->origin) return true;
    return false;
  }

  // All from step i on that share its origin, as far as the range allows.
  SharedLookup from(unsigned i, unsigned end, unsigned& accesses) const {
    const Place& leader = *places_[i];
    i64 low = leader.begin, high = leader.begin + leader.bytes;
    SharedLookup shared;
    shared.first = shared.last = i;
    shared.base = leader.base;
    std::vector<i64> begins;
    for (unsigned at = i; at < end; ++at) {
      begins.push_back(kElsewhere);
      if (!places_[at] || places_[at]->origin != leader.origin) continue;
      const i64 new_low = std::min(low, places_[at]->begin);
      const i64 new_high = std::max(high, places_[at]->begin + places_[at]->bytes);
      if (new_high - new_low > kMostBytes) continue;
      low = new_low;
      high = new_high;
      begins.back() = places_[at]->begin;
      shared.last = at;
      shared.write = shared.write || places_[at]->write;
      ++accesses;
    }
    shared.low = static_cast<i32>(low - leader.base_delta);
    shared.bytes = static_cast<u32>(high - low);
    for (unsigned at = i; at <= shared.last; ++at)
      shared.offsets.push_back(begins[at - i] == kElsewhere ? SharedLookup::kNotShared
                                                            : static_cast<i32>(begins[at - i] - low));
    return shared;
  }

  static constexpr i64 kElsewhere = INT64_MIN;
  std::vector<std::optional<Place>> places_;
};

}  // namespace

std::vector<SharedLookup> plan_shared_lookups(std::span<const Step> steps, ModeKey mode) {
  if (mode.window()) return {};
  Planner planner(steps, mode);
  for (unsigned begin = 0; begin < steps.size();) {
    unsigned end = begin;
    while (end < steps.size() && may_stand_between(steps[end])) ++end;
    planner.plan(begin, end);
    begin = end + 1;
  }
  return std::move(planner.made);
}

}  // namespace ringshift::bt
