// VcpuState to the host's registers and back.
#include "direct-exec/direct_run.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include "cpu-model/segmentation.h"

namespace ringshift {

namespace {

// Flags that code at CPL 3 changes without a trap. IF and IOPL aren't: POPF drops them there, PUSHF reads the
// host's (SDM vol. 2B, POPF), and the guest's own stay what CLI, STI and IRET have made them.
constexpr u32 kDirectFlags = kArithmeticFlags | kFlagDf | kFlagTf | kFlagNt | kFlagAc | kFlagId;
// FXSAVE's image: FOP to FDP, MXCSR_MASK, XMM8 and up (SDM vol. 1 table 10-2).
constexpr std::size_t kFopAt = 6, kMxcsrAt = 24, kMaskAt = 28, kXmm8At = 288, kImageEnd = 416;

u64 base_of(const SegmentRegister& segment) { return segment.usable() ? segment.base : 0; }

}  // namespace

// --- In ---

void DirectRun::prepare(GuestProcess& process) {
  for (unsigned i = 0; i < kSegCount; ++i) entered_with_[i] = aliases_.alias_of(cpu_.state.seg[i]);
  aliases_.install(process);
}

void DirectRun::send_fpu(GuestProcess& process) {
  if (fpu_in_ == &process) return;
  bring_fpu_home();
  user_fpregs_struct image{};
  static_assert(sizeof image == sizeof cpu_.state.fx);
  std::memcpy(&image, cpu_.state.fx.bytes, kXmm8At);
  ++fpu_moves_;
  if (process.write_fpu(image)) fpu_in_ = &process;
}

void DirectRun::bring_fpu_home() {
  if (fpu_in_ == nullptr) return;
  user_fpregs_struct image{};
  ++fpu_moves_;
  const bool got = fpu_in_->read_fpu(image);
  fpu_in_ = nullptr;
  if (!got) return;
  u8* const to = cpu_.state.fx.bytes;
  const u8* const from = reinterpret_cast<const u8*>(&image);
  std::memcpy(to, from, kFopAt);
  std::memset(to + kFopAt, 0, kMxcsrAt - kFopAt);  // the pointers are the host's, in its own layout
  std::memcpy(to + kMxcsrAt, from + kMxcsrAt, kMaskAt - kMxcsrAt);
  std::memcpy(to + kMaskAt + 4, from + kMaskAt + 4, kXmm8At - kMaskAt - 4);
  std::memset(to + kXmm8At, 0, kImageEnd - kXmm8At);
}

bool DirectRun::behind_refused_sysenter(const HostStop& stop) const {
  const VcpuState& state = cpu_.state;
  return host_code_ == kHostCode32 && stop.kind == HostStop::Kind::fault && stop.signal == SIGSEGV &&
         stop.address == static_cast<u32>(host_rip_) && state.reg32(kEax) == static_cast<u32>(-EFAULT) &&
         state.reg32(kEbp) == 0;
}

HostStop DirectRun::run(GuestProcess& process, bool single_step) {
  VcpuState& state = cpu_.state;
  send_fpu(process);
  user_regs_struct host{};
  host.rax = state.reg32(kEax);
  host.rcx = state.reg32(kEcx);
  host.rdx = state.reg32(kEdx);
  host.rbx = state.reg32(kEbx);
  host.rsp = state.reg32(kEsp);
  host.rbp = state.reg32(kEbp);
  host.rsi = state.reg32(kEsi);
  host.rdi = state.reg32(kEdi);
  host.rip = state.eip();
  host.eflags = (state.rflags & ((kDirectFlags & ~kFlagTf) | kFlagRf)) | kFlagFixed | kFlagIf;
  const auto selector = [&](Seg s) { return entered_with_[static_cast<unsigned>(s)]; };
  host.cs = selector(Seg::cs);
  host.ss = selector(Seg::ss);
  host.ds = selector(Seg::ds);
  host.es = selector(Seg::es);
  host.fs = selector(Seg::fs);
  host.gs = selector(Seg::gs);
  host.fs_base = base_of(state.segment(Seg::fs));
  host.gs_base = base_of(state.segment(Seg::gs));

  const HostStop stop = process.run(host, single_step);
  if (stop.kind == HostStop::Kind::gone) return stop;
  state.set_reg32(kEax, static_cast<u32>(host.rax));
  state.set_reg32(kEcx, static_cast<u32>(host.rcx));
  state.set_reg32(kEdx, static_cast<u32>(host.rdx));
  state.set_reg32(kEbx, static_cast<u32>(host.rbx));
  state.set_reg32(kEsp, static_cast<u32>(host.rsp));
  state.set_reg32(kEbp, static_cast<u32>(host.rbp));
  state.set_reg32(kEsi, static_cast<u32>(host.rsi));
  state.set_reg32(kEdi, static_cast<u32>(host.rdi));
  state.rip = static_cast<u32>(host.rip);
  u32 taken = kDirectFlags;
  if (single_step) taken &= ~kFlagTf;
  state.rflags = (state.rflags & ~u64{taken | kFlagRf}) | (host.eflags & taken);
  // Set in the image of an interrupt in the middle of a REP (SDM vol. 3B 17.3.1.1).
  if (stop.kind == HostStop::Kind::kicked) state.rflags |= host.eflags & kFlagRf;
  host_rip_ = host.rip;
  host_orig_rax_ = host.orig_rax;
  host_code_ = static_cast<u16>(host.cs);
  left_its_code_ = false;
  take_code_segment(host_code_);
  if (left_its_code_) return stop;
  take_segment(Seg::ss, static_cast<u16>(host.ss));
  take_segment(Seg::ds, static_cast<u16>(host.ds));
  take_segment(Seg::es, static_cast<u16>(host.es));
  take_segment(Seg::fs, static_cast<u16>(host.fs));
  take_segment(Seg::gs, static_cast<u16>(host.gs));
  return stop;
}

// --- Out ---

// A far transfer within the guest's own code segments (PUSH CS, RETF) needs no trap.
void DirectRun::take_code_segment(u16 host_selector) {
  if (host_selector == entered_with_[static_cast<unsigned>(Seg::cs)]) return;
  const auto known = aliases_.find(host_selector);
  const bool ours = known && (known->attributes & kSegCode) != 0 && known->dpl() == cpu_.state.cpl;
  if (!ours) {
    left_its_code_ = true;
    return;
  }
  ++silent_loads_;
  cpu_.state.segment(Seg::cs) = *known;
}

// A selector that the guest's code has loaded without a trap: an alias that it had saved, or one that is
// valid on the host too. The CPU model says now what it would have said then; where it would have raised a
// fault the segment becomes null, so that its next use faults.
void DirectRun::take_segment(Seg which, u16 host_selector) {
  if (host_selector == entered_with_[static_cast<unsigned>(which)]) return;
  ++silent_loads_;
  VcpuState& state = cpu_.state;
  SegmentRegister& segment = state.segment(which);
  if (const auto known = aliases_.find(host_selector)) {
    const bool allowed = which == Seg::ss ? known->dpl() == state.cpl : known->dpl() >= state.cpl;
    if (allowed) {
      segment = *known;
      return;
    }
  } else if (load_segment(cpu_, which, host_selector)) {
    return;
  }
  ++late_faults_;
  if (which == Seg::ss) return;
  segment.selector = 0;
  segment.attributes |= kSegUnusable;
}

}  // namespace ringshift
