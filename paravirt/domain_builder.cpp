// Building of a domain: frames, image, first page tables, start_info, entry state (Xen's libxenguest).
#include "paravirt/domain_builder.h"

#include <algorithm>

#include "base/bits.h"

namespace ringshift::xen {

namespace {

using StartInfo = xen32::start_info_x86_32;

// Machine frames begin this many after pseudo-physical ones, so that a guest that takes one for the other is
// found out.
constexpr u32 kRotation = 0x100;
constexpr u32 kPadding = 512u << 10;
constexpr u32 kRegionAlignment = 4u << 20;

class Builder {
 public:
  Builder(Domain& domain, const DomainImage& image, const ElfImage& elf)
      : domain_(domain), image_(image), elf_(elf) {}

  Result<BuiltDomain> build();

 private:
  void give_frames();
  Mfn mfn_of(u32 pfn) const { return (pfn + kRotation) % frames_; }
  u32 va_of(u32 pfn) const { return elf_.virtual_base + (pfn << kPageShift); }
  Result<void> lay_out();
  bool fits_tables();
  void copy(u32 pfn, u32 offset, const void* data, u64 length);
  Result<void> load_image();
  void fill_hypercall_page();
  void write_p2m();
  Mfn build_tables();
  void write_start_info();
  void enter();

