// Reading of ELF headers and Xen's notes (Xen's libelf).
#include "paravirt/elf_image.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/bits.h"
#include "paravirt/abi/xen_public.h"

namespace ringshift::xen {

namespace {

constexpr u32 kElfMagic = 0x464c457f;
constexpr u8 kClass32 = 1;
constexpr u8 kLittleEndian = 1;
constexpr u16 kMachine386 = 3;
constexpr u32 kTypeLoad = 1;
constexpr u32 kTypeNote = 4;
constexpr u32 kSectionNote = 7;

struct Header {
  u8 identification[16];
  u16 type, machine;
  u32 version, entry, segments_offset, sections_offset, flags;
  u16 header_size, segment_size, segment_count, section_size, section_count, names_section;
};
struct Segment {
  u32 type, offset, virtual_address, physical_address, file_size, memory_size, flags, alignment;
};
struct Section {
  u32 name, type, flags, address, offset, size, link, info, alignment, entry_size;
};
struct NoteHeader {
  u32 name_size, size, type;
};

class Reader {
 public:
  Reader(std::span<const u8> file, const std::string& name) : file_(file), name_(name) {}

  Result<ElfImage> read();

 private:
  template <class T>
  std::optional<T> at(u64 offset) const {
    T value;
    if (offset + sizeof value > file_.size()) return std::nullopt;
    std::memcpy(&value, file_.data() + offset, sizeof value);
    return value;
  }
  auto bad(const char* what) const { return fail(ErrorKind::input_file, "kernel {}: {}", name_, what); }
  Result<void> read_segment(const Segment& segment);
  Result<bool> read_notes(u64 offset, u64 size);
  Result<void> take_note(u32 type, std::span<const u8> value);
  Result<void> check_features(std::string_view features) const;

  std::span<const u8> file_;
  const std::string& name_;
  ElfImage image_;
};

u32 number(std::span<const u8> value) {
  u64 result = 0;
  std::memcpy(&result, value.data(), std::min<std::size_t>(value.size(), sizeof result));
  return static_cast<u32>(result);
}

std::string_view text(std::span<const u8> value) {
  const std::string_view all(reinterpret_cast<const char*>(value.data()), value.size());
  return all.substr(0, all.find('\0'));
}

Result<void> Reader::read_segment(const Segment& segment) {
  if (segment.file_size > segment.memory_size || u64{segment.offset} + segment.file_size > file_.size() ||
      u64{segment.physical_address} + segment.memory_size > ~u32{0})
    return bad("the file is truncated or corrupt: an ELF segment makes no sense");
  image_.parts.push_back({segment.offset, segment.file_size, segment.memory_size, segment.physical_address});
  return {};
}

// Whether there was a note of Xen's.
Result<bool> Reader::read_notes(u64 offset, u64 size) {
  bool found = false;
  const u64 end = std::min<u64>(offset + size, file_.size());
  while (offset + sizeof(NoteHeader) <= end) {
    const auto note = *at<NoteHeader>(offset);
    const u64 name_at = offset + sizeof note;
    const u64 value_at = name_at + align_up(u64{note.name_size}, u64{4});
    const u64 next = value_at + align_up(u64{note.size}, u64{4});
    if (value_at + note.size > end) break;
    if (note.name_size == 4 && std::memcmp(file_.data() + name_at, "Xen", 4) == 0) {
      found = true;
      RS_TRY(take_note(note.type, file_.subspan(value_at, note.size)));
    }
    offset = next;
  }
  return found;
}

// "a|!b": features, those that are required with "!".
Result<void> Reader::check_features(std::string_view features) const {
  while (!features.empty()) {
    const auto bar = features.find('|');
    const std::string_view feature = features.substr(0, bar);
    features = bar == std::string_view::npos ? std::string_view() : features.substr(bar + 1);
    if (!feature.starts_with('!') || feature == "!pae_pgdir_above_4gb") continue;
    return fail(ErrorKind::input_file, "kernel {} needs a feature that isn't offered here: {}", name_,
                feature.substr(1));
  }
  return {};
}

Result<void> Reader::take_note(u32 type, std::span<const u8> value) {
  switch (type) {
    case XEN_ELFNOTE_ENTRY:
      image_.entry = number(value);
      break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
      image_.hypercall_page = number(value);
      break;
    case XEN_ELFNOTE_VIRT_BASE:
      image_.virtual_base = number(value);
      break;
    case XEN_ELFNOTE_PADDR_OFFSET:
      image_.physical_offset = number(value);
      break;
    case XEN_ELFNOTE_INIT_P2M:
      image_.init_p2m_elsewhere = true;
      break;
    case XEN_ELFNOTE_GUEST_OS:
      image_.guest_os = text(value);
      break;
    case XEN_ELFNOTE_PAE_MODE:
      if (text(value) == "no") return bad("it is for Xen without PAE, which has long been gone");
      break;
    case XEN_ELFNOTE_FEATURES:
      return check_features(text(value));
    default:
      break;
  }
  return {};
}

Result<ElfImage> Reader::read() {
  const auto header = at<Header>(0);
  if (!header || at<u32>(0) != kElfMagic) return bad("it is not an ELF file, which -guest-abi xen-pv needs");
  if (header->identification[4] != kClass32 || header->identification[5] != kLittleEndian ||
      header->machine != kMachine386)
    return bad("it is an ELF file for another machine than i386");
  bool notes = false;
  for (u32 i = 0; i < header->segment_count; ++i) {
    const auto segment = at<Segment>(header->segments_offset + u64{i} * header->segment_size);
    if (!segment) return bad("the file is truncated: its program headers are missing");
    if (segment->type == kTypeLoad && segment->memory_size != 0) RS_TRY(read_segment(*segment));
    if (segment->type == kTypeNote) notes = RS_TRY(read_notes(segment->offset, segment->file_size)) || notes;
  }
  // Without a program header for them, notes may stand in sections alone.
  for (u32 i = 0; !notes && i < header->section_count; ++i) {
    const auto section = at<Section>(header->sections_offset + u64{i} * header->section_size);
    if (section && section->type == kSectionNote) notes = RS_TRY(read_notes(section->offset, section->size));
  }
  if (!notes) return bad("it has no Xen notes: it isn't made for Xen's paravirtual interface");
  if (image_.parts.empty()) return bad("there is nothing to load");
  if (!image_.entry) image_.entry = header->entry;
  image_.first = ~u32{0};
  for (const LoadedPart& part : image_.parts) {
    image_.first = std::min(image_.first, part.physical);
    image_.end = std::max(image_.end, part.physical + part.memory_size);
  }
  return std::move(image_);
}

}  // namespace

Result<ElfImage> read_elf_image(std::span<const u8> file, const std::string& name) {
  return Reader(file, name).read();
}

}  // namespace ringshift::xen
