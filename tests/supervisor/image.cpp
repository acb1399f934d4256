// Image: PAE and 32-bit page tables of the same pages; descriptors of every kind; gates good and bad.
#include "tests/supervisor/image.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "tests/supervisor/layout.h"

namespace ringshift::supervisor {

namespace {

constexpr u32 kDoubleFault = 8;
constexpr u64 kPresent = 1, kWritable = 2, kUser = 4, kAccessed = 0x20, kGlobal = 0x100,
              kNoExecute = u64{1} << 63;

class ImageWriter {
 public:
  explicit ImageWriter(std::vector<u8>& bytes) : bytes_(bytes) {}
  template <class T>
  void put(u32 physical, T value) {
    RS_CHECK(physical + sizeof value <= bytes_.size());
    std::memcpy(bytes_.data() + physical, &value, sizeof value);
  }
  template <class T>
  T get(u32 physical) const {
    T value;
    std::memcpy(&value, bytes_.data() + physical, sizeof value);
    return value;
  }
  template <class T>
  void put_system(u32 linear, T value) {
    put(kSystem + (linear - kSystemBase), value);
  }

  void map(u32 linear, u32 physical, u64 flags) {
    map_pae(linear, physical, flags);
    map_legacy(linear, physical, static_cast<u32>(flags));
  }
  u32 pae_table(u32 linear) const { return static_cast<u32>(get<u64>(pae_entry(linear))) & ~kPageOffsetMask; }
  u32 table(u32 linear) const { return get<u32>(kDirectory + (linear >> 22) * 4) & ~kPageOffsetMask; }