  Domain& domain_;
  const DomainImage& image_;
  const ElfImage& elf_;
  u32 frames_ = 0;
  // Pseudo-physical frames of the elements, in their order.
  u32 module_ = 0, p2m_ = 0, start_info_ = 0, store_ = 0, console_ = 0, tables_ = 0, table_count_ = 0,
      stack_ = 0;
  u32 mapped_ = 0;  // how many frames are mapped at first
};

u32 pages_for(u64 bytes) { return static_cast<u32>(align_up(bytes, u64{kPageSize}) >> kPageShift); }

void Builder::give_frames() {
  frames_ = domain_.space.first_kept();
  domain_.domain_frames = frames_;
  for (u32 pfn = 0; pfn < frames_; ++pfn) {
    domain_.frames.give(mfn_of(pfn));
    domain_.space.set_m2p(mfn_of(pfn), pfn);
  }
}

// One L3, an L2 for each gigabyte in use and the top one, an L1 for each 2 MiB.
bool Builder::fits_tables() {
  const u32 pages_end = stack_ + 1;
  const u64 end =
      align_up(u64{elf_.virtual_base} + (u64{pages_end} << kPageShift) + kPadding, u64{kRegionAlignment});
  if (end > kHypervisorStart) return false;
  mapped_ = static_cast<u32>((end - elf_.virtual_base) >> kPageShift);
  const u32 last = static_cast<u32>(end - 1);
  const u32 l2s = l3_index(last) - l3_index(elf_.virtual_base) + 1;
  const u32 top = l3_index(last) == kTopSlot ? 0 : 1;
  constexpr u32 kL1Shift = 21;
  const u32 l1s = (last >> kL1Shift) - (elf_.virtual_base >> kL1Shift) + 1;
  table_count_ = 1 + l2s + top + l1s;
  return true;
}

Result<void> Builder::lay_out() {
  const auto too_large = [&] {
    return fail(ErrorKind::input_file,
                "kernel {} wants addresses where this domain has no memory; give a larger -m?",
                image_.kernel_name);
  };
  const u64 first = elf_.virtual_of(elf_.first);
  const u64 end = elf_.virtual_of(elf_.end);
  if ((elf_.virtual_base & kPageOffsetMask) != 0 || first < elf_.virtual_base || end < first ||
      end > kHypervisorStart)
    return fail(ErrorKind::input_file, "kernel {}: its addresses don't fit its virtual base {:#x}",
                image_.kernel_name, elf_.virtual_base);
  u64 next = pages_for(end - elf_.virtual_base);
  const auto place = [&next](u32& at, u64 pages) {
    at = static_cast<u32>(next);
    next += pages;
  };
  place(module_, pages_for(image_.module.size()));
  place(p2m_, pages_for(u64{frames_} * sizeof(u32)));
  place(start_info_, 1);
  place(store_, 1);
  place(console_, 1);
  // The tables map themselves: their number follows from where they end.
  for (u32 count = 1;; count = table_count_) {
    u64 at = next;
    if (at + count + 1 > frames_) return too_large();
    tables_ = static_cast<u32>(at);
    stack_ = tables_ + count;
    if (!fits_tables()) return too_large();
    if (table_count_ <= count) {
      table_count_ = count;
      break;
    }
  }
  if (mapped_ > frames_) return too_large();
  return {};
}

void Builder::copy(u32 pfn, u32 offset, const void* data, u64 length) {
  const u8* from = static_cast<const u8*>(data);
  pfn += offset >> kPageShift;
  offset &= kPageOffsetMask;
  while (length != 0) {
    const u32 piece = static_cast<u32>(std::min<u64>(length, kPageSize - offset));
    domain_.memory.write(mfn_of(pfn), offset, from, piece);
    from += piece;
    length -= piece;
    offset = 0;
    ++pfn;
  }
}

Result<void> Builder::load_image() {
  for (const LoadedPart& part : elf_.parts)
    copy(0, elf_.virtual_of(part.physical) - elf_.virtual_base, image_.kernel.data() + part.offset,
         part.file_size);
  if (!image_.module.empty()) copy(module_, 0, image_.module.data(), image_.module.size());
  return {};
}

// mov $n, %eax; int $0x82; ret; but HYPERVISOR_iret, which doesn't return and wants EAX on the stack.
void Builder::fill_hypercall_page() {
  if (!elf_.hypercall_page) return;
  const u32 page_at = *elf_.hypercall_page;
  const u32 at = page_at - elf_.virtual_base;
  // Within the image: what comes behind it is the builder's own.
  const u64 image_end = align_up(u64{elf_.virtual_of(elf_.end)}, u64{kPageSize});
  if (page_at < elf_.virtual_of(elf_.first) || u64{page_at} + kPageSize > image_end ||
      (at & kPageOffsetMask) != 0)
    return;
  constexpr u32 kEach = 32;
  u8 page[kPageSize] = {};
  for (u32 number = 0; number < kPageSize / kEach; ++number) {
    u8* code = page + number * kEach;
    if (number == __HYPERVISOR_iret) *code++ = 0x50;  // push %eax
    *code++ = 0xb8;
    std::memcpy(code, &number, sizeof number);
    code += sizeof number;
    *code++ = 0xcd;
    *code++ = kHypercallVector;
    if (number != __HYPERVISOR_iret) *code++ = 0xc3;
  }
  copy(at >> kPageShift, 0, page, sizeof page);
}

void Builder::write_p2m() {
  for (u32 pfn = 0; pfn < frames_; ++pfn) {
    const u32 mfn = mfn_of(pfn);
    copy(p2m_, pfn * sizeof(u32), &mfn, sizeof mfn);
  }
}

// Everything from the virtual base on, writable but for the tables themselves.
Mfn Builder::build_tables() {
  constexpr u64 kLeaf = kPtePresent | kPteAccessed;
  constexpr u64 kInner = kPtePresent | kPteWritable | kPteUser | kPteAccessed | kPteDirty;
  MachineMemory& memory = domain_.memory;
  u32 used = tables_;
  const auto next = [&] { return mfn_of(used++); };
  const Mfn l3 = next();
  // The table that an entry names, made if there is none.
  const auto inner = [&](Mfn table, u32 index, u64 bits) {
    const u64 entry = memory.entry(table, index);
    if (is_present(entry)) return static_cast<Mfn>(frame_of(entry));
    const Mfn made = next();
    memory.set_entry(table, index, entry_for(made, bits));
    return made;
  };
  inner(l3, kTopSlot, kPtePresent);
  for (u32 pfn = 0; pfn < mapped_; ++pfn) {
    const Gva va = va_of(pfn);
    const Mfn l1 = inner(inner(l3, l3_index(va), kPtePresent), l2_index(va), kInner);
    const bool table = pfn >= tables_ && pfn < tables_ + table_count_;
    memory.set_entry(l1, l1_index(va), entry_for(mfn_of(pfn), table ? kLeaf : kLeaf | kPteWritable));
  }
  RS_CHECK(used <= tables_ + table_count_);
  return l3;
}

void Builder::write_start_info() {
  StartInfo info{};
  std::strcpy(info.magic, "xen-3.0-x86_32p");
  info.nr_pages = frames_;
  info.shared_info = domain_.info.mfn() << kPageShift;
  info.store_mfn = mfn_of(store_);
  info.console.domU.mfn = mfn_of(console_);
  info.pt_base = va_of(tables_);
  info.nr_pt_frames = table_count_;
  info.mfn_list = va_of(p2m_);
  if (!image_.module.empty()) {
    info.mod_start = va_of(module_);
    info.mod_len = static_cast<u32>(image_.module.size());
  }
  const std::size_t length = std::min(image_.command_line.size(), sizeof info.cmd_line - 1);
  std::memcpy(info.cmd_line, image_.command_line.data(), length);
  copy(start_info_, 0, &info, sizeof info);
}

// As a domain of Xen's is entered: ring 1, flat segments, upcalls masked.
void Builder::enter() {
  VcpuState& state = domain_.cpu.state;
  state.cr0 = kCr0Pe | kCr0Mp | kCr0Et | kCr0Ne | kCr0Wp | kCr0Am | kCr0Pg;
  state.cr4 = kCr4Pae | kCr4Pge | kCr4De;
  if (domain_.cpu.cpuid.has(CpuFeature::fxsr)) state.cr4 |= kCr4OsFxsr;
  if (domain_.cpu.cpuid.has(CpuFeature::sse)) state.cr4 |= kCr4OsXmmExcpt;
  if (domain_.cpu.cpuid.has(CpuFeature::nx)) state.efer |= kEferNxe;
  domain_.descriptors.start();
  const auto segment = [](u16 selector, u8 dpl, bool code) {
    const u32 type = code ? kSegCode | kSegWritable | kSegAccessed : kSegWritable | kSegAccessed;
    return SegmentRegister{
        selector,
        0,
        type | kSegNotSystem | kSegPresent | kSegBig | kSegGranular | (u32{dpl} << kSegDplShift),
        0xffffffff,
        0,
        0};
  };
  for (SegmentRegister& any : state.seg) any = segment(kRing1Ds, 1, false);
  state.segment(Seg::cs) = segment(kRing1Cs, 1, true);
  state.cpl = 1;
  for (u64& any : state.gpr) any = 0;
  state.rip = *elf_.entry;
  state.rflags = kFlagFixed | kFlagIf;
  state.set_reg32(kEsi, va_of(start_info_));
  state.set_reg32(kEsp, va_of(stack_) + kPageSize);
  domain_.traps.set_kernel_stack(kRing1Ds, va_of(stack_) + kPageSize);
  domain_.info.set_masked(true);
}

Result<BuiltDomain> Builder::build() {
  give_frames();
  RS_TRY(lay_out());
  RS_TRY(load_image());
  fill_hypercall_page();
  write_p2m();
  write_start_info();
  const Mfn l3 = build_tables();
  enter();
  // By the rules that hold for the guest's own tables.
  RS_CHECK(domain_.tables.pin(l3, FrameType::l3) == 0);
  RS_CHECK(domain_.address_space.switch_to(l3) == 0);
  domain_.command_line = image_.command_line;
  domain_.time.start(domain_.cpu.state.tsc_offset, image_.utc);
  return BuiltDomain{mfn_of(start_info_), mfn_of(store_), mfn_of(console_)};
}

}  // namespace

Result<BuiltDomain> build_domain(Domain& domain, const DomainImage& image) {
  const ElfImage elf = RS_TRY(read_elf_image(image.kernel, image.kernel_name));
  return Builder(domain, image, elf).build();
}

void set_start_channels(Domain& domain, const BuiltDomain& built, u32 store_port, u32 console_port) {
  domain.memory.write(built.start_info, offsetof(StartInfo, store_evtchn), &store_port, sizeof store_port);
  domain.memory.write(built.start_info, offsetof(StartInfo, console.domU.evtchn), &console_port,
                      sizeof console_port);
}

}  // namespace ringshift::xen
