// HostCode: canonical instruction bytes, the stub arena, and the way in and out of a stub.
#include "cpu-model/interp/host_code.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "base/check.h"

namespace ringshift {

namespace {

static_assert(offsetof(HostContext, fx) == 0);
static_assert(offsetof(HostContext, memory) == 512);
static_assert(offsetof(HostContext, gpr) == 544);
static_assert(offsetof(HostContext, flags_image) == 576);
static_assert(offsetof(HostContext, host_mxcsr) == 580);
static_assert(offsetof(HostContext, host_control) == 584);

// Loads the context into the host's registers, calls the stub, saves them. All XMM registers are the
// caller's to save in this ABI; x87 is left empty. FNINIT also drops an exception that the stub left pending,
// which the monitor's next x87 instruction would otherwise report.
[[gnu::noinline]] void enter_stub(HostContext* context, const u8* stub) {
  asm volatile(
      "lea -128(%%rsp), %%rsp\n\t"  // past the red zone
      "push %%rbp\n\t"
      "push %%rdi\n\t"
      "stmxcsr 580(%%rdi)\n\t"
      "fnstcw 584(%%rdi)\n\t"
      "fxrstor (%%rdi)\n\t"
      "mov %%rsi, %%r9\n\t"
      "lea 512(%%rdi), %%r8\n\t"
      "mov 560(%%rdi), %%r12d\n\t"
      "mov 576(%%rdi), %%eax\n\t"
      "addb $0x7f, %%al\n\t"
      "sahf\n\t"
      "mov 544(%%rdi), %%eax\n\t"
      "mov 548(%%rdi), %%ecx\n\t"
      "mov 552(%%rdi), %%edx\n\t"
      "mov 556(%%rdi), %%ebx\n\t"
      "mov 564(%%rdi), %%ebp\n\t"
      "mov 568(%%rdi), %%esi\n\t"
      "mov 572(%%rdi), %%edi\n\t"
      "call *%%r9\n\t"
      "pop %%r10\n\t"
      "mov %%eax, 544(%%r10)\n\t"
      "mov %%ecx, 548(%%r10)\n\t"
      "mov %%edx, 552(%%r10)\n\t"
      "mov %%ebx, 556(%%r10)\n\t"
      "mov %%r12d, 560(%%r10)\n\t"
      "mov %%ebp, 564(%%r10)\n\t"
      "mov %%esi, 568(%%r10)\n\t"
      "mov %%edi, 572(%%r10)\n\t"
      "lahf\n\t"
      "seto %%al\n\t"
      "movzwl %%ax, %%eax\n\t"
      "mov %%eax, 576(%%r10)\n\t"
      "fxsave (%%r10)\n\t"
      "fninit\n\t"
      "fldcw 584(%%r10)\n\t"
      "ldmxcsr 580(%%r10)\n\t"
      "pop %%rbp\n\t"
      "lea 128(%%rsp), %%rsp"
      : "+D"(context), "+S"(stub)
      :
      : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "cc", "memory", "xmm0", "xmm1", "xmm2",
        "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
        "xmm15");
}

// Whether a register-form ModRM's rm or reg field names a general register, in the instructions that have
// one beside a vector register.
bool rm_is_gpr(const Instruction& insn) {
  switch (insn.map) {
    case OpcodeMap::map_0f:
      return insn.opcode == 0x2a || insn.opcode == 0x6e || insn.opcode == 0x7e || insn.opcode == 0xc4;
    case OpcodeMap::map_0f3a:
      return (insn.opcode >= 0x14 && insn.opcode <= 0x17) || insn.opcode == 0x20 || insn.opcode == 0x22;
    default:
      return false;
  }
}
bool reg_is_gpr(const Instruction& insn) {
  return insn.map == OpcodeMap::map_0f && (insn.opcode == 0x2c || insn.opcode == 0x2d ||
                                           insn.opcode == 0x50 || insn.opcode == 0xc5 || insn.opcode == 0xd7);
}
bool has_gpr(const Instruction& insn) {
  for (const Operand& operand : insn.operands)
    if (operand.kind >= OperandKind::gpr8 && operand.kind <= OperandKind::gpr32) return true;
  return false;
}

struct Canonical {
  u8 bytes[8] = {};
  unsigned length = 0;
  void put(u8 byte) {
    RS_CHECK(length < sizeof bytes);
    bytes[length++] = byte;
  }
};

constexpr u8 kRex = 0x40;
constexpr u8 kRexB = 1;
constexpr u8 kRexR = 4;

void put_prefixes(Canonical& out, const Instruction& insn, u8 rex) {
  if (insn.map != OpcodeMap::one_byte) {  // on x87 instructions none means anything
    if (insn.has_prefix(kPrefixOperandSize)) out.put(0x66);
    if (insn.has_prefix(kPrefixRepne))
      out.put(0xf2);
    else if (insn.has_prefix(kPrefixRep))
      out.put(0xf3);
  }
  if (rex != 0) out.put(kRex | rex);
}

void put_opcode(Canonical& out, const Instruction& insn) {
  if (insn.map != OpcodeMap::one_byte) out.put(0x0f);
  if (insn.map == OpcodeMap::map_0f38) out.put(0x38);
  if (insn.map == OpcodeMap::map_0f3a) out.put(0x3a);
  out.put(insn.opcode);
}

Canonical canonical(const Instruction& insn) {
  Canonical out;
  u8 rex = 0;
  u8 modrm = insn.modrm;
  const bool gpr = has_gpr(insn);
  if (insn.memory_form()) {
    rex = kRexB;  // mod = 00, rm = 000: [r8]
    modrm = insn.modrm & 0x38;
  } else if (insn.has_modrm && gpr && rm_is_gpr(insn) && insn.modrm_rm() == kEsp) {
    rex = kRexB;
  }
  if (insn.has_modrm && gpr && reg_is_gpr(insn) && insn.modrm_reg() == kEsp) rex |= kRexR;
  put_prefixes(out, insn, rex);
  put_opcode(out, insn);
  if (insn.has_modrm) out.put(modrm);
  if (insn.immediate_offset != 0) out.put(insn.bytes[insn.immediate_offset]);
  return out;
}

}  // namespace

HostCode::~HostCode() { unmap(); }

void HostCode::unmap() {
  if (writable_ != nullptr) ::munmap(writable_, kSlots * kSlotSize);
  if (executable_ != nullptr) ::munmap(executable_, kSlots * kSlotSize);
  writable_ = executable_ = nullptr;
  slots_.clear();
}

void HostCode::map() {
  constexpr std::size_t kBytes = kSlots * kSlotSize;
  fd_.reset(::memfd_create("ringshift-host-code", MFD_CLOEXEC));
  if (!fd_ || ::ftruncate(fd_.get(), kBytes) != 0) RS_PANIC("no memory for host code stubs");
  void* writable = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  void* executable = ::mmap(nullptr, kBytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd_.get(), 0);
  if (writable == MAP_FAILED || executable == MAP_FAILED) RS_PANIC("cannot map host code stubs");
  writable_ = static_cast<u8*>(writable);
  executable_ = static_cast<u8*>(executable);
}

const u8* HostCode::stub_for(const Instruction& insn) {
  const Canonical code = canonical(insn);
  u64 key;
  std::memcpy(&key, code.bytes, sizeof key);
  if (const auto known = slots_.find(key); known != slots_.end())
    return executable_ + known->second * kSlotSize;
  // A slot is written once only: code that ran is never changed under another address (SDM vol. 3A 8.1.3). A
  // guest that makes up immediates to fill the arena gets a new one.
  if (slots_.size() == kSlots) unmap();
  if (writable_ == nullptr) map();
  const u32 slot = static_cast<u32>(slots_.size());
  u8* at = writable_ + slot * kSlotSize;
  std::memcpy(at, code.bytes, code.length);
  at[code.length] = 0xc3;
  slots_.emplace(key, slot);
  return executable_ + slot * kSlotSize;
}

void HostCode::run(const Instruction& insn, HostContext& context) { enter_stub(&context, stub_for(insn)); }

}  // namespace ringshift