 private:
  static u32 pae_entry(u32 linear) {
    return kDirectories + (linear >> 30) * kPageSize + ((linear >> 21) & 511) * 8;
  }
  void map_pae(u32 linear, u32 physical, u64 flags) {
    if (get<u64>(pae_entry(linear)) == 0) {
      put<u64>(pae_entry(linear), next_pae_table_ | kPresent | kWritable | kUser);
      next_pae_table_ += kPageSize;
      RS_CHECK(next_pae_table_ <= kDirectory);
    }
    put<u64>(pae_table(linear) + ((linear >> 12) & 511) * 8, physical | flags | kPresent);
  }
  void map_legacy(u32 linear, u32 physical, u32 flags) {
    if (table(linear) == 0) {
      put<u32>(kDirectory + (linear >> 22) * 4, next_table_ | kPresent | kWritable | kUser);
      next_table_ += kPageSize;
      RS_CHECK(next_table_ <= kSystem);
    }
    put<u32>(table(linear) + ((linear >> 12) & 1023) * 4, physical | flags | kPresent);
  }
  std::vector<u8>& bytes_;
  u32 next_pae_table_ = kPaeTables, next_table_ = kTables;
};

void write_page_tables(ImageWriter& image) {
  for (u32 i = 0; i < 4; ++i) image.put<u64>(kPdpt + i * 8, (kDirectories + i * kPageSize) | kPresent);
  for (unsigned i = 0; i < kArenaCount; ++i) {
    const differential::Arena& arena = kArenas[i];
    u64 flags = kUser;
    if (arena.writable || arena.executable) flags |= kWritable;  // code may change itself
    // A CPU may look at the page after an instruction, or not.
    flags |= arena.executable ? kAccessed : kNoExecute;
    for (u32 page = 0; page < arena.pages; ++page)
      image.map(arena.base + page * kPageSize, kArenaPages + differential::arena_offset(i) + page * kPageSize,
                flags);
  }
  for (u32 page = 0; page < kSystemPages; ++page)
    image.map(kSystemBase + page * kPageSize, kSystem + page * kPageSize, kWritable | kGlobal);
  // What v8086 code reaches: the vectors, and the arenas.
  image.map(0, 0, kWritable | kUser);
  constexpr u32 kArenasEnd = kArenaPages + differential::arena_offset(kArenaCount);
  for (u32 page = kArenaPages; page < kArenasEnd; page += kPageSize)
    image.map(page, page, kWritable | kUser | (page < kRealData ? kAccessed : 0));
  const u32 data = kArenas[differential::kData].base;
  image.map(kDataTable, image.table(data), kWritable);
  image.map(kPaeDataTable, image.pae_table(data), kWritable);
}

u64 descriptor(u32 base, u32 limit, u8 access, u8 flags) {
  return (limit & 0xffff) | u64{base & 0xffffff} << 16 | u64{access} << 40 | u64{(limit >> 16) & 15} << 48 |
         u64{flags} << 52 | u64{base >> 24} << 56;
}

// Of a call, interrupt, trap or task gate.
u64 gate(u16 selector, u32 offset, u8 access, u8 parameters = 0) {
  return (offset & 0xffff) | u64{selector} << 16 | u64{parameters} << 32 | u64{access} << 40 |
         u64{offset >> 16} << 48;
}

void write_gdt(ImageWriter& image) {
  constexpr u32 kAll = 0xfffff;
  const differential::Arena& data = kArenas[differential::kData];
  const differential::Arena& stack = kArenas[differential::kStack];
  const struct {
    u16 selector;
    u64 value;
  } kDescriptors[] = {
      {kKernelCode, descriptor(0, kAll, 0x9a, 0xc)},
      {kKernelData, descriptor(0, kAll, 0x92, 0xc)},
      {kUserCode, descriptor(0, kAll, 0xfa, 0xc)},
      {kUserData, descriptor(0, kAll, 0xf2, 0xc)},
      {kSystemCode16, descriptor(kStubs, 0xfff, 0x9a, 0)},
      {kDataArena, descriptor(data.base, data.size() - 1, 0xf2, 4)},
      {kNotPresent, descriptor(0, kAll, 0x72, 0xc)},
      {kTssSelector, descriptor(kTss, 0x87, 0x8b, 0)},
      {kLdtSelector, descriptor(kLdt, 0x1f, 0x82, 0)},
      {kOtherTssSelector, descriptor(kOtherTss, 0x67, 0x89, 0)},
      {kExpandDown, descriptor(0, 0x0ffff, 0xf6, 0xc)},
      {kReadOnlyData, descriptor(0, kAll, 0xf0, 0xc)},
      {kExecuteOnly, descriptor(0, kAll, 0x98, 0xc)},
      {kCallGate, gate(kKernelCode, handler_at(Handler::retf), 0xec)},
      {kCallGateTwo, gate(kKernelCode, handler_at(Handler::retf_two), 0xec, 2)},
      {kTaskGate, gate(kOtherTssSelector, 0, 0xe5)},
      {kRing1Code, descriptor(0, kAll, 0xba, 0xc)},
      {kRing1Data, descriptor(0, kAll, 0xb2, 0xc)},
      {kConforming, descriptor(0, kAll, 0x9e, 0xc)},
      {kReserved, descriptor(0, kAll, 0x80, 0xc)},
      {kSmallStack, descriptor(stack.base, stack.size() - 1, 0xf2, 0)},
      {kNotPresentGate, gate(kKernelCode, handler_at(Handler::retf), 0x6c)},
  };
  for (const auto& [selector, value] : kDescriptors) image.put_system<u64>(kGdt + selector, value);
  // The LDT: code and data of DPL 3, data of DPL 0, one that isn't present.
  image.put_system<u64>(kLdt, descriptor(0, kAll, 0xfa, 0xc));
  image.put_system<u64>(kLdt + 8, descriptor(0, kAll, 0xf2, 0xc));
  image.put_system<u64>(kLdt + 16, descriptor(data.base, 0x2fff, 0x92, 4));
  image.put_system<u64>(kLdt + 24, descriptor(0, kAll, 0x7a, 0xc));
}

// Real mode's vectors, and those of v8086 code under CR4.VME.
void write_real_vectors(ImageWriter& image) {
  for (u32 vector = 0; vector < 256; ++vector) {
    const bool returns = vector - kFirstReturningVector < kReturningVectors;
    image.put<u16>(vector * 4, static_cast<u16>(returns ? kRealReturn - kRealStubs : vector));
    image.put<u16>(vector * 4 + 2, real_selector(kRealStubs));
    image.put<u8>(kRealStubs + vector, 0xf4);
  }
  image.put<u8>(kRealReturn, 0xcf);
}

u32 exception_handler(u32 vector) {
  if (vector == 1 || vector == 3 || vector == 4) return handler_at(Handler::iret);
  return handler_at(differential::has_error_code(vector) ? Handler::resume_with_error : Handler::resume);
}

void write_idt(ImageWriter& image, Ending ending) {
  for (u32 vector = 0; vector < kVectorEnd; ++vector) {
    const u8 access = vector == 3 || vector == 4 ? 0xee : 0x8e;
    const bool resumes = ending == Ending::resume && vector < kIrqVector && vector != kDoubleFault;
    const u32 handler = resumes ? exception_handler(vector) : kStubs + vector;
    image.put_system<u64>(kIdt + vector * 8, gate(kKernelCode, handler, access));
  }
  const u32 iret = handler_at(Handler::iret);
  const struct {
    u8 vector;
    u64 value;
  } kGates[] = {
      {kIntReturn, gate(kKernelCode, iret, 0xee)},
      {kTrapReturn, gate(kKernelCode, handler_at(Handler::push_and_iret), 0xef)},
      {kInt16Return, gate(kSystemCode16, handler_at(Handler::iret16) - kStubs, 0xe6)},
      {kTaskReturn, gate(kOtherTssSelector, 0, 0xe5)},
      {kFirstBadVector, gate(kKernelCode, iret, 0x8e)},
      {kFirstBadVector + 1, gate(kKernelCode, iret, 0x6e)},
      {kFirstBadVector + 2, gate(kNull, iret, 0xee)},
      {kFirstBadVector + 3, gate(kKernelCode, iret, 0xec)},
      {kFirstBadVector + 4, gate(kKernelData, iret, 0xee)},
      {kFirstBadVector + 5, gate(kConforming, iret, 0xee)},
  };
  for (const auto& [vector, value] : kGates) image.put_system<u64>(kIdt + vector * 8u, value);
}

// A 32-bit TSS (SDM vol. 3A figure 7-2).
void write_tss(ImageWriter& image, bool pae) {
  const u32 stacks[] = {kRing0Top, kKernelData, kRing0Top - 0x400, kRing1Data | 1, 0, 0};
  for (u32 i = 0; i < std::size(stacks); ++i) image.put_system<u32>(kTss + 4 + i * 4, stacks[i]);
  // The I/O map: half of the first ports are allowed, as far as the limit.
  constexpr u32 kMapOffset = 0x68;
  image.put_system<u16>(kTss + 0x66, kMapOffset);
  for (u32 i = 0; i < 0x20; ++i) image.put_system<u8>(kTss + kMapOffset + i, i % 2 == 0 ? 0x0f : 0xff);

  const u32 cr3 = pae ? kPdpt : kDirectory;
  image.put_system<u32>(kTss + 0x1c, cr3);
  image.put_system<u32>(kOtherTss + 0x1c, cr3);
  image.put_system<u32>(kOtherTss + 0x20, handler_at(Handler::task));
  image.put_system<u32>(kOtherTss + 0x24, 2);
  image.put_system<u32>(kOtherTss + 0x38, kTaskTop);
  const u16 segments[] = {kKernelData, kKernelCode, kKernelData, kKernelData, kNull, kUserData};
  for (u32 i = 0; i < std::size(segments); ++i) image.put_system<u32>(kOtherTss + 0x48 + i * 4, segments[i]);
  image.put_system<u16>(kOtherTss + 0x66, 0x68);
}

// DEC DWORD SS:[left]; JZ over the rest to HLT; ADD ESP, 4 for an error code; AND DWORD [ESP], -step;
// ADD DWORD [ESP], step; IRETD; HLT. SS, for DS may be anything.
std::vector<u8> resume_code(bool error_code) {
  constexpr u8 kStep = kResumeStep, kMask = static_cast<u8>(-static_cast<int>(kResumeStep));
  std::vector<u8> code = {0x36, 0xff, 0x0d};
  for (unsigned i = 0; i < 4; ++i) code.push_back(static_cast<u8>(kResumptionsLeft >> (8 * i)));
  code.insert(code.end(), {0x74, static_cast<u8>(error_code ? 12 : 9)});
  if (error_code) code.insert(code.end(), {0x83, 0xc4, 4});
  code.insert(code.end(), {0x83, 0x24, 0x24, kMask, 0x83, 0x04, 0x24, kStep, 0xcf, 0xf4});
  return code;
}

void write_handlers(ImageWriter& image) {
  for (u32 vector = 0; vector < 256; ++vector) image.put_system<u8>(kStubs + vector, 0xf4);
  image.put_system<u32>(kResumptionsLeft, kResumptions);
  const std::vector<u8> kCode[] = {
      {0xcf},                    // IRETD
      {0x50, 0x58, 0xcf},        // PUSH EAX; POP EAX; IRETD
      {0xcf},                    // IRET, in a 16-bit segment
      {0xcb},                    // RETF
      {0xca, 8, 0},              // RETF 8
      {0x0f, 0x35},              // SYSEXIT
      {0x40, 0xcf, 0xeb, 0xfc},  // again: INC EAX; IRETD; JMP again
      resume_code(false),
      resume_code(true),
  };
  static_assert(std::size(kCode) == static_cast<u32>(Handler::count));
  for (u32 i = 0; i < std::size(kCode); ++i) {
    RS_CHECK(kCode[i].size() <= kHandlerSize);
    for (u32 byte = 0; byte < kCode[i].size(); ++byte)
      image.put_system<u8>(kHandlers + i * kHandlerSize + byte, kCode[i][byte]);
  }
}

}  // namespace

std::vector<u8> make_image(bool pae, Ending ending) {
  std::vector<u8> bytes(kImageSize);
  ImageWriter image(bytes);
  write_page_tables(image);
  write_gdt(image);
  write_idt(image, ending);
  write_real_vectors(image);
  write_tss(image, pae);
  write_handlers(image);
  return bytes;
}

}  // namespace ringshift::supervisor
