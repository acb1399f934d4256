// Reading of ELF headers and Xen's notes (Xen's libelf).
#include "paravirt/elf_image.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/bits.h"
#include "paravirt/abi/xen_public.h"

namespace ringshift::xen {

namespace {

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
  Result<void> read_segment(const Elf32_Phdr& segment);
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

Result<void> Reader::read_segment(const Elf32_Phdr& segment) {
  if (segment.p_filesz > segment.p_memsz || u64{segment.p_offset} + segment.p_filesz > file_.size() ||
      u64{segment.p_paddr} + segment.p_memsz > ~u32{0})
    return bad("the file is truncated or corrupt: an ELF segment makes no sense");
  image_.parts.push_back({segment.p_offset, segment.p_filesz, segment.p_memsz, segment.p_paddr});
  return {};
}

// Whether there was a note of Xen's.
Result<bool> Reader::read_notes(u64 offset, u64 size) {
  bool found = false;
  const u64 end = std::min<u64>(offset + size, file_.size());
  while (offset + sizeof(Elf32_Nhdr) <= end) {
    const auto note = *at<Elf32_Nhdr>(offset);
    const u64 name_at = offset + sizeof note;
    const u64 value_at = name_at + align_up(u64{note.n_namesz}, u64{4});
    const u64 next = value_at + align_up(u64{note.n_descsz}, u64{4});
    if (value_at + note.n_descsz > end) break;
    if (note.n_namesz == 4 && std::memcmp(file_.data() + name_at, "Xen", 4) == 0) {
      found = true;
      RS_TRY(take_note(note.n_type, file_.subspan(value_at, note.n_descsz)));
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
  const auto header = at<Elf32_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
    return bad("it is not an ELF file, which -guest-abi xen-pv needs");
  if (header->e_ident[EI_CLASS] != ELFCLASS32 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_machine != EM_386)
    return bad("it is an ELF file for another machine than i386");
  bool notes = false;
  for (u32 i = 0; i < header->e_phnum; ++i) {
    const auto segment = at<Elf32_Phdr>(header->e_phoff + u64{i} * header->e_phentsize);
    if (!segment) return bad("the file is truncated: its program headers are missing");
    if (segment->p_type == PT_LOAD && segment->p_memsz != 0) RS_TRY(read_segment(*segment));
    if (segment->p_type == PT_NOTE) notes = RS_TRY(read_notes(segment->p_offset, segment->p_filesz)) || notes;
  }
  // Without a program header for them, notes may stand in sections alone.
  for (u32 i = 0; !notes && i < header->e_shnum; ++i) {
    const auto section = at<Elf32_Shdr>(header->e_shoff + u64{i} * header->e_shentsize);
    if (section && section->sh_type == SHT_NOTE)
      notes = RS_TRY(read_notes(section->sh_offset, section->sh_size));
  }
  if (!notes) return bad("it has no Xen notes: it isn't made for Xen's paravirtual interface");
  if (image_.parts.empty()) return bad("there is nothing to load");
  if (!image_.entry) image_.entry = header->e_entry;
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
